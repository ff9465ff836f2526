//! A round that went well, to be spoiled.

use rha::model::alarm::{Alarm, AlarmKind, AlarmStatus};
use rha::model::decision::Decision;
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::{Event, Operator};
use rha::model::record::{Record, Seq};
use rha::model::time::At;
use rha::model::vrrp::{Notification, Notified, SpoolPosition, Subject, VrrpState, Word};

use super::Observed;
use crate::load::{Told, Writer};
use crate::sink::Heard;

/// Between two records.
const STEP_US: u64 = 100;

/// A journal in the making.
#[derive(Default)]
pub struct Story {
    /// So far.
    pub records: Vec<Record>,
}

impl Story {
    fn next(&mut self, event: Event, effects: Vec<Effect>) -> Seq {
        let seq = Seq(self.records.len() as u64 + 1);
        self.records.push(Record {
            seq,
            at: At {
                mono_us: seq.0 * STEP_US,
                ..At::default()
            },
            instance: String::new(),
            cause: None,
            ruleset: 1,
            incident: None,
            event,
            decision: Decision {
                effects,
                ..Decision::default()
            },
        });
        seq
    }

    /// A notify line: of the FIFO if its name begins with an f.
    pub fn line(&mut self, name: &str) {
        let notification = Notification {
            subject: Subject::Instance,
            name: name.to_owned(),
            word: Word::State(VrrpState::Backup),
            priority: Some(100),
            raw: None,
        };
        let event = Event::VrrpNotified(Notified {
            notification,
            stamped: At::default(),
            spool: None,
        });
        self.next(event, Vec::new());
    }

    /// An operator's order.
    pub fn order(&mut self, what: &str) {
        let operator = Operator {
            uid: 0,
            user: "root".to_owned(),
            command: what.to_owned(),
        };
        self.next(Event::OperatorResumed { operator }, Vec::new());
    }

    /// A record that orders an alarm.
    pub fn alarm(&mut self, incident: u64, status: AlarmStatus) -> EffectId {
        let alarm = Alarm {
            kind: AlarmKind::Unserved,
            incident: Seq(incident),
            status,
            title: String::new(),
            content: String::new(),
        };
        let sink = "crash".to_owned();
        let ready = Event::AgentReady {
            vip_here: false,
            keepalived: None,
        };
        let seq = self.next(ready, vec![Effect::SendAlarm { sink, alarm }]);
        EffectId { seq, index: 0 }
    }

    /// Its sending is recorded.
    pub fn sent(&mut self, effect: EffectId) {
        let event = Event::EffectFinished {
            effect,
            order: String::new(),
            outcome: Outcome::Done(String::new()),
        };
        self.next(event, Vec::new());
    }

    /// Bytes of the spool were passed over.
    pub fn damage(&mut self, offset: u64, skipped_bytes: u64) {
        let spool = SpoolPosition { segment: 1, offset };
        let event = Event::SpoolDamaged {
            spool,
            skipped_bytes,
        };
        self.next(event, Vec::new());
    }

    /// A journal was set aside.
    pub fn set_aside(&mut self) {
        let event = Event::JournalQuarantined {
            path: String::new(),
            why: String::new(),
        };
        self.next(event, Vec::new());
    }
}

/// The alarm came this long after its order was recorded.
pub fn heard(effect: EffectId, steps: u64) -> Heard {
    Heard {
        id: format!("a/{effect}"),
        at_us: (effect.seq.0 + steps) * STEP_US - STEP_US / 2,
    }
}

/// Lines f1 to f3 and s1 to s3, orders 1 to 3, and an alarm that was sent: records 1 to 11.
pub fn good() -> (Story, Vec<Heard>) {
    let mut story = Story::default();
    for number in 1..=3 {
        story.line(&format!("f{number}"));
        story.line(&format!("s{number}"));
        story.order(&format!("order {number}"));
    }
    let alarm = story.alarm(10, AlarmStatus::Raised);
    story.sent(alarm);
    (story, vec![heard(alarm, 1)])
}

/// Lines and orders of these numbers were told and acknowledged, and all of `story` behind record `from` is there.
pub fn observed<'a>(
    story: &Story,
    heard: &'a [Heard],
    from: usize,
    told: impl Iterator<Item = u64> + Clone,
) -> Observed<'a> {
    let tell = |word: fn(u64) -> String| {
        let told = told.clone();
        told.map(|number| Told::new(word(number), true)).collect()
    };
    Observed {
        told: [
            (Writer::Fifo, tell(|number| format!("f{number} BACKUP 100"))),
            (
                Writer::Script,
                tell(|number| format!("s{number} BACKUP 100")),
            ),
            (Writer::Operator, tell(|number| format!("order {number}"))),
        ]
        .into(),
        seen: vec![story.records[from..].to_vec()],
        heard,
        records: story.records[from..].to_vec(),
        ..Observed::default()
    }
}
