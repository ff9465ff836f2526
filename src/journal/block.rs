//! Runs of quiet checks, packed: about ten bytes a check, and every one comes back as it was.
//!
//! The checks of all subjects share a block in the order in which they came.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::redis::Probe;
use crate::model::time::{At, BootId};

use super::error::Error;
use super::quiet::{alike, subject_of};

/// Most checks in one block.
pub const MAX_ROWS: usize = 256;

/// Consecutive quiet checks. Fields are stored by position: a change of any is a new format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    first: Seq,
    ruleset: u16,
    boot: BootId,
    /// Time of the first check.
    wall_us: i64,
    mono_us: u64,
    /// The first check of each subject, in order of appearance.
    subjects: Vec<Subject>,
    count: Count,
    /// One row a check: see [`Block::pack`].
    rows: Rows,
}

/// One Redis that is checked, and what its checks in this block have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    instance: String,
    /// The node whose Redis it is; `None` for this node's.
    peer: Option<String>,
    incident: Option<IncidentId>,
    /// The first check; latency, offset and keys of the others are counted from it.
    probe: Probe,
}

impl Block {
    /// Packs checks; `None` if they are not such that they can share a block.
    ///
    /// A row is: subject, microseconds of monotonic time since the row before, by how much more the wall
    /// clock went on, change of latency and, if Redis answered, of offset and of keys since the
    /// subject's check before. Numbers are LEB128; all but the first are zigzagged wrapping differences.
    #[must_use]
    pub fn pack(checks: &[Record]) -> Option<Self> {
        let head = checks.first()?;
        let mut block = Self {
            first: head.seq,
            ruleset: head.ruleset,
            boot: head.at.boot,
            wall_us: head.at.wall_us,
            mono_us: head.at.mono_us,
            subjects: Vec::new(),
            count: Count::new(checks.len())?,
            rows: Rows(Vec::with_capacity(checks.len() * 12)),
        };
        let mut clock = Clock::new(&block);
        let mut gauges: Vec<Gauges> = Vec::new();
        for (index, check) in checks.iter().enumerate() {
            let (peer, probe) = subject_of(check)?;
            if !block.takes(index as u64, check) {
                return None;
            }
            let found = block
                .subjects
                .iter()
                .position(|s| s.instance == check.instance && s.peer.as_deref() == peer);
            let subject = found.unwrap_or_else(|| {
                block.subjects.push(Subject {
                    instance: check.instance.clone(),
                    peer: peer.map(str::to_owned),
                    incident: check.incident,
                    probe: probe.clone(),
                });
                gauges.push(Gauges::of(probe));
                gauges.len() - 1
            });
            let base = &block.subjects[subject];
            if base.incident != check.incident || !alike(&base.probe, probe) {
                return None;
            }
            write_unsigned(&mut block.rows.0, subject as u64);
            clock.write(&mut block.rows.0, &check.at);
            gauges[subject].write(&mut block.rows.0, probe);
        }
        Some(block)
    }

    /// The records, exactly as they were packed, one by one.
    #[must_use]
    pub fn unpack(self) -> Unpack {
        Unpack {
            clock: Clock::new(&self),
            gauges: self.subjects.iter().map(|s| Gauges::of(&s.probe)).collect(),
            index: 0,
            read: 0,
            block: self,
        }
    }

    /// Place of the first check.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    /// How many checks, 1 to [`MAX_ROWS`].
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.0.into()
    }

    /// What all checks of the block must have in common.
    fn takes(&self, index: u64, check: &Record) -> bool {
        check.seq.0.checked_sub(self.first.0) == Some(index)
            && check.ruleset == self.ruleset
            && check.at.boot == self.boot
            && check.cause.is_none()
            && check.decision.is_empty()
    }
}

/// The records of a block in order. An error is the last item. See [`Block::unpack`].
#[derive(Debug)]
pub struct Unpack {
    block: Block,
    clock: Clock,
    gauges: Vec<Gauges>,
    /// The row that is next.
    index: u16,
    /// Where it begins.
    read: usize,
}

impl Unpack {
    fn row(&mut self) -> Option<Record> {
        let block = &self.block;
        let mut rows = block.rows.0.get(self.read..)?;
        let index = usize::try_from(read_unsigned(&mut rows)?).ok()?;
        let subject = block.subjects.get(index)?;
        let at = self.clock.read(&mut rows, block.boot)?;
        let probe = self
            .gauges
            .get_mut(index)?
            .read(&mut rows, &subject.probe)?;
        self.read = block.rows.0.len() - rows.len();
        Some(Record {
            seq: Seq(block.first.0.checked_add(self.index.into())?),
            at,
            instance: subject.instance.clone(),
            cause: None,
            ruleset: block.ruleset,
            incident: subject.incident,
            event: match &subject.peer {
                None => Event::RedisProbed(probe),
                Some(peer) => Event::PeerProbed {
                    peer: peer.clone(),
                    probe,
                },
            },
            decision: Decision::default(),
        })
    }

    /// What is wrong, said once.
    fn end(&mut self, why: String) -> Error {
        let seq = self.block.first.0.saturating_add(self.index.into());
        self.index = self.block.count.0;
        self.read = self.block.rows.0.len();
        Error::damaged(seq, why)
    }
}

impl Iterator for Unpack {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.block.count.0 {
            let over = self.block.rows.0.len() - self.read;
            return (over > 0).then(|| Err(self.end(format!("{over} bytes behind the last row"))));
        }
        let record = self.row();
        Some(match record {
            Some(record) => {
                self.index += 1;
                Ok(record)
            }
            None => Err(self.end(format!("row {} of a block is garbled", self.index))),
        })
    }
}

/// How many rows: no more than [`MAX_ROWS`], in what is read too. A row of four bytes stands for a whole record, with
/// names that may be long, so this bounds the memory that a foreign or damaged block takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Count(u16);

impl Count {
    fn new(rows: usize) -> Option<Self> {
        let count = u16::try_from(rows).ok()?;
        (rows <= MAX_ROWS).then_some(Self(count))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = u16::deserialize(deserializer)?;
        Self::new(rows.into()).ok_or_else(|| de::Error::custom(format!("a block of {rows} rows")))
    }
}

/// Rows as one piece, for a `Vec<u8>` is decoded byte by byte; stored alike.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rows(Vec<u8>);

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Rows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the rows of a block")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Rows, E> {
                Ok(Rows(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Both clocks at the row before.
#[derive(Debug)]
struct Clock {
    wall_us: u64,
    mono_us: u64,
}

impl Clock {
    fn new(block: &Block) -> Self {
        Self {
            wall_us: block.wall_us.cast_unsigned(),
            mono_us: block.mono_us,
        }
    }

    fn write(&mut self, rows: &mut Vec<u8>, at: &At) {
        let wall_us = at.wall_us.cast_unsigned();
        let mono = at.mono_us.wrapping_sub(self.mono_us);
        let wall = wall_us.wrapping_sub(self.wall_us);
        write_signed(rows, mono);
        write_signed(rows, wall.wrapping_sub(mono));
        *self = Self {
            wall_us,
            mono_us: at.mono_us,
        };
    }

    fn read(&mut self, rows: &mut &[u8], boot: BootId) -> Option<At> {
        let mono = read_signed(rows)?;
        let wall = read_signed(rows)?.wrapping_add(mono);
        self.mono_us = self.mono_us.wrapping_add(mono);
        self.wall_us = self.wall_us.wrapping_add(wall);
        Some(At {
            wall_us: self.wall_us.cast_signed(),
            mono_us: self.mono_us,
            boot,
        })
    }
}

/// What changes from check to check, as it was at the subject's check before.
#[derive(Debug)]
struct Gauges {
    latency: u64,
    offset: u64,
    keys: u64,
}

impl Gauges {
    fn of(probe: &Probe) -> Self {
        let seen = probe.observation.as_ref();
        Self {
            latency: probe.latency_us.into(),
            offset: seen.map_or(0, |seen| seen.offset.cast_unsigned()),
            keys: seen.map_or(0, |seen| seen.keys),
        }
    }

    fn write(&mut self, rows: &mut Vec<u8>, probe: &Probe) {
        let next = Self::of(probe);
        write_signed(rows, next.latency.wrapping_sub(self.latency));
        if probe.observation.is_some() {
            write_signed(rows, next.offset.wrapping_sub(self.offset));
            write_signed(rows, next.keys.wrapping_sub(self.keys));
        }
        *self = next;
    }

    fn read(&mut self, rows: &mut &[u8], base: &Probe) -> Option<Probe> {
        self.latency = self.latency.wrapping_add(read_signed(rows)?);
        let mut probe = base.clone();
        probe.latency_us = u32::try_from(self.latency).ok()?;
        if let Some(seen) = &mut probe.observation {
            self.offset = self.offset.wrapping_add(read_signed(rows)?);
            self.keys = self.keys.wrapping_add(read_signed(rows)?);
            seen.offset = self.offset.cast_signed();
            seen.keys = self.keys;
        }
        Some(probe)
    }
}

/// A wrapping difference, small in either direction: zigzag, then LEB128.
fn write_signed(rows: &mut Vec<u8>, difference: u64) {
    write_unsigned(
        rows,
        (difference << 1) ^ (difference.cast_signed() >> 63).cast_unsigned(),
    );
}

fn read_signed(rows: &mut &[u8]) -> Option<u64> {
    let zigzag = read_unsigned(rows)?;
    Some((zigzag >> 1) ^ (zigzag & 1).wrapping_neg())
}

fn write_unsigned(rows: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits and "more follows"; the cut is meant.
        rows.push(number as u8 | 0x80);
        number >>= 7;
    }
    rows.push(number as u8);
}

fn read_unsigned(rows: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = rows.split_first()?;
        *rows = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
