//! The right to lead: whose votes are needed for it, and what they say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose votes count beside those of the nodes, as journaled in `Configured`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// One that votes for many (etcd): its vote alone counts, and none of a node.
    pub alone: bool,
    /// Their names: addresses, or "etcd".
    pub voters: Vec<String>,
    /// How long a vote is given for, in milliseconds, unless it is given again.
    pub ttl_ms: u64,
}

impl Quorum {
    /// How long after a vote was last given, or another node last seen to follow, it counts here. The rest of its time is for
    /// Redis to stop taking writes.
    #[must_use]
    pub fn counts_ms(&self) -> u64 {
        self.ttl_ms / 3 * 2
    }
}

/// For whom a voter stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vote {
    /// For this node.
    Ours {
        /// Who had it before gave it back: it takes no writes any more.
        handed: bool,
    },
    /// For nobody.
    Free,
    /// For another node.
    Theirs {
        /// Its name.
        holder: String,
    },
    /// It has not answered for so long that its vote counts no more.
    Silent {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours { handed: false } => f.write_str("for this node"),
            Self::Ours { handed: true } => f.write_str("for this node, handed over"),
            Self::Free => f.write_str("for nobody"),
            Self::Theirs { holder } => write!(f, "for {holder}"),
            Self::Silent { why } => write!(f, "no answer: {why}"),
        }
    }
}
