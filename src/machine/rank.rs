//! Two nodes serve: which of them gives way.

use super::state::{Peer, State};
use crate::model::redis::{RedisRole, Sign};
use crate::model::role::Role;

/// So many checks in a row show that a newer primary stays one: a Redis that was promoted by hand is made a replica by its
/// own node meanwhile.
const OUTRANKED: u16 = 2;

pub(super) fn is_outranked(state: &mut State, name: &str) -> bool {
    let outranks = state
        .peers
        .get(name)
        .is_some_and(|peer| is_outranked_by(state, peer));
    let Some(peer) = state.peers.get_mut(name) else {
        return false;
    };
    peer.outranks = if outranks {
        peer.outranks.saturating_add(1).min(OUTRANKED)
    } else {
        0
    };
    peer.outranks == OUTRANKED
}

/// This node's Redis takes writes, and so does that of this peer, which was promoted later, out of the stream that is written
/// here. It is the very process that followed this one: one that was restarted tells the stream of its dump file as that
/// which it was promoted out of. And its agent does not show that somebody else made it a master.
fn is_outranked_by(state: &State, peer: &Peer) -> bool {
    let decides = state.role == Role::Primary && state.paused.is_none();
    let own = state.redis.as_ref().filter(|_| decides);
    let other = peer
        .observation
        .as_ref()
        .filter(|_| peer.serves && peer.answers());
    let (Some(own), Some(other)) = (own, other) else {
        return false;
    };
    own.role == RedisRole::Master
        && other.replid2 == own.replid
        && peer.follower == Some(other.run_id)
        && !matches!(peer.sign, Some(Sign::Stands | Sign::Paused))
}
