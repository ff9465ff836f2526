//! What rha was told and has acknowledged, against what its journal holds.

use std::collections::{BTreeMap, BTreeSet};

use rha::model::alarm::AlarmStatus;
use rha::model::effect::{Effect, EffectId};
use rha::model::event::Event;
use rha::model::record::{Record, Seq};

use crate::load::{Told, Writer, writer_of};

/// What was wrong, and how much was right.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Lines, orders and records that rha has acknowledged.
    pub acknowledged: u64,
    /// Of these, not in the journal.
    pub lost: u64,
    /// Lines, orders or alarms that are there twice.
    pub doubled: u64,
    /// Lines or orders that overtook others of the same writer.
    pub disordered: u64,
    /// Records, lines or alarms that nobody has caused, or that are other than they were.
    pub strange: u64,
    /// Alarms that were sent again since nobody could know that they had been.
    pub resent: u64,
    /// Each thing that was wrong, for people.
    pub told: Vec<String>,
}

impl Tally {
    /// Nothing was wrong.
    pub fn is_good(&self) -> bool {
        self.lost + self.doubled + self.disordered + self.strange == 0
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.disordered += other.disordered;
        self.strange += other.strange;
        self.resent += other.resent;
        self.told.extend(other.told);
    }
}

/// The books of one world.
#[derive(Default)]
pub struct Ledger {
    /// On the disk for good: nothing may change these any more.
    settled: Vec<Record>,
    /// What each writer was told in earlier rounds, to know it when it comes again.
    known: BTreeMap<Writer, BTreeSet<String>>,
    /// Alarms whose sending was recorded.
    done: BTreeSet<String>,
    ordered: BTreeSet<String>,
    /// How many alarms the sink had when `done` was complete: see [`Self::heard`].
    heard: usize,
    /// The last word of each alarm.
    words: BTreeMap<String, AlarmStatus>,
}

impl Ledger {
    /// From where on the journal is still to be looked at.
    pub fn next(&self) -> Seq {
        self.settled
            .last()
            .map_or(Seq(1), |record| record.seq.next())
    }

    /// What is on the disk for good.
    pub fn settled(&self) -> &[Record] {
        &self.settled
    }

    /// Compares a round with the records from [`Self::next`] on. `seen` was read from the agent before it was
    /// killed, each stream in its order.
    pub fn close_round(
        &mut self,
        told: &BTreeMap<Writer, Vec<Told>>,
        seen: &[Vec<Record>],
        records: Vec<Record>,
    ) -> Tally {
        let mut tally = Tally::default();
        for stream in seen {
            self.check_seen(stream, &records, &mut tally);
        }
        for (writer, told) in told {
            let found = records.iter().filter_map(writer_of);
            let found: Vec<String> = found
                .filter(|(other, _)| other == writer)
                .map(|(_, what)| what)
                .collect();
            self.check_writer(*writer, told, &found, &mut tally);
        }
        let on_disk = records.iter().rposition(|record| !may_be_held(record));
        let mut records = records;
        records.truncate(on_disk.map_or(0, |last| last + 1));
        for record in &records {
            self.note_alarms(record, &mut tally);
        }
        self.settled.extend(records);
        tally
    }

    /// A record that somebody was shown is acknowledged, but for checks that are held in memory.
    fn check_seen(&self, seen: &[Record], records: &[Record], tally: &mut Tally) {
        let Some(last) = seen.iter().rposition(|record| !may_be_held(record)) else {
            return;
        };
        let first = self.next().0;
        for record in seen[..=last].iter().filter(|record| record.seq.0 >= first) {
            tally.acknowledged += 1;
            let index = usize::try_from(record.seq.0 - first).unwrap_or(usize::MAX);
            if records.get(index) != Some(record) {
                tally.lost += 1;
                tally
                    .told
                    .push(format!("record {} was shown and is gone", record.seq));
            }
        }
    }

    fn check_writer(&mut self, writer: Writer, told: &[Told], found: &[String], tally: &mut Tally) {
        let known = self.known.entry(writer).or_default();
        let mut missing = BTreeSet::new();
        let mut next = 0;
        for what in found {
            if let Some(ahead) = told[next..].iter().position(|one| one.what == *what) {
                let passed = told[next..next + ahead].iter().filter(|one| one.certain);
                missing.extend(passed.map(|one| one.what.clone()));
                next += ahead + 1;
            } else if missing.remove(what) {
                tally.disordered += 1;
                tally.told.push(format!("{writer:?}: {what} was overtaken"));
            } else if known.contains(what) || told.iter().any(|one| one.what == *what) {
                tally.doubled += 1;
                tally
                    .told
                    .push(format!("{writer:?}: {what} is there twice"));
            } else {
                tally.strange += 1;
                tally
                    .told
                    .push(format!("{writer:?}: {what} was never said"));
            }
        }
        let behind = told[next..].iter().filter(|one| one.certain);
        missing.extend(behind.map(|one| one.what.clone()));
        tally.acknowledged += told.iter().filter(|one| one.certain).count() as u64;
        tally.lost += missing.len() as u64;
        let lost = missing.iter();
        tally
            .told
            .extend(lost.map(|what| format!("{writer:?}: {what} is lost")));
        known.extend(told.iter().map(|one| one.what.clone()));
    }

    fn note_alarms(&mut self, record: &Record, tally: &mut Tally) {
        for (index, effect) in (0..).zip(&record.decision.effects) {
            let Effect::SendAlarm { alarm, .. } = effect else {
                continue;
            };
            let seq = record.seq;
            self.ordered.insert(id_of(EffectId { seq, index }));
            let alarm_key = format!("{} of incident {}", alarm.kind, alarm.incident);
            let before = self.words.insert(alarm_key.clone(), alarm.status);
            if before == Some(alarm.status) && alarm.status != AlarmStatus::Repeated {
                tally.doubled += 1;
                let status = alarm.status;
                tally
                    .told
                    .push(format!("alarm {alarm_key} is {status} twice"));
            }
        }
        if let Event::EffectFinished {
            effect, outcome, ..
        } = &record.event
            && outcome.is_done()
        {
            self.done.insert(id_of(*effect));
        }
    }

    /// What the sink has heard since the round before: what comes for an alarm whose sending was recorded by then
    /// comes twice with harm.
    pub fn check_alarms(&self, heard: &[String]) -> Tally {
        let mut tally = Tally::default();
        for id in heard.iter().skip(self.heard) {
            if self.done.contains(id) {
                tally.doubled += 1;
                let told = format!("alarm {id} was sent again although its sending is recorded");
                tally.told.push(told);
            }
        }
        tally
    }

    /// So many alarms had come when the records of the round were read, or a moment later.
    pub fn heard(&mut self, count: usize) {
        self.heard = count;
    }

    /// At the end: nothing was sent that was not recorded first, but for what was decided while the journal
    /// could not be written.
    pub fn check_orders(&self, heard: &[String]) -> Tally {
        let distinct: BTreeSet<&String> = heard.iter().collect();
        let mut tally = Tally {
            resent: (heard.len() - distinct.len()) as u64,
            ..Tally::default()
        };
        for id in heard.iter().filter(|id| !id.contains("unrecorded-")) {
            if !self.ordered.contains(id) {
                tally.strange += 1;
                tally
                    .told
                    .push(format!("alarm {id} was sent and no record has ordered it"));
            }
        }
        let silent = self
            .done
            .iter()
            .filter(|id| self.ordered.contains(*id) && !heard.contains(id));
        for id in silent {
            tally.lost += 1;
            tally
                .told
                .push(format!("alarm {id} is recorded as sent and never came"));
        }
        tally
    }
}

/// As the sink hears it.
fn id_of(effect: EffectId) -> String {
    format!("a/{effect}")
}

/// Quiet checks are; which checks are quiet is the journal's to know, so that none counts.
fn may_be_held(record: &Record) -> bool {
    matches!(
        record.event,
        Event::RedisProbed(_) | Event::PeerProbed { .. }
    )
}
