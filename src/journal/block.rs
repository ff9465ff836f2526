//! Runs of quiet checks, packed: about ten bytes a check, and every one comes back as it was.
//!
//! The checks of all subjects share a block in the order in which they came.

mod rows;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::redis::Probe;
use crate::model::time::BootId;

use super::codec;
use super::error::Error;
use super::quiet::{alike, subject_of};
use rows::{Cursor, Gauges, Pen};

/// Most checks in one block.
pub const MAX_ROWS: usize = 1024;

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
        let mut packer = Packer::new(checks.first()?);
        let all = checks.iter().all(|check| packer.push(check));
        all.then(|| packer.finish())
    }

    /// The records, exactly as they were packed, one by one. An error is the last item.
    #[must_use]
    pub fn unpack(self) -> Unpack {
        Unpack {
            cursor: Cursor::new(&self),
            block: self,
        }
    }

    /// The first check, which is also the block's key.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    /// How many checks, 1 to [`MAX_ROWS`].
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.0.into()
    }

    /// The hash of the chain behind this block's checks, link by link: however they are packed, it is the same.
    ///
    /// A link is blake3 over 64 bytes, of which the first sixteen count: the hash before (16), the subject's
    /// digest (12), wall and monotonic time, latency, offset and keys (8, 8, 4, 8, 8; little endian).
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn link(&self, before: [u8; 16]) -> Result<[u8; 16], Error> {
        let digests: Vec<_> = self.subjects.iter().map(|s| self.digest(s)).collect();
        let mut cursor = Cursor::new(self);
        let mut hash = before;
        while let Some(row) = cursor.next(self) {
            let (_, row) = row?;
            let mut link = [0; 64];
            link[..16].copy_from_slice(&hash);
            link[16..28].copy_from_slice(&digests[row.subject]);
            link[28..36].copy_from_slice(&row.at.wall_us.to_le_bytes());
            link[36..44].copy_from_slice(&row.at.mono_us.to_le_bytes());
            link[44..48].copy_from_slice(&(row.gauges.latency as u32).to_le_bytes());
            link[48..56].copy_from_slice(&row.gauges.offset.to_le_bytes());
            link[56..].copy_from_slice(&row.gauges.keys.to_le_bytes());
            hash.copy_from_slice(&blake3::hash(&link).as_bytes()[..16]);
        }
        Ok(hash)
    }

    /// What every check of a subject says, as twelve bytes: blake3 of ruleset, boot and the subject without its gauges.
    fn digest(&self, subject: &Subject) -> [u8; 12] {
        let nothing = Gauges {
            latency: 0,
            offset: 0,
            keys: 0,
        };
        let shared = Subject {
            probe: nothing.on(&subject.probe),
            ..subject.clone()
        };
        let bytes = codec::serialize(&(self.ruleset, self.boot, shared));
        let mut digest = [0; 12];
        digest.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..12]);
        digest
    }
}

/// A block that is being packed, check by check.
#[derive(Debug)]
pub(super) struct Packer {
    block: Block,
    pen: Pen,
    subject_bytes: u64,
}

impl Packer {
    /// An empty block that this check fits into.
    pub(super) fn new(head: &Record) -> Self {
        let block = Block {
            first: head.seq,
            ruleset: head.ruleset,
            boot: head.at.boot,
            wall_us: head.at.wall_us,
            mono_us: head.at.mono_us,
            subjects: Vec::new(),
            count: Count(0),
            rows: Rows(Vec::new()),
        };
        Self {
            pen: Pen::new(&block),
            block,
            subject_bytes: 0,
        }
    }

    /// Adds a check; `false`, and nothing changed, if it does not fit.
    pub(super) fn push(&mut self, check: &Record) -> bool {
        let block = &mut self.block;
        let (Some((peer, probe)), Some(count)) = (
            subject_of(check),
            Count::new(usize::from(block.count.0) + 1),
        ) else {
            return false;
        };
        let fits = check.seq.0.checked_sub(block.first.0) == Some(block.count.0.into())
            && check.ruleset == block.ruleset
            && check.at.boot == block.boot
            && check.cause.is_none()
            && check.decision.is_empty();
        let known = block
            .subjects
            .iter()
            .position(|s| s.instance == check.instance && s.peer.as_deref() == peer);
        let base = known.map(|place| &block.subjects[place]);
        if !fits
            || base
                .is_some_and(|base| base.incident != check.incident || !alike(&base.probe, probe))
        {
            return false;
        }
        let subject = known.unwrap_or_else(|| {
            block.subjects.push(Subject {
                instance: check.instance.clone(),
                peer: peer.map(str::to_owned),
                incident: check.incident,
                probe: probe.clone(),
            });
            self.subject_bytes += codec::serialized_size(check);
            block.subjects.len() - 1
        });
        self.pen.write(&mut block.rows.0, subject, &check.at, probe);
        block.count = count;
        true
    }

    /// About how many bytes the block takes.
    pub(super) fn bytes(&self) -> u64 {
        self.subject_bytes + self.block.rows.0.len() as u64
    }

    pub(super) fn finish(self) -> Block {
        self.block
    }
}

/// The records of a block in order. An error is the last item. See [`Block::unpack`].
#[derive(Debug)]
pub struct Unpack {
    block: Block,
    cursor: Cursor,
}

impl Iterator for Unpack {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = &self.block;
        let (seq, row) = match self.cursor.next(block)? {
            Ok(row) => row,
            Err(e) => return Some(Err(e)),
        };
        let subject = &block.subjects[row.subject];
        let probe = row.gauges.on(&subject.probe);
        Some(Ok(Record {
            seq,
            at: row.at,
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
        }))
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
