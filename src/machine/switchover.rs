//! A planned switchover: what must be so before anything is touched, and to whom.

use super::state::{Peer, State};
use super::tilt::NOT_TILTED;
use crate::model::redis::{Grade, Observation, RedisRole, Sign};
use crate::model::role::Role;

/// One thing that must be so.
pub struct Check {
    /// Its name, as it is recorded.
    pub name: &'static str,
    /// What it asks for.
    pub asks: &'static str,
    passes: fn(&State, Option<&Peer>) -> bool,
}

/// What must be so, in the order in which it is asked.
pub const CHECKS: [Check; 11] = [
    Check {
        name: "not-paused",
        asks: "no operator has paused automatic actions",
        passes: |state, _| state.paused.is_none(),
    },
    Check {
        name: NOT_TILTED,
        asks: "after a clock jump or a stall of the agent, the other nodes were looked at anew",
        passes: |state, _| state.tilted.is_none(),
    },
    Check {
        name: "primary-here",
        asks: "this node is primary and has the VIP",
        passes: |state, _| state.role == Role::Primary && state.is_vrrp_master(),
    },
    Check {
        name: "redis-is-master",
        asks: "Redis here takes writes and answers",
        passes: |state, _| {
            state.grade.is_some_and(|grade| grade.is_ready())
                && state.redis_role() == Some(RedisRole::Master)
        },
    },
    Check {
        name: "keepalived-runs",
        asks: "keepalived is not known to be down here",
        passes: |state, _| state.keepalived != Some(false),
    },
    Check {
        name: "nothing-under-way",
        asks: "no other order to Redis and no other switchover is under way",
        passes: |state, _| state.switchover.is_none() && state.orders.is_empty(),
    },
    Check {
        name: "target-is-next",
        asks: "the other node is the one that VRRP gives the VIP to: the highest priority of those whose Redis runs",
        passes: |_, peer| peer.is_some(),
    },
    Check {
        name: "target-answers",
        asks: "the other node's Redis answers",
        passes: |_, peer| peer.is_some_and(Peer::answers),
    },
    Check {
        name: "target-not-paused",
        asks: "the other node's agent is not paused: it would not promote",
        passes: |_, peer| peer.is_some_and(|peer| peer.sign != Some(Sign::Paused)),
    },
    Check {
        name: "target-follows",
        asks: "the other node's Redis is a replica of this one, with a live link and a whole copy",
        passes: |state, peer| {
            let seen = peer.and_then(|peer| peer.observation.as_ref());
            seen.is_some_and(|seen| follows(state, seen))
        },
    },
    Check {
        name: "no-other-primary",
        asks: "no other node's Redis takes writes",
        passes: |state, _| !state.peer_serves(),
    },
];

/// Each check by its name, what it asks, and whether it holds, for a switchover to `to` or to whom VRRP chooses.
#[must_use]
pub fn checks(state: &State, to: Option<&str>) -> Vec<(&'static str, &'static str, bool)> {
    let peer = target(state, to).and_then(|name| state.peers.get(name));
    CHECKS
        .iter()
        .map(|check| (check.name, check.asks, (check.passes)(state, peer)))
        .collect()
}

/// The name of the first check that says no.
pub(super) fn obstacle(state: &State, to: Option<&str>) -> Option<&'static str> {
    let failed = checks(state, to).into_iter().find(|(_, _, passes)| !passes);
    failed.map(|(name, ..)| name)
}

/// The node that would take the VIP, unless another one is wanted: of those whose Redis is not known to be down, the one
/// of highest priority.
pub(super) fn target<'a>(state: &'a State, to: Option<&str>) -> Option<&'a str> {
    let is_there = |name: &&String| {
        let grade = state.peers.get(*name).and_then(|peer| peer.grade);
        grade != Some(Grade::Refused)
    };
    let peers = &state.settings.peers;
    let next = peers.iter().find(is_there).or(peers.first())?;
    to.is_none_or(|to| to == next).then_some(next.as_str())
}

/// Another node's Redis answers, and follows this one with a whole copy.
pub(super) fn is_followed(state: &State) -> bool {
    let mut seen = state.peers.values().filter(|peer| peer.answers());
    seen.any(|peer| {
        peer.observation
            .as_ref()
            .is_some_and(|seen| follows(state, seen))
    })
}

fn follows(state: &State, seen: &Observation) -> bool {
    let own = state.redis.as_ref().map(|own| own.replid);
    seen.role == RedisRole::Replica
        && seen.link_up
        && !seen.loading
        && !seen.sync_in_progress
        && own == Some(seen.replid)
}
