//! A record as JSON, schema 1. Keys never change their meaning; a new one may be added.
//!
//! Words instead of numbers, times in RFC 3339 UTC, identities in hexadecimal. Keys that do not
//! apply are there and `null`.

mod event;
mod facts;
mod operator;
mod rescue;

use std::fmt::Display;

use serde::{Serialize, Serializer};

use self::event::EventJson;
use self::facts::OperatorJson;
use super::time::rfc3339;
use super::{Sentence, operator_of, original_time};
use crate::model::alarm::{AlarmKind, AlarmStatus};
use crate::model::decision::{Decision, Note};
use crate::model::effect::{Effect, EffectId};
use crate::model::record::{Record, Seq};
use crate::model::redis::Endpoint;
use crate::model::role::Role;
use crate::model::time::BootId;

/// Number of the JSON schema of every view.
pub const SCHEMA: u16 = 1;

/// A record with everything that it holds, and the sentences that a person is shown.
#[derive(Debug, Serialize)]
pub struct RecordJson<'a> {
    schema: u16,
    seq: Seq,
    at: String,
    at_us: i64,
    mono_us: u64,
    boot: Shown<'a, BootId>,
    instance: &'a str,
    kind: &'static str,
    summary: String,
    original_at: Option<String>,
    event: EventJson<'a>,
    #[serde(flatten)]
    decision: DecisionJson<'a>,
    incident: Option<Seq>,
    cause: Option<Seq>,
    ruleset: u16,
    operator: Option<OperatorJson<'a>>,
}

impl<'a> From<&'a Record> for RecordJson<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            schema: SCHEMA,
            seq: record.seq,
            at: rfc3339(record.at.wall_us),
            at_us: record.at.wall_us,
            mono_us: record.at.mono_us,
            boot: Shown(&record.at.boot),
            instance: &record.instance,
            kind: record.event.kind(),
            summary: Sentence::new(&record.instance, &record.event).to_string(),
            original_at: original_time(record).map(|at| rfc3339(at.wall_us)),
            event: EventJson::from(&record.event),
            decision: DecisionJson::new(record.seq, &record.decision),
            incident: record.incident,
            cause: record.cause,
            ruleset: record.ruleset,
            operator: operator_of(&record.event).map(OperatorJson::from),
        }
    }
}

/// What was decided.
#[derive(Debug, Serialize)]
pub struct DecisionJson<'a> {
    transition: Option<TransitionJson<'a>>,
    rule: Option<&'a str>,
    because: Option<&'static str>,
    effects: Vec<EffectJson<'a>>,
    notes: Vec<NoteJson<'a>>,
}

impl<'a> DecisionJson<'a> {
    /// The view of the decision of record `seq`.
    #[must_use]
    pub fn new(seq: Seq, decision: &'a Decision) -> Self {
        let rule = decision.rule.as_ref().map(|rule| rule.as_str());
        Self {
            transition: decision.transition.as_ref().map(|change| TransitionJson {
                from: Shown(&change.from),
                to: Shown(&change.to),
            }),
            rule,
            because: rule.and_then(super::history::because),
            effects: (0u16..)
                .zip(&decision.effects)
                .map(|(index, effect)| EffectJson {
                    id: EffectId { seq, index }.to_string(),
                    text: Shown(effect),
                    order: OrderJson::from(effect),
                })
                .collect(),
            notes: decision.notes.iter().map(NoteJson::from).collect(),
        }
    }
}

/// Serialised as it is displayed.
#[derive(Debug)]
struct Shown<'a, T>(&'a T);

impl<T: Display> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

#[derive(Debug, Serialize)]
struct TransitionJson<'a> {
    from: Shown<'a, Role>,
    to: Shown<'a, Role>,
}

#[derive(Debug, Serialize)]
struct EffectJson<'a> {
    id: String,
    text: Shown<'a, Effect>,
    #[serde(flatten)]
    order: OrderJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
enum OrderJson<'a> {
    Promote,
    Follow {
        target: Shown<'a, Endpoint>,
    },
    SetEligible {
        eligible: bool,
    },
    SetBias {
        bias: u8,
    },
    Drain {
        hold_ms: u64,
    },
    RemoveVip,
    StartRedis,
    StopRedis,
    SendAlarm {
        sink: &'a str,
        alarm: Shown<'a, AlarmKind>,
        status: Shown<'a, AlarmStatus>,
        incident: Seq,
        title: &'a str,
        content: &'a str,
    },
    KillRedis {
        pid: u32,
    },
    HandOver {
        to: &'a str,
        within_ms: u64,
    },
    LetGo {
        to: &'a str,
        within_ms: u64,
    },
    GuardWrites {
        on: bool,
    },
    Rejoin {
        target: Shown<'a, Endpoint>,
        epoch: u64,
    },
    ClaimLead,
    ReleaseLead {
        at_once: bool,
    },
}

impl<'a> From<&'a Effect> for OrderJson<'a> {
    fn from(effect: &'a Effect) -> Self {
        match effect {
            Effect::Promote => Self::Promote,
            Effect::Follow { target } => Self::Follow {
                target: Shown(target),
            },
            Effect::Rejoin { target, epoch } => Self::Rejoin {
                target: Shown(target),
                epoch: *epoch,
            },
            Effect::SetEligible { eligible } => Self::SetEligible {
                eligible: *eligible,
            },
            Effect::SetBias { bias } => Self::SetBias { bias: *bias },
            Effect::Drain { hold_ms } => Self::Drain { hold_ms: *hold_ms },
            Effect::RemoveVip => Self::RemoveVip,
            Effect::StartRedis => Self::StartRedis,
            Effect::StopRedis => Self::StopRedis,
            Effect::KillRedis { pid } => Self::KillRedis { pid: *pid },
            &Effect::HandOver { ref to, within_ms } => Self::HandOver { to, within_ms },
            Effect::GuardWrites { on } => Self::GuardWrites { on: *on },
            Effect::ClaimLead => Self::ClaimLead,
            Effect::ReleaseLead { at_once } => Self::ReleaseLead { at_once: *at_once },
            &Effect::LetGo { ref to, within_ms } => Self::LetGo { to, within_ms },
            Effect::SendAlarm { sink, alarm } => Self::SendAlarm {
                sink,
                alarm: Shown(&alarm.kind),
                status: Shown(&alarm.status),
                incident: alarm.incident,
                title: &alarm.title,
                content: &alarm.content,
            },
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
enum NoteJson<'a> {
    IncidentOpened {
        incident: Seq,
    },
    IncidentClosed {
        incident: Seq,
    },
    Blocked {
        guard: &'a str,
    },
    AlarmSuppressed {
        alarm: Shown<'a, AlarmKind>,
        why: &'a str,
    },
    Epoch {
        epoch: u64,
    },
    Noticed {
        text: &'a str,
    },
}

impl<'a> From<&'a Note> for NoteJson<'a> {
    fn from(note: &'a Note) -> Self {
        match note {
            Note::IncidentOpened(id) => Self::IncidentOpened { incident: *id },
            Note::IncidentClosed(id) => Self::IncidentClosed { incident: *id },
            Note::Blocked { guard } => Self::Blocked { guard },
            Note::AlarmSuppressed { kind, why } => Self::AlarmSuppressed {
                alarm: Shown(kind),
                why,
            },
            Note::Epoch(epoch) => Self::Epoch { epoch: *epoch },
            Note::Noticed(text) => Self::Noticed { text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::samples;

    #[test]
    fn every_effect_has_its_word_and_its_values() {
        let mut lines = Vec::new();
        for effect in samples::every_effect() {
            let json = serde_json::to_value(OrderJson::from(&effect)).unwrap();
            assert_eq!(json["effect"], effect.word());
            lines.push(json.to_string());
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
