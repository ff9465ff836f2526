//! Is the copy here the newest? What the last primary had, as far as this node has seen, beside what Redis here and
//! the others say of themselves.
//!
//! A copy that was in the replication stream until the primary ended is as new as can be. One whose process ended, or
//! whose link was down while somebody else held the VIP, may lack what was written meanwhile: it is
//! [`Behind`], and leads only if nothing better can come back.

use serde::{Deserialize, Serialize};

use super::state::{Peer, State};
use crate::model::redis::{Observation, RedisId, RedisRole};
use crate::model::role::Role;

/// What the last primary had when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Its replication stream.
    pub replid: RedisId,
    /// The stream that it was promoted out of, and up to where.
    pub replid2: RedisId,
    /// First place that is not of `replid2`.
    pub second_offset: i64,
    /// How far it had come, in bytes of that stream.
    pub offset: i64,
    /// Keys in all databases.
    pub keys: u64,
    /// The node where it was, if that is known.
    pub holder: Option<String>,
}

/// Why the copy here may lack what the last primary took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behind {
    /// Its process ended, as that of a primary without a replica: nobody else can have gone on.
    RestartedAlone,
    /// Its process ended, and another node may have gone on.
    Restarted,
    /// Its link was down for a while, and another node may have gone on.
    Apart,
}

/// What a copy lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// So many bytes of the replication stream.
    Bytes(i64),
    /// It is of another stream, and has fewer keys by so many.
    Keys(u64),
}

/// Of another stream (a data set read from an append-only file begins a new one), and this part of the keys or less: it
/// is an older data set, or another one. Keys expire while Redis is down.
const SAME_KEYS: (u64, u64) = (9, 10);

/// The process of the local Redis ended, or another one answers in its place.
pub(super) fn restarted(state: &mut State) {
    state.guarded = None;
    if state.epoch == 0 && !state.linked_once {
        return;
    }
    let alone = matches!(state.role, Role::Primary)
        && state.replicas_online() == 0
        && state.peers_attached() == 0;
    state.behind = match state.behind {
        None if alone => Some(Behind::RestartedAlone),
        None | Some(Behind::Restarted) => Some(Behind::Restarted),
        known => known,
    };
}

/// The local Redis has said what it has.
pub(super) fn seen_here(state: &mut State) {
    let Some(seen) = &state.redis else { return };
    let holder = match (seen.role, state.role) {
        (RedisRole::Master, Role::Primary) => Some(state.settings.node.clone()),
        (RedisRole::Replica, _) if seen.link_up => {
            state.behind = None;
            state.accepted = false;
            state.serving_peer().map(str::to_owned)
        }
        _ => return,
    };
    state.newest = Some(newest(seen, holder));
}

/// The Redis of another node has said what it has. What is no continuation of what is known is not believed: a master
/// that came up empty is one too.
pub(super) fn seen_there(state: &mut State, name: &str) {
    let leads = |peer: &&Peer| peer.serves && peer.answers();
    let Some(seen) = state
        .peers
        .get(name)
        .filter(leads)
        .and_then(|peer| peer.observation.as_ref())
    else {
        return;
    };
    let continues = match &state.newest {
        None => true,
        Some(known) if seen.replid == known.replid => seen.offset >= known.offset,
        Some(known) => seen.replid2 == known.replid,
    };
    if continues && state.role != Role::Primary {
        state.newest = Some(newest(seen, Some(name.to_owned())));
    }
}

fn newest(seen: &Observation, holder: Option<String>) -> Newest {
    Newest {
        replid: seen.replid,
        replid2: seen.replid2,
        second_offset: seen.second_offset,
        offset: seen.offset,
        keys: seen.keys,
        holder,
    }
}

/// The copy here is as new as can be, or nothing better can come back, or somebody has decided that it will do.
#[must_use]
pub fn is_newest(state: &State) -> bool {
    let (Some(behind), Some(own)) = (state.behind, &state.redis) else {
        return true;
    };
    if state.accepted || state.settings.peers.is_empty() {
        return true;
    }
    let whole = lack(state).is_none();
    if behind == Behind::RestartedAlone && whole {
        return true;
    }
    let all_answer = state.settings.peers.iter().all(|name| {
        let peer = state.peers.get(name);
        peer.is_some_and(|peer| peer.answers() && peer.observation.is_some())
    });
    all_answer && !better_elsewhere(state, own)
}

/// Another node has a better copy, as it says itself.
pub(super) fn is_better_elsewhere(state: &State) -> bool {
    let own = state.redis.as_ref().filter(|_| state.behind.is_some());
    own.is_some_and(|own| better_elsewhere(state, own))
}

fn better_elsewhere(state: &State, own: &Observation) -> bool {
    let better = |peer: &Peer| {
        let seen = peer.observation.as_ref().filter(|_| peer.answers());
        seen.is_some_and(|seen| {
            !seen.loading && !seen.sync_in_progress && is_better(state.newest.as_ref(), seen, own)
        })
    };
    state.peers.values().any(better)
}

fn is_better(newest: Option<&Newest>, one: &Observation, than: &Observation) -> bool {
    let place = |seen| newest.and_then(|newest| place(newest, seen));
    match (place(one), place(than)) {
        (Some(one), Some(than)) => one > than,
        _ => one.keys > than.keys,
    }
}

/// What the copy here lacks of what the last primary had.
fn lack(state: &State) -> Option<Lack> {
    let (Some(newest), Some(own)) = (&state.newest, &state.redis) else {
        return None;
    };
    let (part, whole) = SAME_KEYS;
    match place(newest, own) {
        Some(place) if place < newest.offset => Some(Lack::Bytes(newest.offset - place)),
        None if own.keys.saturating_mul(whole) < newest.keys.saturating_mul(part) => {
            Some(Lack::Keys(newest.keys - own.keys))
        }
        _ => None,
    }
}

/// What the copy here lacks, in words.
#[must_use]
pub fn told(state: &State) -> String {
    let holder = state
        .newest
        .as_ref()
        .and_then(|newest| newest.holder.as_ref());
    let whose = match holder {
        Some(name) if *name != state.settings.node => format!("what {name} had"),
        Some(_) => "what it had before".to_owned(),
        None => "what the last primary had".to_owned(),
    };
    match lack(state) {
        Some(Lack::Bytes(1)) => format!("the copy here lacks 1 byte of {whose}"),
        Some(Lack::Bytes(bytes)) => format!("the copy here lacks {bytes} bytes of {whose}"),
        Some(Lack::Keys(1)) => format!("the copy here has 1 key less than {whose}"),
        Some(Lack::Keys(keys)) => format!("the copy here has {keys} keys less than {whose}"),
        None => format!("the copy here may lack some of {whose}"),
    }
}

/// How far in the newest stream a copy has come; `None` where it is of another one.
fn place(newest: &Newest, seen: &Observation) -> Option<i64> {
    if seen.replid == newest.replid {
        Some(seen.offset)
    } else if seen.replid2 == newest.replid {
        // Restarted as a master, or promoted out of it: what it has of its own counts for nothing here.
        Some(seen.second_offset - 1)
    } else if seen.replid == newest.replid2 {
        Some(seen.offset.min(newest.second_offset - 1))
    } else {
        None
    }
}
