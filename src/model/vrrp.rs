//! What keepalived says: the state of a VRRP instance, which tells who should hold the VIP.
//!
//! Words as keepalived writes them (`vrrp/vrrp_notify.c`, keepalived.conf(5) "notify_fifo").

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::At;

/// keepalived's state of a VRRP instance (RFC 5798 section 6.4, plus keepalived's own states).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VrrpState {
    /// This node should hold the VIP.
    Master,
    /// Another node should hold the VIP.
    Backup,
    /// keepalived cannot take part: an interface, script or tracked file says no.
    Fault,
    /// keepalived is shutting down and has given the VIP up.
    Stop,
    /// The instance was removed by a reload (`notify_deleted`).
    Deleted,
    /// A word that this version does not know; the raw line is kept in the event.
    Unknown,
}

impl VrrpState {
    /// The word that keepalived writes, or `UNKNOWN`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for VrrpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whom a notify line speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// `INSTANCE "name" …`
    Instance,
    /// `GROUP "name" …`: a sync group; recorded, never acted upon.
    Group,
    /// Any other first word (`VS`, `RS`, junk).
    Unknown,
}

/// What a notify line says of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// The subject entered this state.
    State(VrrpState),
    /// `MASTER_RX_LOWER_PRI`: a master heard another master with a lower priority.
    RxLowerPriority,
    /// `MASTER_PRIORITY` or `BACKUP_PRIORITY`: the priority changed. The state in the word is *not*
    /// to be believed (keepalived #2631), so it is not kept.
    PriorityChanged,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => state.fmt(f),
            Self::RxLowerPriority => f.pad("MASTER_RX_LOWER_PRI"),
            Self::PriorityChanged => f.pad("PRIORITY"),
        }
    }
}

/// One notify line, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Whom the line speaks of.
    pub subject: Subject,
    /// The name between the quotes, as written in keepalived.conf.
    pub name: String,
    /// What it says.
    pub word: Word,
    /// Effective priority, 0 to 255; `None` where the line has none.
    pub priority: Option<u16>,
    /// The line as it came where a part of it was not understood, at most 200 bytes of it, escaped.
    pub raw: Option<String>,
}

/// Where a line stands in the spool: this makes the intake exactly-once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpoolPosition {
    /// Number of the spool segment.
    pub segment: u64,
    /// Byte offset behind the line, where the next line begins.
    pub offset: u64,
}

/// A notify line on its way through the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// What keepalived said.
    pub notification: Notification,
    /// When `rha-event` read it: the original time, however late the agent took it in.
    pub stamped: At,
    /// Where it stood in the spool. `None` on all but the last record where one line concerns several instances.
    pub spool: Option<SpoolPosition>,
}
