//! How far the clocks of two nodes were apart, from what one saw of the other.
//!
//! Each node sees how far the other's replication stream has come, and knows its own: between two of its own checks the
//! other one stood in between. And what a node sees of another one's VRRP or role has happened there before. Each such
//! pair bounds the difference from one side; all of them together leave an interval.

use serde::Serialize;

use super::Journal;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Observation, RedisId, RedisRole, Sign};
use crate::model::role::Role;
use crate::model::vrrp::{VrrpState, Word};

/// The difference between a node's clock and the first node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alignment {
    /// So many microseconds were taken from its times.
    pub ahead_us: i64,
    /// The truth is within so many of that; `None` where nothing bounds it from one side.
    pub within_us: Option<i64>,
    /// How sure that is.
    pub agreement: Agreement,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// Nothing speaks against both clocks being right.
    Agree,
    /// They were apart.
    Apart,
    /// No difference fits: one of them was set in between.
    Uneven,
    /// There is nothing that both nodes saw.
    Unknown,
}

/// A record is stamped when it is decided about: what it tells may have happened so long before.
const LATE_US: i64 = 50_000;

/// How long before its stamp each record's event may have happened. While a record is flushed, events wait: what is stamped
/// together, or next behind a record that had to be flushed, may have waited since that.
pub(super) fn lateness(journal: &Journal) -> Vec<i64> {
    let records = &journal.records;
    let stamp = |index: usize| records.get(index).map(|record| record.at.wall_us);
    let (mut behind, mut waited) = (None, false);
    let each = records.iter().enumerate().map(|(index, record)| {
        let at = record.at.wall_us;
        let is_first = index == 0 || stamp(index - 1) != Some(at);
        if is_first {
            let before = index.checked_sub(1).and_then(|before| records.get(before));
            behind = before.map(|before| before.at.wall_us);
            waited = before.is_some_and(|before| !is_quiet(before)) || stamp(index + 1) == Some(at);
        }
        let gap = behind.filter(|_| waited).map_or(0, |behind| at - behind);
        gap.max(LATE_US)
    });
    each.collect()
}

/// Not flushed at once.
fn is_quiet(record: &Record) -> bool {
    let is_check = matches!(
        record.event,
        Event::RedisProbed(_) | Event::PeerProbed { .. }
    );
    is_check && record.decision.is_empty()
}

/// Where the difference (other minus first) may be.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    least: Option<i64>,
    most: Option<i64>,
}

impl Bounds {
    fn at_least(&mut self, us: i64) {
        self.least = Some(self.least.map_or(us, |least| least.max(us)));
    }

    fn at_most(&mut self, us: i64) {
        self.most = Some(self.most.map_or(us, |most| most.min(us)));
    }

    /// As seen from the other side.
    fn reversed(self) -> Self {
        Self {
            least: self.most.map(|us| -us),
            most: self.least.map(|us| -us),
        }
    }
}

/// How far the clock of `other` was ahead of that of `first`.
pub(super) fn align(first: &Journal, other: &Journal) -> Alignment {
    if is_one_kernel(first, other) {
        return Alignment {
            ahead_us: 0,
            within_us: Some(0),
            agreement: Agreement::Agree,
        };
    }
    let mut bounds = seen(first, other);
    let back = seen(other, first).reversed();
    back.least.into_iter().for_each(|us| bounds.at_least(us));
    back.most.into_iter().for_each(|us| bounds.at_most(us));
    let (ahead_us, within_us, agreement) = match (bounds.least, bounds.most) {
        (None, None) => (0, None, Agreement::Unknown),
        (Some(least), Some(most)) if least > most => (
            i64::midpoint(least, most),
            Some((least - most) / 2),
            Agreement::Uneven,
        ),
        (least, most) if least.is_none_or(|us| us <= 0) && most.is_none_or(|us| us >= 0) => {
            let within = least.zip(most).map(|(least, most)| most.max(-least));
            (0, within, Agreement::Agree)
        }
        (Some(least), Some(most)) => (
            i64::midpoint(least, most),
            Some((most - least) / 2),
            Agreement::Apart,
        ),
        (Some(bound), None) | (None, Some(bound)) => (bound, None, Agreement::Apart),
    };
    Alignment {
        ahead_us,
        within_us,
        agreement,
    }
}

/// Both were on one host, in containers or namespaces: there is one clock.
fn is_one_kernel(first: &Journal, other: &Journal) -> bool {
    let mut boots = [first, other]
        .into_iter()
        .flat_map(|journal| &journal.records)
        .map(|record| record.at.boot);
    let one = boots.next();
    one.is_some_and(|one| boots.all(|boot| boot == one))
}

/// What `watcher` saw of `seen` bounds how far the clock of `seen` was ahead.
fn seen(watcher: &Journal, seen: &Journal) -> Bounds {
    let mut bounds = Bounds::default();
    let own = positions(seen);
    let turns = turns(seen);
    for (record, late) in watcher.records.iter().zip(lateness(watcher)) {
        let Record { at, event, .. } = record;
        match event {
            Event::PeerProbed { peer, probe } if *peer == seen.node => {
                let Some(observation) = &probe.observation else {
                    continue;
                };
                let ended = at.wall_us;
                let began = ended - late - i64::from(probe.latency_us);
                place(&mut bounds, &own, observation, began, ended);
            }
            // What is seen has happened before.
            Event::PeerSigned {
                peer,
                sign: Some(Sign::Leads),
            } if *peer == seen.node => {
                follow(&mut bounds, &turns.leads, at.wall_us);
            }
            Event::PeerAdvertised { peer, heard: true } if *peer == seen.node => {
                follow(&mut bounds, &turns.advertises, at.wall_us);
            }
            _ => {}
        }
    }
    bounds
}

/// How far a stream had come, and when its own node looked.
struct Position {
    /// At the latest.
    at_us: i64,
    /// So long before, at the earliest.
    late_us: i64,
    replid: RedisId,
    role: RedisRole,
    offset: i64,
}

fn positions(journal: &Journal) -> Vec<Position> {
    let records = journal.records.iter().zip(lateness(journal));
    let checks = records.filter_map(|(record, late_us)| {
        let Event::RedisProbed(probe) = &record.event else {
            return None;
        };
        let seen = probe.observation.as_ref()?;
        Some(Position {
            at_us: record.at.wall_us,
            late_us,
            replid: seen.replid,
            role: seen.role,
            offset: seen.offset,
        })
    });
    checks.collect()
}

/// What the watcher saw of the stream stood between what its own node saw before and after.
fn place(bounds: &mut Bounds, own: &[Position], seen: &Observation, began: i64, ended: i64) {
    let same = own
        .iter()
        .filter(|one| one.replid == seen.replid && one.role == seen.role);
    let before = same
        .clone()
        .filter(|one| one.offset < seen.offset)
        .map(|one| one.at_us - one.late_us)
        .max();
    let after = same
        .filter(|one| one.offset > seen.offset)
        .map(|one| one.at_us)
        .min();
    // The other's clock at the look is later than `before` and earlier than `after`.
    if let Some(before) = before {
        bounds.at_least(before - ended);
    }
    if let Some(after) = after {
        bounds.at_most(after - began);
    }
}

/// When a node began to lead, and to advertise, at the earliest.
struct Turns {
    leads: Vec<i64>,
    advertises: Vec<i64>,
}

/// Only those that are known to be the first: where it led or advertised before the records, another turn may be meant.
fn turns(journal: &Journal) -> Turns {
    let leads = |role: Role| matches!(role, Role::Promoting | Role::Primary);
    let mut turns = Turns {
        leads: Vec::new(),
        advertises: Vec::new(),
    };
    let before = &journal.before;
    for (record, late) in journal.records.iter().zip(lateness(journal)) {
        let change = record.decision.transition;
        if change.is_some_and(|change| leads(change.to) && !leads(change.from)) {
            turns.leads.push(record.at.wall_us - late);
        }
        if let Event::VrrpNotified(notified) = &record.event
            && notified.notification.word == Word::State(VrrpState::Master)
        {
            turns.advertises.push(notified.stamped.wall_us - LATE_US);
        }
    }
    if leads(before.role) {
        turns.leads.clear();
    }
    if before.is_vrrp_master() {
        turns.advertises.clear();
    }
    turns
}

/// The watcher saw it at `at`: it had happened, by the other's clock. Which turn is meant is only sure where there is
/// one.
fn follow(bounds: &mut Bounds, turns: &[i64], at: i64) {
    if let [turn] = turns {
        bounds.at_least(turn - at);
    }
}
