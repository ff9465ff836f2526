//! One record at a time: what was known, which rows were tried, what was decided.

use super::Recovered;
use crate::machine::row::{Cond, Row, Trigger};
use crate::machine::table::TABLE;
use crate::machine::{self, State};
use crate::model::decision::Decision;
use crate::model::record::Record;

/// A record, and how the machine came to its decision.
#[derive(Debug, Clone)]
pub struct Step {
    /// The record.
    pub record: Record,
    /// What was known before it.
    pub before: Box<State>,
    /// What is known behind it.
    pub after: Box<State>,
    /// What the event meant to the table; `None` where it was only folded.
    pub trigger: Option<Trigger>,
    /// The rows of that trigger, up to the one that fired.
    pub tried: Vec<Tried>,
    /// What the machine decides today.
    pub decision: Decision,
}

/// A row that was looked at.
#[derive(Debug, Clone)]
pub struct Tried {
    /// It.
    pub row: &'static Row,
    /// It is for the role that the node had.
    pub is_for_role: bool,
    /// Its conditions, and whether each held.
    pub conditions: Vec<(Cond, bool)>,
    /// It fired.
    pub fired: bool,
}

/// Takes one record. `whole` is what the records before it come to.
pub fn step(whole: &mut Recovered, record: Record) -> Step {
    let state = whole.states.entry(record.instance.clone()).or_default();
    let before = Box::new(state.clone());
    let mut seen = None;
    let decision = machine::step_seen(
        state,
        record.seq,
        record.at,
        &record.event,
        |state, trigger| {
            seen = Some((trigger, tried(state, trigger)));
        },
    );
    let after = Box::new(state.clone());
    whole.next = record.seq.next();
    let (trigger, tried) = seen.map_or((None, Vec::new()), |(trigger, tried)| {
        (Some(trigger), tried)
    });
    Step {
        record,
        before,
        after,
        trigger,
        tried,
        decision,
    }
}

fn tried(state: &State, trigger: Trigger) -> Vec<Tried> {
    let mut tried = Vec::new();
    for row in TABLE.iter().filter(|row| row.on == trigger) {
        let fired = row.fires(state, trigger);
        tried.push(Tried {
            row,
            is_for_role: row.from.is_empty() || row.from.contains(&state.role),
            conditions: row
                .when
                .iter()
                .map(|cond| (*cond, cond.holds(state)))
                .collect(),
            fired,
        });
        if fired {
            break;
        }
    }
    tried
}
