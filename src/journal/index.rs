//! The index of kinds: finds the records that are no quiet checks without reading over those.

use std::iter::Peekable;
use std::ops::Range;
use std::vec;

use crate::model::event::Event;
use crate::model::record::{Record, Seq};

use super::error::Error;
use super::reader::Reader;
use super::row::{Row, Seqs, Volume};

/// How many kinds of events there are.
pub(super) const KINDS: u8 = Event::KINDS.len() as u8;

/// Which end to begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending numbers.
    OldestFirst,
    /// Descending numbers.
    NewestFirst,
}

/// The number of a kind in the index: its place in [`Event::KINDS`].
#[must_use]
pub fn kind_index(kind: &str) -> Option<u8> {
    (0..KINDS)
        .zip(Event::KINDS)
        .find(|(_, word)| *word == kind)
        .map(|(index, _)| index)
}

/// The number of an event's kind. One that is missing in `KINDS` would share the last number.
pub(super) fn kind_of(event: &Event) -> u8 {
    kind_index(event.kind()).unwrap_or(KINDS)
}

/// Kinds and numbers in order, volume by volume: in each, one sorted run of numbers for each kind, merged.
pub(super) struct Merge {
    order: Order,
    kinds: Vec<u8>,
    volumes: vec::IntoIter<(Volume, Range<u64>)>,
    /// Of the volume that is being read.
    runs: Vec<(u8, Peekable<Seqs>)>,
}

impl Merge {
    pub(super) fn new(row: &Row, kinds: &[u8], range: &Range<u64>, order: Order) -> Self {
        Self {
            order,
            kinds: kinds.to_vec(),
            volumes: row.within(range, order).into_iter(),
            runs: Vec::new(),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Result<(u8, u64), Error>> {
        loop {
            if let Some(found) = self.pop_here() {
                return Some(found);
            }
            let (volume, seqs) = self.volumes.next()?;
            let kinds = self.kinds.iter();
            let runs = kinds.map(|kind| {
                let run = volume.notable(*kind, seqs.clone(), self.order);
                (*kind, run.peekable())
            });
            self.runs = runs.collect();
        }
    }

    fn pop_here(&mut self) -> Option<Result<(u8, u64), Error>> {
        let mut best: Option<(usize, u64)> = None;
        for (run, (_, seqs)) in self.runs.iter_mut().enumerate() {
            let seq = match seqs.peek() {
                Some(Ok(seq)) => *seq,
                Some(Err(e)) => return Some(Err(e.clone())),
                None => continue,
            };
            let better = best.is_none_or(|(_, other)| match self.order {
                Order::OldestFirst => seq < other,
                Order::NewestFirst => seq > other,
            });
            if better {
                best = Some((run, seq));
            }
        }
        let (run, seq) = best?;
        let (kind, seqs) = &mut self.runs[run];
        seqs.next();
        Some(Ok((*kind, seq)))
    }
}

/// Records of some kinds, in order. See [`Reader::notable`]. An error is the last item.
pub struct Notable {
    /// Gone after an error.
    reader: Option<Reader>,
    merge: Merge,
}

impl Notable {
    pub(super) fn new(reader: Reader, kinds: &[u8], range: Range<Seq>, order: Order) -> Self {
        // What is being written is noted before it is there.
        let range = range.start.0..range.end.0.min(reader.tail().first);
        let merge = Merge::new(&reader.shelf.row(), kinds, &range, order);
        Self {
            reader: Some(reader),
            merge,
        }
    }
}

impl Iterator for Notable {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_ref()?;
        let found = self
            .merge
            .pop()?
            .and_then(|(kind, seq)| fetch(reader, kind, seq));
        if found.is_err() {
            self.reader = None;
        }
        Some(found)
    }
}

fn fetch(reader: &Reader, kind: u8, seq: u64) -> Result<Record, Error> {
    let found = reader
        .get(Seq(seq))?
        .filter(|record| kind_of(&record.event) == kind);
    found.ok_or_else(|| {
        let word = Event::KINDS
            .get(usize::from(kind))
            .unwrap_or(&"unknown kind");
        Error::damaged(
            seq,
            format!("the index calls it {word}, and it is not there as such"),
        )
    })
}
