//! What the journals at hand cannot tell: whose is missing, and which times they say nothing of.

use super::{Agreement, Alignment, Journal};
use crate::views::rfc3339;

/// The other nodes whose journals are not here.
pub(super) fn absent(journals: &[Journal]) -> Vec<&str> {
    let mut absent: Vec<&str> = Vec::new();
    for peer in journals
        .iter()
        .flat_map(|journal| &journal.settings().peers)
    {
        let is_here = journals.iter().any(|journal| journal.node == *peer);
        if !is_here && !absent.contains(&peer.as_str()) {
            absent.push(peer);
        }
    }
    absent
}

/// A node is checked every second: where its journal says nothing for longer, nobody wrote it.
const SILENCE_US: i64 = 5_000_000;
/// The last check of one that ends in time is not older than this.
const EDGE_US: i64 = 2_000_000;

/// Parts of the incident that a journal says nothing of, in sentences.
pub(super) fn gaps(journals: &[Journal], from_us: i64, to_us: i64) -> Vec<String> {
    let mut found = Vec::new();
    for journal in journals {
        let times = journal.records.iter().map(|record| record.at.wall_us);
        let (first, last) = (times.clone().min(), times.clone().max());
        if first.is_none_or(|first| first > from_us) {
            found.push(format!(
                "What {} did at the beginning: its records begin later.",
                journal.node
            ));
        }
        if last.is_none_or(|last| last < to_us - EDGE_US) {
            found.push(format!(
                "What {} did in the end: its records end before.",
                journal.node
            ));
        }
        let mut before = None;
        for at in times.filter(|at| (from_us - SILENCE_US..=to_us + SILENCE_US).contains(at)) {
            if before.is_some_and(|before| at - before > SILENCE_US) {
                found.push(format!(
                    "What {} did from {} on, for {} s: it has no records of that.",
                    journal.node,
                    before.map(rfc3339).unwrap_or_default(),
                    (at - before.unwrap_or(at)) / 1_000_000
                ));
            }
            before = Some(at);
        }
    }
    found
}

/// What these journals leave open, in sentences.
pub(super) fn list(journals: &[Journal], clocks: &[Option<Alignment>]) -> Vec<String> {
    let mut unknown = Vec::new();
    for peer in absent(journals) {
        unknown.push(format!(
            "What {peer} decided, and how long it served: its journal is not here (--with {peer}.rha)."
        ));
    }
    for (journal, clock) in journals.iter().zip(clocks) {
        if clock
            .as_ref()
            .is_some_and(|clock| clock.agreement == Agreement::Unknown)
        {
            unknown.push(format!(
                "How far the clock of {} was apart: there is nothing that both nodes saw.",
                journal.node
            ));
        }
    }
    unknown.push(
        "What clients saw: acknowledged writes are counted by nobody. The loss is a bound, from offsets and times."
            .to_owned(),
    );
    unknown
}
