//! Snapshots of layout 1, frozen: they stand beside volumes of formats 1 and 2.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::journal::codec::deserialize_long;
use crate::machine::{self, Armed, Health, Incident, OrderKind, Pause};
use crate::migrations::v2::Settings;
use crate::model::effect::EffectId;
use crate::model::event::Deadline;
use crate::model::record::Seq;
use crate::model::redis::{Grade, Observation, RedisId};
use crate::model::role::Role;
use crate::model::time::{At, BootId};
use crate::model::vrrp::{SpoolPosition, VrrpState};
use crate::views::unresolved::Unresolved;

/// Longer ones were not read.
const MOST: usize = 64 << 20;

/// What a journal came to.
#[derive(Debug, Deserialize)]
pub struct Recovered {
    /// The number behind the last record.
    pub next: Seq,
    /// By instance.
    pub states: BTreeMap<String, State>,
    /// Up to where the spool was taken in.
    pub spool: Option<SpoolPosition>,
    /// Orders without an outcome.
    pub orders: Unresolved,
}

/// Reads one; `None` for what is none.
#[must_use]
pub fn recovered(bytes: &[u8]) -> Option<Recovered> {
    deserialize_long(bytes, MOST).ok()
}

/// What was known of an instance.
#[derive(Debug, Deserialize)]
pub struct State {
    settings: Settings,
    role: Role,
    since: Option<At>,
    epoch: u64,
    live: bool,
    boot: BootId,
    vrrp: Option<VrrpState>,
    vip_here: bool,
    keepalived: Option<bool>,
    health: Health,
    grade: Option<Grade>,
    redis: Option<Observation>,
    pid: Option<u32>,
    run_id: Option<RedisId>,
    drift: u16,
    partial: Option<(RedisId, i64)>,
    led: bool,
    linked_once: bool,
    peers: BTreeMap<String, Peer>,
    orders: BTreeMap<EffectId, OrderKind>,
    unsent: BTreeMap<EffectId, String>,
    retries: u32,
    moved: bool,
    unheard: bool,
    journal_out: Option<At>,
    unwritten: bool,
    eligible: Option<bool>,
    bias: Option<u8>,
    deadlines: BTreeMap<Deadline, Armed>,
    paused: Option<Pause>,
    incident: Option<Incident>,
}

#[derive(Debug, Deserialize)]
struct Peer {
    grade: Option<Grade>,
    observation: Option<Observation>,
    bad: u16,
    serves: bool,
}

impl Peer {
    fn upcast(self) -> machine::Peer {
        machine::Peer {
            grade: self.grade,
            observation: self.observation,
            bad: self.bad,
            serves: self.serves,
            ..machine::Peer::default()
        }
    }
}

impl State {
    /// Nothing was known of what came to be told later, but what a primary had told of its writes.
    #[must_use]
    pub fn upcast(self) -> machine::State {
        let peers = self
            .peers
            .into_iter()
            .map(|(name, peer)| (name, peer.upcast()));
        let leads = self.role == Role::Primary;
        let led = self.redis.as_ref().filter(|_| leads);
        machine::State {
            unshared: led.map(|seen| (seen.replid, seen.offset)),
            settings: self.settings.upcast(),
            peers: peers.collect(),
            role: self.role,
            since: self.since,
            epoch: self.epoch,
            live: self.live,
            boot: self.boot,
            vrrp: self.vrrp,
            vip_here: self.vip_here,
            keepalived: self.keepalived,
            health: self.health,
            grade: self.grade,
            redis: self.redis,
            pid: self.pid,
            run_id: self.run_id,
            drift: self.drift,
            partial: self.partial,
            led: self.led,
            linked_once: self.linked_once,
            orders: self.orders,
            unsent: self.unsent,
            retries: self.retries,
            moved: self.moved,
            unheard: self.unheard,
            journal_out: self.journal_out,
            unwritten: self.unwritten,
            eligible: self.eligible,
            bias: self.bias,
            deadlines: self.deadlines,
            paused: self.paused,
            incident: self.incident,
            ..machine::State::default()
        }
    }
}
