//! The disk: three trees of sled 0.34.7, the only file that names it.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `records` | first record's number, u64 big endian | entry, see [`super::codec`] |
//! | `notable` | kind (u8), record's number (u64 big endian) | empty |
//! | `meta` | `format` | the journal format (u8) |
//!
//! sled gets no fixes any more, so its faults are handled here: `flush()` does not reach the disk
//! (`sync_file_range` only), hence a sync of our own behind it; a half-written snapshot blocks every
//! later open, hence the clean-up before it; damage panics, hence a guard around every call and an
//! open on a thread of its own with a time limit; pages of more than 128 KiB become files beside the
//! log, hence their sync. `flush_async`, batches and transactions are not used: the first can hang,
//! the second leave holes in a torn tail, the third cost five times the space.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::codec::FORMAT;
use super::dir::{LOCK_PAUSE, LOCK_TRIES, lock, prepare, remove_snapshots, sync_dir};
use super::error::{Error, panic_text};
use super::mark::Mark;
use super::pages::Pages;

/// sled keeps 2 to 2.4 times this in memory.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Ten million entries open in about a second.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
const META_FORMAT: &str = "format";

/// An open journal directory. Held by one process at a time.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    trees: Trees,
    /// sled's log, for the sync that sled leaves out.
    log: File,
    mark: Mark,
    pages: Pages,
    /// Last, so that it is let go when sled has let go.
    _lock: File,
}

#[derive(Debug)]
struct Trees {
    db: sled::Db,
    records: sled::Tree,
    notable: sled::Tree,
    meta: sled::Tree,
}

/// A stored value.
#[derive(Debug, Clone)]
pub(super) struct Value(sled::IVec);

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A key of `records` and its value.
pub(super) type Pair = (u64, Value);

impl Store {
    /// Opens the journal in `dir`; makes one if there is none and `create` says so.
    pub(super) fn open(dir: &Path, create: bool) -> Result<Self, Error> {
        prepare(dir, create)?;
        let lock = lock(dir)?;
        remove_snapshots(dir, ".generating")?;
        let trees = open_trees(dir)?;
        let log_path = dir.join("db");
        let log = File::open(&log_path).map_err(|e| Error::io("open", &log_path, e))?;
        let store = Self {
            dir: dir.to_owned(),
            trees,
            log,
            mark: Mark::open(dir)?,
            pages: Pages::of(dir),
            _lock: lock,
        };
        store.check_format(create)?;
        Ok(store)
    }

    /// Stores an entry. Not on the disk before [`Self::sync`].
    pub(super) fn insert(&self, key: u64, value: &[u8]) -> Result<(), Error> {
        self.guard(|| self.trees.records.insert(key.to_be_bytes(), value))
            .map(drop)
    }

    /// Notes that the record at `seq` is of this kind. To be called before the record is inserted:
    /// what a crash leaves of sled's log is a beginning of it.
    pub(super) fn insert_notable(&self, kind: u8, seq: u64) -> Result<(), Error> {
        self.guard(|| self.trees.notable.insert(notable_key(kind, seq), &[]))
            .map(drop)
    }

    /// Returns when all that was inserted, records below `next`, is on the disk.
    pub(super) fn sync(&self, next: u64) -> Result<(), Error> {
        self.flush()?;
        self.mark.write(next)
    }

    /// Did the disk once have records from `next` on?
    pub(super) fn check_mark(&self, next: u64) -> Result<(), Error> {
        let mark = self.mark.read();
        if mark <= next {
            return Ok(());
        }
        Err(Error::damaged(
            next,
            format!("it was on the disk, up to {}, and is gone", mark - 1),
        ))
    }

    fn flush(&self) -> Result<(), Error> {
        self.guard(|| self.trees.db.flush())?;
        self.pages.sync()?;
        self.log
            .sync_data()
            .map_err(|e| Error::io("sync", &self.dir.join("db"), e))?;
        #[cfg(test)]
        super::tests::power::synced(&self.dir.join("db"));
        Ok(())
    }

    /// The entry with the greatest key below `key`.
    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        self.guard(|| self.trees.records.get_lt(key.to_be_bytes()))?
            .map(pair)
            .transpose()
    }

    /// The first entry.
    pub(super) fn first(&self) -> Result<Option<Pair>, Error> {
        self.guard(|| self.trees.records.first())?
            .map(pair)
            .transpose()
    }

    /// The entries with keys in `keys`, from either end. Ends for good after an error.
    pub(super) fn range(
        &self,
        keys: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = Result<Pair, Error>> + Send + use<> {
        let range = keys.start.to_be_bytes()..keys.end.max(keys.start).to_be_bytes();
        Guarded::new(self.dir.clone(), self.trees.records.range(range)).map(|found| pair(found?))
    }

    /// The numbers of the noted records of a kind, from either end.
    pub(super) fn notable(
        &self,
        kind: u8,
        seqs: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = Result<u64, Error>> + Send + use<> {
        let range = notable_key(kind, seqs.start)..notable_key(kind, seqs.end.max(seqs.start));
        Guarded::new(self.dir.clone(), self.trees.notable.range(range)).map(|found| {
            let (key, _) = found?;
            key.last_chunk()
                .map(|seq| u64::from_be_bytes(*seq))
                .ok_or_else(|| Error::damaged_somewhere("a key of the kind index is too short"))
        })
    }

    #[cfg(test)]
    pub(super) fn remove(&self, key: u64) -> Result<(), Error> {
        self.guard(|| self.trees.records.remove(key.to_be_bytes()))
            .map(drop)
    }

    #[cfg(test)]
    pub(super) fn is_notable(&self, kind: u8, seq: u64) -> Result<bool, Error> {
        self.guard(|| self.trees.notable.contains_key(notable_key(kind, seq)))
    }

    #[cfg(test)]
    pub(super) fn set_format(&self, format: u8) -> Result<(), Error> {
        self.guard(|| self.trees.meta.insert(META_FORMAT, &[format]))
            .map(drop)
    }

    /// Forgets what was noted of records that a crash kept from being stored.
    pub(super) fn trim_notable(&self, kinds: u8, next: u64) -> Result<(), Error> {
        for kind in 0..kinds {
            for seq in self.notable(kind, next..u64::MAX) {
                let key = notable_key(kind, seq?);
                self.guard(|| self.trees.notable.remove(key))?;
            }
        }
        Ok(())
    }

    /// Bytes on the disk: log, snapshot and oversized pages.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        self.guard(|| self.trees.db.size_on_disk())
    }

    /// A new journal is given its number. Who only reads leaves one without as it is: what the mark says counts.
    fn check_format(&self, create: bool) -> Result<(), Error> {
        match self.guard(|| self.trees.meta.get(META_FORMAT))?.as_deref() {
            Some([found @ 1..=FORMAT]) if *found <= FORMAT => Ok(()),
            Some([found]) if *found > FORMAT => Err(Error::NewerFormat {
                found: *found,
                known: FORMAT,
            }),
            Some(_) => Err(Error::damaged_somewhere("its format number is none")),
            None if !create => Ok(()),
            None => {
                self.guard(|| self.trees.meta.insert(META_FORMAT, &[FORMAT]))?;
                self.flush()?;
                sync_dir(&self.dir)?;
                self.dir.parent().map_or(Ok(()), sync_dir)
            }
        }
    }

    fn guard<T>(&self, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
        guard(&self.dir, call)
    }
}

fn notable_key(kind: u8, seq: u64) -> [u8; 9] {
    let mut key = [0; 9];
    key[0] = kind;
    key[1..].copy_from_slice(&seq.to_be_bytes());
    key
}

fn pair((key, value): (sled::IVec, sled::IVec)) -> Result<Pair, Error> {
    let key = <[u8; 8]>::try_from(&*key)
        .map_err(|_| Error::damaged_somewhere("a record's key has not eight bytes"))?;
    Ok((u64::from_be_bytes(key), Value(value)))
}

/// A sled iterator that neither panics nor goes on after an error.
struct Guarded {
    dir: PathBuf,
    iter: Option<sled::Iter>,
}

impl Guarded {
    fn new(dir: PathBuf, iter: sled::Iter) -> Self {
        Self {
            dir,
            iter: Some(iter),
        }
    }

    fn step(
        &mut self,
        step: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Option<Result<(sled::IVec, sled::IVec), Error>> {
        let iter = self.iter.as_mut()?;
        let found = guard(&self.dir, || step(iter).transpose()).transpose();
        if !matches!(found, Some(Ok(_))) {
            self.iter = None;
        }
        found
    }
}

impl Iterator for Guarded {
    type Item = Result<(sled::IVec, sled::IVec), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Guarded {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// Calls sled and turns its panics into damage: that is what they mean.
fn guard<T>(dir: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| classify(dir, e)),
        Err(panic) => Err(Error::damaged_somewhere(format!(
            "sled panicked: {}",
            panic_text(&*panic)
        ))),
    }
}

/// What the operating system says is about the world; an error made up by sled is about its files.
fn classify(dir: &Path, e: sled::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match e {
        sled::Error::Io(e) if is_lock(&e) => Error::Locked {
            path: dir.to_owned(),
            pid: None,
        },
        sled::Error::Io(e) => match e.kind() {
            InvalidData | InvalidInput | UnexpectedEof => Error::damaged_somewhere(e.to_string()),
            Other if e.raw_os_error().is_none() => Error::damaged_somewhere(e.to_string()),
            _ if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Error::damaged_somewhere(format!("the disk does not give it back: {e}"))
            }
            _ => Error::io("use the journal in", dir, e),
        },
        other => Error::damaged_somewhere(other.to_string()),
    }
}

/// Opens sled; where its snapshot is to blame, once more without it.
fn open_trees(dir: &Path) -> Result<Trees, Error> {
    match open_in_time(dir) {
        Err(damage @ Error::Damaged { .. }) if remove_snapshots(dir, "")? => open_in_time(dir)
            .map_err(|again| match again {
                Error::Slow { .. } => again,
                _ => damage,
            }),
        opened => opened,
    }
}

/// Opens sled on a thread that may hang for ever.
fn open_in_time(dir: &Path) -> Result<Trees, Error> {
    let (done, result) = mpsc::sync_channel(1);
    let path = dir.to_owned();
    thread::Builder::new()
        .name("journal-open".to_owned())
        .spawn(move || {
            // Nobody waits for it any more if it comes too late.
            let _ = done.send(guard(&path, || open_sled(&path)));
        })
        .map_err(|e| Error::io("start a thread to open", dir, e))?;
    result.recv_timeout(OPEN_LIMIT).unwrap_or_else(|_| {
        Err(Error::Slow {
            path: dir.to_owned(),
            seconds: OPEN_LIMIT.as_secs(),
        })
    })
}

fn open_sled(dir: &Path) -> sled::Result<Trees> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let mut attempt = 1;
    let db = loop {
        match config.open() {
            // Its holder is dying: else it would hold our lock too.
            Err(sled::Error::Io(e)) if attempt < LOCK_TRIES && is_lock(&e) => {
                attempt += 1;
                thread::sleep(LOCK_PAUSE);
            }
            opened => break opened?,
        }
    };
    Ok(Trees {
        records: db.open_tree("records")?,
        notable: db.open_tree("notable")?,
        meta: db.open_tree("meta")?,
        db,
    })
}

/// sled's own lock on its log is held. Its kind of error says nothing, its text does.
fn is_lock(e: &io::Error) -> bool {
    e.to_string().contains("could not acquire lock")
}
