//! Reading: cheap handles that see every record up to the last that was acknowledged.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::record::{Record, Seq};

use super::block::Block;
use super::codec::{Chain, Entry, Hash};
use super::error::Error;
use super::frames::Frames;
use super::index::{self, Order, kind_index};
use super::records::{Records, RecordsRev, begin, chain_to};
use super::row::{Row, Volume};
use super::shelf::Shelf;
use super::snapshot::{self, Fold};

/// Reads the journal, beside the one who writes it and beside other readers.
///
/// What an iterator yields is bounded by the head at the time it was made. Every entry's hash is
/// checked against the one before it on the way. The directory is let go when the last handle is.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) shelf: Arc<Shelf>,
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
    /// Nothing is on the disk from `first` on.
    pub(super) fn empty(first: u64, hash: Hash) -> Self {
        Self {
            first,
            hash,
            records: Arc::default(),
        }
    }

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
        let shelf = Shelf::open(dir, false)?;
        let row = shelf.row();
        let tail = Self::end_of(&row).or_else(|e| match row.before(u64::MAX)? {
            Some((key, value)) if matches!(e, Error::Damaged { .. }) => {
                let hash = Hash::of_value(key, &value).unwrap_or(Hash::GENESIS);
                Ok(Tail::empty(key + 1, hash))
            }
            _ => Err(e),
        })?;
        Ok(Self::of(shelf, tail))
    }

    pub(super) fn of(shelf: Shelf, tail: Tail) -> Self {
        Self {
            shelf: Arc::new(shelf),
            tail: Arc::new(Mutex::new(tail)),
        }
    }

    /// Ends whatever is being read from this journal, by whomever, with `Recalled`: it is to be let go soon.
    pub fn recall(&self) {
        self.shelf.row().recall();
    }

    /// Was what has been read until now read to its end?
    ///
    /// # Errors
    /// `Recalled`.
    pub fn lent(&self) -> Result<(), Error> {
        self.shelf.row().lent()
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

    /// The number of the oldest record that is kept: those before it were removed.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        Seq(self.shelf.row().first())
    }

    /// The number that the next record will get.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        Seq(self.tail().next())
    }

    /// The records from `from` on, oldest first. An error is the last item.
    #[must_use]
    pub fn records(&self, from: Seq) -> Records {
        Records::new(&self.shelf.row(), &self.tail().clone(), from.0)
    }

    /// The records below `before`, newest first. `Seq(u64::MAX)` for all. An error is the last item.
    #[must_use]
    pub fn records_rev(&self, before: Seq) -> RecordsRev {
        RecordsRev::new(self.shelf.row(), &self.tail().clone(), before.0)
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
        let row = self.shelf.row();
        let Some((key, value)) = row.before(seq.0 + 1)? else {
            return Ok(None);
        };
        let entry = chain_to(&row, key)?.admit(key, &value)?;
        let index = (seq.0 - key) as usize;
        match entry {
            Entry::Record(record) => Ok((index == 0).then_some(record)),
            Entry::Quiet(block) => block.unpack().nth(index).transpose(),
        }
    }

    /// The records in `range`. An error is the last item.
    #[must_use]
    pub fn records_within(
        &self,
        range: Range<Seq>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<Record, Error>> + Send> {
        let (start, end) = (range.start, range.end);
        let inside = move |found: &Result<Record, Error>| {
            found
                .as_ref()
                .map_or(true, |record| record.seq >= start && record.seq < end)
        };
        match order {
            Order::OldestFirst => Box::new(self.records(start).take_while(inside)),
            Order::NewestFirst => Box::new(self.records_rev(end).take_while(inside)),
        }
    }

    /// The volumes from `from` on, oldest first: what is wrong in one of them says nothing about the next.
    #[must_use]
    pub fn spans(&self, from: Seq) -> Vec<Range<Seq>> {
        let spans = self
            .shelf
            .row()
            .within(&(from.0..u64::MAX), Order::OldestFirst);
        let spans = spans
            .into_iter()
            .map(|(_, keys)| Seq(keys.start)..Seq(keys.end));
        spans.collect()
    }

    /// That `seq` is gone, and what is around it: the sealed volume that should hold it ends before. A volume that cannot be
    /// read says nothing of that.
    #[must_use]
    pub fn hole_at(&self, seq: Seq) -> Option<Error> {
        let row = self.shelf.row();
        let behind = row.partition_point(|volume| volume.first() <= seq.0);
        let (Volume::Sealed(sealed), next) = (row.get(behind.checked_sub(1)?)?, row.get(behind)?)
        else {
            return None;
        };
        let (ends, next) = (sealed.index().ok()?.next, next.first());
        let why = || format!("the records up to {} are gone", next - 1);
        (ends <= seq.0).then(|| Error::damaged(ends, why()))
    }

    /// The records of these kinds ([`index::kind_index`]) with numbers in `range`, without quiet
    /// checks and without reading over them.
    #[must_use]
    pub fn notable(&self, kinds: &[u8], range: Range<Seq>, order: Order) -> index::Notable {
        index::Notable::new(self.clone(), kinds, range, order)
    }

    /// The newest record of any of these kinds (words of `Event::KINDS`).
    ///
    /// # Errors
    /// Damage on the way to it, I/O.
    pub fn newest_of(&self, kinds: &[&str]) -> Result<Option<Record>, Error> {
        let kinds: Vec<u8> = kinds.iter().filter_map(|kind| kind_index(kind)).collect();
        let all = Seq(1)..self.next_seq();
        self.notable(&kinds, all, Order::NewestFirst)
            .next()
            .transpose()
    }

    /// The entries from the one that holds `from` on, as they are stored, for another process.
    ///
    /// # Errors
    /// Damage before the first entry, I/O.
    pub fn frames(&self, from: Seq) -> Result<Frames, Error> {
        let first = self.shelf.row().first();
        self.frames_behind(from, |start, _| {
            let kept = start <= first;
            let state = kept.then(|| snapshot::bytes(self.shelf.dir(), first));
            state.transpose().map(Option::flatten)
        })
    }

    /// The entries from the one that holds `from` on, behind the `state` before its key, after the entry of that hash.
    pub(super) fn frames_behind(
        &self,
        from: Seq,
        state: impl FnOnce(u64, Hash) -> Result<Option<Vec<u8>>, Error>,
    ) -> Result<Frames, Error> {
        let tail = self.tail().clone();
        let row = self.shelf.row();
        let (start, chain) = begin(&row, from.0, tail.first)?;
        let held = Block::pack(&tail.records)
            .map(|block| Chain::behind(tail.hash, None).seal(&Entry::Quiet(block)))
            .transpose()?;
        let stored = row.range(start..tail.first, Order::OldestFirst);
        let held = held.map(|value| (tail.first, value));
        let before = chain.hash();
        Ok(Frames::new(before, state(start, before)?, stored, held))
    }

    /// What the records fold to, the held ones left out: from the newest snapshot on, all of which is verified on the
    /// way. Records before it are not read. Where something that is sealed is needed for that and cannot be read, what
    /// comes behind it counts, and the reason is told: nothing new would be lost by going on.
    ///
    /// # Errors
    /// Damage in what is not sealed, a newer format, I/O.
    pub fn fold<F: Fold>(&self) -> Result<(F, Option<Error>), Error> {
        let newest = self.newest();
        let (mut fold, lost) = self.fold_to::<F>(newest)?;
        let keys = newest..self.tail().first;
        let report = self.survey(&self.shelf.row(), keys, |record| fold.fold(record));
        report.into_result().map(|()| (fold, lost))
    }

    /// The first record of the newest volume.
    pub(super) fn newest(&self) -> u64 {
        self.shelf.row().last().map_or(1, Volume::first)
    }

    /// What the records before `first`, where a volume begins, fold to, as [`Self::fold`].
    pub(super) fn fold_to<F: Fold>(&self, first: u64) -> Result<(F, Option<Error>), Error> {
        let row = self.shelf.row();
        let (mut from, mut fold, mut lost) = match self.snapshot(&row, first)? {
            Some((from, fold)) => (from, fold, None),
            None => (row.first(), F::default(), None),
        };
        while from < first {
            let report = self.survey(&row, from..first, |record| fold.fold(record));
            let Err(e) = report.into_result() else { break };
            from = match e {
                Error::Damaged { seq: Some(at), .. } => row.behind_sealed(at.0),
                _ => None,
            }
            .ok_or_else(|| e.clone())?;
            lost.get_or_insert(e);
        }
        Ok((fold, lost))
    }

    /// The newest snapshot of the records before a volume that begins at `most` or earlier.
    pub(super) fn snapshot<F: Fold>(
        &self,
        row: &Row,
        most: u64,
    ) -> Result<Option<(u64, F)>, Error> {
        let firsts = row.iter().map(Volume::first).rev();
        for first in firsts.filter(|first| *first <= most) {
            let Some(bytes) = snapshot::bytes(self.shelf.dir(), first)? else {
                continue;
            };
            if let Some(fold) = snapshot::decode(&bytes, first, row.anchor(first)?)? {
                return Ok(Some((first, fold)));
            }
        }
        Ok(None)
    }

    /// What the records that are kept no more fold to.
    ///
    /// # Errors
    /// A newer format, I/O.
    pub fn before_first<F: Fold>(&self) -> Result<F, Error> {
        let row = self.shelf.row();
        let snapshot = self.snapshot(&row, row.first())?;
        Ok(snapshot.map(|(_, fold)| fold).unwrap_or_default())
    }

    /// Does the disk reach as far as it once did? sled takes damage near its end for a write that was cut off, and
    /// goes back before it without a word.
    ///
    /// # Errors
    /// `Damaged`: it has lost its end.
    pub fn check_end(&self) -> Result<(), Error> {
        let mark = self.shelf.mark();
        check_end(mark, self.tail().first)
    }

    /// How much there is.
    ///
    /// # Errors
    /// I/O.
    pub fn stats(&self) -> Result<Stats, Error> {
        let tail = self.tail().clone();
        let first = self.shelf.row().first().min(tail.first);
        Ok(Stats {
            records: tail.next().saturating_sub(first),
            held: tail.records.len() as u64,
            bytes: self.shelf.row().bytes()?,
        })
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        // Whoever holds it only reads, or sets it at a stroke: it is whole even after a panic.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the disk ends. A sealed volume says that of itself: it is not needed for more.
    pub(super) fn end_of(row: &Row) -> Result<Tail, Error> {
        let (first, store) = match row.last() {
            None => return Ok(Tail::empty(1, Hash::GENESIS)),
            Some(Volume::Sealed(sealed)) => {
                let index = sealed.index()?;
                return Ok(Tail::empty(index.next, index.hash));
            }
            Some(Volume::Open { first, store }) => (*first, store),
        };
        let Some((key, value)) = store.before(u64::MAX)? else {
            return Ok(Tail::empty(first, store.anchor()?));
        };
        let mut chain = chain_to(row, key)?;
        chain.admit(key, &value)?;
        Ok(Tail::empty(chain.due().unwrap_or(first), chain.hash()))
    }
}

/// Does the disk end before `end`, where it once reached to `mark`? To be read in this order, for both grow.
pub(super) fn check_end(mark: u64, end: u64) -> Result<(), Error> {
    if mark <= end {
        return Ok(());
    }
    let why = format!("it was on the disk, up to {}, and is gone", mark - 1);
    Err(Error::damaged(end, why))
}
