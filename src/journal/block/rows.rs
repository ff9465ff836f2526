//! The rows of a block: numbers that are small because each is counted from the row before.

use crate::model::record::Seq;
use crate::model::redis::Probe;
use crate::model::time::At;

use super::Block;
use crate::journal::error::Error;

/// What one check does not share with others of its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Place of its subject.
    pub subject: usize,
    pub at: At,
    pub gauges: Gauges,
}

/// Reads rows in order.
#[derive(Debug)]
pub(super) struct Cursor {
    clock: Clock,
    gauges: Vec<Gauges>,
    /// The row that is next.
    index: u16,
    /// Where it begins.
    read: usize,
}

impl Cursor {
    pub(super) fn new(block: &Block) -> Self {
        let bases = block.subjects.iter();
        Self {
            clock: Clock::new(block),
            gauges: bases.map(|base| Gauges::of(&base.probe)).collect(),
            index: 0,
            read: 0,
        }
    }

    /// The next row, with its number; an error is the last.
    pub(super) fn next(&mut self, block: &Block) -> Option<Result<(Seq, Row), Error>> {
        if self.index == block.count.0 {
            let over = block.rows.0.len().saturating_sub(self.read);
            return (over > 0)
                .then(|| Err(self.end(block, format!("{over} bytes behind the last row"))));
        }
        let seq = block.first.0.checked_add(self.index.into());
        Some(match seq.zip(self.row(block)) {
            Some((seq, row)) => {
                self.index += 1;
                Ok((Seq(seq), row))
            }
            None => Err(self.end(block, format!("row {} of a block is garbled", self.index))),
        })
    }

    fn row(&mut self, block: &Block) -> Option<Row> {
        let mut rows = block.rows.0.get(self.read..)?;
        let subject = usize::try_from(read_unsigned(&mut rows)?).ok()?;
        let base = block.subjects.get(subject)?;
        let at = self.clock.read(&mut rows, block)?;
        let gauges = self.gauges.get_mut(subject)?;
        gauges.read(&mut rows, base.probe.observation.is_some())?;
        self.read = block.rows.0.len() - rows.len();
        Some(Row {
            subject,
            at,
            gauges: *gauges,
        })
    }

    /// What is wrong, said once.
    fn end(&mut self, block: &Block, why: String) -> Error {
        let seq = block.first.0.saturating_add(self.index.into());
        self.index = block.count.0;
        self.read = block.rows.0.len();
        Error::damaged(seq, why)
    }
}

/// Writes rows in order.
#[derive(Debug)]
pub(super) struct Pen {
    clock: Clock,
    gauges: Vec<Gauges>,
}

impl Pen {
    /// For a block without rows.
    pub(super) fn new(block: &Block) -> Self {
        Self {
            clock: Clock::new(block),
            gauges: Vec::new(),
        }
    }

    /// Adds a row; `subject` is one that was there, or the next.
    pub(super) fn write(&mut self, rows: &mut Vec<u8>, subject: usize, at: &At, probe: &Probe) {
        write_unsigned(rows, subject as u64);
        self.clock.write(rows, at);
        if subject == self.gauges.len() {
            self.gauges.push(Gauges::of(probe));
        }
        self.gauges[subject].write(rows, probe);
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

    fn read(&mut self, rows: &mut &[u8], block: &Block) -> Option<At> {
        let mono = read_signed(rows)?;
        let wall = read_signed(rows)?.wrapping_add(mono);
        self.mono_us = self.mono_us.wrapping_add(mono);
        self.wall_us = self.wall_us.wrapping_add(wall);
        Some(At {
            wall_us: self.wall_us.cast_signed(),
            mono_us: self.mono_us,
            boot: block.boot,
        })
    }
}

/// What changes from check to check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauges {
    pub latency: u64,
    pub offset: u64,
    pub keys: u64,
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

    /// The check of the same subject that shows these.
    pub(super) fn on(self, base: &Probe) -> Probe {
        let mut probe = base.clone();
        // What is read was checked to fit.
        probe.latency_us = self.latency as u32;
        if let Some(seen) = &mut probe.observation {
            seen.offset = self.offset.cast_signed();
            seen.keys = self.keys;
        }
        probe
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

    fn read(&mut self, rows: &mut &[u8], answered: bool) -> Option<()> {
        self.latency = self.latency.wrapping_add(read_signed(rows)?);
        u32::try_from(self.latency).ok()?;
        if answered {
            self.offset = self.offset.wrapping_add(read_signed(rows)?);
            self.keys = self.keys.wrapping_add(read_signed(rows)?);
        }
        Some(())
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
