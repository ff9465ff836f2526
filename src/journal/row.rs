//! The volumes of a journal as they were at one moment. Whoever reads keeps to one row until he is done: a volume that
//! is sealed meanwhile has its checks in other entries, and one that is removed is not missing.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::codec::{Chain, Hash};
use super::error::Error;
use super::index::Order;
use super::sealed::Sealed;
use super::store::{Pair, Store};

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

    /// Is what it says of its end so? `chain` has passed its last entry; the times are those of its first and last
    /// record.
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

    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        match self {
            Self::Sealed(sealed) => sealed.before(key),
            Self::Open { store, .. } => store.before(key),
        }
    }

    fn range(&self, keys: Range<u64>, order: Order) -> Pairs {
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

/// See above.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Ascending; one at least.
    volumes: Arc<Vec<Volume>>,
    /// The journal is to be let go: nothing more is read.
    recalled: Arc<AtomicBool>,
}

impl Deref for Row {
    type Target = [Volume];

    fn deref(&self) -> &[Volume] {
        &self.volumes
    }
}

impl Row {
    pub(super) fn new(mut volumes: Vec<Volume>) -> Self {
        volumes.sort_by_key(Volume::first);
        Self {
            volumes: Arc::new(volumes),
            recalled: Arc::default(),
        }
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<Volume>)) {
        change(Arc::make_mut(&mut self.volumes));
    }

    /// Ends what is being read.
    pub(super) fn recall(&self) {
        self.recalled.store(true, Ordering::Relaxed);
    }

    pub(super) fn lent(&self) -> Result<(), Error> {
        if self.recalled.load(Ordering::Relaxed) {
            return Err(Error::Recalled);
        }
        Ok(())
    }

    /// The hash of the entry before the one at `key`. Where a volume begins, it is known without the one before.
    pub(super) fn anchor(&self, key: u64) -> Result<Hash, Error> {
        if let Some(volume) = self.iter().find(|volume| volume.first() == key) {
            return volume.anchor();
        }
        match self.before(key)? {
            Some((before, value)) => Hash::of_value(before, &value),
            None => self
                .volumes
                .first()
                .map_or(Ok(Hash::GENESIS), Volume::anchor),
        }
    }

    /// The first record that is kept.
    pub(super) fn first(&self) -> u64 {
        self.volumes.first().map_or(1, Volume::first)
    }

    /// Where the first volume behind the one that `key` belongs to begins, if `key` belongs to a sealed one.
    pub(super) fn behind_sealed(&self, key: u64) -> Option<u64> {
        let behind = self.partition_point(|volume| volume.first() <= key);
        match self.get(behind.checked_sub(1)?) {
            Some(Volume::Sealed(_)) => self.get(behind).map(Volume::first),
            _ => None,
        }
    }

    /// The entry with the greatest key below `key`.
    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        self.lent()?;
        for volume in self.iter().rev() {
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
        let pairs = within.flat_map(move |(volume, keys)| volume.range(keys, order));
        let row = self.clone();
        Box::new(pairs.map(move |pair| row.lent().and(pair)))
    }

    /// The volumes with keys in `keys`, each with those that are its own.
    pub(super) fn within(&self, keys: &Range<u64>, order: Order) -> Vec<(Volume, Range<u64>)> {
        let ends = self.iter().skip(1).map(Volume::first).chain([u64::MAX]);
        let mut within: Vec<_> = self
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

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        self.iter().map(Volume::bytes).sum()
    }
}
