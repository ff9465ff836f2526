//! Keeps the records: append-only, hash-chained, on the disk before anything is done about them.
//!
//! ```text
//!  committer: groups what has queued up ──> Journal::append
//!      quiet: checks that may wait ──> block: packed ──┐
//!      all others, at once ────────────────────────────┴─> codec: format, body, chain hash ──> store: sled
//!  keeper: full volumes ──> seal: packed anew, compressed ──> sealed: plain files ── too old ──> removed
//!  shelf: the volumes side by side <── reader: the disk and the held checks;  frames: for another process
//! ```
//!
//! Never decides, never reads a clock, never drops a record that it acknowledged, but for this:
//! **quiet checks are acknowledged while they are held in memory**. They go to the disk with the next
//! record that is none, when [`HOLD_ROWS`] of them are there, when one comes [`QUIET_HOLD`]
//! after the first, or on [`Journal::flush_quiet`]. A crash loses at most those; they have no
//! effects, and the records behind a restart take up their numbers.

pub mod block;
pub mod bundle;
mod cache;
pub mod codec;
pub mod committer;
mod dir;
pub mod error;
mod excerpt;
pub mod frames;
pub mod index;
mod keeper;
mod mark;
mod quiet;
pub mod reader;
pub mod records;
mod row;
mod salvage;
mod seal;
pub mod sealed;
mod seek;
mod shelf;
mod snapshot;
mod store;
pub mod verify;
pub mod volumes;

#[cfg(test)]
mod tests;

use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::model::record::{Record, Seq};

use block::Block;
pub use bundle::Bundle;
use codec::{Chain, Entry, MAX_BODY};
pub use committer::Committer;
pub use error::Error;
pub use frames::{FrameReader, Frames};
pub use index::{Order, kind_index};
use quiet::{Judgement, Watch};
use reader::Tail;
pub use reader::{Reader, Stats};
use row::Volume;
pub use salvage::{Damage, Salvaged};
use shelf::Shelf;
pub use snapshot::Fold;
use store::Store;
pub use verify::VerifyReport;
pub use volumes::{Expired, Retention, VolumeStats};

/// The first of the held checks is not older than this when another comes.
pub const QUIET_HOLD: Duration = Duration::from_secs(10);
/// Most checks that are held.
pub const HOLD_ROWS: usize = 256;
/// What the subjects of a block may take, while it is held.
const MAX_SUBJECT_BYTES: u64 = 4 * 1024;
/// A volume with so many records is full, or with so many bytes: what a start has to read.
const VOLUME_RECORDS: u64 = 128 * 1024;
const VOLUME_BYTES: u64 = 32 << 20;
/// Volumes that may wait to be sealed.
const MOST_UNSEALED: usize = 8;

/// The one that writes. It reads too: see [`Reader`].
#[derive(Debug)]
pub struct Journal {
    reader: Reader,
    /// The newest volume.
    active: Arc<Store>,
    /// It began with this record.
    began: u64,
    watch: Watch,
    /// Encoded size of the first check of each subject among the held ones.
    subject_bytes: u64,
    /// Why it does not write any more.
    closed: Option<String>,
}

impl Deref for Journal {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Journal {
    /// Opens the journal in `dir` for writing, or begins one.
    ///
    /// # Errors
    /// `Locked`, `Damaged` (its end is not readable), `NewerFormat`, `Io`.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let shelf = Shelf::open(dir, true)?;
        let tail = Reader::end_of(&shelf.row())?;
        let active = shelf.active(&tail)?;
        reader::check_end(shelf.mark(), tail.first)?;
        // Kinds are noted before the records that they are of.
        active.trim(index::KINDS, tail.first)?;
        // What a killed process had written but not synced is about to be built upon.
        active.sync()?;
        shelf.set_mark(tail.first)?;
        let reader = Reader::of(shelf, tail);
        Ok(Self {
            began: reader.newest(),
            reader,
            active,
            watch: Watch::default(),
            subject_bytes: 0,
            closed: None,
        })
    }

    /// Is there a journal in `dir`, of whatever format, and whoever may use it?
    ///
    /// # Errors
    /// `Io`: that cannot be seen.
    pub fn is_at(dir: &Path) -> Result<bool, Error> {
        dir::layout::is_journal(dir)
    }

    /// A handle for reading beside this.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Stores records, all of them or none that anybody was told of: when this returns, they are on
    /// the disk, or are quiet checks that are held.
    ///
    /// # Errors
    /// `Misnumbered` and `TooLarge` change nothing. After any other the journal takes no more: what
    /// is on the disk is known when it is opened again, which needs all its readers to be dropped.
    pub fn append(&mut self, records: Vec<Record>) -> Result<(), Error> {
        if let Some(why) = &self.closed {
            return Err(Error::Closed { why: why.clone() });
        }
        check(&records, self.next_seq().0)?;
        let cuts = self.cut(&records);
        if cuts.is_empty() {
            let mut tail = self.reader.tail();
            Arc::make_mut(&mut tail.records).extend(records);
            return Ok(());
        }
        let mut all = self.reader.tail().records.to_vec();
        all.extend(records);
        self.store(all, &cuts)
    }

    /// Puts the held checks on the disk: at a clean stop.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn flush_quiet(&mut self) -> Result<(), Error> {
        if let Some(why) = &self.closed {
            return Err(Error::Closed { why: why.clone() });
        }
        let held = self.reader.tail().records.to_vec();
        self.subject_bytes = 0;
        if held.is_empty() {
            Ok(())
        } else {
            self.store(held.clone(), &[Cut::Block(0..held.len())])
        }
    }

    /// The newest volume has as much as a volume should have. Where many wait to be sealed already, for the disk is in
    /// trouble, there is no use in another: each of them takes memory.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let row = self.reader.shelf.row();
        let unsealed = row.iter().filter(|one| matches!(one, Volume::Open { .. }));
        if unsealed.count() > MOST_UNSEALED {
            return false;
        }
        let records = self.reader.tail().first - self.began;
        let bytes = || self.active.bytes().is_ok_and(|bytes| bytes >= VOLUME_BYTES);
        records >= VOLUME_RECORDS || (records > 0 && bytes())
    }

    /// Begins another volume; the one before it can be sealed then. Nothing happens to an empty one.
    ///
    /// # Errors
    /// As [`Self::append`]. If no volume can be begun, the journal goes on in the old one.
    pub fn rotate(&mut self) -> Result<(), Error> {
        self.flush_quiet()?;
        let Tail { first, hash, .. } = self.reader.tail().clone();
        if first == self.began {
            return Ok(());
        }
        let shelf = &self.reader.shelf;
        match shelf.begin(first, hash) {
            Ok(active) => {
                self.active = active;
                self.began = first;
                Ok(())
            }
            Err(e) => {
                // What would be written to the old volume now must not be looked for in a new one, which one that takes
                // too long to begin may yet become.
                self.closed = match &e {
                    Error::Slow { .. } => Some(e.to_string()),
                    _ => shelf.forget(first).err().map(|e| e.to_string()),
                };
                Err(e)
            }
        }
    }

    /// Seals all volumes but the newest, now. A [`Committer`] does that beside its writing.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn seal<F: Fold>(&self) -> Result<(), Error> {
        keeper::seal_all::<F>(&self.reader, &AtomicBool::new(false))
    }

    /// Where the held checks, followed by `records`, are cut into entries. What stays behind the
    /// last cut is held.
    fn cut(&mut self, records: &[Record]) -> Vec<Cut> {
        let held = Arc::clone(&self.reader.tail().records);
        let mut cuts = Vec::new();
        let mut start = 0;
        let mut begin = held.first();
        for (index, record) in (held.len()..).zip(records) {
            let judgement = self.watch.judge(record);
            let size = codec::serialized_size(record);
            // What the subject adds to a block that begins with `begin`, unless it is in there.
            let adds = |begin: Option<&Record>| match (judgement, begin) {
                (Judgement::Quiet { before }, Some(first)) if before >= first.seq => 0,
                _ => size,
            };
            let quiet = judgement != Judgement::Loud && size <= MAX_SUBJECT_BYTES;
            let joins = quiet
                && self.subject_bytes + adds(begin) <= MAX_SUBJECT_BYTES
                && begin.is_none_or(|first| {
                    first.ruleset == record.ruleset && first.at.boot == record.at.boot
                });
            if !joins && start < index {
                cuts.push(Cut::Block(start..index));
                (start, begin, self.subject_bytes) = (index, None, 0);
            }
            if !quiet {
                cuts.push(Cut::Single(index));
                start = index + 1;
                continue;
            }
            self.subject_bytes += adds(begin);
            let first = *begin.get_or_insert(record);
            if index + 1 - start == HOLD_ROWS || has_waited(first, record) {
                cuts.push(Cut::Block(start..index + 1));
                (start, begin, self.subject_bytes) = (index + 1, None, 0);
            }
        }
        cuts
    }

    /// Writes `all` as cut, then holds the rest; closes the journal if that fails.
    fn store(&mut self, all: Vec<Record>, cuts: &[Cut]) -> Result<(), Error> {
        let written = self.write(all, cuts);
        self.closed = written.as_ref().err().map(ToString::to_string);
        written
    }

    fn write(&mut self, mut all: Vec<Record>, cuts: &[Cut]) -> Result<(), Error> {
        let start = self.reader.tail().clone();
        let mut chain = Chain::behind(start.hash, Some(start.first));
        let mut entries = Vec::with_capacity(cuts.len());
        for cut in cuts {
            let entry = cut.entry(&all)?;
            entries.push((entry.first().0, chain.seal(&entry)?));
        }
        let store = &self.active;
        for cut in cuts {
            if let Cut::Single(index) = cut {
                let record = &all[*index];
                store.insert_notable(index::kind_of(&record.event), record.seq.0)?;
            }
        }
        for (key, value) in &entries {
            store.insert(*key, value)?;
        }
        let end = cuts.last().map_or(0, Cut::end);
        let next = start.first + end as u64;
        store.sync()?;
        *self.reader.tail() = Tail {
            first: next,
            hash: chain.hash(),
            records: Arc::new(all.split_off(end)),
        };
        // Never ahead of the end that readers see.
        self.reader.shelf.set_mark(next)
    }
}

/// Which of the records become one entry.
#[derive(Debug)]
enum Cut {
    Single(usize),
    Block(Range<usize>),
}

impl Cut {
    fn end(&self) -> usize {
        match self {
            Self::Single(index) => index + 1,
            Self::Block(range) => range.end,
        }
    }

    /// The entry; a block is unpacked again before it is trusted.
    fn entry(&self, all: &[Record]) -> Result<Entry, Error> {
        match self {
            Self::Single(index) => Ok(Entry::Record(all[*index].clone())),
            Self::Block(range) => {
                let checks = &all[range.clone()];
                Block::pack(checks)
                    .filter(|block| {
                        let unpacked: Result<Vec<_>, _> = block.clone().unpack().collect();
                        unpacked.is_ok_and(|unpacked| unpacked == checks)
                    })
                    .map(Entry::Quiet)
                    .ok_or_else(|| Error::damaged(checks[0].seq.0, "checks do not pack"))
            }
        }
    }
}

fn check(records: &[Record], next: u64) -> Result<(), Error> {
    for (expected, record) in (next..).map(Seq).zip(records) {
        if record.seq != expected {
            return Err(Error::Misnumbered {
                expected,
                found: record.seq,
            });
        }
        // The entry's own tag takes a byte.
        let bytes = codec::serialized_size(record) + 1;
        if bytes > MAX_BODY {
            return Err(Error::TooLarge {
                seq: record.seq,
                bytes,
                limit: MAX_BODY,
            });
        }
    }
    Ok(())
}

/// Also if the time between them is not known.
fn has_waited(first: &Record, record: &Record) -> bool {
    record
        .at
        .since(&first.at)
        .is_none_or(|us| Duration::from_micros(us) >= QUIET_HOLD)
}
