//! What a Redis has that the one that it is to follow lacks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::redis::{Endpoint, RedisId};

/// A data set that has gone its own way, as its Redis told it with its writes stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverged {
    /// Whom it is to follow.
    pub target: Endpoint,
    /// Its replication stream (`master_replid`).
    pub replid: RedisId,
    /// How far it has come in it, in bytes.
    pub offset: i64,
    /// How many bytes of it the target lacks. `None` where the two have no stream in common, or the target did not
    /// answer: then it may lack anything, or nothing.
    pub lacks: Option<u64>,
    /// Keys in all databases.
    pub keys: u64,
}

/// What the target lacks, in words.
impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lacks {
            Some(1) => write!(f, "{} lacks 1 byte of its writes", self.target),
            Some(bytes) => write!(f, "{} lacks {bytes} bytes of its writes", self.target),
            None => write!(f, "how much of it {} lacks cannot be told", self.target),
        }
    }
}
