//! What would have been decided with other settings.
//!
//! Two machines are fed the same facts, one with the settings as they were. As long as both decide the same, the world
//! would have been the same. Where they part, it would not: what the recorded orders brought about (another role, a
//! killed process, keepalived's FAULT) is then no fact for the other machine, which hears only what would have been
//! so anyhow, and its own timers. Checks that can no longer be known are taken to go on as the last one. When the
//! recorded incident is over, both go on together from there.

mod lane;

use std::collections::BTreeMap;

use super::Recovered;
use super::knobs::Knob;
use crate::machine::{self, State};
use crate::model::decision::{Decision, Transition};
use crate::model::effect::Effect;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::role::Role;
use crate::model::time::At;
use crate::views::Sentence;
use lane::{Apart, Goal, Lane, Wanted, later};

/// Checks are taken to go on for so long, in microseconds.
const FORESIGHT_US: u64 = 60_000_000;
/// How far checks are apart where that was not seen.
const CADENCE_US: u64 = 1_000_000;
/// More departures are counted, and not told.
const MOST: usize = 1_000;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIf {
    /// Records read.
    pub records: u64,
    /// Changes of role away from primary, and promotions: as recorded.
    pub failovers: u64,
    /// Where the two parted, in order, at most 1,000.
    pub departures: Vec<Departure>,
    /// How many there were.
    pub departed: u64,
    /// Promotions that followed the VIP.
    pub by_vrrp: u64,
    /// Failovers behind a departure, in the same incident: what would have been there is not known.
    pub uncompared: u64,
}

/// A decision that would have been another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The record.
    pub seq: Seq,
    /// When.
    pub at: At,
    /// The instance.
    pub instance: String,
    /// What had happened.
    pub event: String,
    /// What was decided, or would have been.
    pub decision: String,
    /// It gave a primary up, or made one.
    pub is_failover: bool,
    /// What would have been instead.
    pub fate: Fate,
    /// What would have been decided in its place, where that is not nothing.
    pub instead: Option<String>,
}

/// What would have been instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The same, so many microseconds later; known from recorded facts, or if the checks had gone on so.
    Later(u64, bool),
    /// It would not have been; known from recorded facts, or as far as checks were taken to go on.
    Never(bool),
    /// The same, so many microseconds earlier.
    Earlier(u64),
    /// It was not decided at all, and would have been.
    Additional,
    /// Something else.
    Otherwise,
}

/// Compares what was decided with what would have been.
#[must_use]
pub fn what_if(before: Recovered, knobs: &[Knob], records: impl Iterator<Item = Record>) -> WhatIf {
    let mut engine = Engine {
        knobs,
        lanes: BTreeMap::new(),
        found: WhatIf::default(),
    };
    for (instance, state) in before.states {
        engine.lanes.insert(instance, Lane::new(state, knobs));
    }
    for record in records {
        engine.found.records += 1;
        engine.fold(&record);
    }
    engine.end()
}

struct Engine<'a> {
    knobs: &'a [Knob],
    lanes: BTreeMap<String, Lane>,
    found: WhatIf,
}

impl Engine<'_> {
    fn fold(&mut self, record: &Record) {
        let Self {
            knobs,
            lanes,
            found,
        } = self;
        if !lanes.contains_key(&record.instance) {
            lanes.insert(record.instance.clone(), Lane::new(State::default(), knobs));
        }
        let Some(lane) = lanes.get_mut(&record.instance) else {
            return;
        };
        let early = lane.own_timers(record.seq, record.at);
        let recorded = machine::step(&mut lane.recorded, record.seq, record.at, &record.event);
        if is_failover(recorded.transition) {
            found.failovers += 1;
        }
        if recorded.effects.contains(&Effect::Promote) {
            found.by_vrrp += u64::from(matches!(record.event, Event::VrrpNotified(_)));
        }
        if lane.apart.is_none() {
            together(lane, knobs, record, early, &recorded);
        } else {
            let is_met = apart(lane, record, early, &recorded);
            found.uncompared += u64::from(is_failover(recorded.transition) && !is_met);
        }
        lane.note_check(record);
        if lane.is_over(record.at)
            && let Some(apart) = lane.apart.take()
        {
            found.keep(apart.departure);
            lane.meet(knobs);
        }
    }

    fn end(mut self) -> WhatIf {
        for (_, lane) in std::mem::take(&mut self.lanes) {
            if let Some(apart) = lane.apart {
                self.found.keep(apart.departure);
            }
        }
        self.found.departures.sort_by_key(|departure| departure.seq);
        self.found
    }
}

impl WhatIf {
    fn keep(&mut self, departure: Departure) {
        self.departed += 1;
        if self.departures.len() < MOST {
            self.departures.push(departure);
        }
    }
}

/// A record while both machines have decided the same so far.
fn together(
    lane: &mut Lane,
    knobs: &[Knob],
    record: &Record,
    early: Vec<(At, Decision)>,
    recorded: &Decision,
) {
    if let Some((at, decision)) = early
        .into_iter()
        .find(|(_, decision)| !is_same(decision, &Decision::default()))
    {
        // It may be this very record that the recorded machine decides it by.
        let goal = Goal::of(&decision);
        let (fate, wanted) = if goal.is_met_by(recorded) {
            let us = record.at.since(&at).unwrap_or(0);
            (Fate::Earlier(us), Wanted::Nothing)
        } else {
            (Fate::Additional, Wanted::FromRecorded(goal))
        };
        let departure = departure(record, at, &decision, fate);
        return part(lane, departure, wanted, recorded);
    }
    let other = match &record.event {
        Event::Configured(settings) => {
            let mut settings = settings.clone();
            knobs.iter().for_each(|knob| knob.turn(&mut settings));
            machine::step(
                &mut lane.other,
                record.seq,
                record.at,
                &Event::Configured(settings),
            )
        }
        Event::DeadlinePassed { deadline } if !lane.is_due(*deadline, record.at) => {
            Decision::default()
        }
        event => machine::step(&mut lane.other, record.seq, record.at, event),
    };
    if is_same(recorded, &other) {
        return;
    }
    differ(lane, record, recorded, &other);
}

/// The same record, and another decision.
fn differ(lane: &mut Lane, record: &Record, recorded: &Decision, other: &Decision) {
    let nothing = Decision::default();
    if is_same(other, &nothing) {
        let departure = departure(record, record.at, recorded, Fate::Never(true));
        part(
            lane,
            departure,
            Wanted::FromOther(Goal::of(recorded)),
            recorded,
        );
    } else if is_same(recorded, &nothing) {
        let departure = departure(record, record.at, other, Fate::Additional);
        part(
            lane,
            departure,
            Wanted::FromRecorded(Goal::of(other)),
            recorded,
        );
    } else {
        // Another decision in its place: what was to be a failover may be none.
        let (was, would) = (
            is_failover(recorded.transition),
            is_failover(other.transition),
        );
        let fate = match (was, would) {
            (true, false) => Fate::Never(true),
            (false, true) => Fate::Additional,
            _ => Fate::Otherwise,
        };
        let mut departure = departure(record, record.at, recorded, fate);
        departure.is_failover = was || would;
        departure.instead = Some(in_words(other));
        part(lane, departure, Wanted::Nothing, recorded);
    }
}

fn part(lane: &mut Lane, departure: Departure, wanted: Wanted, recorded: &Decision) {
    let mut apart = Apart {
        departure,
        wanted,
        had_incident: lane.recorded.incident.is_some(),
        redis_is_other: false,
        vrrp_is_other: false,
    };
    apart.taint(recorded);
    lane.apart = Some(apart);
}

/// A record while the machines have parted. True if it decides what the other machine had decided before.
fn apart(
    lane: &mut Lane,
    record: &Record,
    early: Vec<(At, Decision)>,
    recorded: &Decision,
) -> bool {
    let Some(mut apart) = lane.apart.take() else {
        return false;
    };
    let mut is_met = false;
    match &apart.wanted {
        Wanted::Nothing => {}
        Wanted::FromRecorded(goal) => {
            is_met = goal.is_met_by(recorded);
            if is_met {
                let us = record.at.since(&apart.departure.at).unwrap_or(0);
                (apart.departure.fate, apart.wanted) = (Fate::Earlier(us), Wanted::Nothing);
            }
        }
        Wanted::FromOther(goal) => {
            let mut found = early
                .into_iter()
                .find(|(_, decision)| goal.is_met_by(decision))
                .map(|(at, _)| (at, true));
            let mut is_lost = false;
            if found.is_none() && apart.is_true_anyhow(&record.event) {
                let decision = machine::step(&mut lane.other, record.seq, record.at, &record.event);
                found = goal.is_met_by(&decision).then_some((record.at, true));
            } else if found.is_none() && apart.is_unknown_check(&record.event) {
                found = foresee(lane, record.seq, goal).map(|at| (at, false));
                is_lost = found.is_none();
            }
            if let Some((at, is_known)) = found {
                let us = at.since(&apart.departure.at).unwrap_or(0);
                (apart.departure.fate, apart.wanted) = (Fate::Later(us, is_known), Wanted::Nothing);
            } else if is_lost {
                (apart.departure.fate, apart.wanted) = (Fate::Never(false), Wanted::Nothing);
            }
        }
    }
    apart.taint(recorded);
    lane.apart = Some(apart);
    is_met
}

/// When the other machine would decide it, if the checks went on as the last one.
fn foresee(lane: &mut Lane, seq: Seq, goal: &Goal) -> Option<At> {
    let (mut at, mut probe) = lane.last_check.clone()?;
    probe.paced = true;
    let last = later(at, FORESIGHT_US);
    while at.mono_us < last.mono_us {
        at = later(at, lane.cadence_us.max(1_000));
        for (due, decision) in lane.own_timers(seq, at) {
            if goal.is_met_by(&decision) {
                return Some(due);
            }
        }
        let decision = machine::step(&mut lane.other, seq, at, &Event::RedisProbed(probe.clone()));
        if goal.is_met_by(&decision) {
            return Some(at);
        }
    }
    None
}

/// The same role, and the same orders.
fn is_same(one: &Decision, other: &Decision) -> bool {
    one.transition == other.transition && one.effects == other.effects
}

fn is_failover(transition: Option<Transition>) -> bool {
    transition.is_some_and(|change| {
        change.from == Role::Primary
            || change.to == Role::Promoting && change.from != Role::Promoting
    })
}

fn departure(record: &Record, at: At, decision: &Decision, fate: Fate) -> Departure {
    Departure {
        seq: record.seq,
        at,
        instance: record.instance.clone(),
        event: Sentence::new(&record.instance, &record.event).to_string(),
        decision: in_words(decision),
        is_failover: is_failover(decision.transition),
        fate,
        instead: None,
    }
}

fn in_words(decision: &Decision) -> String {
    let change = decision.transition;
    let change = change.map(|change| format!("{} -> {}", change.from, change.to));
    let orders = decision.effects.iter().map(ToString::to_string);
    let parts: Vec<String> = change.into_iter().chain(orders).collect();
    parts.join("; ")
}
