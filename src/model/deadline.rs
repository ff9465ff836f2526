//! The machine's timers, as they come back: [`super::event::Event::DeadlinePassed`].

use serde::{Deserialize, Serialize};

/// The machine's timers. At most one of each is armed for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deadline {
    /// A node of lower priority has waited for a higher one at the first start.
    Negotiation,
    /// A failed order to Redis is due to be tried again.
    Retry,
    /// Redis has been down here for a while: does anybody serve?
    Unserved,
    /// The primary has been without a replica for a while.
    Redundancy,
    /// The VIP and keepalived's last word have disagreed for a while.
    Reconcile,
    /// keepalived has been gone for a while.
    KeepalivedGone,
    /// An unresolved alarm is due to be said again.
    Repeat,
    /// The pause is over.
    PauseExpiry,
    /// Another node has been seen to serve beside this one for a while.
    Conflict,
    /// The replica here has had no link for a while, and another node may have gone on.
    Apart,
    /// The last primary, or another one with a better copy, has been waited for long enough.
    LastPrimary,
    /// A drill ought to have ended a while ago, and nobody said so.
    DrillOver,
    /// Long enough nothing was done of its own accord, or everything was looked at anew.
    TiltOver,
    /// A node that was promoted too often has waited for the other one to serve.
    FlapWait,
    /// The right to lead has been waited for long enough.
    Lead,
    /// The node's own vote is due to be taken back from another node, or is free.
    OwnVote,
    /// That another node follows was seen so long ago that it counts no more.
    Vouched,
}

impl Deadline {
    /// The word used in history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Negotiation => "negotiation",
            Self::Retry => "retry",
            Self::Unserved => "unserved",
            Self::Redundancy => "redundancy",
            Self::Reconcile => "reconcile",
            Self::KeepalivedGone => "keepalived-gone",
            Self::Repeat => "repeat",
            Self::PauseExpiry => "pause-expiry",
            Self::Conflict => "conflict",
            Self::Apart => "apart",
            Self::LastPrimary => "last-primary",
            Self::DrillOver => "drill-over",
            Self::TiltOver => "tilt-over",
            Self::FlapWait => "flap-wait",
            Self::Lead => "lead",
            Self::OwnVote => "own-vote",
            Self::Vouched => "vouched",
        }
    }
}
