//! Which checks are quiet: those that need not be on the disk at once, nor in the index of kinds.
//!
//! A check is quiet if nothing was decided about it and it says what the check of the same subject
//! before it said, but for time, latency, replication offset and number of keys. A subject is one
//! instance's Redis on one node. What a subject says first, and every change of it, is loud.

use std::collections::BTreeMap;

use crate::model::event::Event;
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::redis::{Observation, Probe};
use crate::model::time::BootId;

/// Tells quiet checks from others: remembers what each subject's last check said.
#[derive(Debug, Default)]
pub(super) struct Watch {
    instances: BTreeMap<String, Instance>,
    subjects: usize,
}

#[derive(Debug, Default)]
struct Instance {
    own: Option<Seen>,
    peers: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    at: Seq,
    ruleset: u16,
    boot: BootId,
    incident: Option<IncidentId>,
    probe: Probe,
}

/// What [`Watch::judge`] says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// To be written on its own, at once.
    Loud,
    /// May wait in a block. The subject's check before it is named.
    Quiet { before: Seq },
}

impl Watch {
    /// More subjects than a node can have: names that no longer occur are forgotten at this number.
    const MAX_SUBJECTS: usize = 16 * 1024;

    /// Judges the next record of the journal. The first check of a subject is loud.
    pub(super) fn judge(&mut self, record: &Record) -> Judgement {
        let Some((peer, probe)) = subject_of(record) else {
            return Judgement::Loud;
        };
        if let Some(seen) = self.seen(&record.instance, peer) {
            let before = std::mem::replace(&mut seen.at, record.seq);
            let same = seen.ruleset == record.ruleset
                && seen.boot == record.at.boot
                && seen.incident == record.incident
                && alike(&seen.probe, probe);
            if same && record.cause.is_none() && record.decision.is_empty() {
                return Judgement::Quiet { before };
            }
        }
        self.remember(record, peer, probe);
        Judgement::Loud
    }

    fn seen(&mut self, instance: &str, peer: Option<&str>) -> Option<&mut Seen> {
        let instance = self.instances.get_mut(instance)?;
        match peer {
            None => instance.own.as_mut(),
            Some(peer) => instance.peers.get_mut(peer),
        }
    }

    fn remember(&mut self, record: &Record, peer: Option<&str>, probe: &Probe) {
        if self.subjects >= Self::MAX_SUBJECTS {
            *self = Self::default();
        }
        let seen = Seen {
            at: record.seq,
            ruleset: record.ruleset,
            boot: record.at.boot,
            incident: record.incident,
            probe: probe.clone(),
        };
        let instance = self.instances.entry(record.instance.clone()).or_default();
        let replaced = match peer {
            None => instance.own.replace(seen),
            Some(peer) => instance.peers.insert(peer.to_owned(), seen),
        };
        self.subjects += usize::from(replaced.is_none());
    }
}

/// Whose check it is, and what came of it; `None` for a record of anything else.
pub(super) fn subject_of(record: &Record) -> Option<(Option<&str>, &Probe)> {
    match &record.event {
        Event::RedisProbed(probe) => Some((None, probe)),
        Event::PeerProbed { peer, probe } => Some((Some(peer), probe)),
        _ => None,
    }
}

/// Do two checks say the same, but for latency, offset and keys? Names every field, so that a new
/// one has to be thought about here.
pub(super) fn alike(a: &Probe, b: &Probe) -> bool {
    let Probe {
        paced,
        grade,
        latency_us: _,
        observation,
    } = a;
    *paced == b.paced
        && *grade == b.grade
        && match (observation, &b.observation) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                let Observation {
                    role,
                    run_id,
                    replid,
                    replid2,
                    second_offset,
                    offset: _,
                    master,
                    link_up,
                    sync_in_progress,
                    loading,
                    replicas_online,
                    keys: _,
                } = a;
                *role == b.role
                    && *run_id == b.run_id
                    && *replid == b.replid
                    && *replid2 == b.replid2
                    && *second_offset == b.second_offset
                    && *master == b.master
                    && *link_up == b.link_up
                    && *sync_in_progress == b.sync_in_progress
                    && *loading == b.loading
                    && *replicas_online == b.replicas_online
            }
            _ => false,
        }
}
