//! What the health checks of the local Redis and of the others say.

use std::cmp::Ordering;

use super::guard::{Guard, is_following};
use super::health::Change;
use super::lineage;
use super::observe::Observed;
use super::quorum;
use super::rank::{all_have_followed, is_outranked, is_outranked_by_more};
use super::row::Trigger;
use super::state::{Peer, Stamp, State};
use crate::model::redis::{Grade, Observation, Probe, RedisId, RedisRole};
use crate::model::role::Role;

/// Redis answers as this process. True if it is another one than before: it has what it found on its disk.
pub(super) fn answers_as(state: &mut State, run_id: RedisId) -> bool {
    let restarted = state
        .run_id
        .replace(run_id)
        .is_some_and(|known| known != run_id);
    if restarted {
        state.partial = None;
        lineage::restarted(state);
    }
    restarted
}

/// The process ended, or another one answers in its place: either way its data set may be new.
pub(super) fn gone(state: &mut State) -> Observed {
    lineage::restarted(state);
    if state.health.exit() {
        Trigger::RedisExited.into()
    } else {
        Observed::default()
    }
}

/// A check of the local Redis.
pub(super) fn probed(state: &mut State, probe: &Probe) -> Observed {
    let restarted = probe
        .observation
        .as_ref()
        .is_some_and(|seen| answers_as(state, seen.run_id));
    let had = state.replicas_online();
    let last_grade = state.grade.replace(probe.grade);
    if let Some(seen) = &probe.observation {
        state.redis = Some(seen.clone());
        if restarted && state.is_up() {
            return gone(state);
        }
        let began = state.partial;
        state.partial = partial(began, seen);
        // A synchronisation that has ended well was a link, whether or not that was seen.
        let has_synced = began.is_some() && state.partial.is_none();
        let was_linked = seen.role == RedisRole::Replica && (seen.link_up || has_synced);
        state.linked_once |= was_linked;
        lineage::seen_here(state, was_linked);
    }
    if !state.live && probe.grade == Grade::Refused {
        // Whatever ran before the agent started runs no longer: that is an exit, not a bad check.
        return gone(state);
    }
    match state.health.count(probe, &state.settings) {
        Change::Rose => return Trigger::RedisRose.into(),
        Change::Fell => return Trigger::RedisFell.into(),
        Change::None => {}
    }
    if last_grade != Some(probe.grade) {
        match probe.grade {
            Grade::Auth => return Trigger::AuthRefused.into(),
            Grade::Misconf => return Trigger::Misconfigured.into(),
            _ => {}
        }
    }
    if has_drifted(state, probe) {
        return Trigger::RoleDrifted.into();
    }
    if state.role != Role::Primary {
        return Trigger::Checked.into();
    }
    if probe.observation.is_some() && is_outranked_by_more(state) {
        return Trigger::Outranked.into();
    }
    match state.replicas_online().cmp(&had) {
        Ordering::Greater => Trigger::ReplicaAttached.into(),
        Ordering::Less => Trigger::ReplicaLost.into(),
        Ordering::Equal if is_to_settle(state) => Trigger::ReplicaAttached.into(),
        Ordering::Equal => Trigger::Checked.into(),
    }
}

/// A primary that has all the others as its replicas, at the latest now.
fn is_to_settle(state: &State) -> bool {
    state.role == Role::Primary && state.awaits_replica() && all_have_followed(state)
}

/// Redis has had another role, or another master, than decided for `fall` checks.
fn has_drifted(state: &mut State, probe: &Probe) -> bool {
    // While it is paused, operators may do as they like; the review at its end looks again.
    let decides = state.live && state.is_up() && state.paused.is_none();
    let Some(seen) = probe.observation.as_ref().filter(|_| decides) else {
        state.drift = 0;
        return false;
    };
    let wrong = match state.expected_role() {
        None => false,
        Some(RedisRole::Master) => seen.role == RedisRole::Replica,
        Some(RedisRole::Replica) => !is_following(state, seen),
    };
    state.drift = if wrong {
        state.drift + u16::from(probe.paced)
    } else {
        0
    };
    // A second master is no matter of patience: the other one would give way to it.
    let is_second = wrong && seen.role == RedisRole::Master;
    let drifted = is_second || state.drift >= state.settings.fall.max(1);
    if drifted {
        state.drift = 0;
    }
    drifted
}

/// Where a synchronisation began that has not been seen to end well. Redis takes the replication id of its master, and
/// a place in that stream, when it has all of it.
fn partial(before: Option<(RedisId, i64)>, seen: &Observation) -> Option<(RedisId, i64)> {
    let place = (seen.replid, seen.offset);
    if seen.role == RedisRole::Master || seen.link_up {
        None
    } else if seen.sync_in_progress {
        before.or(Some(place))
    } else {
        before.filter(|began| *began == place)
    }
}

/// Who stands aside does so until the adverts of the primary are heard, or there is none.
pub(super) fn come_back(state: &mut State) {
    // Twice: what is heard here, keepalived does not take. Then only the other's end counts.
    let heard = |peer: &Peer| peer.serves && peer.advertises && state.asides < 2;
    state.aside &= state.peer_serves() && !state.peers.values().any(heard);
}

/// A check of another node's Redis.
pub(super) fn peer_probed(state: &mut State, stamp: Stamp, name: &str, probe: &Probe) -> Observed {
    let fall = state.settings.fall.max(1);
    // It was so when it was asked, at the latest.
    let asked_us = stamp.at.mono_us.saturating_sub(probe.latency_us.into());
    let seen = probe.observation.as_ref();
    let vouched = quorum::vouched(state.redis.as_ref(), probe.grade, seen, asked_us);
    let is_silent = seen.is_none() && probe.grade != Grade::Refused;
    let own = state.redis.as_ref().map(|own| own.replid);
    let peer = match state.peers.get_mut(name) {
        Some(peer) => peer,
        None => state.peers.entry(name.to_owned()).or_default(),
    };
    let served = peer.serves;
    // Who does not answer follows as long as it was seen to; one that answers otherwise does so no more.
    peer.vouched = vouched.or(peer.vouched.filter(|_| is_silent));
    peer.grade = Some(probe.grade);
    if let Some(seen) = &probe.observation {
        peer.bad = 0;
        peer.serves = seen.role == RedisRole::Master;
        if seen.role == RedisRole::Replica && seen.link_up && own == Some(seen.replid) {
            peer.follower = Some(seen.run_id);
        }
        peer.observation = Some(seen.clone());
    } else if matches!(
        probe.grade,
        Grade::Timeout | Grade::Unreachable | Grade::Refused | Grade::Garbage
    ) {
        peer.bad = peer.bad.saturating_add(1).min(fall);
        peer.serves &= peer.bad < fall && probe.grade != Grade::Refused;
    } else {
        // It lives, and does not let us see more.
        peer.bad = 0;
    }
    let serves = peer.serves;
    lineage::seen_there(state, name);
    come_back(state);
    if is_outranked(state, name) {
        return Trigger::Outranked.into();
    }
    let acts = !Guard::Paused.holds(state) && !Guard::RetryArmed.holds(state);
    if state.role == Role::Primary && acts && Guard::GuardedInVain.holds(state) {
        return Trigger::GuardMoot.into();
    }
    match (served, serves) {
        (true, false) => Trigger::PeerLost.into(),
        (false, true) => Trigger::PeerServes.into(),
        // An idle Redis takes up to ten seconds to tell of its replica; the replica knows at once.
        _ if is_to_settle(state) => Trigger::ReplicaAttached.into(),
        _ => Observed::default(),
    }
}
