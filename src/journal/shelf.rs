//! The volumes of a journal, side by side.
//!
//! ```text
//! journal/lock                          held by one process at a time
//! journal/mark                          how far it was on the disk
//! journal/00000000000000000001.vol      sealed: its records never change again
//! journal/00000000000000131073.state    what the records before that fold to
//! journal/00000000000000131073/         open: a sled
//! ```
//!
//! A volume is named by its first record and ends where the next begins. The newest is the one that is written to;
//! the others are sealed, or will be soon. Each step from one state to the next leaves the journal whole, wherever
//! it is interrupted: a sealed file gets its name when it is complete, and only then its sled goes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::cache::Cache;
use super::codec::Hash;
use super::dir::{layout, lock, make, sync_dir};
use super::error::Error;
use super::mark::Mark;
use super::reader::Tail;
use super::row::{Row, Volume};
use super::sealed::Sealed;
use super::store::Store;

/// The open journal directory.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    row: RwLock<Row>,
    mark: Mark,
    cache: Arc<Cache>,
    /// Last, so that it is let go when sled has let go.
    _lock: Arc<File>,
}

impl Shelf {
    /// Opens the journal in `dir`; begins one if there is none and `create` says so.
    pub(super) fn open(dir: &Path, create: bool) -> Result<Self, Error> {
        if create {
            make(dir)?;
        } else if !layout::is_journal(dir)? {
            return Err(Error::Missing {
                path: dir.to_owned(),
            });
        }
        Self::locked(dir, Arc::new(lock(dir)?))
    }

    /// Opens the journal in `dir`, whose lock the caller has.
    pub(super) fn locked(dir: &Path, lock: Arc<File>) -> Result<Self, Error> {
        let found = layout::settle(dir)?;
        let mark = Mark::open(dir)?;
        let cache = Arc::<Cache>::default();
        let mut volumes = Vec::new();
        for (first, path) in found.sealed {
            volumes.push(Volume::Sealed(Sealed::new(path, first, cache.clone())));
        }
        for (first, path) in found.open {
            let store = Arc::new(Store::open(&path).map_err(|e| at(first, e))?);
            if first == 1 || store.is_begun()? {
                volumes.push(Volume::Open { first, store });
            } else if mark.read() <= first {
                // A crash came between its directory and what is noted first: nothing was ever written to it.
                drop(store);
                layout::remove(&path)?;
            } else {
                return Err(Error::damaged(first, "it has lost its beginning"));
            }
        }
        let shelf = Self {
            dir: dir.to_owned(),
            row: RwLock::new(Row::new(volumes)),
            mark,
            cache,
            _lock: lock,
        };
        Ok(shelf)
    }

    /// The volume that is written to: the newest, or another behind it where that one is sealed.
    pub(super) fn active(&self, end: &Tail) -> Result<Arc<Store>, Error> {
        match self.row().last() {
            Some(Volume::Open { store, .. }) => {
                store.claim()?;
                Ok(store.clone())
            }
            Some(Volume::Sealed(_)) | None => self.begin(end.first, end.hash),
        }
    }

    /// Begins a volume behind all others.
    pub(super) fn begin(&self, first: u64, anchor: Hash) -> Result<Arc<Store>, Error> {
        let store = Arc::new(Store::create(&layout::open_path(&self.dir, first), anchor)?);
        self.change(|volumes| {
            volumes.push(Volume::Open {
                first,
                store: store.clone(),
            });
        });
        Ok(store)
    }

    /// Removes what is left of a volume that could not be begun.
    pub(super) fn forget(&self, first: u64) -> Result<(), Error> {
        layout::remove(&layout::open_path(&self.dir, first))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The volumes, as they are now.
    pub(super) fn row(&self) -> Row {
        let row = self.row.read();
        row.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Volume>)) {
        let mut row = self.row.write().unwrap_or_else(PoisonError::into_inner);
        row.change(change);
    }

    /// Puts the sealed file in the place of the open volume, and removes that.
    pub(super) fn sealed(&self, first: u64) -> Result<(), Error> {
        let path = layout::sealed_path(&self.dir, first);
        let sealed = Sealed::new(path, first, self.cache.clone());
        self.change(|volumes| {
            let place = volumes.iter_mut().find(|volume| volume.first() == first);
            if let Some(volume) = place {
                *volume = Volume::Sealed(sealed);
            }
        });
        layout::remove(&layout::open_path(&self.dir, first))
    }

    /// Removes the oldest volumes: all that end before the record `below`, but never the newest.
    pub(super) fn trim(&self, below: u64) -> Result<(), Error> {
        loop {
            let row = self.row();
            let [Volume::Sealed(oldest), next, ..] = &*row else {
                return Ok(());
            };
            if next.first() > below {
                return Ok(());
            }
            self.change(|volumes| {
                volumes.remove(0);
            });
            for path in [
                oldest.path(),
                &super::snapshot::path(&self.dir, oldest.first()),
            ] {
                layout::remove(path)?;
            }
            sync_dir(&self.dir)?;
        }
    }

    /// Forgets what was read: somebody wants to know what is on the disk.
    pub(super) fn read_anew(&self) {
        self.cache.clear();
    }

    /// All records below `next` are on the disk.
    pub(super) fn set_mark(&self, next: u64) -> Result<(), Error> {
        self.mark.write(next)
    }

    /// How far the disk once reached: all records below this number.
    pub(super) fn mark(&self) -> u64 {
        self.mark.read()
    }
}

/// An open volume that does not open is damaged from its first record on, unless it is known better.
fn at(first: u64, e: Error) -> Error {
    match e {
        Error::Damaged { seq: None, why } => Error::damaged(first, why),
        other => other,
    }
}
