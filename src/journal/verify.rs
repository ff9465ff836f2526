//! `rha verify`: reads every entry and names the first that is wrong.

use std::ops::Range;

use crate::model::record::{Record, Seq};

use super::codec::{Chain, Entry};
use super::error::Error;
use super::index::{self, Merge, Order};
use super::reader::{Reader, check_end};
use super::records::chain_to;
use super::row::{Row, Volume};
use super::store::Pair;

/// What a full reading found.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// Good records, up to the first bad one.
    pub records: u64,
    /// Packed blocks among the entries.
    pub blocks: u64,
    /// The first record.
    pub first: Option<Seq>,
    /// The last good record.
    pub last: Option<Seq>,
    /// The first that is wrong; nothing behind it was looked at.
    pub first_bad: Option<Bad>,
}

impl VerifyReport {
    /// Nothing could be read: `near` is where it began.
    pub(super) fn of(error: Error, near: u64) -> Self {
        let mut report = Self::default();
        report.note(error, near);
        report
    }

    /// Reads entries in order: chain, numbers, bodies, rows. `each` sees every record, and whether it stands on its own.
    fn read(
        &mut self,
        pairs: impl Iterator<Item = Result<Pair, Error>>,
        chain: &mut Chain,
        mut each: impl FnMut(&Record, bool) -> Result<(), Error>,
    ) {
        for pair in pairs {
            let near = pair
                .as_ref()
                .ok()
                .map(|(key, _)| *key)
                .or(chain.due())
                .unwrap_or_default();
            let checked = pair.and_then(|(key, value)| match chain.admit(key, &value)? {
                Entry::Record(record) => each(&record, true).map(|()| (0, 1)),
                Entry::Quiet(block) => {
                    let count = block.count();
                    block
                        .unpack()
                        .try_for_each(|check| each(&check?, false))
                        .map(|()| (1, count))
                }
            });
            match checked {
                Ok((blocks, records)) => {
                    self.records += records;
                    self.blocks += blocks;
                    self.first = self.first.or(Some(Seq(near)));
                    self.last = Some(Seq(near + records - 1));
                }
                Err(e) => {
                    self.note(e, near);
                    break;
                }
            }
        }
    }

    /// Reads a volume behind others, and compares what it says of itself: readers who need little of it rely on that.
    fn survey_volume(
        &mut self,
        row: &Row,
        volume: &Volume,
        keys: Range<u64>,
        chain: &mut Chain,
        each: &mut impl FnMut(&Record),
    ) -> Result<(), Error> {
        if volume.anchor()? != chain.hash() {
            // What begins there may be whole: the records before are not those that it follows.
            let before = keys.start.saturating_sub(1);
            return Err(Error::damaged(before, "the next volume follows another"));
        }
        let kinds: Vec<_> = (0..index::KINDS).collect();
        let mut index = Merge::new(row, &kinds, &keys, Order::OldestFirst);
        let mut wall_us = None;
        self.read(
            row.range(keys.clone(), Order::OldestFirst),
            chain,
            |record, alone| {
                if alone {
                    let due = (index::kind_of(&record.event), record.seq.0);
                    if index.pop().transpose()? != Some(due) {
                        return Err(Error::damaged(due.1, "the index of kinds does not agree"));
                    }
                }
                let (first, _) = wall_us.unwrap_or((record.at.wall_us, 0));
                wall_us = Some((first, record.at.wall_us));
                each(record);
                Ok(())
            },
        );
        if self.first_bad.is_some() {
            return Ok(());
        }
        chain.check_due(keys.end)?;
        if let Some((_, seq)) = index.pop().transpose()? {
            return Err(Error::damaged(seq, "the index of kinds knows of more"));
        }
        volume.check_end(chain, wall_us)
    }

    /// The first thing that is wrong, as an error.
    ///
    /// # Errors
    /// `Damaged`, or what kept it from being read.
    pub fn into_result(self) -> Result<(), Error> {
        self.first_bad.map_or(Ok(()), |bad| Err(bad.error))
    }

    /// Notes what is wrong, unless something before it is. An error without a place is at `near`.
    pub(super) fn note(&mut self, error: Error, near: u64) {
        let error = match error {
            Error::Damaged { seq: None, why } => Error::damaged(near, why),
            other => other,
        };
        self.first_bad.get_or_insert_with(|| match &error {
            Error::Damaged {
                seq: Some(seq),
                why,
            } => Bad {
                seq: *seq,
                why: why.clone(),
                error,
            },
            other => Bad {
                seq: Seq(near),
                why: other.to_string(),
                error,
            },
        });
    }
}

/// A place where the journal is not what was written.
#[derive(Debug, Clone)]
pub struct Bad {
    /// The first record concerned.
    pub seq: Seq,
    /// What is wrong, in a line.
    pub why: String,
    error: Error,
}

impl Reader {
    /// Reads everything on the disk and reports the first thing that is wrong.
    #[must_use]
    pub fn verify(&self) -> VerifyReport {
        self.shelf.read_anew();
        loop {
            let mark = self.shelf.mark();
            let row = self.shelf.row();
            let end = self.tail().first;
            let mut report = self.survey(&row, row.first()..end, |_| {});
            if let Err(e) = check_end(mark, end) {
                report.note(e, end);
            }
            // What was removed meanwhile is not missing.
            if report.first_bad.is_none() || self.shelf.row().first() == row.first() {
                return report;
            }
        }
    }

    /// The first thing that is wrong in each volume behind the one that `seq` belongs to: damage in one of them hides
    /// none in another.
    #[must_use]
    pub fn verify_behind(&self, seq: Seq) -> Vec<Bad> {
        let row = self.shelf.row();
        let rest = seq.0.saturating_add(1)..self.tail().first;
        let within = row.within(&rest, Order::OldestFirst).into_iter();
        within
            .filter(|(volume, keys)| keys.start == volume.first())
            .filter_map(|(_, keys)| self.survey(&row, keys, |_| {}).first_bad)
            .collect()
    }

    /// Reads the records in `keys`, where volumes begin and end, up to the first thing that is wrong.
    pub(super) fn survey(
        &self,
        row: &Row,
        keys: Range<u64>,
        mut each: impl FnMut(&Record),
    ) -> VerifyReport {
        let mut report = VerifyReport::default();
        let mut chain = match chain_to(row, keys.start) {
            Ok(chain) => chain,
            Err(e) => return VerifyReport::of(e, keys.start),
        };
        for (volume, keys) in row.within(&keys, Order::OldestFirst) {
            let near = keys.start;
            let surveyed = report.survey_volume(row, &volume, keys, &mut chain, &mut each);
            if let Err(e) = surveyed {
                report.note(e, near);
            }
            if report.first_bad.is_some() {
                break;
            }
        }
        report
    }
}
