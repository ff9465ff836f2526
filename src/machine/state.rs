//! Everything that the machine knows of one instance: a fold of its records, nothing else. Stored in the journal's
//! snapshots, by position: a change of any field is a new format of those.

mod questions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alarm::Ack;
use super::drill::Drilled;
use super::flap::Flaps;
use super::health::Health;
use super::lineage::{Behind, Newest};
use super::quorum::{Lead, Vouched};
use super::tilt::Tilted;
use crate::model::alarm::AlarmKind;
use crate::model::effect::EffectId;
use crate::model::event::Deadline;
use crate::model::record::{IncidentId, Seq};
use crate::model::redis::{Grade, Observation, RedisId, Sign};
use crate::model::role::Role;
use crate::model::settings::Settings;
use crate::model::time::{At, BootId};
use crate::model::vrrp::VrrpState;

/// The state of one instance on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The settings in force.
    pub settings: Settings,
    /// What this node is.
    pub role: Role,
    /// When it became that.
    pub since: Option<At>,
    /// Promotions on this node so far.
    pub epoch: u64,
    /// `AgentReady` was seen since the last `AgentStarted`: decisions are made.
    pub live: bool,
    /// The boot that deadlines belong to.
    pub boot: BootId,
    /// keepalived's last word; `None` before the first.
    pub vrrp: Option<VrrpState>,
    /// The VIP is on the interface.
    pub vip_here: bool,
    /// Another host answers for the VIP while it is here: its card.
    pub claimed: Option<String>,
    /// keepalived runs, where that is known.
    pub keepalived: Option<bool>,
    /// Fall and rise.
    pub health: Health,
    /// Grade of the last check.
    pub grade: Option<Grade>,
    /// What Redis last said of itself.
    pub redis: Option<Observation>,
    /// The watched process.
    pub pid: Option<u32>,
    /// Identity of the Redis process last seen.
    pub run_id: Option<RedisId>,
    /// Checks in a row in which Redis had another role than decided.
    pub drift: u16,
    /// The data set is being replaced, and may be a part of one: the replication id and offset that Redis told when
    /// the synchronisation began. When it has ended well, it tells others.
    pub partial: Option<(RedisId, i64)>,
    /// What the last primary had, as far as this node has seen.
    pub newest: Option<Newest>,
    /// Why the copy here may lack some of that.
    pub behind: Option<Behind>,
    /// It leads all the same: the last primary was waited for long enough, or an operator said so.
    pub accepted: bool,
    /// This node gave way to a newer primary whose adverts it does not hear: it takes no part until it does, or until
    /// nobody serves.
    pub aside: bool,
    /// How often it has stood aside in this incident.
    pub asides: u16,
    /// Redis was told to take writes only with a replica, or without; `None` where it is as its configuration file says.
    pub guarded: Option<bool>,
    /// The switchover that is under way.
    pub switchover: Option<Switchover>,
    /// This node was primary before, and has been nothing but on its way back to it since.
    pub led: bool,
    /// This node has been a replica with a live link at least once.
    pub linked_once: bool,
    /// The other nodes.
    pub peers: BTreeMap<String, Peer>,
    /// Orders without an outcome.
    pub orders: BTreeMap<EffectId, OrderKind>,
    /// Orders that are tried on, alarms that is, and why the last attempt failed.
    pub unsent: BTreeMap<EffectId, String>,
    /// Failed tries of the present role order.
    pub retries: u32,
    /// The VIP moved, and no line has arrived since.
    pub moved: bool,
    /// keepalived moved the VIP, and no line has arrived for so long that it must be lost.
    pub unheard: bool,
    /// Since when the journal cannot be written. Only ever set between two records.
    pub journal_out: Option<At>,
    /// A track file could not be written, or was written by an earlier agent: write both again.
    pub unwritten: bool,
    /// What the `eligible` file ought to say.
    pub eligible: Option<bool>,
    /// What the `bias` file ought to say.
    pub bias: Option<u8>,
    /// Armed timers: when, in microseconds of the boot's monotonic clock, and by which record.
    pub deadlines: BTreeMap<Deadline, Armed>,
    /// Automatic actions are suspended; until when, where that is limited.
    pub paused: Option<Pause>,
    /// The open incident.
    pub incident: Option<Incident>,
    /// The drill that runs on this host.
    pub drill: Option<Drilled>,
    /// Nothing is promoted until the world was looked at anew.
    pub tilted: Option<Tilted>,
    /// When that began last, in microseconds of the boot's monotonic clock.
    pub tilted_last_us: Option<u64>,
    /// How often this node was promoted lately.
    pub flaps: Flaps,
    /// An operator has taken notice of the open incident.
    pub acked: Option<Ack>,
    /// Redis here has led, and has not received another's data set since: it may have what nobody else has. The stream and
    /// the offset that it told last as a master.
    pub unshared: Option<(RedisId, i64)>,
    /// What is known of the right to lead.
    pub lead: Lead,
}

/// An armed timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// When it is due.
    pub due_us: u64,
    /// The record that armed it.
    pub by: Seq,
}

/// What is known of another node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Peer {
    /// Grade of the last check.
    pub grade: Option<Grade>,
    /// What its Redis last said.
    pub observation: Option<Observation>,
    /// Failed checks in a row.
    pub bad: u16,
    /// It was a master when it last answered, and has not failed `fall` checks since.
    pub serves: bool,
    /// The process of its Redis when that last was a replica of this node's, with a live link.
    pub follower: Option<RedisId>,
    /// Checks in a row in which it was a newer primary than this node.
    pub outranks: u16,
    /// Its keepalived is heard to advertise the VIP as its own.
    pub advertises: bool,
    /// What its agent shows of itself.
    pub sign: Option<Sign>,
    /// How, and when on the boot's clock, it was last seen not to be able to lead; `None` when that was too long ago.
    pub vouched: Option<(Vouched, u64)>,
}

impl Peer {
    /// Its last check was answered.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.grade.is_some_and(Grade::is_ready)
    }
}

/// A switchover that an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switchover {
    /// To which node.
    pub to: String,
    /// How long each half may take, in milliseconds.
    pub within_ms: u64,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Wall time in microseconds; `None` for until resumed.
    pub until_us: Option<i64>,
    /// Why.
    pub reason: String,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The record that opened it.
    pub id: IncidentId,
    /// When.
    pub opened: At,
    /// Alarms raised in it and not resolved.
    pub raised: BTreeMap<AlarmKind, String>,
}

/// Which order an outcome answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// Promote Redis.
    Promote,
    /// Make Redis a replica.
    Follow,
    /// Write a track file.
    Track,
    /// Anything else whose failure is an alarm.
    Other,
    /// Hold writes back for a switchover.
    HandOver,
    /// Step down for a switchover.
    LetGo,
    /// Take writes only with a replica, or without.
    Guard,
    /// Follow nobody, so that no other node counts on this one.
    Detach,
}

/// The record that an event becomes, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub seq: Seq,
    pub at: At,
}

/// Sets a timer, or sets it anew.
pub(super) fn arm(state: &mut State, stamp: Stamp, deadline: Deadline, in_ms: u64) {
    let due_us = stamp.at.mono_us.saturating_add(in_ms.saturating_mul(1000));
    state.deadlines.insert(
        deadline,
        Armed {
            due_us,
            by: stamp.seq,
        },
    );
}

impl Default for State {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            role: Role::Undecided,
            since: None,
            epoch: 0,
            live: false,
            boot: BootId::default(),
            vrrp: None,
            vip_here: false,
            claimed: None,
            keepalived: None,
            health: Health::default(),
            grade: None,
            redis: None,
            pid: None,
            run_id: None,
            drift: 0,
            newest: None,
            behind: None,
            accepted: false,
            aside: false,
            asides: 0,
            guarded: None,
            switchover: None,
            led: false,
            linked_once: false,
            peers: BTreeMap::new(),
            orders: BTreeMap::new(),
            unsent: BTreeMap::new(),
            retries: 0,
            unwritten: false,
            eligible: None,
            bias: None,
            partial: None,
            moved: false,
            unheard: false,
            journal_out: None,
            deadlines: BTreeMap::new(),
            paused: None,
            incident: None,
            drill: None,
            tilted: None,
            tilted_last_us: None,
            flaps: Flaps::default(),
            acked: None,
            unshared: None,
            lead: Lead::default(),
        }
    }
}
