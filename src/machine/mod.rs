//! Decides. Never sleeps, reads a clock, logs, fails, or touches the world.
//!
//! [`step`] folds one event into the [`State`] of one instance and answers with a
//! [`Decision`]. The same state and the same event give the same decision, always: that is what
//! `rha replay` checks. What is decided stands in one place, the [`table`]:
//!
//! ```text
//!  Event ──observe──> facts in State + Trigger ──table──> Row ──apply──> Decision
//! ```
//!
//! The duties of the caller, in this order: stamp the event, `step`, append the record, flush, and
//! only then carry out the effects; every effect's outcome comes back as an event.

mod alarm;
mod apply;
mod checks;
mod drill;
mod due;
mod flap;
pub mod gate;
pub mod guard;
mod health;
pub mod lineage;
mod observe;
mod outcome;
pub mod quorum;
mod rank;
mod rescue;
pub mod row;
mod state;
pub mod switchover;
pub mod table;
mod tilt;
mod watch;

pub use alarm::Ack;
pub use drill::Drilled;
pub use flap::Flaps;
pub use health::Health;
pub use health::Status;
pub use state::{Armed, Incident, OrderKind, Pause, Peer, State, Switchover};
pub use tilt::Tilted;

use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::time::At;

/// Version of the rules. Grows whenever the table, a guard or an order changes what is decided, so
/// that a replay can tell "the logic changed" from "not deterministic".
pub const RULESET: u16 = 3;

/// Folds `event` into `state` and decides. `seq` names the record that the decision will be.
pub fn step(state: &mut State, seq: Seq, at: At, event: &Event) -> Decision {
    step_seen(state, seq, at, event, |_, _| ())
}

/// [`step`], with a look at what is known when the table is asked, and by which trigger.
pub fn step_seen(
    state: &mut State,
    seq: Seq,
    at: At,
    event: &Event,
    seen: impl FnOnce(&State, row::Trigger),
) -> Decision {
    let stamp = state::Stamp { seq, at };
    let led = quorum::may_lead(state);
    quorum::expire(state, stamp);
    let observed = observe::observe(state, stamp, event);
    let trigger = quorum::changed(state, led, event).or(observed.trigger);
    let mut draft = apply::Draft::new(stamp);
    draft.notes.extend(observed.note);
    draft.detail = observed.detail;
    if state.live {
        if let Some(trigger) = trigger {
            seen(state, trigger);
            let row = table::find(state, trigger);
            apply::apply(state, row, &mut draft);
        }
        alarm::keep_true(state, &mut draft);
        quorum::keep(state, &mut draft);
        apply::settle(state, &mut draft);
        watch::watch(state, stamp);
    }
    draft.into_decision()
}

/// [`step`], and the incident that the record belongs to.
pub fn judge(state: &mut State, seq: Seq, at: At, event: &Event) -> (Decision, Option<IncidentId>) {
    let id = |state: &State| state.incident.as_ref().map(|incident| incident.id);
    let before = id(state);
    let decision = step(state, seq, at, event);
    (decision, id(state).or(before))
}

/// [`judge`], and the record that comes of it. The agent builds its records here.
pub fn decide(
    state: &mut State,
    seq: Seq,
    at: At,
    instance: &str,
    cause: Option<Seq>,
    event: Event,
) -> Record {
    let (decision, incident) = judge(state, seq, at, &event);
    Record {
        seq,
        at,
        instance: instance.to_owned(),
        cause,
        ruleset: RULESET,
        incident,
        event,
        decision,
    }
}

#[cfg(test)]
mod tests;
