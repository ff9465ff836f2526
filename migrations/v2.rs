//! Format 2. Snapshots of layout 1 belong to it (`replay/recover/layout1.rs`).
//!
//! Bodies are those of format 1, and so are the hashes of single records. The chain through quiet checks has a link
//! for each check, laid out at [`crate::journal::block::Block`]'s `link`, so that it does not depend on how they are
//! packed. A block may hold 1,024 checks instead of 256.
//!
//! The settings are told in [`Settings`]. All else is as in format 3, whose later variants it does not have.

use serde::Deserialize;

use crate::journal::Error;
use crate::journal::codec::{Entry, deserialize};
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::redis::{Endpoint, Grade};
use crate::model::settings;
use crate::model::time::At;

use super::v3;

#[cfg(test)]
mod tests;

/// Decodes a body.
///
/// # Errors
/// `Damaged`, without a place: bodies do not know where they stand.
pub fn decode(body: &[u8]) -> Result<Entry, Error> {
    // All others are no variant of these.
    match deserialize(body) {
        Ok(Configured::Record(record)) => Ok(Entry::Record(record.upcast())),
        Err(_) => v3::decode(body),
    }
}

/// The entries that are laid out otherwise than today.
#[derive(Deserialize)]
enum Configured {
    Record(Head),
}

#[derive(Deserialize)]
struct Head {
    seq: Seq,
    at: At,
    instance: String,
    cause: Option<Seq>,
    ruleset: u16,
    incident: Option<Seq>,
    event: OfSettings,
    decision: Decision,
}

#[derive(Deserialize)]
#[expect(clippy::large_enum_variant)] // Taken apart at once.
enum OfSettings {
    AgentStarted { version: String, pid: u32 },
    Configured(Settings),
}

impl Head {
    fn upcast(self) -> Record {
        let event = match self.event {
            OfSettings::AgentStarted { version, pid } => Event::AgentStarted { version, pid },
            OfSettings::Configured(settings) => Event::Configured(settings.upcast()),
        };
        Record {
            seq: self.seq,
            at: self.at,
            instance: self.instance,
            cause: self.cause,
            ruleset: self.ruleset,
            incident: self.incident,
            event,
            decision: self.decision,
        }
    }
}

/// The settings as they were told then: not which nodes have a higher priority, but how many.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    node: String,
    rank: u16,
    peers: Vec<String>,
    own: Endpoint,
    vip: Endpoint,
    follow: Endpoint,
    fall: u16,
    rise: u16,
    fall_on: Vec<Grade>,
    bias: u8,
    drain_ms: u64,
    negotiation_ms: u64,
    retry_ms: u64,
    reconcile_ms: u64,
    keepalived_gone_ms: u64,
    unserved_ms: u64,
    redundancy_ms: u64,
    repeat_ms: u64,
    sinks: Vec<String>,
}

impl Settings {
    /// With what was so before there was a choice. Nodes were listed by their priority, as a rule.
    #[must_use]
    pub fn upcast(self) -> settings::Settings {
        settings::Settings {
            above: self.peers.iter().take(self.rank.into()).cloned().collect(),
            prefer_availability: true,
            last_primary_ms: 0,
            replicated_writes: false,
            kill_hung: false,
            node: self.node,
            peers: self.peers,
            own: self.own,
            vip: self.vip,
            follow: self.follow,
            fall: self.fall,
            rise: self.rise,
            fall_on: self.fall_on,
            bias: self.bias,
            drain_ms: self.drain_ms,
            negotiation_ms: self.negotiation_ms,
            retry_ms: self.retry_ms,
            reconcile_ms: self.reconcile_ms,
            keepalived_gone_ms: self.keepalived_gone_ms,
            unserved_ms: self.unserved_ms,
            redundancy_ms: self.redundancy_ms,
            repeat_ms: self.repeat_ms,
            sinks: self.sinks,
            tilt_ms: 0,
            max_promotions: 0,
            promotions_window_ms: 0,
            quorum: None,
        }
    }
}
