//! The data of every event as JSON: an object tagged with the event's kind.

use serde::Serialize;

use super::Shown;
use super::facts::{AtJson, OperatorJson, ProbeJson, SettingsJson};
use super::operator::of_operator;
use super::rescue::{NotRescuedJson, RescuedJson, of_a_rescue};
use crate::model::effect::{EffectId, Outcome};
use crate::model::event::{Deadline, Event};
use crate::model::quorum::Vote;
use crate::model::record::Seq;
use crate::model::redis::{Probe, RedisId, Sign};
use crate::model::time::{At, Tilt};
use crate::model::vrrp::{Notified, SpoolPosition, Subject, Word};

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum EventJson<'a> {
    AgentStarted {
        version: &'a str,
        pid: u32,
    },
    Configured(SettingsJson<'a>),
    ConfigRejected {
        error: &'a str,
    },
    AgentReady {
        vip_here: bool,
        keepalived: Option<bool>,
    },
    AgentStopping,
    VrrpNotified {
        subject: &'static str,
        name: &'a str,
        word: Shown<'a, Word>,
        priority: Option<u16>,
        raw: Option<&'a str>,
        stamped: AtJson<'a>,
        spool: Option<SpoolPosition>,
    },
    NotifyUnparsed {
        raw: &'a str,
        why: &'a str,
        stamped: AtJson<'a>,
        spool: SpoolPosition,
    },
    VipChanged {
        here: bool,
    },
    KeepalivedChanged {
        running: bool,
    },
    RedisAttached {
        pid: u32,
        run_id: Shown<'a, RedisId>,
        version: &'a str,
        watched: bool,
    },
    RedisProbed(ProbeJson<'a>),
    RedisExited {
        pid: u32,
    },
    PeerProbed {
        peer: &'a str,
        #[serde(flatten)]
        probe: ProbeJson<'a>,
    },
    DeadlinePassed {
        deadline: &'static str,
    },
    EffectTried {
        order: Shown<'a, EffectId>,
        what: &'a str,
        why: &'a str,
    },
    EffectFinished {
        order: Shown<'a, EffectId>,
        what: &'a str,
        outcome: &'static str,
        detail: Option<&'a str>,
    },
    OperatorPaused {
        until: Option<String>,
        reason: &'a str,
        operator: OperatorJson<'a>,
    },
    OperatorResumed {
        operator: OperatorJson<'a>,
    },
    OperatorAsked {
        request: &'static str,
        operator: OperatorJson<'a>,
    },
    ActedUnrecorded {
        happened: AtJson<'a>,
        why: &'a str,
        what: &'a str,
    },
    JournalQuarantined {
        path: &'a str,
        why: &'a str,
    },
    JournalFailed {
        began: AtJson<'a>,
        why: &'a str,
        over: bool,
    },
    SpoolDamaged {
        spool: SpoolPosition,
        skipped_bytes: u64,
    },
    RecordsRemoved {
        below: Seq,
        records: u64,
        bytes: u64,
        why: &'a str,
    },
    VolumeDamaged {
        path: &'a str,
        why: &'a str,
    },
    PeerAdvertised {
        peer: &'a str,
        heard: bool,
    },
    PeerSigned {
        peer: &'a str,
        sign: Option<&'static str>,
    },
    VipClaimed {
        by: Option<&'a str>,
    },
    SwitchoverAsked {
        to: Option<&'a str>,
        within_ms: u64,
        operator: OperatorJson<'a>,
    },
    OperatorDrilled {
        drill: &'static str,
        for_ms: u64,
        operator: OperatorJson<'a>,
    },
    DrillEnded {
        drill: &'static str,
        restored: bool,
        how: &'a str,
        operator: OperatorJson<'a>,
    },
    Tilted {
        why: &'static str,
        by_ms: i64,
    },
    OperatorAcked {
        note: &'a str,
        operator: OperatorJson<'a>,
    },
    Rescued(RescuedJson<'a>),
    NotRescued(NotRescuedJson<'a>),
    QuorumChanged {
        voter: &'a str,
        vote: Shown<'a, Vote>,
    },
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::AgentStarted { version, pid } => Self::AgentStarted { version, pid: *pid },
            Event::Configured(settings) => Self::Configured(settings.into()),
            Event::ConfigRejected { error } => Self::ConfigRejected { error },
            &Event::AgentReady {
                vip_here,
                keepalived,
            } => Self::AgentReady {
                vip_here,
                keepalived,
            },
            Event::AgentStopping => Self::AgentStopping,
            Event::VrrpNotified(notified) => vrrp_notified(notified),
            Event::NotifyUnparsed {
                raw,
                why,
                stamped,
                spool,
            } => not_parsed(raw, why, stamped, *spool),
            Event::VipChanged { here } => Self::VipChanged { here: *here },
            Event::KeepalivedChanged { running } => Self::KeepalivedChanged { running: *running },
            Event::RedisAttached {
                pid,
                run_id,
                version,
                watched,
            } => redis_attached(*pid, run_id, version, *watched),
            Event::RedisProbed(probe) => Self::RedisProbed(probe.into()),
            Event::RedisExited { pid } => Self::RedisExited { pid: *pid },
            Event::PeerProbed { peer, probe } => peer_probed(peer, probe),
            Event::DeadlinePassed { deadline } => Self::DeadlinePassed {
                deadline: Deadline::word(*deadline),
            },
            Event::EffectTried { effect, order, why } => tried(effect, order, why),
            Event::EffectFinished {
                effect,
                order,
                outcome,
            } => finished(effect, order, outcome),
            Event::OperatorPaused { .. }
            | Event::OperatorResumed { .. }
            | Event::OperatorAsked { .. }
            | Event::SwitchoverAsked { .. }
            | Event::OperatorDrilled { .. }
            | Event::OperatorAcked { .. }
            | Event::DrillEnded { .. } => of_operator(event),
            Event::Tilted { why, by_ms } => tilted(*why, *by_ms),
            Event::ActedUnrecorded { at, why, what } => unrecorded(at, why, what),
            Event::JournalQuarantined { path, why } => Self::JournalQuarantined { path, why },
            Event::JournalFailed { at, why, over } => journal_failed(at, why, *over),
            Event::SpoolDamaged {
                spool,
                skipped_bytes,
            } => spool_damaged(*spool, *skipped_bytes),
            Event::RecordsRemoved {
                below,
                records,
                bytes,
                why,
            } => removed(*below, *records, *bytes, why),
            Event::VolumeDamaged { path, why } => Self::VolumeDamaged { path, why },
            &Event::PeerAdvertised { ref peer, heard } => Self::PeerAdvertised { peer, heard },
            Event::VipClaimed { by } => Self::VipClaimed { by: by.as_deref() },
            &Event::PeerSigned { ref peer, sign } => peer_signed(peer, sign),
            Event::Rescued { .. } | Event::NotRescued { .. } => of_a_rescue(event),
            Event::QuorumChanged { voter, vote } => quorum_changed(voter, vote),
        }
    }
}

fn peer_probed<'a>(peer: &'a str, probe: &'a Probe) -> EventJson<'a> {
    let probe = probe.into();
    EventJson::PeerProbed { peer, probe }
}

fn spool_damaged<'a>(spool: SpoolPosition, skipped_bytes: u64) -> EventJson<'a> {
    EventJson::SpoolDamaged {
        spool,
        skipped_bytes,
    }
}

fn peer_signed(peer: &str, sign: Option<Sign>) -> EventJson<'_> {
    let sign = sign.map(Sign::word);
    EventJson::PeerSigned { peer, sign }
}

fn tilted(why: Tilt, by_ms: i64) -> EventJson<'static> {
    let why = why.word();
    EventJson::Tilted { why, by_ms }
}

fn quorum_changed<'a>(voter: &'a str, vote: &'a Vote) -> EventJson<'a> {
    let vote = Shown(vote);
    EventJson::QuorumChanged { voter, vote }
}

fn unrecorded<'a>(at: &'a At, why: &'a str, what: &'a str) -> EventJson<'a> {
    EventJson::ActedUnrecorded {
        happened: at.into(),
        why,
        what,
    }
}

fn removed(below: Seq, records: u64, bytes: u64, why: &str) -> EventJson<'_> {
    EventJson::RecordsRemoved {
        below,
        records,
        bytes,
        why,
    }
}

fn not_parsed<'a>(
    raw: &'a str,
    why: &'a str,
    stamped: &'a At,
    spool: SpoolPosition,
) -> EventJson<'a> {
    EventJson::NotifyUnparsed {
        raw,
        why,
        stamped: stamped.into(),
        spool,
    }
}

fn tried<'a>(effect: &'a EffectId, order: &'a str, why: &'a str) -> EventJson<'a> {
    EventJson::EffectTried {
        order: Shown(effect),
        what: order,
        why,
    }
}

fn vrrp_notified(notified: &Notified) -> EventJson<'_> {
    let said = &notified.notification;
    EventJson::VrrpNotified {
        subject: match said.subject {
            Subject::Instance => "instance",
            Subject::Group => "group",
            Subject::Unknown => "unknown",
        },
        name: &said.name,
        word: Shown(&said.word),
        priority: said.priority,
        raw: said.raw.as_deref(),
        stamped: (&notified.stamped).into(),
        spool: notified.spool,
    }
}

fn redis_attached<'a>(
    pid: u32,
    run_id: &'a RedisId,
    version: &'a str,
    watched: bool,
) -> EventJson<'a> {
    EventJson::RedisAttached {
        pid,
        run_id: Shown(run_id),
        version,
        watched,
    }
}

fn finished<'a>(effect: &'a EffectId, what: &'a str, outcome: &'a Outcome) -> EventJson<'a> {
    let (outcome, detail) = match outcome {
        Outcome::Done(text) => ("done", Some(text.as_str()).filter(|text| !text.is_empty())),
        Outcome::Refused(why) => ("refused", Some(why.as_str())),
        Outcome::TimedOut => ("timed-out", None),
        Outcome::Failed(why) => ("failed", Some(why.as_str())),
        Outcome::Superseded => ("superseded", None),
    };
    EventJson::EffectFinished {
        order: Shown(effect),
        what,
        outcome,
        detail,
    }
}

fn journal_failed<'a>(at: &'a At, why: &'a str, over: bool) -> EventJson<'a> {
    EventJson::JournalFailed {
        began: at.into(),
        why,
        over,
    }
}

#[cfg(test)]
mod tests {
    use super::EventJson;
    use crate::views::samples;

    /// The tag is the word that `--kind` takes, and nothing of a variant is lost without notice.
    #[test]
    fn every_event_is_tagged_with_its_kind() {
        let mut lines = Vec::new();
        for event in samples::every_event() {
            let json = serde_json::to_value(EventJson::from(&event)).unwrap();
            assert_eq!(json["kind"], event.kind());
            lines.push(json.to_string());
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
