//! Which checks a reader need not see: those that say what the check before them said.

use std::collections::BTreeMap;

use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Grade, Observation, Probe};

/// What each Redis said last, in a journal that is read from its beginning on.
#[derive(Debug, Default)]
pub struct LastChecks(BTreeMap<Subject, Probe>);

impl LastChecks {
    /// The next record is none of the checks that a reader need not see. What a Redis says first is not news.
    pub fn is_notable(&mut self, record: &Record) -> bool {
        let Some((subject, probe)) = check_of(record) else {
            return true;
        };
        let last = self.0.insert(subject.clone(), probe.clone());
        let is_news = last.is_some_and(|last| !alike(&subject, &last, probe));
        is_news || !record.decision.is_empty()
    }
}

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

/// Two checks of `subject` say the same to a reader: latency, offsets and number of keys do not count, and a peer
/// without an answer is in one state, whatever the network makes of it from one check to the next.
///
/// The journal has an `alike` of its own, which is stricter: what it calls alike is packed together and must come
/// back field by field, while here only what a reader would act upon counts.
pub(super) fn alike(subject: &Subject, one: &Probe, other: &Probe) -> bool {
    let (_, peer) = subject;
    let both_silent = !peer.is_empty() && is_silent(one.grade) && is_silent(other.grade);
    (one.grade == other.grade || both_silent)
        && match (&one.observation, &other.observation) {
            (None, None) => true,
            (Some(one), Some(other)) => essence(one) == essence(other),
            _ => false,
        }
}

/// Its host may be gone, or the way to it.
fn is_silent(grade: Grade) -> bool {
    matches!(grade, Grade::Timeout | Grade::Unreachable)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fixture::{failed, master, replica};

    #[test]
    fn a_peer_without_an_answer_is_one_state_and_the_own_redis_is_not() {
        let own = ("redis".to_owned(), String::new());
        let peer = ("redis".to_owned(), "lvs2".to_owned());
        let [timeout, unreachable, refused] =
            [Grade::Timeout, Grade::Unreachable, Grade::Refused].map(|grade| failed(grade, 500));
        assert!(alike(&peer, &timeout, &unreachable));
        assert!(!alike(&own, &timeout, &unreachable));
        for subject in [&own, &peer] {
            assert!(alike(subject, &timeout, &failed(Grade::Timeout, 7)));
            assert!(!alike(subject, &timeout, &refused));
            assert!(!alike(subject, &timeout, &master(0)));
            assert!(!alike(subject, &replica(true), &replica(false)));
        }
    }
}
