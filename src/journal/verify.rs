//! `rha verify`: reads every entry and names the first that is wrong.

use std::ops::Deref;

use crate::model::record::{Record, Seq};

use super::codec::{Chain, Entry};
use super::error::Error;

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

    /// The first thing that is wrong, as an error.
    ///
    /// # Errors
    /// `Damaged`, or what kept it from being read.
    pub fn into_result(self) -> Result<(), Error> {
        self.first_bad.map_or(Ok(()), |bad| Err(bad.error))
    }

    /// Something is wrong before all else.
    pub(super) fn begins_with(&mut self, error: Error) {
        self.first_bad = None;
        self.note(error, 1);
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

/// Reads entries in order: chain, numbers, bodies, rows. `each` sees every record, and whether it stands on its own.
pub(super) fn survey<V: Deref<Target = [u8]>>(
    pairs: impl Iterator<Item = Result<(u64, V), Error>>,
    mut chain: Chain,
    mut each: impl FnMut(&Record, bool) -> Result<(), Error>,
) -> VerifyReport {
    let mut report = VerifyReport::default();
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
                report.records += records;
                report.blocks += blocks;
                report.first = report.first.or(Some(Seq(near)));
                report.last = Some(Seq(near + records - 1));
            }
            Err(e) => {
                report.note(e, near);
                break;
            }
        }
    }
    report
}
