//! The promotion gate: what must be true before Redis is promoted.

use super::flap::{self, FLAP_BUDGET};
use super::guard::follows_itself;
use super::health::Status;
use super::lineage;
use super::quorum;
use super::state::State;
use super::tilt::NOT_TILTED;
use crate::model::redis::Grade;

/// A guard of the promotion gate: name, sentence, and whether it lets the promotion through.
pub struct GateGuard {
    /// The name that a blocked promotion is recorded with.
    pub name: &'static str,
    /// What it asks for.
    pub asks: &'static str,
    passes: fn(&State) -> bool,
}

/// The guard that waits for the last primary.
pub(super) const LINEAGE_INTACT: &str = "lineage-intact";

/// The promotion gate, in the order in which it is asked. The first that says no is recorded.
pub const GATE: [GateGuard; 10] = [
    GateGuard {
        name: "not-paused",
        asks: "no operator has paused automatic actions",
        passes: |state| state.paused.is_none(),
    },
    GateGuard {
        name: NOT_TILTED,
        asks: "after a clock jump or a stall of the agent, Redis and the other nodes were looked at anew",
        passes: |state| state.tilted.is_none(),
    },
    GateGuard {
        name: "redis-ready",
        asks: "Redis is up and its last check was answered",
        passes: |state| {
            let settled = state
                .grade
                .is_some_and(|g| g.is_ready() || g == Grade::Loading);
            settled && state.health.status == Status::Up
        },
    },
    GateGuard {
        name: "not-loading",
        asks: "Redis is not reading its data set from disk",
        passes: |state| {
            state.grade != Some(Grade::Loading)
                && !state.redis.as_ref().is_some_and(|seen| seen.loading)
        },
    },
    GateGuard {
        name: "no-sync-in-progress",
        asks: "Redis is not in the middle of receiving a data set: promoted then, it would be empty",
        passes: |state| {
            !state
                .redis
                .as_ref()
                .is_some_and(|seen| seen.sync_in_progress)
        },
    },
    GateGuard {
        name: "copy-complete",
        asks: "Redis has not lost its primary in the middle of receiving a data set",
        passes: |state| state.partial.is_none(),
    },
    GateGuard {
        name: LINEAGE_INTACT,
        asks: "the copy here is as new as what the last primary had, or nothing better can come back",
        passes: lineage::is_newest,
    },
    GateGuard {
        name: "not-following-itself",
        asks: "Redis was not told to follow its own address",
        passes: |state| !follows_itself(state),
    },
    GateGuard {
        name: FLAP_BUDGET,
        asks: "this node was not promoted too often lately, or no other one could serve",
        passes: flap::passes,
    },
    // The last: what else is missing here is not asked of others.
    GateGuard {
        name: quorum::QUORUM,
        asks: "this node has the right to lead: the votes that are needed, where any are",
        passes: quorum::may_lead,
    },
];

/// The name of the first guard that shuts the promotion gate.
#[must_use]
pub fn gate_blocker(state: &State) -> Option<&'static str> {
    GATE.iter()
        .find(|guard| !(guard.passes)(state))
        .map(|guard| guard.name)
}
