//! Alarms: what an operator is told, once.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::IncidentId;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AlarmKind {
    /// This node became primary in place of another.
    TookOver,
    /// The primary here has had no replica for a while.
    NoReplica,
    /// Redis is down here and no other node serves.
    Unserved,
    /// The VIP is here and Redis may not be promoted.
    PromotionHeld,
    /// An order to Redis failed and is being tried again.
    EffectFailed,
    /// Redis refuses our credentials.
    AuthRefused,
    /// Redis reports `MISCONF`.
    Misconfigured,
    /// keepalived is not running here.
    KeepalivedGone,
    /// keepalived is in FAULT although Redis is well.
    VrrpFault,
    /// The journal cannot be written, or was damaged.
    JournalTrouble,
    /// This node is primary, or has the VIP, and another one serves too.
    TwoPrimaries,
    /// keepalived moved the VIP, and its line did not arrive.
    NotifyLost,
    /// The copy that was promoted may lack what the last primary had.
    OlderCopy,
    /// Another host answers for the VIP, too.
    VipClaimed,
    /// The VIP keeps coming and going: this node was promoted too often.
    Flapping,
    /// Writes that the new primary lacks were saved before they were overwritten.
    Rescued,
    /// Writes that the new primary lacks could not be saved.
    NotRescued,
    /// The right to lead is lost, or the voters that give it do not answer.
    Quorum,
}

impl AlarmKind {
    /// Every kind, in stored order.
    pub const ALL: [Self; 18] = [
        Self::TookOver,
        Self::NoReplica,
        Self::Unserved,
        Self::PromotionHeld,
        Self::EffectFailed,
        Self::AuthRefused,
        Self::Misconfigured,
        Self::KeepalivedGone,
        Self::VrrpFault,
        Self::JournalTrouble,
        Self::TwoPrimaries,
        Self::NotifyLost,
        Self::OlderCopy,
        Self::VipClaimed,
        Self::Flapping,
        Self::Rescued,
        Self::NotRescued,
        Self::Quorum,
    ];

    /// The word used in keys, history and filters.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TookOver => "took-over",
            Self::NoReplica => "no-replica",
            Self::Unserved => "unserved",
            Self::PromotionHeld => "promotion-held",
            Self::EffectFailed => "effect-failed",
            Self::AuthRefused => "auth-refused",
            Self::Misconfigured => "misconfigured",
            Self::KeepalivedGone => "keepalived-gone",
            Self::VrrpFault => "vrrp-fault",
            Self::JournalTrouble => "journal-trouble",
            Self::TwoPrimaries => "two-primaries",
            Self::NotifyLost => "notify-lost",
            Self::OlderCopy => "older-copy",
            Self::VipClaimed => "vip-claimed",
            Self::Flapping => "flapping",
            Self::Rescued => "rescued",
            Self::NotRescued => "not-rescued",
            Self::Quorum => "quorum",
        }
    }

    /// How loud it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::TookOver
            | Self::NoReplica
            | Self::VrrpFault
            | Self::KeepalivedGone
            | Self::NotifyLost
            | Self::Rescued => Severity::Warning,
            Self::Unserved
            | Self::PromotionHeld
            | Self::EffectFailed
            | Self::AuthRefused
            | Self::Misconfigured
            | Self::JournalTrouble
            | Self::TwoPrimaries
            | Self::OlderCopy
            | Self::VipClaimed
            | Self::Flapping
            | Self::NotRescued
            | Self::Quorum => Severity::Critical,
        }
    }

    /// The alarms that say the same trouble already, or its cause: while one of them is out, this one is no news.
    #[must_use]
    pub fn covered_by(self) -> &'static [Self] {
        match self {
            Self::NoReplica => &[Self::TookOver, Self::OlderCopy],
            Self::Unserved => &[Self::PromotionHeld],
            Self::PromotionHeld => &[Self::Unserved, Self::Flapping],
            Self::EffectFailed => &[Self::AuthRefused, Self::NotRescued],
            Self::VrrpFault => &[Self::Unserved, Self::KeepalivedGone],
            Self::VipClaimed => &[Self::TwoPrimaries],
            Self::TookOver
            | Self::AuthRefused
            | Self::Misconfigured
            | Self::KeepalivedGone
            | Self::JournalTrouble
            | Self::TwoPrimaries
            | Self::NotifyLost
            | Self::OlderCopy
            | Self::Flapping
            | Self::Rescued
            | Self::NotRescued
            | Self::Quorum => &[],
        }
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How loud an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Served, but with less than the configured safety.
    Warning,
    /// Not served, not safe, or not in rha's hands.
    Critical,
}

/// Where in its life an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlarmStatus {
    /// Said for the first time in its incident.
    Raised,
    /// Said again: still true after the repeat interval.
    Repeated,
    /// No longer true.
    Resolved,
}

impl fmt::Display for AlarmStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        })
    }
}

/// One message to one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The incident it belongs to: with `kind` the key of deduplication.
    pub incident: IncidentId,
    /// What it is about.
    pub kind: AlarmKind,
    /// Raised, repeated or resolved.
    pub status: AlarmStatus,
    /// One line.
    pub title: String,
    /// What happened and what to do.
    pub content: String,
}
