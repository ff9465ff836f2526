//! The disk: three trees of sled 0.34.7, named here and below only. Holds the newest volume of the journal.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `records` | first record's number, u64 big endian | entry, see [`super::codec`]; its first 4,000 bytes |
//! | `records` | the same, and 1, 2, … (u16 big endian) | the next 4,000 bytes each |
//! | `notable` | kind (u8), record's number (u64 big endian) | empty |
//! | `meta` | `format` | the journal format (u8) |
//! | `meta` | `anchor` | the hash before the first entry (16 bytes); none if it is zeros |
//!
//! sled gets no fixes any more, so its faults are handled here: `flush()` does not reach the disk
//! (`sync_file_range` only), hence a sync of our own behind it; a half-written snapshot blocks every
//! later open, hence the clean-up before it; damage panics, hence a guard around every call and an
//! open on a thread of its own with a time limit; pages of more than 128 KiB become files beside the
//! log that it does not sync, hence the parts: a page is split when it has seventeen of them, and has
//! at most ten more until then. `flush_async`, batches and transactions are not used: the first can
//! hang, the second leave holes in a torn tail, the third cost five times the space. Nothing is ever
//! deleted but what a crash left half done: the directory goes as a whole.

mod entries;
mod guard;

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::codec::{FORMAT, Hash};
use super::dir::{make, remove_snapshots, sync_dir};
use super::error::Error;
use entries::{Entries, EntriesRev, copy, number, part_key};
use guard::{Guarded, guard, open_trees};

/// The longest value that is given to sled.
const PART: usize = 4_000;
const META_FORMAT: &str = "format";
const META_ANCHOR: &str = "anchor";

/// An open volume. Held by one process at a time: see [`super::shelf`].
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    trees: Trees,
    /// sled's log, for the sync that sled leaves out, and which file that is: device and inode.
    log: File,
    id: (u64, u64),
}

#[derive(Debug)]
struct Trees {
    db: sled::Db,
    records: sled::Tree,
    notable: sled::Tree,
    meta: sled::Tree,
}

/// A key of `records` and its value.
pub(super) type Pair = (u64, Bytes);

impl Store {
    /// Opens the volume in `dir`.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        remove_snapshots(dir, ".generating")?;
        let trees = open_trees(dir)?;
        let log_path = dir.join("db");
        let opened = File::open(&log_path).and_then(|log| Ok((id(&log.metadata()?), log)));
        let (id, log) = opened.map_err(|e| Error::io("open", &log_path, e))?;
        let store = Self {
            dir: dir.to_owned(),
            trees,
            log,
            id,
        };
        store.check_format()?;
        Ok(store)
    }

    /// Begins a volume in `dir`, behind the entry with this hash.
    pub(super) fn create(dir: &Path, anchor: Hash) -> Result<Self, Error> {
        make(dir)?;
        let store = Self::open(dir)?;
        #[cfg(test)]
        super::tests::steps::reached();
        store.set_meta(META_ANCHOR, &anchor.0)?;
        store.claim()?;
        Ok(store)
    }

    /// Makes it a volume of this format, before this program writes to it.
    pub(super) fn claim(&self) -> Result<(), Error> {
        let format = self.guard(|| self.trees.meta.get(META_FORMAT))?;
        if format.as_deref() != Some(&[FORMAT]) {
            self.set_meta(META_FORMAT, &[FORMAT])?;
        }
        self.sync()?;
        sync_dir(&self.dir)?;
        self.dir.parent().map_or(Ok(()), sync_dir)
    }

    /// The hash before its first entry.
    pub(super) fn anchor(&self) -> Result<Hash, Error> {
        match self.guard(|| self.trees.meta.get(META_ANCHOR))?.as_deref() {
            None => Ok(Hash::GENESIS),
            Some(bytes) => bytes
                .try_into()
                .map(Hash)
                .map_err(|_| Error::damaged_somewhere("its anchor is none")),
        }
    }

    /// It was noted what it follows: all volumes note that before anything else, but for the first of format 1.
    pub(super) fn is_begun(&self) -> Result<bool, Error> {
        self.guard(|| self.trees.meta.contains_key(META_ANCHOR))
    }

    /// Stores an entry. Not on the disk before [`Self::sync`]. The first part comes last: where it is, all are.
    pub(super) fn insert(&self, key: u64, value: &[u8]) -> Result<(), Error> {
        for (number, part) in (0_u16..)
            .zip(value.chunks(PART))
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            self.guard(|| self.trees.records.insert(part_key(key, number), part))?;
        }
        let first = value.get(..PART).unwrap_or(value);
        self.guard(|| self.trees.records.insert(key.to_be_bytes(), first))
            .map(drop)
    }

    /// Notes that the record at `seq` is of this kind. To be called before the record is inserted:
    /// what a crash leaves of sled's log is a beginning of it.
    pub(super) fn insert_notable(&self, kind: u8, seq: u64) -> Result<(), Error> {
        self.guard(|| self.trees.notable.insert(notable_key(kind, seq), &[]))
            .map(drop)
    }

    /// Returns when all that was inserted is on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.guard(|| self.trees.db.flush())?;
        let log = self.dir.join("db");
        self.log
            .sync_data()
            .map_err(|e| Error::io("sync", &log, e))?;
        #[cfg(test)]
        super::tests::power::synced(&log);
        self.is_in_place().map_err(|e| Error::io("find", &log, e))
    }

    /// What is written to a file that was removed, or moved away, is on the disk and yet nowhere.
    fn is_in_place(&self) -> io::Result<()> {
        if id(&self.dir.join("db").metadata()?) == self.id {
            Ok(())
        } else {
            Err(io::Error::other("another file was put in its place"))
        }
    }

    /// The entry with the greatest key below `key`.
    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        match self.guard(|| self.trees.records.get_lt(key.to_be_bytes()))? {
            Some((key, value)) if key.len() == 8 => Ok(Some((number(&key)?, copy(&value)))),
            Some(_) => self.range_rev(0..key).next().transpose(),
            None => Ok(None),
        }
    }

    /// The entries with keys in `keys`, oldest first. Ends for good after an error.
    pub(super) fn range(&self, keys: Range<u64>) -> Entries {
        Entries {
            found: self.scan(keys),
            ahead: None,
        }
    }

    /// The same, newest first.
    pub(super) fn range_rev(&self, keys: Range<u64>) -> EntriesRev {
        EntriesRev(self.scan(keys))
    }

    fn scan(&self, keys: Range<u64>) -> Guarded {
        let range = keys.start.to_be_bytes()..keys.end.max(keys.start).to_be_bytes();
        Guarded::new(self.dir.clone(), self.trees.records.range(range))
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

    /// Forgets what a crash kept from being stored whole: entries without their first part, and what was noted of
    /// records from `next` on.
    pub(super) fn trim(&self, kinds: u8, next: u64) -> Result<(), Error> {
        for found in self.scan(next..u64::MAX) {
            let (key, _) = found?;
            self.guard(|| self.trees.records.remove(key))?;
        }
        for kind in 0..kinds {
            for seq in self.notable(kind, next..u64::MAX) {
                let key = notable_key(kind, seq?);
                self.guard(|| self.trees.notable.remove(key))?;
            }
        }
        Ok(())
    }

    /// Bytes on the disk: log and snapshot.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        self.guard(|| self.trees.db.size_on_disk())
    }

    /// One without a number is new, or lost it to damage: what the mark says counts then.
    fn check_format(&self) -> Result<(), Error> {
        match self.guard(|| self.trees.meta.get(META_FORMAT))?.as_deref() {
            None | Some([1..=FORMAT]) => Ok(()),
            Some([found]) if *found > FORMAT => Err(Error::NewerFormat {
                found: *found,
                known: FORMAT,
            }),
            Some(_) => Err(Error::damaged_somewhere("its format number is none")),
        }
    }

    fn set_meta(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.guard(|| self.trees.meta.insert(key, value)).map(drop)
    }

    fn guard<T>(&self, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
        guard(&self.dir, call)
    }

    #[cfg(test)]
    pub(super) fn remove(&self, key: u64) -> Result<(), Error> {
        self.guard(|| self.trees.records.remove(key.to_be_bytes()))
            .map(drop)
    }

    #[cfg(test)]
    pub(super) fn remove_notable(&self, kind: u8, seq: u64) -> Result<(), Error> {
        self.guard(|| self.trees.notable.remove(notable_key(kind, seq)))
            .map(drop)
    }

    #[cfg(test)]
    pub(super) fn is_notable(&self, kind: u8, seq: u64) -> Result<bool, Error> {
        self.guard(|| self.trees.notable.contains_key(notable_key(kind, seq)))
    }

    #[cfg(test)]
    pub(super) fn set_format(&self, format: u8) -> Result<(), Error> {
        self.set_meta(META_FORMAT, &[format])
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn notable_key(kind: u8, seq: u64) -> [u8; 9] {
    let mut key = [0; 9];
    key[0] = kind;
    key[1..].copy_from_slice(&seq.to_be_bytes());
    key
}
