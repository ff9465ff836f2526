//! Learns the state of an instance whose beginning retention has removed.
//!
//! The machine folds the facts, and what it can know only from its own past (role, epoch, the
//! incident and its alarms) is taken from the recorded decisions. That is complete when an agent
//! has started, said its settings and been ready, for a start resets everything else.

use std::collections::BTreeMap;

use crate::machine::guard::Guard;
use crate::machine::table::{self, Cond, Row, Trigger};
use crate::machine::{self, Incident, State, Status};
use crate::model::alarm::AlarmStatus;
use crate::model::decision::{Decision, Note};
use crate::model::effect::Effect;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::role::Role;

/// What has been learned of one instance.
#[derive(Debug, Default)]
pub(super) struct Learner {
    started: bool,
    configured: bool,
    role_known: bool,
    /// The open incident began before the first record: its alarms are not known.
    incident_is_older: bool,
}

impl Learner {
    /// Folds one record; true if the state after it is known.
    pub fn learn(&mut self, state: &mut State, record: &Record) -> bool {
        let decision = &record.decision;
        let row = decision
            .rule
            .as_ref()
            .and_then(|id| table::row(id.as_str()));
        if !self.started {
            state.boot = record.at.boot;
        }
        self.learn_before(state, decision, row);
        match &record.event {
            Event::AgentStarted { .. } => {
                self.started = true;
                self.configured = false;
            }
            Event::Configured(_) => self.configured = self.started,
            _ => {}
        }
        machine::step(state, record.seq, record.at, &record.event);
        self.learn_after(state, record);
        let is_ready = matches!(record.event, Event::AgentReady { .. });
        let is_known = is_ready && self.configured && self.role_known && !self.incident_is_older;
        state.live = is_known;
        is_known
    }

    /// What the decision says of the state in which it was made.
    fn learn_before(&mut self, state: &mut State, decision: &Decision, row: Option<&Row>) {
        if let Some(change) = decision.transition {
            self.know_role(state, change.from);
        } else if let Some(role) = row.and_then(|row| row.to) {
            self.know_role(state, role);
        } else if let Some([role]) = row.map(|row| row.from) {
            self.know_role(state, *role);
        }
        for cond in row.map_or(&[][..], |row| row.when) {
            match cond {
                Cond::Is(Guard::RedisUp | Guard::GateOpen) => state.health.status = Status::Up,
                Cond::Is(Guard::RedisDown) => state.health.status = Status::Down,
                _ => {}
            }
        }
        learn_epoch(state, decision);
    }

    /// What the decision made of it.
    fn learn_after(&mut self, state: &mut State, record: &Record) {
        let decision = &record.decision;
        if let Some(change) = decision.transition {
            state.role = change.to;
        }
        let row = decision
            .rule
            .as_ref()
            .and_then(|id| table::row(id.as_str()));
        match row.map(|row| row.on) {
            Some(Trigger::RedisRose) => state.health.status = Status::Up,
            Some(Trigger::RedisFell | Trigger::RedisExited) => {
                state.health.status = Status::Down;
            }
            _ => {}
        }
        let mut is_open = record.incident.is_some();
        let mut opened_here = false;
        for note in &decision.notes {
            match note {
                Note::Epoch(epoch) => state.epoch = *epoch,
                Note::IncidentOpened(_) => opened_here = true,
                Note::IncidentClosed(_) => is_open = false,
                _ => {}
            }
        }
        self.incident_is_older =
            is_open && !opened_here && (self.incident_is_older || state.incident.is_none());
        state.incident = record.incident.filter(|_| is_open).map(|id| {
            let known = state.incident.take().filter(|known| known.id == id);
            known.unwrap_or(Incident {
                id,
                opened: record.at,
                raised: BTreeMap::new(),
            })
        });
        learn_alarms(state, decision, row);
    }

    fn know_role(&mut self, state: &mut State, role: Role) {
        state.role = role;
        self.role_known = true;
        // Who had a role has led or followed somebody before.
        state.linked_once |= role != Role::Undecided;
    }
}

/// The number of promotions is written down with each of them: takes the number before from a
/// decision that has one, and says whether it had.
pub(super) fn learn_epoch(state: &mut State, decision: &Decision) -> bool {
    let mut epochs = decision.notes.iter().filter_map(|note| match note {
        Note::Epoch(epoch) => Some(*epoch),
        _ => None,
    });
    let Some(epoch) = epochs.next() else {
        return false;
    };
    state.epoch = epoch.saturating_sub(1);
    true
}

fn learn_alarms(state: &mut State, decision: &Decision, row: Option<&Row>) {
    let Some(incident) = &mut state.incident else {
        return;
    };
    for effect in &decision.effects {
        if let (Effect::SendAlarm { alarm, .. }, Some(row)) = (effect, row)
            && alarm.status == AlarmStatus::Raised
        {
            incident.raised.insert(alarm.kind, row.because.to_owned());
        }
    }
}
