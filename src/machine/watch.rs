//! Timers that run as long as something is so, whatever event made it so.

use super::alarm::is_out;
use super::guard::Guard;
use super::state::{Stamp, State, arm};
use crate::model::alarm::AlarmKind;
use crate::model::event::Deadline;
use crate::model::role::Role;

/// Arms what has become so, and stops what is so no longer.
pub(super) fn watch(state: &mut State, stamp: Stamp) {
    let settings = &state.settings;
    let (reconcile_ms, unserved_ms) = (settings.reconcile_ms, settings.unserved_ms);
    // keepalived moves the VIP before it says so, and either may be late: a disagreement counts only if it lasts.
    // A VIP that was never seen here may be on an interface that is not looked at: then the line counts.
    let disagree = match (state.vip_here, state.is_vrrp_master()) {
        (true, false) => !state.vip_is_contested(),
        (false, true) => state.moved,
        (true, true) | (false, false) => false,
    };
    run(state, stamp, Deadline::Reconcile, disagree, reconcile_ms);
    let conflicts = is_conflict(state) && !is_out(state, AlarmKind::TwoPrimaries);
    run(state, stamp, Deadline::Conflict, conflicts, unserved_ms);
    if state.role == Role::Primary && !Guard::Lonely.holds(state) {
        state.deadlines.remove(&Deadline::Redundancy);
    }
    // In Fault the rows of the table say when.
    if state.role != Role::Fault {
        let unserved = is_unserved(state);
        run(state, stamp, Deadline::Unserved, unserved, unserved_ms);
    }
}

fn run(state: &mut State, stamp: Stamp, deadline: Deadline, is_so: bool, in_ms: u64) {
    if !is_so {
        state.deadlines.remove(&deadline);
    } else if !state.deadlines.contains_key(&deadline) {
        arm(state, stamp, deadline, in_ms);
    }
}

fn is_conflict(state: &State) -> bool {
    state.vip_is_contested() || (state.role == Role::Primary && state.peer_serves_now())
}

/// Somebody has served before, nobody is seen to now, and nothing is on its way. A node that may not promote is
/// asked again whether another one could.
fn is_unserved(state: &State) -> bool {
    if state.paused.is_some() || !state.has_been_served() {
        return false;
    }
    match state.role {
        Role::Held => Guard::CandidateElsewhere.holds(state),
        Role::Undecided | Role::Replica | Role::Demoting | Role::Stopped => {
            !state.peer_serves() && !is_out(state, AlarmKind::Unserved)
        }
        Role::Promoting | Role::Primary | Role::Fenced | Role::Fault => false,
    }
}
