//! Incidents: from the first sign of trouble to a settled role, one summary each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::history::because;
use super::json::SCHEMA;
use super::sentence::Sentence;
use super::time::rfc3339;
use crate::model::alarm::AlarmStatus;
use crate::model::decision::Note;
use crate::model::effect::Effect;
use crate::model::event::{Deadline, Event};
use crate::model::record::{IncidentId, Record};
use crate::model::redis::RedisRole;
use crate::model::role::Role;
use crate::model::time::At;

/// One incident of one instance on this node. Roles are words, times RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentSummary {
    /// Number of the JSON schema.
    pub schema: u16,
    /// The record that opened it.
    pub id: IncidentId,
    /// The instance.
    pub instance: String,
    /// When it began.
    pub opened: String,
    /// When the role had settled; `None` while it goes on.
    pub closed: Option<String>,
    /// How long it lasted, or has lasted up to its last record, in microseconds.
    pub duration_us: u64,
    /// The role before it, where a record said so.
    pub from: Option<String>,
    /// The role at its end, where a record said so.
    pub to: Option<String>,
    /// The first sign of trouble, as a sentence.
    pub cause: String,
    /// The rule that opened it.
    pub rule: Option<String>,
    /// That rule's sentence.
    pub because: Option<String>,
    /// How long no primary was seen to serve, neither here nor on another node, in microseconds, up to when one was last
    /// seen. `None` where none was seen. Who took over saw the trouble later than who had it.
    pub outage_us: Option<u64>,
    /// What is known of acknowledged writes that were lost.
    pub loss: Loss,
    /// How many times Redis was promoted here.
    pub promotions: u64,
    /// Alarms said for the first time; each is counted once, however many sinks it went to.
    pub alarms_raised: u64,
    /// Alarms said again.
    pub alarms_repeated: u64,
    /// Alarms that were not sent.
    pub alarms_suppressed: u64,
    /// Alarms taken back.
    pub alarms_resolved: u64,
}

/// What an incident can have cost, as this node knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Loss {
    /// Redis here was promoted, and last known to be in step with the primary before so long before that, in
    /// microseconds: what that took in later may be lost.
    pub unseen_us: Option<u64>,
    /// Redis here was promoted, and when it was in step with the primary before is not known.
    pub unknown: bool,
    /// Redis here had led, and the new primary lacked so many bytes of its stream; `None` where that cannot be told.
    pub bytes: Option<u64>,
    /// Those were saved to a file.
    pub saved: Option<bool>,
}

/// In words.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |f: &mut fmt::Formatter<'_>| match self.bytes {
            Some(bytes) => write!(f, "{bytes} bytes"),
            None => f.write_str("an unknown part"),
        };
        match (self.saved, self.unseen_us) {
            (Some(true), _) => bytes(f).and_then(|()| f.write_str(", saved")),
            (Some(false), _) => bytes(f).and_then(|()| f.write_str(", NOT saved")),
            (None, _) if self.unknown => f.write_str("unknown"),
            // A bound: rounded up.
            (None, Some(us @ 0..1_000_000)) => write!(f, "< {} ms of writes", us / 1_000 + 1),
            (None, Some(us)) => {
                let tenths = us / 100_000 + 1;
                write!(f, "< {}.{} s of writes", tenths / 10, tenths % 10)
            }
            (None, None) => f.write_str("none"),
        }
    }
}

/// Finds the incidents in records, oldest first. Holds the open ones only: one for each instance.
#[derive(Debug, Default)]
pub struct Timeline {
    roles: BTreeMap<String, Role>,
    /// The drills that run, as sentences: what they break is no trouble of its own.
    drills: BTreeMap<String, String>,
    open: BTreeMap<String, Open>,
    /// When the Redis of an instance was last seen with a live link to its primary.
    in_step: BTreeMap<String, At>,
}

/// An incident that goes on.
#[derive(Debug)]
struct Open {
    opened: At,
    /// No primary was seen to serve since then.
    unserved: Option<At>,
    summary: IncidentSummary,
}

impl Open {
    /// Notes whether somebody serves: this node in its `role`, or another one.
    fn note_service(&mut self, record: &Record, role: Option<&Role>) {
        let change = record.decision.transition;
        if change.is_some_and(|change| change.from == Role::Primary && change.to != Role::Primary) {
            self.unserved.get_or_insert(record.at);
        }
        if role == Some(&Role::Primary) || tells_of_primary(record) {
            let unserved = self.unserved.take();
            let us = unserved.map_or(0, |since| elapsed_us(&since, &record.at));
            self.summary.outage_us = Some(self.summary.outage_us.unwrap_or(0) + us);
        }
    }
}

impl Timeline {
    /// Behind records that are not read: the role that the node had in each instance.
    #[must_use]
    pub fn behind(roles: impl IntoIterator<Item = (String, Role)>) -> Self {
        Self {
            roles: roles.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Folds one record; returns the incident that it closed.
    pub fn fold(&mut self, record: &Record) -> Option<IncidentSummary> {
        self.note_drill(record);
        let role_before = self.roles.get(&record.instance).copied();
        if let Some(change) = record.decision.transition {
            self.roles.insert(record.instance.clone(), change.to);
        }
        for note in &record.decision.notes {
            if let Note::IncidentOpened(id) = note {
                let from = record.decision.transition.map(|change| change.from);
                let mut summary = open(record, *id, from.or(role_before));
                if let Some(drill) = self.drills.get(&record.instance) {
                    summary.cause = format!("{drill}: {}", summary.cause);
                }
                let opened = Open {
                    opened: record.at,
                    unserved: Some(record.at),
                    summary,
                };
                self.open.insert(record.instance.clone(), opened);
            }
        }
        self.note_link(record);
        let role = self.roles.get(&record.instance);
        let open = self.open.get_mut(&record.instance)?;
        open.note_service(record, role);
        let Open {
            opened, summary, ..
        } = open;
        summary.duration_us = elapsed_us(opened, &record.at);
        let in_step = self.in_step.get(&record.instance);
        if cost(&mut summary.loss, record, in_step) {
            // From here on it is itself the primary.
            self.in_step.remove(&record.instance);
        }
        let closed = count(summary, record);
        summary.to = role.map(ToString::to_string);
        if !closed {
            return None;
        }
        summary.closed = Some(rfc3339(record.at.wall_us));
        self.open.remove(&record.instance).map(|open| open.summary)
    }

    fn note_link(&mut self, record: &Record) {
        let Event::RedisProbed(probe) = &record.event else {
            return;
        };
        if probe.observation.as_ref().is_some_and(|seen| seen.link_up) {
            self.in_step.insert(record.instance.clone(), record.at);
        }
    }

    fn note_drill(&mut self, record: &Record) {
        let Record {
            instance, event, ..
        } = record;
        match event {
            Event::OperatorDrilled { .. } => {
                let began = Sentence::new(instance, event).to_string();
                self.drills.insert(instance.clone(), began);
            }
            Event::DrillEnded { .. }
            | Event::DeadlinePassed {
                deadline: Deadline::DrillOver,
            } => {
                self.drills.remove(instance);
            }
            _ => {}
        }
    }

    /// The incidents that go on.
    pub fn open(&self) -> impl Iterator<Item = &IncidentSummary> {
        self.open.values().map(|open| &open.summary)
    }
}

/// The incident that `record` opened.
fn open(record: &Record, id: IncidentId, from: Option<Role>) -> IncidentSummary {
    let rule = record.decision.rule.as_ref().map(ToString::to_string);
    IncidentSummary {
        schema: SCHEMA,
        id,
        instance: record.instance.clone(),
        opened: rfc3339(record.at.wall_us),
        closed: None,
        duration_us: 0,
        from: from.map(|role| role.to_string()),
        to: None,
        cause: Sentence::new(&record.instance, &record.event).to_string(),
        because: rule.as_deref().and_then(because).map(str::to_owned),
        rule,
        outage_us: None,
        loss: Loss::default(),
        promotions: 0,
        alarms_raised: 0,
        alarms_repeated: 0,
        alarms_suppressed: 0,
        alarms_resolved: 0,
    }
}

/// Another node's Redis is seen to be a master.
fn tells_of_primary(record: &Record) -> bool {
    let Event::PeerProbed { probe, .. } = &record.event else {
        return false;
    };
    let seen = probe.observation.as_ref();
    probe.grade.is_ready() && seen.is_some_and(|seen| seen.role == RedisRole::Master)
}

/// Notes what a record of the incident says of writes that may be lost; true if Redis was promoted here.
fn cost(loss: &mut Loss, record: &Record, in_step: Option<&At>) -> bool {
    let promoted = record
        .decision
        .notes
        .iter()
        .any(|note| matches!(note, Note::Epoch(_)));
    match &record.event {
        Event::Rescued { diverged, .. } => (loss.bytes, loss.saved) = (diverged.lacks, Some(true)),
        Event::NotRescued { diverged, .. } => {
            (loss.bytes, loss.saved) = (diverged.lacks, Some(false));
        }
        _ if promoted => {
            let unseen = in_step.and_then(|at| record.at.since(at));
            loss.unknown |= unseen.is_none();
            loss.unseen_us = loss.unseen_us.max(unseen);
        }
        _ => {}
    }
    promoted
}

/// Counts what a record of the incident decided; true if that closed it.
fn count(summary: &mut IncidentSummary, record: &Record) -> bool {
    let mut said = BTreeSet::new();
    for effect in &record.decision.effects {
        let Effect::SendAlarm { alarm, .. } = effect else {
            continue;
        };
        // The same alarm goes to every sink in one decision.
        if said.insert(alarm.kind) {
            match alarm.status {
                AlarmStatus::Raised => summary.alarms_raised += 1,
                AlarmStatus::Repeated => summary.alarms_repeated += 1,
                AlarmStatus::Resolved => summary.alarms_resolved += 1,
            }
        }
    }
    let mut closed = false;
    for note in &record.decision.notes {
        match note {
            Note::AlarmSuppressed { .. } => summary.alarms_suppressed += 1,
            Note::Epoch(_) => summary.promotions += 1,
            Note::IncidentClosed(id) => closed |= *id == summary.id,
            Note::IncidentOpened(_) | Note::Blocked { .. } | Note::Noticed(_) => {}
        }
    }
    closed
}

/// By the monotonic clock within a boot, by the wall across boots.
fn elapsed_us(from: &At, to: &At) -> u64 {
    to.since(from).unwrap_or_else(|| {
        let wall_us = to.wall_us.saturating_sub(from.wall_us);
        u64::try_from(wall_us).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Deadline, Event};
    use crate::views::fixture;

    #[test]
    fn a_clean_failover_is_one_incident() {
        let mut timeline = Timeline::default();
        let records = fixture::failover();
        let closed: Vec<_> = records.iter().filter_map(|r| timeline.fold(r)).collect();
        assert_eq!(closed.len(), 1);
        assert_eq!(timeline.open().count(), 0);
        insta::assert_snapshot!(serde_json::to_string_pretty(&closed[0]).unwrap());
    }

    #[test]
    fn an_open_incident_is_told_too() {
        let mut story = fixture::Story::default();
        story.start(true);
        story.lead();
        story.tell(Event::RedisExited { pid: 900 });
        story.wait_ms(5_000);
        story.tell(Event::DeadlinePassed {
            deadline: Deadline::Unserved,
        });
        let mut timeline = Timeline::default();
        let closed = story.records.iter().filter_map(|r| timeline.fold(r));
        assert_eq!(closed.count(), 1, "the promotion at the start");
        let open: Vec<_> = timeline.open().collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].cause, "Redis process 900 exited");
        assert_eq!(open[0].rule.as_deref(), Some("exit-primary"));
        assert_eq!(open[0].from.as_deref(), Some("primary"));
        assert_eq!(open[0].to.as_deref(), Some("fault"));
        assert_eq!(open[0].alarms_raised, 1);
        assert_eq!(open[0].duration_us, 5_001_000);
        assert_eq!(open[0].closed, None);
    }
}
