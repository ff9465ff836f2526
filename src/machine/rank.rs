//! Two nodes serve, or one serves and the other has more: which of them gives way.
//!
//! Who was promoted later stays, for its clients have gone on there. Only where nothing was written to it since, and the node
//! that led before has more, that one stays: nothing is lost so.

use super::lineage;
use super::state::{Peer, State};
use crate::model::redis::{Grade, Observation, RedisRole, Sign};
use crate::model::role::Role;

/// So many checks in a row show that another primary stays one: a Redis that was promoted by hand is made a replica by its
/// own node meanwhile.
const OUTRANKED: u16 = 2;

/// Counts a check of that node. True as it becomes certain that this node gives way to it.
pub(super) fn is_outranked(state: &mut State, name: &str) -> bool {
    let gives_way = state
        .peers
        .get(name)
        .is_some_and(|peer| is_newer(state, peer) || is_older_with_more(state, peer));
    let Some(peer) = state.peers.get_mut(name) else {
        return false;
    };
    peer.outranks = match gives_way {
        true => peer.outranks.saturating_add(1).min(OUTRANKED),
        false => 0,
    };
    // Writes may have begun here since Redis was asked last: then its next check decides.
    peer.outranks == OUTRANKED
        && state
            .peers
            .get(name)
            .is_some_and(|peer| is_newer(state, peer))
}

/// A check of the Redis here: nothing was written to it yet, and it is certain that an older primary with more serves.
pub(super) fn is_outranked_by_more(state: &State) -> bool {
    let certain = |peer: &&Peer| peer.outranks == OUTRANKED && is_older_with_more(state, peer);
    state.peers.values().any(|peer| certain(&peer))
}

/// This node's Redis takes writes, and so does that of this peer, which was promoted later, out of the stream that is written
/// here. It is the very process that followed this one: one that was restarted tells the stream of its dump file as that
/// which it was promoted out of. And its agent does not show that somebody else made it a master, nor is there one that will see
/// that this node has more.
fn is_newer(state: &State, peer: &Peer) -> bool {
    let (Some(own), Some(other)) = (own(state), answer(peer)) else {
        return false;
    };
    peer.serves
        && other.replid2 == own.replid
        && peer.follower == Some(other.run_id)
        && !matches!(peer.sign, Some(Sign::Stands | Sign::Paused | Sign::Returns))
        && !(peer.sign == Some(Sign::Leads) && has_more(own, other))
}

/// This node was promoted out of the stream of a primary that goes on, and nothing was written here since.
fn is_older_with_more(state: &State, peer: &Peer) -> bool {
    let (Some(own), Some(other)) = (own(state), answer(peer)) else {
        return false;
    };
    peer.serves && peer.sign == Some(Sign::Leads) && has_more(other, own)
}

/// Every other node has a live link to this one, as it says itself. One that could never be asked is not counted.
pub(super) fn all_follow(state: &State) -> bool {
    let is_known = |name: &&String| {
        let peer = state.peers.get(*name);
        peer.is_some_and(|peer| peer.observation.is_some())
    };
    let known = state.settings.peers.iter().filter(is_known).count();
    state.peers_attached() >= known
}

/// Every other node that can be asked has followed this one since it was promoted: it does, or was itself promoted out of this
/// stream. (The local Redis tells how many replicas it has, which may be others than these nodes.)
pub(super) fn all_have_followed(state: &State) -> bool {
    let Some(own) = &state.redis else {
        return false;
    };
    let has_followed = |seen: &Observation| match seen.role {
        RedisRole::Replica => seen.link_up && seen.replid == own.replid,
        RedisRole::Master => seen.replid2 == own.replid,
    };
    let seen = |name: &String| state.peers.get(name)?.observation.as_ref();
    let mut known = state.settings.peers.iter().filter_map(seen).peekable();
    let is_followed = state.replicas_online() > 0 || known.peek().is_some();
    is_followed && known.all(has_followed)
}

/// Nothing was written here since the promotion, and the primary before may have gone on: it is out of sight, or serves.
pub(super) fn is_empty_handed(state: &State) -> bool {
    let Some(own) = own(state).filter(|own| own.is_untouched()) else {
        return false;
    };
    let may_go_on = |peer: &Peer| {
        let led = peer.observation.as_ref();
        let led =
            led.is_some_and(|seen| seen.role == RedisRole::Master && seen.replid == own.replid2);
        led && peer.grade != Some(Grade::Refused)
    };
    state.peers.values().any(may_go_on)
}

/// Another node leads, by right, and nothing was written to it since it was promoted out of the stream of the copy here, which
/// has more. And nothing is known that would keep this one from leading again, but the right to.
pub(super) fn has_more_than_primary(state: &State) -> bool {
    let Some(own) = &state.redis else {
        return false;
    };
    let is_so = |peer: &Peer| {
        let other = answer(peer).filter(|_| peer.serves && peer.sign == Some(Sign::Leads));
        other.is_some_and(|other| has_more(own, other))
    };
    state.keepalived != Some(false) && lineage::is_newest(state) && state.peers.values().any(is_so)
}

/// A node that led before was fenced, has more than this one, to which nothing was written since, and would lead again.
pub(super) fn is_wanted_back(state: &State) -> bool {
    let wants = |own: &Observation| {
        let is_so = |peer: &Peer| {
            let other = answer(peer).filter(|_| peer.sign == Some(Sign::Returns));
            other.is_some_and(|other| has_more(other, own))
        };
        state.peers.values().any(is_so)
    };
    own(state).is_some_and(wants)
}

/// The Redis here, where it takes writes because this node leads, nobody has paused that, and it does not give way already.
fn own(state: &State) -> Option<&Observation> {
    let decides = state.role == Role::Primary && state.paused.is_none();
    let own = state.redis.as_ref();
    own.filter(|own| decides && state.switchover.is_none() && own.role == RedisRole::Master)
}

fn answer(peer: &Peer) -> Option<&Observation> {
    peer.observation.as_ref().filter(|_| peer.answers())
}

/// `one` went on in the stream that `other` was promoted out of, and nothing was written to `other` since.
fn has_more(one: &Observation, other: &Observation) -> bool {
    other.is_untouched() && one.replid == other.replid2 && one.offset > other.offset
}
