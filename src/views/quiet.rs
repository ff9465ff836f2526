//! Which checks a reader need not see: those that say what the check before them said.

use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Observation, Probe};

/// Whose Redis a check looked at: the instance, and the peer or nothing for the local one.
pub(super) type Subject = (String, String);

/// The check that a record is, if it is one.
pub(super) fn check_of(record: &Record) -> Option<(Subject, &Probe)> {
    let (peer, probe) = match &record.event {
        Event::RedisProbed(probe) => (String::new(), probe),
        Event::PeerProbed { peer, probe } => (peer.clone(), probe),
        _ => return None,
    };
    Some(((record.instance.clone(), peer), probe))
}

/// Two checks say the same, but for latency, offsets and number of keys.
pub(super) fn alike(one: &Probe, other: &Probe) -> bool {
    one.grade == other.grade
        && match (&one.observation, &other.observation) {
            (None, None) => true,
            (Some(one), Some(other)) => essence(one) == essence(other),
            _ => false,
        }
}

fn essence(seen: &Observation) -> impl PartialEq + '_ {
    let Observation {
        role,
        run_id,
        replid,
        replid2,
        second_offset: _,
        offset: _,
        master,
        link_up,
        sync_in_progress,
        loading,
        replicas_online,
        keys: _,
    } = seen;
    let identity = (run_id, replid, replid2);
    let link = (master, link_up, sync_in_progress, replicas_online);
    (role, identity, link, loading)
}
