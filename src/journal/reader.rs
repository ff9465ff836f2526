//! Reading: cheap handles that see every record up to the last that was acknowledged.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::record::{Record, Seq};

use super::block::Block;
use super::codec::{Chain, Entry, Hash};
use super::error::Error;
use super::frames::Frames;
use super::index::{self, Merge, Order};
use super::records::{Records, RecordsRev, begin, chain_to};
use super::store::Store;
use super::verify::{self, VerifyReport};

/// Reads the journal, beside the one who writes it and beside other readers.
///
/// What an iterator yields is bounded by the head at the time it was made. Every entry's hash is
/// checked against the one before it on the way. The directory is let go when the last handle is.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) store: Arc<Store>,
    pub(super) tail: Arc<Mutex<Tail>>,
}

/// Where the disk ends, and the quiet checks that are held behind it.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// The number behind the last record on the disk.
    pub(super) first: u64,
    /// The hash of the last entry on the disk.
    pub(super) hash: Hash,
    /// Quiet checks, `first` and up.
    pub(super) records: Arc<Vec<Record>>,
}

impl Tail {
    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Records, those held included.
    pub records: u64,
    /// Quiet checks that are held back and not on the disk yet.
    pub held: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

impl Reader {
    /// Opens a journal to look at it, where no agent has it open. Damage inside shows when it is
    /// reached, and [`Self::verify`] finds all of it.
    ///
    /// # Errors
    /// `Missing`, `Locked`, `NewerFormat`, `Io`; `Damaged` where not even sled opens it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let store = Store::open(dir, false)?;
        let tail = Self::end_of(&store).or_else(|e| match store.before(u64::MAX)? {
            Some((key, value)) if matches!(e, Error::Damaged { .. }) => Ok(Tail {
                first: key + 1,
                hash: Hash::of_value(key, &value).unwrap_or(Hash::GENESIS),
                records: Arc::default(),
            }),
            _ => Err(e),
        })?;
        Ok(Self {
            store: Arc::new(store),
            tail: Arc::new(Mutex::new(tail)),
        })
    }

    /// Number of the newest record.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        self.tail()
            .next()
            .checked_sub(1)
            .filter(|seq| *seq > 0)
            .map(Seq)
    }

    /// The number that the next record will get.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        Seq(self.tail().next())
    }

    /// The records from `from` on, oldest first. An error is the last item.
    #[must_use]
    pub fn records(&self, from: Seq) -> Records {
        Records::new(&self.store, &self.tail().clone(), from.0)
    }

    /// The records below `before`, newest first. `Seq(u64::MAX)` for all. An error is the last item.
    #[must_use]
    pub fn records_rev(&self, before: Seq) -> RecordsRev {
        RecordsRev::new(&self.store, &self.tail().clone(), before.0)
    }

    /// One record; `None` beyond the ends of the journal.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn get(&self, seq: Seq) -> Result<Option<Record>, Error> {
        let tail = self.tail().clone();
        if let Some(held) = seq.0.checked_sub(tail.first) {
            return Ok(tail.records.get(held as usize).cloned());
        }
        let Some((key, value)) = self.store.before(seq.0 + 1)? else {
            return Ok(None);
        };
        let entry = chain_to(&self.store, key)?.admit(key, &value)?;
        let index = (seq.0 - key) as usize;
        match entry {
            Entry::Record(record) => Ok((index == 0).then_some(record)),
            Entry::Quiet(block) => block.unpack().nth(index).transpose(),
        }
    }

    /// The first record whose wall time is `wall_us` or later, by binary search; the next number if
    /// there is none. Where the wall clock was set back, one of the places that could be meant.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn seek_time(&self, wall_us: i64) -> Result<Seq, Error> {
        let mut high = self.tail().next();
        let mut low = self.store.first()?.map_or(high, |(key, _)| key).min(high);
        while low < high {
            let middle = low + (high - low) / 2;
            let record = self
                .get(Seq(middle))?
                .ok_or_else(|| Error::damaged(middle, "it is missing"))?;
            if record.at.wall_us < wall_us {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Seq(low))
    }

    /// The records of one kind (a word of `Event::KINDS`) with numbers in `range`. Without a scan
    /// but for the two kinds of checks, which are most of the journal anyway; `None` for no such kind.
    #[must_use]
    pub fn of_kind(
        &self,
        kind: &str,
        range: Range<Seq>,
        order: Order,
    ) -> Option<Box<dyn Iterator<Item = Result<Record, Error>> + Send>> {
        let index = index::kind_index(kind)?;
        if !index::is_check(index) {
            return Some(Box::new(self.notable(&[index], range, order)));
        }
        let (start, end) = (range.start, range.end);
        let wanted = move |found: &Result<Record, Error>| {
            found
                .as_ref()
                .map_or(true, |record| index::kind_of(&record.event) == index)
        };
        let inside = move |found: &Result<Record, Error>| {
            found
                .as_ref()
                .map_or(true, |record| record.seq >= start && record.seq < end)
        };
        Some(match order {
            Order::OldestFirst => Box::new(self.records(start).take_while(inside).filter(wanted)),
            Order::NewestFirst => Box::new(self.records_rev(end).take_while(inside).filter(wanted)),
        })
    }

    /// The records of these kinds ([`index::kind_index`]) with numbers in `range`, without quiet
    /// checks and without reading over them.
    #[must_use]
    pub fn notable(&self, kinds: &[u8], range: Range<Seq>, order: Order) -> index::Notable {
        index::Notable::new(self.clone(), kinds, range, order)
    }

    /// The entries from the one that holds `from` on, as they are stored, for another process.
    ///
    /// # Errors
    /// Damage before the first entry, I/O.
    pub fn frames(&self, from: Seq) -> Result<Frames, Error> {
        let tail = self.tail().clone();
        let (start, chain) = begin(&self.store, from.0, tail.first)?;
        let held = Block::pack(&tail.records)
            .map(|block| Chain::behind(tail.hash, None).seal(&Entry::Quiet(block)))
            .transpose()?;
        let stored = self.store.range(start..tail.first);
        Ok(Frames::new(
            chain.hash(),
            stored,
            held.map(|value| (tail.first, value)),
        ))
    }

    /// Reads everything on the disk and reports the first thing that is wrong.
    #[must_use]
    pub fn verify(&self) -> VerifyReport {
        let end = self.tail().first;
        let kinds: Vec<_> = (0..index::KINDS).collect();
        let mut index = Merge::new(&self.store, &kinds, 0..end, Order::OldestFirst);
        let pairs = self.store.range(0..end);
        let mut report = verify::survey(pairs, Chain::genesis(), |record| {
            let due = (index::kind_of(&record.event), record.seq.0);
            match index.pop().transpose()? {
                Some(found) if found == due => Ok(()),
                _ => Err(Error::damaged(due.1, "the index of kinds does not agree")),
            }
        });
        if let Err(e) = self.store.check_mark(end) {
            report.note(e, end);
        }
        report
    }

    /// Does the disk reach as far as it once did? sled takes damage near its end for a write that was cut off, and
    /// goes back before it without a word.
    ///
    /// # Errors
    /// `Damaged`: it has lost its end.
    pub fn check_end(&self) -> Result<(), Error> {
        self.store.check_mark(self.tail().first)
    }

    /// How much there is.
    ///
    /// # Errors
    /// I/O.
    pub fn stats(&self) -> Result<Stats, Error> {
        let tail = self.tail().clone();
        let first = self.store.first()?.map_or(tail.first, |(key, _)| key);
        Ok(Stats {
            records: tail.next().saturating_sub(first),
            held: tail.records.len() as u64,
            bytes: self.store.bytes()?,
        })
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        // Whoever holds it only reads, or sets it at a stroke: it is whole even after a panic.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the disk ends.
    pub(super) fn end_of(store: &Store) -> Result<Tail, Error> {
        let mut chain = Chain::genesis();
        if let Some((key, value)) = store.before(u64::MAX)? {
            chain = chain_to(store, key)?;
            chain.admit(key, &value)?;
        }
        Ok(Tail {
            first: chain.due().unwrap_or(1),
            hash: chain.hash(),
            records: Arc::default(),
        })
    }
}
