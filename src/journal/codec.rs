//! Entries as bytes: format byte, body, chain hash. The only file that names bincode.
//!
//! ```text
//! value = format (1 byte) ‖ body (bincode) ‖ hash (16 bytes)
//! hash  = blake3(previous entry's hash ‖ key as u64 big endian ‖ format ‖ body), first 16 bytes;
//!         of quiet checks: a link for each, see Block::link, so that they can be packed anew
//! ```
//!
//! The first entry of a journal follows sixteen zero bytes. Damage is never taken for a newer format: such an
//! entry must be well chained by its bytes. The chain tells accidents and quiet edits; who can rewrite the
//! whole journal can also rewrite its chain.

use bincode::Options;
use serde::{Deserialize, Serialize};

use crate::journal::block::Block;
use crate::journal::error::Error;
use crate::migrations;
use crate::model::record::{Record, Seq};

/// The format that this version writes.
pub const FORMAT: u8 = 3;
/// The largest body, in bytes.
pub const MAX_BODY: u64 = 64 * 1024;
/// The largest value: a body between its format byte and its hash.
pub const MAX_VALUE: usize = MAX_BODY as usize + 1 + HASH_LEN;

const HASH_LEN: usize = 16;

/// What one key of the journal holds. Stored: append variants, never reorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant)] // Never kept: taken apart at once, and a box for each costs time.
pub enum Entry {
    /// One record.
    Record(Record),
    /// A run of quiet checks.
    Quiet(Block),
}

impl Entry {
    /// The first record in it, which is also its key.
    #[must_use]
    pub fn first(&self) -> Seq {
        match self {
            Self::Record(record) => record.seq,
            Self::Quiet(block) => block.first(),
        }
    }

    /// How many records it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Record(_) => 1,
            Self::Quiet(block) => block.count(),
        }
    }
}

/// A link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hash(pub [u8; HASH_LEN]);

impl Hash {
    /// What the first entry of a journal follows.
    pub const GENESIS: Self = Self([0; HASH_LEN]);

    /// The hash at the end of a stored value.
    pub(super) fn of_value(key: u64, value: &[u8]) -> Result<Self, Error> {
        value
            .last_chunk()
            .map(|hash| Self(*hash))
            .ok_or_else(|| Error::damaged(key, "the entry is too short to be one"))
    }

    /// Behind the checks of a block.
    fn behind(prev: Self, entry: &Entry) -> Result<Option<Self>, Error> {
        match entry {
            Entry::Record(_) => Ok(None),
            Entry::Quiet(block) => block.link(prev.0).map(|hash| Some(Self(hash))),
        }
    }

    fn chain(prev: Self, key: u64, format_and_body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&prev.0);
        hasher.update(&key.to_be_bytes());
        hasher.update(format_and_body);
        let mut hash = [0; HASH_LEN];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..HASH_LEN]);
        Self(hash)
    }
}

/// Reads entries in order and lets none pass that does not follow the one before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    prev: Hash,
    /// The key that is due; `None` takes any.
    due: Option<u64>,
}

impl Chain {
    /// A whole journal, from its first record.
    pub(crate) fn genesis() -> Self {
        Self::behind(Hash::GENESIS, Some(1))
    }

    /// A chain that goes on behind `prev`.
    pub(crate) fn behind(prev: Hash, due: Option<u64>) -> Self {
        Self { prev, due }
    }

    /// The key that is due.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due
    }

    /// The hash of the last entry that passed.
    pub(crate) fn hash(&self) -> Hash {
        self.prev
    }

    /// Is `key` what comes next?
    ///
    /// # Errors
    /// `Damaged`: something before it is missing, or it was there.
    pub(crate) fn check_due(&self, key: u64) -> Result<(), Error> {
        match self.due {
            Some(due) if due < key => {
                let why = format!("it is missing, up to {}", key - 1);
                Err(Error::damaged(due, why))
            }
            Some(due) if due > key => {
                let why = format!("record {key} is there a second time");
                Err(Error::damaged(due, why))
            }
            _ => Ok(()),
        }
    }

    /// Checks and decodes the next entry.
    ///
    /// # Errors
    /// Damage, or a newer format. The chain does not advance.
    pub(crate) fn admit(&mut self, key: u64, value: &[u8]) -> Result<Entry, Error> {
        self.check_due(key)?;
        let hash = Hash::of_value(key, value)?;
        let format_and_body = &value[..value.len() - HASH_LEN];
        let broken = || {
            Error::damaged(
                key,
                "the chain is broken: the hash is not that of this content",
            )
        };
        let by_bytes = Hash::chain(self.prev, key, format_and_body) == hash;
        let (format, body) = format_and_body
            .split_first()
            .ok_or_else(|| Error::damaged(key, "the entry is empty"))?;
        let linked = migrations::links_checks(*format) && is_quiet(body);
        if !by_bytes && !linked {
            return Err(broken());
        }
        let entry = match migrations::decode(*format, body) {
            Err(_) if !by_bytes => return Err(broken()),
            decoded => decoded.map_err(|e| at_key(key, e))?,
        };
        if linked && Hash::behind(self.prev, &entry)? != Some(hash) {
            return Err(broken());
        }
        let end = key.checked_add(entry.count());
        if entry.first() != Seq(key) || entry.count() == 0 || end.is_none() {
            return Err(Error::damaged(
                key,
                format!("it calls itself {}", entry.first()),
            ));
        }
        self.prev = hash;
        self.due = end;
        Ok(entry)
    }

    /// Any bytes as the next entry.
    #[cfg(test)]
    pub(crate) fn seal_raw(self, key: u64, format_and_body: &[u8]) -> Vec<u8> {
        let hash = Hash::chain(self.prev, key, format_and_body);
        [format_and_body, &hash.0].concat()
    }

    /// Encodes the next entry, and reads it back before it is trusted.
    ///
    /// # Errors
    /// `TooLarge`, or damage if it does not read back as it was. The chain does not advance then.
    pub(crate) fn seal(&mut self, entry: &Entry) -> Result<Vec<u8>, Error> {
        let key = entry.first().0;
        let mut value = vec![FORMAT];
        serialize_into(&mut value, entry).map_err(|_| Error::TooLarge {
            seq: entry.first(),
            bytes: serialized_size(entry),
            limit: MAX_BODY,
        })?;
        let hash = match Hash::behind(self.prev, entry)? {
            Some(hash) => hash,
            None => Hash::chain(self.prev, key, &value),
        };
        value.extend_from_slice(&hash.0);
        let before = *self;
        if self.admit(key, &value)? != *entry {
            *self = before;
            return Err(Error::damaged(
                key,
                "it does not read back as it was written",
            ));
        }
        Ok(value)
    }
}

/// The first byte of a body tells which entry it is.
fn is_quiet(body: &[u8]) -> bool {
    body.first() == Some(&1)
}

/// Encodes any stored value, of any size.
#[must_use]
pub fn serialize<T: Serialize>(value: &T) -> Vec<u8> {
    // As for the size: nothing in the model can fail to be encoded into memory.
    bincode::DefaultOptions::new()
        .with_varint_encoding()
        .with_little_endian()
        .with_no_limit()
        .serialize(value)
        .unwrap_or_default()
}

/// The encoded size of any stored value, in bytes.
pub(super) fn serialized_size<T: Serialize>(value: &T) -> u64 {
    // Sizes have no limit to exceed, and the model has no type of unknown length.
    bincode::DefaultOptions::new()
        .with_no_limit()
        .serialized_size(value)
        .unwrap_or(u64::MAX)
}

/// Decodes a body; no byte may be left over.
///
/// # Errors
/// What bincode says.
pub fn deserialize<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    options().deserialize(body).map_err(|e| e.to_string())
}

/// Decodes what [`serialize`] encoded, of up to `limit` bytes.
pub(crate) fn deserialize_long<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, String> {
    let options = bincode::DefaultOptions::new()
        .with_varint_encoding()
        .with_little_endian()
        .with_limit(limit as u64)
        .reject_trailing_bytes();
    options.deserialize(bytes).map_err(|e| e.to_string())
}

fn serialize_into<T: Serialize>(into: &mut Vec<u8>, value: &T) -> bincode::Result<()> {
    options().serialize_into(into, value)
}

/// Every option by name, for the free functions of bincode have other defaults.
fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_varint_encoding()
        .with_little_endian()
        .with_limit(MAX_BODY)
        .reject_trailing_bytes()
}

/// Bodies do not know where they stand: adds it.
fn at_key(key: u64, e: Error) -> Error {
    match e {
        Error::Damaged { seq: None, why } => Error::damaged(key, why),
        other => other,
    }
}
