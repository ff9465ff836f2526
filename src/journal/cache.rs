//! What was read last of sealed volumes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
use super::sealed::{Entries, Index};

/// Sealed volumes whose index is kept in memory, and chunks.
const INDEXES: usize = 4;
const CHUNKS: usize = 2;

/// What was read last, of all sealed volumes of a journal.
#[derive(Debug, Default)]
pub(super) struct Cache {
    indexes: Kept<Index>,
    chunks: Kept<Entries>,
}

/// The last of them, by their first record.
type Kept<T> = Mutex<Vec<(u64, Arc<T>)>>;

impl Cache {
    /// The index of the volume that begins with this record.
    pub(super) fn index(
        &self,
        first: u64,
        read: impl FnOnce() -> Result<Index, Error>,
    ) -> Result<Arc<Index>, Error> {
        cached(&self.indexes, INDEXES, first, read)
    }

    /// The chunk that begins with this record.
    pub(super) fn chunk(
        &self,
        first: u64,
        read: impl FnOnce() -> Result<Entries, Error>,
    ) -> Result<Arc<Entries>, Error> {
        cached(&self.chunks, CHUNKS, first, read)
    }

    /// What is asked for next is read from the disk.
    pub(super) fn clear(&self) {
        locked(&self.indexes).clear();
        locked(&self.chunks).clear();
    }
}

fn locked<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever holds it moves whole values.
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cached<T>(
    cache: &Kept<T>,
    most: usize,
    key: u64,
    read: impl FnOnce() -> Result<T, Error>,
) -> Result<Arc<T>, Error> {
    let mut kept = locked(cache);
    if let Some(at) = kept.iter().position(|(known, _)| *known == key) {
        let found = kept.remove(at);
        let value = found.1.clone();
        kept.push(found);
        return Ok(value);
    }
    drop(kept);
    let value = Arc::new(read()?);
    let mut kept = locked(cache);
    kept.push((key, value.clone()));
    if kept.len() > most {
        kept.remove(0);
    }
    Ok(value)
}
