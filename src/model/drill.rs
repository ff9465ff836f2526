//! What an operator can break on purpose, to see what the pair makes of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A drill. Variants are stored by position: append, never reorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drill {
    /// The interface of the VIP is down.
    Link,
    /// Redis is stopped in good order.
    RedisStop,
    /// Redis is killed.
    RedisKill,
    /// Redis lives and does not answer.
    RedisHang,
    /// keepalived is stopped in good order.
    KeepalivedStop,
    /// The agent is killed.
    AgentKill,
}

impl Drill {
    /// Every drill, in stored order.
    pub const ALL: [Self; 6] = [
        Self::Link,
        Self::RedisStop,
        Self::RedisKill,
        Self::RedisHang,
        Self::KeepalivedStop,
        Self::AgentKill,
    ];

    /// The word used on the command line, in history and in alarms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::RedisStop => "redis-stop",
            Self::RedisKill => "redis-kill",
            Self::RedisHang => "redis-hang",
            Self::KeepalivedStop => "keepalived-stop",
            Self::AgentKill => "agent-kill",
        }
    }

    /// The drill of that name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|drill| drill.word() == word)
    }
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
