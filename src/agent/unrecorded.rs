//! What happens while the journal cannot be written: kept until the record of it catches up.

use std::collections::VecDeque;

use crate::ingest::Incoming;
use crate::model::alarm::{Alarm, AlarmStatus};
use crate::model::effect::{Effect, EffectId};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::time::At;

/// Events that wait for the journal.
const WAITING_MAX: usize = 4096;

/// What the journal does not know of.
pub struct Unrecorded {
    /// The number of the next decision.
    next: Seq,
    waiting: VecDeque<Incoming>,
    lost: u64,
    /// Alarms that were raised and not taken back.
    out: Vec<Out>,
}

struct Out {
    instance: String,
    sink: String,
    alarm: Alarm,
}

impl Unrecorded {
    /// `now`: of two runs that nothing is recorded of, neither uses the other's numbers.
    pub fn new(now: At) -> Self {
        let run = u64::try_from(now.wall_us / 1000).unwrap_or(0);
        Self {
            next: Seq(Seq::UNRECORDED.0 + run),
            waiting: VecDeque::new(),
            lost: 0,
            out: Vec::new(),
        }
    }

    /// A number for a decision.
    pub fn number(&mut self) -> Seq {
        let number = self.next;
        self.next = number.next();
        number
    }

    /// Remembers an event, what was done about it, and which alarms are out. `why`: the journal's error.
    pub fn note(&mut self, incoming: Incoming, record: &Record, why: &str) {
        if waits(&incoming.event) {
            self.wait_with(incoming);
        }
        let mut orders = Vec::new();
        for effect in &record.decision.effects {
            match effect {
                Effect::SendAlarm { sink, alarm } => self.alarmed(&record.instance, sink, alarm),
                order => orders.push(order.to_string()),
            }
        }
        if orders.is_empty() {
            return;
        }
        let what = orders.join(", ");
        tracing::error!(
            instance = record.instance,
            why,
            what,
            "acting without a record"
        );
        self.wait_with(Incoming {
            instance: record.instance.clone(),
            event: Event::ActedUnrecorded {
                at: record.at,
                why: why.to_owned(),
                what,
            },
            cause: None,
        });
    }

    /// What is to be recorded as soon as that can be done, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Incoming> {
        self.waiting.iter()
    }

    /// All that waited is recorded. Returns what takes the alarms back that the journal does not know of: what
    /// is still true is raised again by its own records.
    pub fn caught_up(&mut self) -> Vec<(String, EffectId, Effect)> {
        self.waiting.clear();
        if self.lost > 0 {
            tracing::error!(
                events = self.lost,
                "lost while the journal could not be written"
            );
            self.lost = 0;
        }
        let out = std::mem::take(&mut self.out);
        out.into_iter()
            .map(|one| {
                let seq = self.number();
                let alarm = Alarm {
                    status: AlarmStatus::Resolved,
                    title: format!("Resolved: {}", one.alarm.title),
                    content: "The journal can be written again: what is still true is said again."
                        .to_owned(),
                    ..one.alarm
                };
                let effect = Effect::SendAlarm {
                    sink: one.sink,
                    alarm,
                };
                (one.instance, EffectId { seq, index: 0 }, effect)
            })
            .collect()
    }

    fn alarmed(&mut self, instance: &str, sink: &str, alarm: &Alarm) {
        self.out.retain(|out| {
            (out.instance.as_str(), out.sink.as_str()) != (instance, sink)
                || (out.alarm.incident, out.alarm.kind) != (alarm.incident, alarm.kind)
        });
        if alarm.status == AlarmStatus::Raised {
            self.out.push(Out {
                instance: instance.to_owned(),
                sink: sink.to_owned(),
                alarm: alarm.clone(),
            });
        }
    }

    fn wait_with(&mut self, incoming: Incoming) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(incoming);
    }
}

/// What is not known by itself when the journal is back. Checks come again, timers are armed again, the
/// spool is read again, and each opening of the journal begins with the settings.
fn waits(event: &Event) -> bool {
    !matches!(
        event,
        Event::RedisProbed(_)
            | Event::PeerProbed { .. }
            | Event::DeadlinePassed { .. }
            | Event::VrrpNotified(_)
            | Event::NotifyUnparsed { .. }
            | Event::SpoolDamaged { .. }
            | Event::AgentStarted { .. }
            | Event::Configured(_)
            | Event::AgentReady { .. }
            | Event::JournalFailed { .. }
            | Event::JournalQuarantined { .. }
    )
}
