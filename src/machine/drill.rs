//! Which drill runs here: it decides nothing, but incidents and alarms say so.

use serde::{Deserialize, Serialize};

use super::state::{Stamp, State, arm};
use crate::model::drill::Drill;
use crate::model::event::Deadline;

/// A drill that is not told to be over so long after its end is taken to be.
const GRACE_US: i64 = 60_000_000;

/// A drill that an operator runs on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// Which.
    pub drill: Drill,
    /// When everything is as before again, at the latest: wall time in microseconds.
    pub until_us: i64,
}

pub(super) fn began(state: &mut State, stamp: Stamp, drill: Drill, for_ms: u64) {
    let for_us = i64::try_from(for_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
    let until_us = stamp.at.wall_us.saturating_add(for_us);
    state.drill = Some(Drilled { drill, until_us });
    arm_end(state, stamp);
}

pub(super) fn ended(state: &mut State) {
    state.drill = None;
    state.deadlines.remove(&Deadline::DrillOver);
}

/// Its timer, as a pause's: the drill goes on while the agent is down.
pub(super) fn arm_end(state: &mut State, stamp: Stamp) {
    state.deadlines.remove(&Deadline::DrillOver);
    let Some(Drilled { until_us, .. }) = state.drill else {
        return;
    };
    let end_us = until_us.saturating_add(GRACE_US);
    let left_us = u64::try_from(end_us.saturating_sub(stamp.at.wall_us)).unwrap_or(0);
    arm(state, stamp, Deadline::DrillOver, left_us.div_ceil(1000));
}
