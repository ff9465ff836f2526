//! Alarms: ordered by a record before they are sent, and not sent again once that is on record.

use std::collections::{BTreeMap, BTreeSet};

use rha::model::alarm::AlarmStatus;
use rha::model::effect::{Effect, EffectId};
use rha::model::event::Event;
use rha::model::record::Record;

use super::tally::Tally;
use super::telling::Fault;
use crate::sink::Heard;

/// The alarms of a world.
#[derive(Default)]
pub struct Alarms {
    /// When it was ordered, in microseconds of `CLOCK_BOOTTIME`.
    ordered: BTreeMap<String, u64>,
    /// When the sending was recorded, in microseconds of `CLOCK_BOOTTIME`.
    done: BTreeMap<String, u64>,
    /// The last word of each alarm.
    words: BTreeMap<String, AlarmStatus>,
    /// What was heard before this place may be of records that the journal has lost.
    first: usize,
    /// What was heard before this place was looked at.
    checked: usize,
}

impl Alarms {
    /// For a journal that lost its end when so many alarms had been heard.
    pub fn since(heard: usize) -> Self {
        Self {
            first: heard,
            checked: heard,
            ..Self::default()
        }
    }

    /// Takes a record in.
    pub fn note(&mut self, record: &Record, tally: &mut Tally) {
        for (index, effect) in (0..).zip(&record.decision.effects) {
            let Effect::SendAlarm { alarm, .. } = effect else {
                continue;
            };
            let seq = record.seq;
            let id = id_of(EffectId { seq, index });
            self.ordered.insert(id, record.at.mono_us);
            let alarm_key = format!("{} of incident {}", alarm.kind, alarm.incident);
            let before = self.words.insert(alarm_key.clone(), alarm.status);
            if before == Some(alarm.status) && alarm.status != AlarmStatus::Repeated {
                let told = format!("alarm {alarm_key} is {} twice", alarm.status);
                tally.wrong(Fault::Doubled, told);
            }
        }
        if let Event::EffectFinished {
            effect, outcome, ..
        } = &record.event
            && outcome.is_done()
        {
            let done = self.done.entry(id_of(*effect));
            done.or_insert(record.at.mono_us);
        }
    }

    /// Looks at what was heard before the records were read that were noted last: by then the order was on the disk.
    /// What comes after its own sending was recorded comes twice with harm.
    pub fn check(&mut self, heard: &[Heard], tally: &mut Tally) {
        for Heard { id, at_us } in heard.iter().skip(self.checked) {
            tally.alarms += 1;
            if self.done.get(id).is_some_and(|done_us| done_us < at_us) {
                let told = format!("alarm {id} was sent again although its sending is recorded");
                tally.wrong(Fault::Doubled, told);
            }
            // While the journal cannot be written, alarms go out under numbers of their own.
            if id.contains("unrecorded-") {
                tally.unrecorded += 1;
                continue;
            }
            // An order that was lost may be given again under the same number: later.
            let how = match self.ordered.get(id) {
                Some(ordered_us) if ordered_us <= at_us => continue,
                Some(_) => "before its order was recorded",
                None => "and no record has ordered it",
            };
            tally.wrong(Fault::Strange, format!("alarm {id} was sent {how}"));
        }
        self.checked = heard.len().max(self.checked);
    }

    /// At the end: what is recorded as sent has come.
    pub fn end(&self, heard: &[Heard], tally: &mut Tally) {
        // An order that was lost may be given again under the same number, but later.
        let is_ours = |(place, heard): &(usize, &Heard)| {
            let ordered = self.ordered.get(&heard.id);
            *place >= self.first || ordered.is_some_and(|ordered_us| *ordered_us <= heard.at_us)
        };
        let ours = heard.iter().enumerate().filter(is_ours);
        let ours: Vec<&str> = ours.map(|(_, heard)| heard.id.as_str()).collect();
        let distinct: BTreeSet<&str> = ours.iter().copied().collect();
        tally.resent += (ours.len() - distinct.len()) as u64;
        for id in self.done.keys() {
            if self.ordered.contains_key(id) && !distinct.contains(id.as_str()) {
                let told = format!("alarm {id} is recorded as sent and never came");
                tally.wrong(Fault::Lost, told);
            }
        }
    }
}

/// As the sink hears it.
fn id_of(effect: EffectId) -> String {
    format!("a/{effect}")
}
