//! Where the spool may be damaged, and by whom.

use std::collections::BTreeSet;

use rha::model::event::Event;
use rha::model::record::Record;
use rha::model::vrrp::SpoolPosition;

use crate::load::Writer;

/// A write to a file ends between two pages, if anywhere, when its process is killed.
const PAGE: u64 = 4096;

/// What was torn off the spool.
#[derive(Debug, Clone, Default)]
pub struct TornSpool {
    /// Number of the segment.
    pub segment: u64,
    /// Where it ends since.
    pub end: u64,
    /// The lines that are not whole any more.
    pub lines: Vec<(Writer, String)>,
}

/// Why a `SpoolDamaged` is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A writer was killed in the middle of a write.
    CutShort,
    /// It was torn.
    Torn {
        /// What was left of a line was passed over; else the agent had been behind it.
        passed_over: bool,
    },
    /// Nobody has damaged this.
    Unexplained(String),
}

/// Where the spool of a world may be damaged.
#[derive(Default)]
pub struct Places {
    torn: BTreeSet<(u64, u64)>,
    /// How many writers were killed so far.
    killed: u64,
}

impl Places {
    /// So many more writers were killed, and this was torn.
    pub fn note(&mut self, killed: u64, torn: Option<&TornSpool>) {
        self.killed += killed;
        self.torn.extend(torn.into_iter().flat_map(ends));
    }

    /// As [`explain`], for a spool that was read again, maybe from its beginning.
    pub fn explain_again(&self, records: &[Record]) -> Vec<Damage> {
        blame(records, self.killed, self.torn.clone())
    }
}

/// Explains each damage in a round's records: at most one for each writer that was killed in it, and one for the
/// tear.
pub fn explain(records: &[Record], killed: u64, torn: Option<&TornSpool>) -> Vec<Damage> {
    blame(records, killed, torn.into_iter().flat_map(ends).collect())
}

fn blame(records: &[Record], mut killed: u64, mut torn: BTreeSet<(u64, u64)>) -> Vec<Damage> {
    let why = |(place, passed): (SpoolPosition, u64)| {
        let SpoolPosition { segment, offset } = place;
        if torn.contains(&(segment, offset)) {
            torn.retain(|(of, end)| *of != segment || end.abs_diff(offset) > 1);
            let passed_over = passed > 0;
            return Damage::Torn { passed_over };
        }
        // The next writer's newline ends what is left of the line.
        if killed > 0 && passed > 0 && offset % PAGE == 1 {
            killed -= 1;
            return Damage::CutShort;
        }
        Damage::Unexplained(format!("{segment}:{offset}, {passed} bytes"))
    };
    damages(records).map(why).collect()
}

/// An agent that had read further goes on at the end; one that had not passes over the newline that the next writer
/// puts there, too.
fn ends(torn: &TornSpool) -> [(u64, u64); 2] {
    [(torn.segment, torn.end), (torn.segment, torn.end + 1)]
}

fn damages(records: &[Record]) -> impl Iterator<Item = (SpoolPosition, u64)> {
    records.iter().filter_map(|record| match record.event {
        Event::SpoolDamaged {
            spool,
            skipped_bytes,
        } => Some((spool, skipped_bytes)),
        _ => None,
    })
}
