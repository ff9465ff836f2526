//! Stored entries, taken apart into records, in either direction.

use std::iter;
use std::ops::Deref;
use std::vec;

use crate::model::record::Record;

use super::block::Unpack;
use super::codec::{Chain, Entry, Hash};
use super::error::Error;
use super::index::Order;
use super::reader::Tail;
use super::row::{Pairs, Row};
use super::store::Pair;

/// The chain as it stands before the entry at `key`.
pub(super) fn chain_to(row: &Row, key: u64) -> Result<Chain, Error> {
    Ok(Chain::behind(row.anchor(key)?, Some(key)))
}

/// The key of the entry that holds `from`, and the chain before it.
pub(super) fn begin(row: &Row, from: u64, end: u64) -> Result<(u64, Chain), Error> {
    let key = match row.before(from.saturating_add(1).min(end))? {
        Some((key, _)) => key,
        None => row.first(),
    };
    Ok((key, chain_to(row, key)?))
}

/// Takes entries apart, oldest first, each checked against the one before it. Nothing behind damage
/// is yielded: its place in the journal is not certain.
#[derive(Debug)]
pub(super) struct Flat<I> {
    /// Gone after the end, or an error.
    pairs: Option<I>,
    chain: Chain,
    block: Option<Unpack>,
}

impl<I, V> Flat<I>
where
    I: Iterator<Item = Result<(u64, V), Error>>,
    V: Deref<Target = [u8]>,
{
    pub(super) fn new(pairs: I, chain: Chain) -> Self {
        Self {
            pairs: Some(pairs),
            chain,
            block: None,
        }
    }

    fn step(&mut self) -> Option<Result<Record, Error>> {
        loop {
            if let Some(check) = self.block.as_mut().and_then(Iterator::next) {
                return Some(check);
            }
            let pair = self.pairs.as_mut()?.next()?;
            match pair.and_then(|(key, value)| self.chain.admit(key, &value)) {
                Ok(Entry::Record(record)) => return Some(Ok(record)),
                Ok(Entry::Quiet(block)) => self.block = Some(block.unpack()),
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

impl<I, V> Iterator for Flat<I>
where
    I: Iterator<Item = Result<(u64, V), Error>>,
    V: Deref<Target = [u8]>,
{
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.step();
        if !matches!(found, Some(Ok(_))) {
            self.pairs = None;
            self.block = None;
        }
        found
    }
}

/// Records, oldest first. See [`super::Reader::records`].
pub struct Records {
    from: u64,
    stored: Flat<Pairs>,
    held: vec::IntoIter<Record>,
}

impl Records {
    pub(super) fn new(row: &Row, tail: &Tail, from: u64) -> Self {
        let stored = match begin(row, from, tail.first) {
            Ok((key, chain)) => Flat::new(row.range(key..tail.first, Order::OldestFirst), chain),
            Err(e) => Flat::new(Box::new(iter::once(Err(e))) as Pairs, Chain::genesis()),
        };
        Self {
            from,
            stored,
            held: Vec::clone(&tail.records).into_iter(),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stored.next().or_else(|| self.held.next().map(Ok))? {
                Ok(record) if record.seq.0 < self.from => {}
                Ok(record) => return Some(Ok(record)),
                Err(e) => {
                    self.held = Vec::new().into_iter();
                    return Some(Err(e));
                }
            }
        }
    }
}

/// Records, newest first. See [`super::Reader::records_rev`].
pub struct RecordsRev {
    before: u64,
    block: vec::IntoIter<Record>,
    /// Gone after an error.
    pairs: Option<Pairs>,
    /// For the hash before the first entry.
    row: Row,
    /// The next entry, already read: its hash was needed for the one behind it.
    ahead: Option<Result<Pair, Error>>,
}

impl RecordsRev {
    pub(super) fn new(row: Row, tail: &Tail, before: u64) -> Self {
        Self {
            before,
            block: Vec::clone(&tail.records).into_iter(),
            pairs: Some(row.range(0..before.min(tail.first), Order::NewestFirst)),
            row,
            ahead: None,
        }
    }

    fn entry(&mut self) -> Result<Option<Vec<Record>>, Error> {
        let Some(pairs) = self.pairs.as_mut() else {
            return Ok(None);
        };
        let Some(next) = self.ahead.take().or_else(|| pairs.next()) else {
            return Ok(None);
        };
        let (key, value) = next?;
        self.ahead = pairs.next();
        let mut chain = match &self.ahead {
            Some(Ok((before, value))) => Chain::behind(Hash::of_value(*before, value)?, Some(key)),
            // What is before it cannot be read; this one may be good.
            Some(Err(_)) | None => chain_to(&self.row, key)?,
        };
        match chain.admit(key, &value)? {
            Entry::Record(record) => Ok(Some(vec![record])),
            Entry::Quiet(block) => block.unpack().collect::<Result<_, _>>().map(Some),
        }
    }
}

impl Iterator for RecordsRev {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.block.next_back() {
                Some(record) if record.seq.0 < self.before => return Some(Ok(record)),
                Some(_) => continue,
                None => {}
            }
            match self.entry().transpose()? {
                Ok(records) => self.block = records.into_iter(),
                Err(e) => {
                    self.pairs = None;
                    return Some(Err(e));
                }
            }
        }
    }
}
