//! The index of a sealed volume: what is in it, and where.

use std::fmt;
use std::ops::Range;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::HEADER;
use crate::journal::codec::{self, Hash};

/// The longest that is read, uncompressed.
pub(super) const MOST: usize = 32 << 20;
/// The number of a kind takes a byte.
const KINDS_MAX: usize = 256;

/// What is in a sealed volume, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The first record.
    pub first: u64,
    /// The number behind the last.
    pub next: u64,
    /// The hash before the first entry.
    pub anchor: Hash,
    /// The hash of the last entry.
    pub hash: Hash,
    /// Wall time of the first and the last record, in microseconds.
    pub wall_us: (i64, i64),
    /// In order.
    pub chunks: Vec<Chunk>,
    /// For each kind, the numbers of the records that stand on their own, each counted from the one before.
    #[serde(deserialize_with = "runs")]
    pub notable: Vec<Vec<u64>>,
}

/// Where a chunk is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Key of its first entry.
    pub first: u64,
    /// Where it begins in the file.
    pub place: u64,
    /// How long it is there.
    pub stored: u32,
    /// How long it is uncompressed.
    pub raw: u32,
}

impl Index {
    /// Reads that of the volume which begins with the record `first`; it stands at `place` in its file.
    pub(super) fn read(raw: &[u8], first: u64, place: u64) -> Result<Self, String> {
        let index: Self = codec::deserialize_long(raw, MOST)?;
        match index.contradiction(first, place) {
            Some(why) => Err(why.to_owned()),
            None => Ok(index),
        }
    }

    /// Why it is none of ours, as far as it tells without the records. Whoever searches relies on its order.
    fn contradiction(&self, first: u64, place: u64) -> Option<&'static str> {
        if self.first != first || self.next <= first {
            return Some("it is another than its name says");
        }
        let keys = (0..self.chunks.len()).map(|chunk| self.keys(chunk));
        let begins = self
            .chunks
            .first()
            .is_some_and(|chunk| chunk.first == first);
        if !begins || keys.into_iter().any(|keys| keys.is_empty()) {
            return Some("its chunks are not in order");
        }
        let end = self.chunks.iter().try_fold(HEADER as u64, |at, chunk| {
            (chunk.place == at).then(|| at + u64::from(chunk.stored))
        });
        if end != Some(place) {
            return Some("its chunks are not where they should be");
        }
        let ascends = |run: &Vec<u64>| {
            let mut steps = run.iter();
            let last = steps.try_fold(first, |seq, step| seq.checked_add(*step));
            last.is_some_and(|last| last < self.next) && run.iter().skip(1).all(|step| *step > 0)
        };
        (!self.notable.iter().all(ascends)).then_some("its kinds are not in order")
    }

    /// From the first key of a chunk to that behind it.
    pub(super) fn keys(&self, chunk: usize) -> Range<u64> {
        let first = |chunk: usize| {
            self.chunks
                .get(chunk)
                .map_or(self.next, |chunk| chunk.first)
        };
        first(chunk)..first(chunk + 1)
    }

    /// The numbers of the records of a kind that stand on their own.
    pub(in crate::journal) fn notable(&self, kind: u8) -> impl Iterator<Item = u64> {
        let steps = self.notable.get(usize::from(kind)).into_iter().flatten();
        steps.scan(self.first, |seq, step| {
            *seq = seq.checked_add(*step)?;
            Some(*seq)
        })
    }

    /// The chunk that holds `key`, if any does.
    pub(super) fn holding(&self, key: u64) -> Option<usize> {
        let behind = self.chunks.partition_point(|chunk| chunk.first <= key);
        behind.checked_sub(1)
    }
}

/// An empty run takes one byte, and many in memory: there are no more of them than numbers of kinds.
fn runs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u64>>, D::Error> {
    struct Runs;
    impl<'de> Visitor<'de> for Runs {
        type Value = Vec<Vec<u64>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a run for each kind")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut runs = Vec::new();
            while let Some(run) = seq.next_element()? {
                if runs.len() == KINDS_MAX {
                    return Err(A::Error::custom("it has more kinds than there can be"));
                }
                runs.push(run);
            }
            Ok(runs)
        }
    }
    from.deserialize_seq(Runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_runs_are_read_than_there_can_be_kinds() {
        let index = |kinds: usize| Index {
            first: 1,
            next: 2,
            anchor: Hash::GENESIS,
            hash: Hash::GENESIS,
            wall_us: (0, 0),
            chunks: vec![Chunk {
                first: 1,
                place: HEADER as u64,
                stored: 1,
                raw: 1,
            }],
            notable: vec![Vec::new(); kinds],
        };
        let read = |kinds| Index::read(&codec::serialize(&index(kinds)), 1, HEADER as u64 + 1);
        assert_eq!(read(KINDS_MAX), Ok(index(KINDS_MAX)));
        assert!(read(KINDS_MAX + 1).is_err());
    }
}
