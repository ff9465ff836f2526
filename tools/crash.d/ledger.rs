//! What rha was told and has acknowledged, against what its journal holds.
//!
//! Whatever is forgiven is forgiven for a reason that is on record, one thing at a time, and counted: see
//! [`Forgiven`].

mod alarms;
mod damage;
#[cfg(test)]
mod fixture;
mod tally;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rha::model::event::Event;
use rha::model::record::{Record, Seq};

pub use damage::TornSpool;
pub use tally::Tally;
pub use telling::Fault;

use crate::load::{Told, Writer, writer_of};
use crate::sink::Heard;
use alarms::Alarms;
use damage::{Damage, Places};
use telling::{Finding, compare, without};

/// What was seen of a round.
#[derive(Default)]
pub struct Observed<'round> {
    /// What each writer has told.
    pub told: BTreeMap<Writer, Vec<Told>>,
    /// Read from the agent while it was in trouble, each stream in its order.
    pub seen: Vec<Vec<Record>>,
    /// What the sink had heard before `records` were read, from the beginning of the world on.
    pub heard: &'round [Heard],
    /// The journal from [`Ledger::next`] on; from the first record on where the journal was torn.
    pub records: Vec<Record>,
    /// How many processes that write the spool were killed.
    pub writers_killed: u64,
    /// The spool was torn.
    pub torn_spool: Option<TornSpool>,
    /// The journal was torn.
    pub torn_journal: Option<TornJournal>,
}

/// What a torn journal may cost, if that is said.
#[derive(Default)]
pub struct TornJournal {
    /// Orders that were given before.
    pub orders: BTreeSet<String>,
    /// So many alarms had come by then.
    pub heard: usize,
}

/// The books of one world.
#[derive(Default)]
pub struct Ledger {
    /// On the disk for good: nothing may change these any more.
    settled: Vec<Record>,
    /// What each writer was told so far.
    told: BTreeMap<Writer, Vec<Told>>,
    alarms: Alarms,
    /// Where the spool may be damaged.
    places: Places,
}

impl Ledger {
    /// From where on the journal is still to be looked at.
    pub fn next(&self) -> Seq {
        self.settled
            .last()
            .map_or(Seq(1), |record| record.seq.next())
    }

    /// Is everything that was on the disk in this journal, read from its first record on?
    pub fn is_kept_in(&self, records: &[Record]) -> bool {
        self.kept_in(records) == self.settled.len()
    }

    /// Does this journal, read from its first record on, say more often than before that it was set aside?
    pub fn is_set_aside_in(&self, records: &[Record]) -> bool {
        records[self.kept_in(records)..].iter().any(is_set_aside)
    }

    /// Compares a round with the journal.
    pub fn close_round(&mut self, mut observed: Observed) -> Tally {
        let Some(torn) = observed.torn_journal.take() else {
            return self.close_whole(observed);
        };
        if self.is_set_aside_in(&observed.records) {
            return self.close_set_aside(observed, &torn);
        }
        let mut tally = Tally::default();
        observed.records = self.check_settled(observed.records, &mut tally);
        tally.add(self.close_whole(observed));
        tally
    }

    /// At the end of the world: the whole journal, from the disk, and all that the sink has heard.
    pub fn close_world(&mut self, records: Vec<Record>, heard: &[Heard]) -> Tally {
        let mut tally = Tally::default();
        let records = self.check_settled(records, &mut tally);
        tally.add(self.close_whole(Observed {
            records,
            heard,
            ..Observed::default()
        }));
        self.alarms.end(heard, &mut tally);
        tally
    }

    /// Nothing may be missing.
    fn close_whole(&mut self, observed: Observed) -> Tally {
        let mut tally = Tally::default();
        let records = observed.records;
        for gone in self.gone(&observed.seen, &records, &mut tally) {
            tally.wrong(Fault::Lost, format!("record {gone} was shown and is gone"));
        }
        let mut findings = Vec::new();
        for writer in Writer::ALL {
            let told = observed.told.get(&writer).map_or(&[][..], |told| told);
            tally.acknowledged += certain(told);
            let known = self.told.entry(writer).or_default();
            findings.extend(compare(writer, told, &told_to(&records, writer), known));
            known.extend_from_slice(told);
        }
        let torn = observed.torn_spool.as_ref();
        self.places.note(observed.writers_killed, torn);
        let damages = damage::explain(&records, observed.writers_killed, torn);
        if let Some(torn) = torn {
            self.forgive_torn_lines(torn, &damages, &mut findings, &mut tally);
        }
        note_damages(&damages, &mut tally);
        note_findings(&findings, &mut tally);
        self.settle(records, &mut tally);
        self.alarms.check(observed.heard, &mut tally);
        tally
    }

    /// The journal says that it was damaged: its end may be gone, all of it at worst. What is left of it is as it
    /// was, and every line comes again out of the spool.
    fn close_set_aside(&mut self, observed: Observed, torn: &TornJournal) -> Tally {
        let mut tally = Tally::default();
        let records = observed.records;
        let kept = self.kept_in(&records);
        tally.forgiven.set_aside += 1;
        tally.forgiven.torn_records += (self.settled.len() - kept) as u64;
        self.settled.truncate(kept);
        let (before, since) = records.split_at(kept);
        let gone = self.gone(&observed.seen, since, &mut tally);
        tally.forgiven.torn_records += gone.len() as u64;
        let mut findings = Vec::new();
        for writer in Writer::ALL {
            let told = observed.told.get(&writer).map_or(&[][..], |told| told);
            tally.acknowledged += certain(told);
            let known = self.told.entry(writer).or_default();
            known.extend_from_slice(told);
            let due = without(known, &told_to(before, writer));
            findings.extend(compare(writer, &due, &told_to(since, writer), known));
        }
        self.forgive_torn_orders(torn, &mut findings, &mut tally);
        self.places
            .note(observed.writers_killed, observed.torn_spool.as_ref());
        note_damages(&self.places.explain_again(since), &mut tally);
        note_findings(&findings, &mut tally);
        self.alarms = Alarms::since(torn.heard);
        self.settled.clear();
        self.settle(records, &mut tally);
        self.alarms.check(observed.heard, &mut tally);
        tally
    }

    /// Each record that was on the disk is where it was. Returns what is behind them.
    fn check_settled(&self, mut records: Vec<Record>, tally: &mut Tally) -> Vec<Record> {
        for (index, ours) in self.settled.iter().enumerate() {
            let how = match records.get(index) {
                Some(theirs) if theirs == ours => continue,
                Some(_) => "has changed",
                None => "is gone",
            };
            tally.wrong(Fault::Lost, format!("record {} {how}", ours.seq));
        }
        records.split_off(self.settled.len().min(records.len()))
    }

    /// How many of the records that were on the disk are still there, from the first on without a gap.
    fn kept_in(&self, records: &[Record]) -> usize {
        let pairs = self.settled.iter().zip(records);
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    }

    /// Records that somebody was shown and that are not there, but for checks that are held in memory. `records`:
    /// from [`Self::next`] on.
    fn gone(&self, seen: &[Vec<Record>], records: &[Record], tally: &mut Tally) -> BTreeSet<Seq> {
        let first = self.next().0;
        let mut shown = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for stream in seen {
            let on_disk = stream.iter().rposition(|record| !may_be_held(record));
            let stream = &stream[..on_disk.map_or(0, |last| last + 1)];
            for record in stream.iter().filter(|record| record.seq.0 >= first) {
                shown.insert(record.seq);
                let index = usize::try_from(record.seq.0 - first).unwrap_or(usize::MAX);
                if records.get(index) != Some(record) {
                    gone.insert(record.seq);
                }
            }
        }
        tally.acknowledged += shown.len() as u64;
        gone
    }

    /// An order is nowhere but in the journal. Those behind the tear are not forgiven.
    fn forgive_torn_orders(
        &mut self,
        torn: &TornJournal,
        findings: &mut Vec<Finding>,
        tally: &mut Tally,
    ) {
        let orders = self.told.entry(Writer::Operator).or_default();
        findings.retain(|finding| {
            let order = orders.iter_mut().find(|one| one.what == finding.what);
            let Some(order) = order.filter(|_| finding.is(Fault::Lost, Writer::Operator)) else {
                return true;
            };
            let was_before = order.is_settled || torn.orders.contains(&order.what);
            if was_before {
                // Only once.
                order.certain = false;
                tally.forgiven.torn_orders += 1;
            }
            !was_before
        });
    }

    /// The torn line may be missing where the damage was passed over, or be there twice where it was in the journal
    /// before, since the FIFO has kept it.
    fn forgive_torn_lines(
        &mut self,
        torn: &TornSpool,
        damages: &[Damage],
        findings: &mut Vec<Finding>,
        tally: &mut Tally,
    ) {
        for (writer, what) in &torn.lines {
            for told in self.told.entry(*writer).or_default() {
                // When the spool is read again from its beginning, this line is not there.
                told.certain &= told.what != *what;
            }
            for (fault, passed_over) in [(Fault::Lost, true), (Fault::Doubled, false)] {
                let is_this =
                    |finding: &Finding| finding.is(fault, *writer) && finding.what == *what;
                let Some(index) = findings.iter().position(is_this) else {
                    continue;
                };
                if !damages.contains(&Damage::Torn { passed_over }) {
                    continue;
                }
                findings.remove(index);
                if passed_over {
                    tally.forgiven.torn_lines += 1;
                } else {
                    tally.forgiven.torn_lines_again += 1;
                }
            }
        }
    }

    fn settle(&mut self, mut records: Vec<Record>, tally: &mut Tally) {
        let on_disk = records.iter().rposition(|record| !may_be_held(record));
        records.truncate(on_disk.map_or(0, |last| last + 1));
        for record in &records {
            self.alarms.note(record, tally);
        }
        tally.records += records.len() as u64;
        self.settled.extend(records);
        for told in self.told.values_mut().flatten() {
            told.is_settled = true;
        }
    }
}

fn certain(told: &[Told]) -> u64 {
    told.iter().filter(|one| one.certain).count() as u64
}

/// What the journal holds of a writer, in order.
fn told_to(records: &[Record], writer: Writer) -> Vec<String> {
    let found = records.iter().filter_map(writer_of);
    found
        .filter(|(by, _)| *by == writer)
        .map(|(_, what)| what)
        .collect()
}

fn note_findings(findings: &[Finding], tally: &mut Tally) {
    for finding in findings {
        tally.wrong(finding.fault, finding.to_string());
    }
}

fn note_damages(damages: &[Damage], tally: &mut Tally) {
    for damage in damages {
        match damage {
            Damage::CutShort => tally.forgiven.cut_short += 1,
            Damage::Torn { .. } => tally.forgiven.torn_spools += 1,
            Damage::Unexplained(place) => tally.wrong(
                Fault::Strange,
                format!("the spool is called damaged at {place}"),
            ),
        }
    }
}

fn is_set_aside(record: &Record) -> bool {
    matches!(record.event, Event::JournalQuarantined { .. })
}

/// Quiet checks are; which of those that decide nothing are quiet is the journal's to know, so that none counts.
fn may_be_held(record: &Record) -> bool {
    let is_check = matches!(
        record.event,
        Event::RedisProbed(_) | Event::PeerProbed { .. }
    );
    is_check && record.decision.is_empty()
}
