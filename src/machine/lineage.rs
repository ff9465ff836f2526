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
    let alone =
        state.role == Role::Primary && state.replicas_online() == 0 && state.peers_attached() == 0;
    // The same end is told more than once: by the exit, and by the process that answers next.
    let still_alone = state.behind == Some(Behind::RestartedAlone) && state.role != Role::Primary;
    state.behind = Some(if alone || still_alone {
        Behind::RestartedAlone
    } else {
        Behind::Restarted
    });
    state.accepted = false;
}

/// This node leads: its copy is the one that counts.
pub(super) fn leads(state: &mut State) {
    state.behind = None;
    state.accepted = false;
    state.unshared.get_or_insert_default();
}

/// This node leads no more. Where another one was seen to have been promoted out of its stream meanwhile, that one has the copy
/// that counts, and this one must not lead with its own again.
pub(super) fn leads_no_more(state: &mut State) {
    let Some(own) = state.redis.as_ref().map(|own| own.replid) else {
        return;
    };
    let newer = |(name, peer): (&String, &Peer)| {
        let seen = peer.observation.as_ref().filter(|_| peer.serves)?;
        (seen.replid2 == own).then(|| newest(seen, Some(name.clone())))
    };
    if let Some(newer) = state.peers.iter().find_map(newer) {
        state.newest = Some(newer);
        state.behind = Some(Behind::Apart);
    }
}

/// The local Redis has said what it has; and whether it has been a replica with a link since it was asked last.
pub(super) fn seen_here(state: &mut State, was_linked: bool) {
    let Some(seen) = &state.redis else { return };
    let may_lead = state.role == Role::Primary || state.unshared.is_some();
    if seen.role == RedisRole::Master && may_lead {
        state.unshared = Some((seen.replid, seen.offset));
    }
    let holder = match (seen.role, state.role) {
        (RedisRole::Master, Role::Primary) => Some(state.settings.node.clone()),
        (RedisRole::Replica, _) if was_linked => {
            state.behind = None;
            state.accepted = false;
            state.unshared = None;
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
    if state.role == Role::Primary {
        return;
    }
    let newer = newest(seen, Some(name.to_owned()));
    state.accepted = false;
    if state.behind == Some(Behind::RestartedAlone) {
        state.behind = Some(Behind::Restarted);
    }
    let continues = match &state.newest {
        None => true,
        Some(known) if newer.replid == known.replid => newer.offset >= known.offset,
        Some(known) => newer.replid2 == known.replid,
    };
    // What never had a link has nothing of what the primary has.
    if !state.linked_once && state.epoch == 0 && newer.keys > 0 {
        state.behind.get_or_insert(Behind::Apart);
    }
    if continues {
        state.newest = Some(newer);
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
    let Some(own) = in_doubt(state) else {
        return true;
    };
    if state.behind == Some(Behind::RestartedAlone) && lack(state).is_none() {
        return true;
    }
    // One that could never be asked is none to wait for.
    let all_answer = state.settings.peers.iter().all(|name| {
        let peer = state
            .peers
            .get(name)
            .filter(|peer| peer.observation.is_some());
        peer.is_none_or(Peer::answers)
    });
    all_answer && !better_elsewhere(state, own) && !is_unknown(state, own)
}

/// All that Redis here told of its writes while it led has gone on at another node. What it took since its last check is not
/// known.
#[must_use]
pub fn went_on(state: &State) -> bool {
    let Some((replid, offset)) = state.unshared else {
        return false;
    };
    let has = |seen: &Observation| {
        seen.role == RedisRole::Master
            && (seen.replid == replid && seen.offset >= offset
                || seen.replid2 == replid && seen.second_offset > offset)
    };
    let seen = state.peers.values().filter(|peer| peer.answers());
    seen.filter_map(|peer| peer.observation.as_ref()).any(has)
}

/// Another node has a copy, and whether it is better cannot be told.
pub(super) fn is_incomparable(state: &State) -> bool {
    in_doubt(state).is_some_and(|own| is_unknown(state, own))
}

/// The copy here has all that is known, and another one is of a stream that is not known: it may have gone on from there.
fn is_unknown(state: &State, own: &Observation) -> bool {
    let Some(newest) = &state.newest else {
        return false;
    };
    let is_whole = place(newest, own).is_some_and(|place| place >= newest.offset);
    let seen = state.peers.values().filter(|peer| peer.answers());
    let mut seen = seen.filter_map(|peer| peer.observation.as_ref());
    is_whole && seen.any(|seen| seen.keys > 0 && place(newest, seen).is_none())
}

/// Another node has a better copy, as it says itself.
pub(super) fn is_better_elsewhere(state: &State) -> bool {
    in_doubt(state).is_some_and(|own| better_elsewhere(state, own))
}

/// The copy here, where it may not be the newest and nobody has decided that it will do.
fn in_doubt(state: &State) -> Option<&Observation> {
    let is_in_doubt = state.behind.is_some() && !state.accepted;
    state.redis.as_ref().filter(|_| is_in_doubt)
}

fn better_elsewhere(state: &State, own: &Observation) -> bool {
    let better = |(name, peer): (&String, &Peer)| {
        let seen = peer.observation.as_ref().filter(|_| peer.answers());
        seen.is_some_and(|seen| {
            !seen.loading && !seen.sync_in_progress && is_better(state, name, seen, own)
        })
    };
    state.peers.iter().any(better)
}

/// Where only one copy is of a known stream, that stream tells whether it lacks something; the other one is taken to be whole
/// by its keys. Where neither is, that on the node of the last primary is better, if it is not empty: keys tell little of what
/// was written.
fn is_better(state: &State, name: &String, one: &Observation, than: &Observation) -> bool {
    let Some(newest) = &state.newest else {
        return one.keys > than.keys;
    };
    match (place(newest, one), place(newest, than)) {
        (Some(one), Some(than)) => one > than,
        (None, Some(place)) => {
            one.keys > than.keys || place < newest.offset && !has_fewer_keys(newest, one)
        }
        (Some(place), None) => {
            let is_whole = place >= newest.offset || has_fewer_keys(newest, than);
            is_whole && one.keys >= than.keys
        }
        (None, None) => match &newest.holder {
            Some(holder) if holder == name && one.keys > 0 => true,
            Some(holder) if *holder == state.settings.node && than.keys > 0 => false,
            _ => one.keys > than.keys,
        },
    }
}

fn has_fewer_keys(newest: &Newest, seen: &Observation) -> bool {
    let (part, whole) = SAME_KEYS;
    seen.keys.saturating_mul(whole) < newest.keys.saturating_mul(part)
}

/// What the copy here lacks of what the last primary had.
fn lack(state: &State) -> Option<Lack> {
    let (Some(newest), Some(own)) = (&state.newest, &state.redis) else {
        return None;
    };
    match place(newest, own) {
        Some(place) if place < newest.offset => {
            Some(Lack::Bytes(newest.offset.saturating_sub(place)))
        }
        None if has_fewer_keys(newest, own) => Some(Lack::Keys(newest.keys - own.keys)),
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
        Some(seen.second_offset.saturating_sub(1))
    } else if seen.replid == newest.replid2 {
        Some(seen.offset.min(newest.second_offset.saturating_sub(1)))
    } else {
        None
    }
}
