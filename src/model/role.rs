//! What rha has decided this node is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The decided role of this node for one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Too little is known to decide.
    Undecided,
    /// Redis here follows the primary.
    Replica,
    /// The VIP is here and Redis is being promoted.
    Promoting,
    /// The VIP is here and Redis takes writes.
    Primary,
    /// The VIP is elsewhere and Redis is being made a replica.
    Demoting,
    /// The VIP is here, but the promotion gate is shut.
    Held,
    /// Cut off: Redis must not take writes until the others are reached again.
    Fenced,
    /// This node cannot serve: Redis is down, or keepalived is in FAULT.
    Fault,
    /// keepalived was stopped here; Redis follows the others.
    Stopped,
}

impl Role {
    /// Every role, in stored order.
    pub const ALL: [Self; 9] = [
        Self::Undecided,
        Self::Replica,
        Self::Promoting,
        Self::Primary,
        Self::Demoting,
        Self::Held,
        Self::Fenced,
        Self::Fault,
        Self::Stopped,
    ];

    /// The word used everywhere a person or a program reads it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Replica => "replica",
            Self::Promoting => "promoting",
            Self::Primary => "primary",
            Self::Demoting => "demoting",
            Self::Held => "held",
            Self::Fenced => "fenced",
            Self::Fault => "fault",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
