//! What a fold had come to at the beginning of a volume, so that a start need not read all before it.
//!
//! ```text
//! file  "RHASTAT" format (1 byte), first record behind it (u64 big endian), hash of the entry before it (16 bytes),
//!       the fold (bincode), blake3 of all that (first 16 bytes)
//! ```
//!
//! Derived: as long as the records before it are there, it can be made again.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::record::Record;

use super::codec::{self, Hash};
use super::dir::sync_dir;
use super::error::Error;

const MAGIC: &[u8; 7] = b"RHASTAT";
/// The layout that is written.
const FORMAT: u8 = 2;
const HEADER: usize = MAGIC.len() + 1 + 8 + 16;
/// The longest that is read.
pub(super) const MOST: usize = 64 << 20;

/// Something that is folded from the records, one after the other.
pub trait Fold: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Folds the next record.
    fn fold(&mut self, record: &Record);

    /// Reads what a version before this one wrote in an older layout. `None`: it is as good as lost.
    #[must_use]
    fn upcast(format: u8, bytes: &[u8]) -> Option<Self>;
}

/// The snapshot before `first` in the journal `dir`.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.state"))
}

/// The snapshot of the records before `first`, the last of which has this hash.
pub(super) fn encode<F: Fold>(first: u64, before: Hash, fold: &F) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &[FORMAT], &first.to_be_bytes(), &before.0].concat();
    bytes.extend(codec::serialize(fold));
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(&hash.as_bytes()[..16]);
    bytes
}

/// Writes it.
pub(super) fn write<F: Fold>(dir: &Path, first: u64, before: Hash, fold: &F) -> Result<(), Error> {
    let bytes = encode(first, before, fold);
    let path = path(dir, first);
    let temporary = path.with_extension("tmp");
    let failed = |e| Error::io("write", &temporary, e);
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(true).mode(0o640);
    let mut file = options.open(&temporary).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    #[cfg(test)]
    super::tests::power::synced(&temporary);
    fs::rename(&temporary, &path).map_err(|e| Error::io("rename", &temporary, e))?;
    #[cfg(test)]
    super::tests::power::renamed(&temporary, &path);
    sync_dir(dir)
}

/// The bytes of the snapshot before `first`; `None` if there is none.
pub(super) fn bytes(dir: &Path, first: u64) -> Result<Option<Vec<u8>>, Error> {
    let path = path(dir, first);
    let mut bytes = Vec::new();
    // A file that is longer is none of ours, and not worth its memory.
    let read =
        File::open(&path).and_then(|file| file.take(MOST as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) => Ok((length <= MOST).then_some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", &path, e)),
    }
}

/// Is there a snapshot before `first`, behind the entry with the hash `before`?
pub(super) fn is_whole(dir: &Path, first: u64, before: Hash) -> Result<bool, Error> {
    match bytes(dir, first)? {
        Some(bytes) => Ok(folded(&bytes, first, before)?.is_some()),
        None => Ok(false),
    }
}

/// Reads a snapshot; `None` if it is not that before `first`, behind the entry with the hash `before`.
///
/// # Errors
/// `NewerFormat`. A damaged one is as good as none.
pub(super) fn decode<F: Fold>(bytes: &[u8], first: u64, before: Hash) -> Result<Option<F>, Error> {
    let folded = folded(bytes, first, before)?;
    Ok(folded.and_then(|(format, folded)| match format {
        FORMAT => codec::deserialize_long(folded, MOST).ok(),
        older => F::upcast(older, folded),
    }))
}

/// The fold in a snapshot, as bytes, and their layout.
fn folded(bytes: &[u8], first: u64, before: Hash) -> Result<Option<(u8, &[u8])>, Error> {
    let Some((told, hash)) = bytes.split_last_chunk::<16>() else {
        return Ok(None);
    };
    if told.len() < HEADER
        || !told.starts_with(MAGIC)
        || told[MAGIC.len()] == 0
        || blake3::hash(told).as_bytes()[..16] != *hash
    {
        return Ok(None);
    }
    let format = told[MAGIC.len()];
    if format > FORMAT {
        return Err(Error::NewerFormat {
            found: format,
            known: FORMAT,
        });
    }
    let place = [first.to_be_bytes().as_slice(), &before.0].concat();
    Ok((told[MAGIC.len() + 1..HEADER] == *place).then_some((format, &told[HEADER..])))
}
