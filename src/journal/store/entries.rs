//! Stored entries: their parts, put together again.

use bytes::Bytes;

use super::Pair;
use super::guard::Guarded;
use crate::journal::error::Error;

/// Entries, oldest first. See [`Store::range`].
pub(in crate::journal) struct Entries {
    pub(super) found: Guarded,
    /// The first part of the next entry, already read.
    pub(super) ahead: Option<(sled::IVec, sled::IVec)>,
}

impl Iterator for Entries {
    type Item = Result<Pair, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut head: Option<(sled::IVec, Vec<u8>)> = None;
        let mut ahead = self.ahead.take();
        loop {
            let next = match ahead.take().map(Ok).or_else(|| self.found.next()) {
                Some(Ok(next)) => next,
                Some(Err(e)) => return Some(Err(e)),
                None => break,
            };
            match &mut head {
                // A part without its first: of an entry that was never whole.
                None if next.0.len() != 8 => {}
                None => head = Some((next.0, next.1.to_vec())),
                Some((key, value)) if next.0.len() > 8 && next.0.starts_with(key) => {
                    value.extend_from_slice(&next.1);
                }
                Some(_) => {
                    self.ahead = Some(next);
                    break;
                }
            }
        }
        head.map(|(key, value)| Ok((number(&key)?, Bytes::from(value))))
    }
}

/// Entries, newest first. See [`Store::range_rev`].
pub(in crate::journal) struct EntriesRev(pub(super) Guarded);

impl Iterator for EntriesRev {
    type Item = Result<Pair, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut parts: Vec<(sled::IVec, sled::IVec)> = Vec::new();
        loop {
            let (key, value) = match self.0.next_back()? {
                Ok(found) => found,
                Err(e) => return Some(Err(e)),
            };
            if key.len() != 8 {
                parts.push((key, value));
                continue;
            }
            parts.retain(|(part, _)| part.starts_with(&key));
            let mut whole = value.to_vec();
            parts
                .iter()
                .rev()
                .for_each(|(_, part)| whole.extend_from_slice(part));
            return Some(number(&key).map(|key| (key, Bytes::from(whole))));
        }
    }
}

pub(super) fn part_key(key: u64, number: u16) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(super) fn number(key: &[u8]) -> Result<u64, Error> {
    <[u8; 8]>::try_from(key)
        .map(u64::from_be_bytes)
        .map_err(|_| Error::damaged_somewhere("a record's key has not eight bytes"))
}

pub(super) fn copy(value: &sled::IVec) -> Bytes {
    Bytes::copy_from_slice(value)
}
