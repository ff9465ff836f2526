//! Orders, imperative. What comes of each is an [`Outcome`], which travels as an event.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::record::Seq;
use super::redis::Endpoint;

/// Something to be done about the world. At least once, idempotent, bounded in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// `REPLICAOF NO ONE`, confirmed by `ROLE`.
    Promote,
    /// `REPLICAOF target`, confirmed by `ROLE`; never while `target` is an address of this host.
    Follow {
        /// Whom to follow: the VIP, or a fixed peer.
        target: Endpoint,
    },
    /// Write the `eligible` track file: false makes keepalived enter FAULT.
    SetEligible {
        /// May keepalived hold the VIP here?
        eligible: bool,
    },
    /// Write the `bias` track file: what is added to the VRRP priority.
    SetBias {
        /// 0 to 253.
        bias: u8,
    },
    /// Keep the VIP as /32 (/128) on `lo` for a while, so that clients are refused instead of ignored.
    Drain {
        /// For how long, in milliseconds.
        hold_ms: u64,
    },
    /// Take the VIP off the interface: only ever where keepalived is dead.
    RemoveVip,
    /// Start Redis and wait until it is ready.
    StartRedis,
    /// Stop Redis and wait until it is gone.
    StopRedis,
    /// Send an alarm to one sink.
    SendAlarm {
        /// Name of the sink in the configuration.
        sink: String,
        /// What to say.
        alarm: Alarm,
    },
    /// Kill a Redis that does not answer, so that the kernel resets its clients and it cannot wake up as a primary.
    KillRedis {
        /// Its process id, as the process itself told it.
        pid: u32,
    },
    /// Hold writes back until another node has all of them: the first half of a switchover.
    HandOver {
        /// Name of that node.
        to: String,
        /// For how long at most, in milliseconds; then writes are taken again.
        within_ms: u64,
    },
    /// When the other node serves, step down and send the clients there: the second half.
    LetGo {
        /// Name of that node.
        to: String,
        /// How long it is waited for, in milliseconds; then writes are taken again.
        within_ms: u64,
    },
    /// `min-replicas-to-write`: take writes only while a replica is near, or without one.
    GuardWrites {
        /// Only with a replica.
        on: bool,
    },
    /// [`Effect::Follow`] for a Redis that has led, or whose past is unknown: what it has and `target` lacks is saved
    /// before it is overwritten.
    Rejoin {
        /// Whom to follow: the VIP, or a fixed peer.
        target: Endpoint,
        /// Promotions on this node so far: part of the name of what is saved.
        epoch: u64,
    },
    /// Ask the voters for the right to lead, and keep it.
    ClaimLead,
    /// Give the right to lead back.
    ReleaseLead {
        /// Now, for Redis here takes no writes; else it is left to run out, for it may.
        at_once: bool,
    },
}

impl Effect {
    /// The word used in history, metrics and the transition table.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Follow { .. } => "follow",
            Self::SetEligible { .. } => "set-eligible",
            Self::SetBias { .. } => "set-bias",
            Self::Drain { .. } => "drain",
            Self::RemoveVip => "remove-vip",
            Self::StartRedis => "start-redis",
            Self::StopRedis => "stop-redis",
            Self::SendAlarm { .. } => "send-alarm",
            Self::KillRedis { .. } => "kill-redis",
            Self::HandOver { .. } => "hand-over",
            Self::LetGo { .. } => "let-go",
            Self::GuardWrites { .. } => "guard-writes",
            Self::Rejoin { .. } => "rejoin",
            Self::ClaimLead => "claim-lead",
            Self::ReleaseLead { .. } => "release-lead",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Follow { target } => write!(f, "follow {target}"),
            Self::Rejoin { target, .. } => write!(f, "rejoin {target}"),
            Self::SetEligible { eligible } => write!(f, "set-eligible {}", u8::from(*eligible)),
            Self::SetBias { bias } => write!(f, "set-bias {bias}"),
            Self::Drain { hold_ms } => write!(f, "drain {hold_ms} ms"),
            Self::KillRedis { pid } => write!(f, "kill-redis {pid}"),
            Self::HandOver { to, .. } => write!(f, "hand-over to {to}"),
            Self::LetGo { to, .. } => write!(f, "let-go to {to}"),
            Self::GuardWrites { on } => write!(f, "guard-writes {}", u8::from(*on)),
            Self::SendAlarm { sink, alarm } => {
                write!(f, "send-alarm {} {} to {sink}", alarm.kind, alarm.status)
            }
            Self::ReleaseLead { at_once: true } => f.write_str("release-lead"),
            Self::ReleaseLead { at_once: false } => f.write_str("release-lead in time"),
            Self::Promote
            | Self::RemoveVip
            | Self::StartRedis
            | Self::StopRedis
            | Self::ClaimLead => f.write_str(self.word()),
        }
    }
}

/// Which effect: the record that ordered it and its place in that record's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EffectId {
    /// The ordering record.
    pub seq: Seq,
    /// Index in its `effects`.
    pub index: u16,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.index)
    }
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done and confirmed. The text says what was seen, or is empty.
    Done(String),
    /// The world said no, or it would have been harmful.
    Refused(String),
    /// No confirmation before the effect's deadline.
    TimedOut,
    /// It failed.
    Failed(String),
    /// A later order of the same sort made it pointless.
    Superseded,
}

impl Outcome {
    /// True for [`Outcome::Done`].
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(text) if text.is_empty() => f.write_str("done"),
            Self::Done(text) => write!(f, "done: {text}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Superseded => f.write_str("superseded"),
        }
    }
}
