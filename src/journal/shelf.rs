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
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::codec::{Chain, Hash};
use super::dir::{layout, lock, make, sync_dir};
use super::error::Error;
use super::index::Order;
use super::mark::Mark;
use super::sealed::{Cache, Sealed};
use super::store::{Pair, Store};

/// The open journal directory.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    /// Ascending; one at least.
    volumes: RwLock<Arc<Vec<Volume>>>,
    mark: Mark,
    cache: Arc<Cache>,
    /// Last, so that it is let go when sled has let go.
    _lock: File,
}

/// A run of records.
#[derive(Debug, Clone)]
pub(super) enum Volume {
    /// In a plain file.
    Sealed(Sealed),
    /// In a sled.
    Open {
        /// The first record.
        first: u64,
        /// Where it is stored.
        store: Arc<Store>,
    },
}

impl Volume {
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Sealed(sealed) => sealed.first(),
            Self::Open { first, .. } => *first,
        }
    }

    /// The hash before its first entry.
    pub(super) fn anchor(&self) -> Result<Hash, Error> {
        match self {
            Self::Sealed(sealed) => sealed.index().map(|index| index.anchor),
            Self::Open { store, .. } => store.anchor(),
        }
    }

    pub(super) fn bytes(&self) -> Result<u64, Error> {
        match self {
            Self::Sealed(sealed) => sealed.bytes(),
            Self::Open { store, .. } => store.bytes(),
        }
    }

    /// Is what it says of its end so? `chain` has passed its last entry; the times are those of its first and last record.
    pub(super) fn check_end(
        &self,
        chain: &Chain,
        wall_us: Option<(i64, i64)>,
    ) -> Result<(), Error> {
        let Self::Sealed(sealed) = self else {
            return Ok(());
        };
        let index = sealed.index()?;
        let read = (chain.due(), chain.hash(), wall_us);
        if read == (Some(index.next), index.hash, Some(index.wall_us)) {
            Ok(())
        } else {
            let why = "its volume says otherwise where it ends, or when it was written";
            Err(Error::damaged(sealed.first(), why))
        }
    }

    fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        match self {
            Self::Sealed(sealed) => sealed.before(key),
            Self::Open { store, .. } => store.before(key),
        }
    }

    pub(super) fn range(&self, keys: Range<u64>, order: Order) -> Pairs {
        match (self, order) {
            (Self::Sealed(sealed), Order::OldestFirst) => Box::new(sealed.range(keys)),
            (Self::Sealed(sealed), Order::NewestFirst) => Box::new(sealed.range_rev(keys)),
            (Self::Open { store, .. }, Order::OldestFirst) => Box::new(store.range(keys)),
            (Self::Open { store, .. }, Order::NewestFirst) => Box::new(store.range_rev(keys)),
        }
    }

    /// The numbers of the records of a kind that stand on their own.
    pub(super) fn notable(&self, kind: u8, seqs: Range<u64>, order: Order) -> Seqs {
        match self {
            Self::Sealed(sealed) => match sealed.index() {
                Ok(index) => {
                    let mut found: Vec<_> = index
                        .notable(kind)
                        .filter(|seq| seqs.contains(seq))
                        .collect();
                    if order == Order::NewestFirst {
                        found.reverse();
                    }
                    Box::new(found.into_iter().map(Ok))
                }
                Err(e) => Box::new(std::iter::once(Err(e))),
            },
            Self::Open { store, .. } => {
                let found = store.notable(kind, seqs);
                match order {
                    Order::OldestFirst => Box::new(found),
                    Order::NewestFirst => Box::new(found.rev()),
                }
            }
        }
    }
}

/// Stored entries.
pub(super) type Pairs = Box<dyn Iterator<Item = Result<Pair, Error>> + Send>;
/// Numbers of records.
pub(super) type Seqs = Box<dyn Iterator<Item = Result<u64, Error>> + Send>;

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
        let lock = lock(dir)?;
        let found = layout::settle(dir)?;
        let cache = Arc::<Cache>::default();
        let mut volumes = Vec::new();
        for (first, path) in found.sealed {
            volumes.push(Volume::Sealed(Sealed::new(path, first, cache.clone())));
        }
        for (first, path) in found.open {
            let store = Arc::new(Store::open(&path).map_err(|e| at(first, e))?);
            volumes.push(Volume::Open { first, store });
        }
        volumes.sort_by_key(Volume::first);
        let shelf = Self {
            dir: dir.to_owned(),
            volumes: RwLock::new(Arc::new(volumes)),
            mark: Mark::open(dir)?,
            cache,
            _lock: lock,
        };
        Ok(shelf)
    }

    /// The volume that is written to: the newest, or another behind it where that one is sealed.
    pub(super) fn active(&self, next: u64, hash: Hash) -> Result<Arc<Store>, Error> {
        match self.volumes().last() {
            Some(Volume::Open { first, store }) => {
                if *first == next {
                    store.set_anchor(hash)?;
                }
                store.claim()?;
                Ok(store.clone())
            }
            Some(Volume::Sealed(_)) | None => self.begin(next, hash),
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
    pub(super) fn volumes(&self) -> Arc<Vec<Volume>> {
        let volumes = self.volumes.read();
        volumes.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Volume>)) {
        let mut volumes = self.volumes.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut volumes));
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
            let volumes = self.volumes();
            let [Volume::Sealed(oldest), next, ..] = volumes.as_slice() else {
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

    /// The hash of the entry before the one at `key`. Where a volume begins, it is known without the one before.
    pub(super) fn anchor(&self, key: u64) -> Result<Hash, Error> {
        let volumes = self.volumes();
        if let Some(volume) = volumes.iter().find(|volume| volume.first() == key) {
            return volume.anchor();
        }
        match self.before(key)? {
            Some((before, value)) => Hash::of_value(before, &value),
            None => volumes.first().map_or(Ok(Hash::GENESIS), Volume::anchor),
        }
    }

    /// The hash before an empty volume. A power cut may have taken what it knew of that, so the one before is asked,
    /// if it can be read.
    pub(super) fn hash_before(&self, first: u64) -> Result<Hash, Error> {
        let volumes = self.volumes();
        let before = volumes.iter().rev().find(|volume| volume.first() < first);
        let hash = match before {
            Some(Volume::Sealed(sealed)) => sealed.index().map(|index| index.hash),
            Some(Volume::Open { .. }) => match self.before(first)? {
                Some((key, value)) => Hash::of_value(key, &value),
                None => self.anchor(first),
            },
            None => self.anchor(first),
        };
        hash.or_else(|e| match e {
            Error::Damaged { .. } => self.anchor(first),
            other => Err(other),
        })
    }

    /// The first record that is kept.
    pub(super) fn first(&self) -> u64 {
        self.volumes().first().map_or(1, Volume::first)
    }

    /// The entry with the greatest key below `key`.
    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        for volume in self.volumes().iter().rev() {
            if volume.first() < key
                && let Some(found) = volume.before(key)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The entries with keys in `keys`.
    pub(super) fn range(&self, keys: Range<u64>, order: Order) -> Pairs {
        let within = self.within(&keys, order).into_iter();
        Box::new(within.flat_map(move |(volume, keys)| volume.range(keys, order)))
    }

    /// The volumes with keys in `keys`, each with those that are its own.
    pub(super) fn within(&self, keys: &Range<u64>, order: Order) -> Vec<(Volume, Range<u64>)> {
        let volumes = self.volumes();
        let ends = volumes.iter().skip(1).map(Volume::first).chain([u64::MAX]);
        let mut within: Vec<_> = volumes
            .iter()
            .zip(ends)
            .map(|(volume, end)| {
                let start = keys.start.max(volume.first());
                (volume.clone(), start..keys.end.min(end))
            })
            .filter(|(_, keys)| keys.start < keys.end)
            .collect();
        if order == Order::NewestFirst {
            within.reverse();
        }
        within
    }

    /// Forgets what was read: somebody wants to know what is on the disk.
    pub(super) fn read_anew(&self) {
        self.cache.clear();
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        self.volumes().iter().map(Volume::bytes).sum()
    }

    /// All records below `next` are on the disk.
    pub(super) fn set_mark(&self, next: u64) -> Result<(), Error> {
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
}

/// An open volume that does not open is damaged from its first record on, unless it is known better.
fn at(first: u64, e: Error) -> Error {
    match e {
        Error::Damaged { seq: None, why } => Error::damaged(first, why),
        other => other,
    }
}
