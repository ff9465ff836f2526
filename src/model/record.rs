//! One journal entry: an event, what was decided about it, and when.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::decision::Decision;
use super::event::Event;
use super::time::At;

/// Place in the journal: 1, 2, 3 … without a hole. The only order that counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// The first number of decisions that could not be recorded: no journal gets so far. Their orders, incidents
    /// and alarms are named like all others, and by no other's name.
    pub const UNRECORDED: Self = Self(1 << 62);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.checked_sub(Self::UNRECORDED.0) {
            Some(number) => write!(f, "unrecorded-{number}"),
            None => self.0.fmt(f),
        }
    }
}

/// An incident is named by the record that opened it.
pub type IncidentId = Seq;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// When it was decided. The event may carry an earlier time of its own.
    pub at: At,
    /// The instance that it concerns; empty for the whole node.
    pub instance: String,
    /// The record that led to this one: the order behind an outcome, the arming behind a deadline.
    pub cause: Option<Seq>,
    /// Version of the rules that decided.
    pub ruleset: u16,
    /// The incident that was open when it was decided, or that it opened.
    pub incident: Option<IncidentId>,
    /// What happened.
    pub event: Event,
    /// What was decided about it.
    pub decision: Decision,
}
