//! Timers that run as long as something is so, whatever event made it so.

use super::alarm::is_out;
use super::flap;
use super::guard::Guard;
use super::lineage;
use super::quorum::{self, OwnVote};
use super::rank;
use super::state::{Stamp, State, arm};
use crate::model::alarm::AlarmKind;
use crate::model::event::Deadline;
use crate::model::redis::{Grade, Sign};
use crate::model::role::Role;

/// Arms what has become so, and stops what is so no longer.
pub(super) fn watch(state: &mut State, stamp: Stamp) {
    let settings = &state.settings;
    let (reconcile_ms, unserved_ms) = (settings.reconcile_ms, settings.unserved_ms);
    let last_primary_ms = settings.last_primary_ms;
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
    run(
        state,
        stamp,
        Deadline::Apart,
        is_apart(state),
        2 * unserved_ms,
    );
    if let Some(waits) = waits_for_last_primary(state) {
        run(state, stamp, Deadline::LastPrimary, waits, last_primary_ms);
    }
    let held_back = flap::holds_back(state);
    run(state, stamp, Deadline::FlapWait, held_back, unserved_ms);
    watch_lead(state, stamp);
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

/// How long the voters are left to themselves before this node takes its own vote back: who serves no more says so at once.
const WITHDRAW_MS: u64 = 300;

fn watch_lead(state: &mut State, stamp: Stamp) {
    let Some(ttl_ms) = state.settings.quorum.as_ref().map(|quorum| quorum.ttl_ms) else {
        return;
    };
    let is_said = is_out(state, AlarmKind::PromotionHeld) && !state.peer_serves_now();
    let waits = state.role == Role::Held && quorum::is_waited_for(state) && !is_said;
    let unheld = quorum::is_unheld(state);
    let in_ms = if unheld { ttl_ms } else { 2 * ttl_ms };
    let would_return = state.role == Role::Fenced
        && rank::has_more_than_primary(state)
        && !(quorum::is_in_sight(state) && state.sign() == Sign::Returns);
    let is_so = unheld || waits || would_return;
    run(state, stamp, Deadline::Lead, is_so, in_ms);
    if state.lead.own != OwnVote::Withdrawn {
        let is_so = quorum::is_to_withdraw(state);
        run(state, stamp, Deadline::OwnVote, is_so, WITHDRAW_MS);
    }
    quorum::watch(state, stamp);
}

fn is_conflict(state: &State) -> bool {
    // A MASTER line without the VIP, whatever the role, was one that is not true if another node serves.
    let is_hollow = state.is_vrrp_master() && !state.vip_here;
    let claims = state.role == Role::Primary || is_hollow;
    state.vip_is_contested() || (claims && state.peer_serves_now())
}

/// A better copy is waited for: the VIP is here, or was handed on for want of one. `None` on the way from the one to the
/// other, where the wait goes on if it has begun.
fn waits_for_last_primary(state: &State) -> Option<bool> {
    let wanted = state.settings.prefer_availability
        && state.is_up()
        && !state.peer_serves()
        && !lineage::is_newest(state);
    match state.role {
        Role::Held => Some(wanted),
        Role::Fault => Some(wanted && state.eligible == Some(false)),
        Role::Demoting | Role::Replica if wanted => None,
        _ => Some(false),
    }
}

/// The link of the copy here is down, and somebody may go on without it. Where the last primary's host says that no Redis
/// is there, nobody does.
fn is_apart(state: &State) -> bool {
    let Some(seen) = state.redis.as_ref().filter(|_| state.linked_once) else {
        return false;
    };
    let refuses = |name: &String| {
        let peer = state.peers.get(name);
        peer.is_some_and(|peer| peer.grade == Some(Grade::Refused))
    };
    let holder = state
        .newest
        .as_ref()
        .and_then(|newest| newest.holder.as_ref());
    let refuses = holder.is_some_and(refuses) || state.settings.peers.iter().all(refuses);
    let leads = matches!(state.role, Role::Primary | Role::Promoting | Role::Held);
    !leads && !seen.link_up && state.behind.is_none() && !refuses
}

/// Somebody has served before, nobody is seen to now, and nothing is on its way. A node that may not promote is
/// asked again whether another one could.
fn is_unserved(state: &State) -> bool {
    if state.paused.is_some() || !state.has_been_served() {
        return false;
    }
    match state.role {
        Role::Held if flap::holds_back(state) => false,
        Role::Held => {
            let is_open = !Guard::CopyOlder.holds(state) || Guard::CopyUnlike.holds(state);
            Guard::CandidateElsewhere.holds(state) && is_open
        }
        Role::Undecided | Role::Replica | Role::Demoting | Role::Stopped => {
            let is_said = [AlarmKind::Unserved, AlarmKind::PromotionHeld];
            !state.peer_serves() && !is_said.iter().any(|kind| is_out(state, *kind))
        }
        Role::Promoting | Role::Primary | Role::Fenced | Role::Fault => false,
    }
}
