//! Anti-flap: a node that was promoted too often of its own accord is not promoted at once again.
//!
//! Whoever has the VIP and does not serve leaves nobody who serves, so the budget only ever makes a node wait, for a bounded
//! time, and only while another node's Redis lives, which may take over. The VIP stays meanwhile: to hand it on would be one
//! more move, to a node that may have spent its budget as well.

use serde::{Deserialize, Serialize};

use super::gate::gate_blocker;
use super::state::{Peer, Stamp, State};
use crate::model::role::Role;

/// The name of the guard of the promotion gate.
pub(super) const FLAP_BUDGET: &str = "flap-budget";

/// What has been used up of the budget.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flaps {
    /// When this node was promoted of its own accord, within the window: microseconds of the boot's monotonic clock, at most
    /// as many as the budget has.
    pub promotions_us: Vec<u64>,
    /// It has waited, and nobody else serves.
    pub waited: bool,
}

/// One more promotion.
pub(super) fn count(state: &mut State, stamp: Stamp) {
    let most = usize::from(state.settings.max_promotions);
    let promotions = &mut state.flaps.promotions_us;
    promotions.push(stamp.at.mono_us);
    let surplus = promotions.len().saturating_sub(most);
    promotions.drain(..surplus);
}

/// Forgets what is older than the window.
pub(super) fn prune(state: &mut State, stamp: Stamp) {
    let window_us = state.settings.promotions_window_ms.saturating_mul(1000);
    let now_us = stamp.at.mono_us;
    let promotions = &mut state.flaps.promotions_us;
    promotions.retain(|at_us| now_us.saturating_sub(*at_us) < window_us);
}

/// The budget is used up.
#[must_use]
pub fn is_spent(state: &State) -> bool {
    let most = usize::from(state.settings.max_promotions);
    most > 0 && state.flaps.promotions_us.len() >= most
}

/// The guard of the gate. Who led all along takes the VIP from nobody; an operator, and a wait for the last primary, have
/// decided already.
pub(super) fn passes(state: &State) -> bool {
    let leads = state.led || matches!(state.role, Role::Primary | Role::Promoting);
    !is_spent(state) || leads || state.accepted || state.flaps.waited || !is_served_else(state)
}

/// It is the budget alone that keeps this node, which has the VIP, from being promoted.
#[must_use]
pub(super) fn holds_back(state: &State) -> bool {
    state.role == Role::Held && state.is_vrrp_master() && gate_blocker(state) == Some(FLAP_BUDGET)
}

/// Another node's Redis lives, and serves or could.
fn is_served_else(state: &State) -> bool {
    let could = |peer: &Peer| {
        let seen = peer.observation.as_ref().filter(|_| peer.answers());
        seen.is_some_and(|seen| !seen.loading && !seen.sync_in_progress)
    };
    state.peers.values().any(could)
}
