//! The two machines of an instance: the one that was, and the one that would have been.

use super::{CADENCE_US, Departure, FORESIGHT_US};
use crate::machine::{self, State};
use crate::model::decision::{Decision, Transition};
use crate::model::effect::Effect;
use crate::model::event::{Deadline, Event};
use crate::model::record::{Record, Seq};
use crate::model::redis::Probe;
use crate::model::time::At;
use crate::replay::knobs::Knob;

/// Both machines of an instance.
pub(super) struct Lane {
    pub recorded: State,
    pub other: State,
    pub apart: Option<Apart>,
    pub cadence_us: u64,
    pub last_check: Option<(At, Probe)>,
}

/// They have parted.
pub(super) struct Apart {
    pub departure: Departure,
    pub wanted: Wanted,
    /// The recorded decision was one of an incident.
    pub had_incident: bool,
    /// What the recorded orders have changed.
    pub redis_is_other: bool,
    pub vrrp_is_other: bool,
}

/// What is still looked for.
pub(super) enum Wanted {
    /// The decision that the other machine has not made yet.
    FromOther(Goal),
    /// The decision that the recorded machine has not made yet.
    FromRecorded(Goal),
    Nothing,
}

/// A decision, whenever it is made.
#[derive(Clone)]
pub(super) struct Goal {
    transition: Option<Transition>,
    orders: Vec<String>,
}

impl Goal {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            transition: decision.transition,
            orders: decision.effects.iter().map(ToString::to_string).collect(),
        }
    }

    /// A change of role is the same whatever is ordered with it; else it is the same orders.
    pub(super) fn is_met_by(&self, decision: &Decision) -> bool {
        if self.transition.is_some() {
            return decision.transition == self.transition;
        }
        let orders = decision.effects.iter().map(ToString::to_string);
        decision.transition.is_none() && orders.eq(self.orders.iter().cloned())
    }
}

impl Lane {
    pub(super) fn new(state: State, knobs: &[Knob]) -> Self {
        let mut lane = Self {
            other: state.clone(),
            recorded: state,
            apart: None,
            cadence_us: CADENCE_US,
            last_check: None,
        };
        lane.meet(knobs);
        lane
    }

    /// Both go on together.
    pub(super) fn meet(&mut self, knobs: &[Knob]) {
        self.other.clone_from(&self.recorded);
        knobs
            .iter()
            .for_each(|knob| knob.turn(&mut self.other.settings));
    }

    pub(super) fn note_check(&mut self, record: &Record) {
        let Event::RedisProbed(probe) = &record.event else {
            return;
        };
        if !probe.paced {
            return;
        }
        let apart = self
            .last_check
            .as_ref()
            .and_then(|(at, _)| record.at.since(at));
        if let Some(us) = apart.filter(|us| (1_000..10_000_000).contains(us)) {
            self.cadence_us = us;
        }
        self.last_check = Some((record.at, probe.clone()));
    }

    /// What was decided about has come to its end, and nothing is looked for any more.
    pub(super) fn is_over(&self, at: At) -> bool {
        let Some(apart) = &self.apart else {
            return false;
        };
        let is_idle = self.recorded.incident.is_none() && self.recorded.orders.is_empty();
        let is_known = match apart.wanted {
            Wanted::Nothing => true,
            Wanted::FromOther(_) => apart.had_incident,
            Wanted::FromRecorded(_) => false,
        };
        let waited = at.since(&apart.departure.at);
        is_idle && (is_known || waited.is_none_or(|us| us > FORESIGHT_US))
    }

    /// The other machine's timers that were due before `at`, and what it decided by them.
    pub(super) fn own_timers(&mut self, seq: Seq, at: At) -> Vec<(At, Decision)> {
        let mut decided = Vec::new();
        while let Some((deadline, armed)) = self.other.next_deadline() {
            let recorded = self.recorded.deadlines.get(&deadline);
            // The recorded timer of the same time is about to be told.
            let is_common =
                self.apart.is_none() && recorded.is_some_and(|one| one.due_us <= armed.due_us);
            if armed.due_us > at.mono_us || self.other.boot != at.boot || is_common {
                break;
            }
            let due = earlier(at, armed.due_us);
            let event = Event::DeadlinePassed { deadline };
            let decision = machine::step(&mut self.other, seq, due, &event);
            // A timer that is kept would be due for ever.
            self.other
                .deadlines
                .retain(|one, still| *one != deadline || *still != armed);
            decided.push((due, decision));
        }
        decided
    }

    /// A recorded timer is the other machine's too where that is due.
    pub(super) fn is_due(&self, deadline: Deadline, at: At) -> bool {
        let armed = self.other.deadlines.get(&deadline);
        armed.is_some_and(|armed| armed.due_us <= at.mono_us)
    }
}

pub(super) fn earlier(at: At, mono_us: u64) -> At {
    let back = i64::try_from(at.mono_us.saturating_sub(mono_us)).unwrap_or(0);
    At {
        wall_us: at.wall_us - back,
        mono_us,
        ..at
    }
}

pub(super) fn later(at: At, us: u64) -> At {
    At {
        wall_us: at.wall_us.saturating_add(i64::try_from(us).unwrap_or(0)),
        mono_us: at.mono_us.saturating_add(us),
        ..at
    }
}

impl Apart {
    /// What the recorded orders change is no fact for the other machine from here on.
    pub(super) fn taint(&mut self, recorded: &Decision) {
        for effect in &recorded.effects {
            match effect {
                Effect::KillRedis { .. }
                | Effect::StopRedis
                | Effect::StartRedis
                | Effect::Promote => {
                    (self.redis_is_other, self.vrrp_is_other) = (true, true);
                }
                Effect::Follow { .. } | Effect::Rejoin { .. } | Effect::LetGo { .. } => {
                    self.redis_is_other = true;
                }
                Effect::SetEligible { .. } | Effect::SetBias { .. } | Effect::RemoveVip => {
                    self.vrrp_is_other = true;
                }
                _ => {}
            }
        }
    }

    /// It would have happened with the other settings too.
    pub(super) fn is_true_anyhow(&self, event: &Event) -> bool {
        match event {
            Event::RedisProbed(_) | Event::RedisExited { .. } | Event::RedisAttached { .. } => {
                !self.redis_is_other
            }
            Event::VrrpNotified(_)
            | Event::VipChanged { .. }
            | Event::VipClaimed { .. }
            | Event::PeerProbed { .. }
            | Event::PeerAdvertised { .. }
            | Event::PeerSigned { .. } => !self.vrrp_is_other,
            Event::DeadlinePassed { .. }
            | Event::EffectFinished { .. }
            | Event::EffectTried { .. }
            | Event::Configured(_) => false,
            _ => true,
        }
    }

    pub(super) fn is_unknown_check(&self, event: &Event) -> bool {
        self.redis_is_other && matches!(event, Event::RedisProbed(_) | Event::RedisExited { .. })
    }
}
