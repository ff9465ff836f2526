//! Tilt, as Sentinel calls it: after a clock jump, or when the agent itself stood still, what was known is old. So it looks
//! before it acts: nothing is promoted until Redis here and every other node were looked at anew, or the time for that is over.
//! What is safe at any time (to demote, to tell keepalived of a Redis that ended) goes on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::observe::Observed;
use super::row::Trigger;
use super::state::{Stamp, State, arm};
use crate::model::event::Deadline;
use crate::model::time::Tilt;

/// The name of the guard of the promotion gate.
pub(super) const NOT_TILTED: &str = "not-tilted";

/// A clock that jumps again within so many times the longest tilt is not steady, and is not waited for: else one that jumps
/// for ever would keep counters from counting, and the gate shut.
const STEADY: u64 = 10;

/// Nothing is promoted for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tilted {
    /// What was noticed.
    pub why: Tilt,
    /// Since when, in microseconds of the boot's monotonic clock.
    pub since_us: u64,
    /// Redis here has not been looked at since.
    pub here: bool,
    /// Nor have these nodes.
    pub others: BTreeSet<String>,
}

/// The clocks or the agent did not go on evenly.
pub(super) fn begin(state: &mut State, stamp: Stamp, why: Tilt, by_ms: i64) -> Observed {
    let (tilt_ms, now_us) = (state.settings.tilt_ms, stamp.at.mono_us);
    if tilt_ms == 0 {
        return Observed::noticed("tilt is switched off");
    }
    let unsteady_us = tilt_ms.saturating_mul(1000 * STEADY);
    let last_us = state.tilted_last_us;
    if why == Tilt::ClockJump && last_us.is_some_and(|last| now_us - last.min(now_us) < unsteady_us)
    {
        return Observed::noticed("the clock is not steady: nothing waits for it");
    }
    forget(state);
    if why == Tilt::Stall {
        put_off(state, u64::try_from(by_ms).unwrap_or(0));
    }
    state.tilted_last_us = Some(now_us);
    state.tilted = Some(Tilted {
        why,
        since_us: now_us,
        here: true,
        others: state.settings.peers.iter().cloned().collect(),
    });
    arm(state, stamp, Deadline::TiltOver, tilt_ms);
    Trigger::Tilted.into()
}

/// A check ended. False of one that began before the tilt: it tells of the time before, or of the stall itself.
pub(super) fn is_of_now(state: &mut State, stamp: Stamp, peer: Option<&str>, took_us: u32) -> bool {
    let Some(tilted) = &mut state.tilted else {
        return true;
    };
    if stamp.at.mono_us.saturating_sub(took_us.into()) < tilted.since_us {
        return false;
    }
    let is_over = |tilted: &Tilted| !tilted.here && tilted.others.is_empty();
    let was_over = is_over(tilted);
    match peer {
        Some(name) => {
            tilted.others.remove(name);
        }
        None => tilted.here = false,
    }
    // Once: checks that come before the timer rings change nothing.
    if is_over(tilted) && !was_over {
        arm(state, stamp, Deadline::TiltOver, 0);
    }
    true
}

/// Checks in a row are such no more, and nobody is known to answer. What they said last is kept: it is what there is.
fn forget(state: &mut State) {
    state.health.good = 0;
    state.health.bad = 0;
    state.drift = 0;
    state.grade = None;
    for peer in state.peers.values_mut() {
        peer.grade = None;
        peer.bad = 0;
        peer.outranks = 0;
    }
}

/// Time in which nothing was looked at does not count for what was waited for. A pause ends when it was said to.
fn put_off(state: &mut State, by_ms: u64) {
    for (deadline, armed) in &mut state.deadlines {
        if !matches!(deadline, Deadline::PauseExpiry | Deadline::Repeat) {
            armed.due_us = armed.due_us.saturating_add(by_ms.saturating_mul(1000));
        }
    }
}
