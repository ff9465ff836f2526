//! Keeps the records: append-only, hash-chained, on the disk before anything is done about them.
//!
//! ```text
//!  committer: groups what has queued up ──> Journal::append
//!      quiet: checks that may wait ──> block: packed ──┐
//!      all others, at once ────────────────────────────┴─> codec: format, body, chain hash ──> store: sled
//!  reader <── the disk and the held checks;  frames: the same entries for another process
//! ```
//!
//! Never decides, never reads a clock, never drops a record that it acknowledged, but for this:
//! **quiet checks are acknowledged while they are held in memory**. They go to the disk with the next
//! record that is none, when [`block::MAX_ROWS`] of them are there, when one comes [`QUIET_HOLD`]
//! after the first, or on [`Journal::flush_quiet`]. A crash loses at most those; they have no
//! effects, and the records behind a restart take up their numbers.

pub mod block;
pub mod codec;
pub mod committer;
mod dir;
pub mod error;
pub mod frames;
pub mod index;
mod mark;
mod pages;
mod quiet;
pub mod reader;
pub mod records;
mod store;
pub mod verify;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::model::record::{Record, Seq};

use block::{Block, MAX_ROWS};
use codec::{Chain, Entry, MAX_BODY};
pub use committer::Committer;
pub use error::Error;
pub use frames::{FrameReader, Frames};
pub use index::{Order, kind_index};
use quiet::{Judgement, Watch};
use reader::Tail;
pub use reader::{Reader, Stats};
use store::Store;
pub use verify::VerifyReport;

/// The first of the held checks is not older than this when another comes.
pub const QUIET_HOLD: Duration = Duration::from_secs(10);
/// What the subjects of a block may take: sixteen such blocks stay below the 128 KiB at which sled
/// moves a page out of its log.
const MAX_SUBJECT_BYTES: u64 = 4 * 1024;

/// The one that writes. It reads too: see [`Reader`].
#[derive(Debug)]
pub struct Journal {
    reader: Reader,
    watch: Watch,
    /// Encoded size of the first check of each subject among the held ones.
    subject_bytes: u64,
    /// Why it does not write any more.
    closed: Option<String>,
}

/// A damaged journal that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it was moved to.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
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
        let store = Store::open(dir, true)?;
        let tail = Reader::end_of(&store)?;
        store.check_mark(tail.first)?;
        // Kinds are noted before the records that they are of.
        store.trim_notable(index::KINDS, tail.first)?;
        // What a killed process had written but not synced is about to be built upon.
        store.sync(tail.first)?;
        let reader = Reader {
            store: Arc::new(store),
            tail: Arc::new(Mutex::new(tail)),
        };
        Ok(Self {
            reader,
            watch: Watch::default(),
            subject_bytes: 0,
            closed: None,
        })
    }

    /// Opens the journal and reads all of it. Where it is damaged, it is moved to
    /// `<dir>.bad-<suffix>` and another is begun.
    ///
    /// # Errors
    /// `Locked`, `NewerFormat`, `Io`: none of these is a reason to set a journal aside.
    pub fn open_or_quarantine(
        dir: &Path,
        suffix: &str,
    ) -> Result<(Self, Option<Quarantined>), Error> {
        let damage = match Self::open(dir) {
            Ok(journal) => match journal.verify().into_result() {
                Ok(()) => return Ok((journal, None)),
                Err(damage) => damage,
            },
            Err(e) => e,
        };
        if !matches!(damage, Error::Damaged { .. }) {
            return Err(damage);
        }
        let mut name = OsString::from(dir);
        name.push(format!(".bad-{suffix}"));
        let path = PathBuf::from(name);
        std::fs::rename(dir, &path).map_err(|e| Error::io("set aside", dir, e))?;
        let why = damage.to_string();
        Ok((Self::open(dir)?, Some(Quarantined { path, why })))
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
            if index + 1 - start == MAX_ROWS || has_waited(first, record) {
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
        let store = &self.reader.store;
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
        store.sync(next)?;
        *self.reader.tail() = Tail {
            first: next,
            hash: chain.hash(),
            records: Arc::new(all.split_off(end)),
        };
        Ok(())
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
