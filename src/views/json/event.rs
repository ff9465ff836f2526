//! The data of every event as JSON: an object tagged with the event's kind.

use serde::Serialize;

use super::Shown;
use crate::model::effect::{EffectId, Outcome};
use crate::model::event::{Deadline, Event, Operator, RedisRequest};
use crate::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole};
use crate::model::settings::Settings;
use crate::model::time::{At, BootId};
use crate::model::vrrp::{Notified, SpoolPosition, Subject, Word};
use crate::views::time::rfc3339;

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
    EffectFinished {
        order: Shown<'a, EffectId>,
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
    SpoolDamaged {
        spool: SpoolPosition,
        skipped_bytes: u64,
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
            } => Self::NotifyUnparsed {
                raw,
                why,
                stamped: stamped.into(),
                spool: *spool,
            },
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
            Event::PeerProbed { peer, probe } => Self::PeerProbed {
                peer,
                probe: probe.into(),
            },
            Event::DeadlinePassed { deadline } => Self::DeadlinePassed {
                deadline: Deadline::word(*deadline),
            },
            Event::EffectFinished { effect, outcome } => finished(effect, outcome),
            Event::OperatorPaused {
                until_us,
                reason,
                operator,
            } => operator_paused(*until_us, reason, operator),
            Event::OperatorResumed { operator } => Self::OperatorResumed {
                operator: operator.into(),
            },
            Event::OperatorAsked { request, operator } => operator_asked(*request, operator),
            Event::ActedUnrecorded { at, why, what } => Self::ActedUnrecorded {
                happened: at.into(),
                why,
                what,
            },
            Event::JournalQuarantined { path, why } => Self::JournalQuarantined { path, why },
            Event::SpoolDamaged {
                spool,
                skipped_bytes,
            } => Self::SpoolDamaged {
                spool: *spool,
                skipped_bytes: *skipped_bytes,
            },
        }
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

fn finished<'a>(effect: &'a EffectId, outcome: &'a Outcome) -> EventJson<'a> {
    let (outcome, detail) = match outcome {
        Outcome::Done(text) => ("done", Some(text.as_str()).filter(|text| !text.is_empty())),
        Outcome::Refused(why) => ("refused", Some(why.as_str())),
        Outcome::TimedOut => ("timed-out", None),
        Outcome::Failed(why) => ("failed", Some(why.as_str())),
        Outcome::Superseded => ("superseded", None),
    };
    EventJson::EffectFinished {
        order: Shown(effect),
        outcome,
        detail,
    }
}

fn operator_paused<'a>(
    until_us: Option<i64>,
    reason: &'a str,
    operator: &'a Operator,
) -> EventJson<'a> {
    EventJson::OperatorPaused {
        until: until_us.map(rfc3339),
        reason,
        operator: operator.into(),
    }
}

fn operator_asked(request: RedisRequest, operator: &Operator) -> EventJson<'_> {
    EventJson::OperatorAsked {
        request: match request {
            RedisRequest::Start => "start",
            RedisRequest::Stop => "stop",
            RedisRequest::Restart => "restart",
        },
        operator: operator.into(),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct SettingsJson<'a> {
    node: &'a str,
    rank: u16,
    peers: &'a [String],
    own: Shown<'a, Endpoint>,
    vip: Shown<'a, Endpoint>,
    follow: Shown<'a, Endpoint>,
    fall: u16,
    rise: u16,
    fall_on: Vec<Shown<'a, Grade>>,
    bias: u8,
    drain_ms: u64,
    negotiation_ms: u64,
    retry_ms: u64,
    reconcile_ms: u64,
    keepalived_gone_ms: u64,
    unserved_ms: u64,
    redundancy_ms: u64,
    repeat_ms: u64,
    sinks: &'a [String],
}

impl<'a> From<&'a Settings> for SettingsJson<'a> {
    fn from(settings: &'a Settings) -> Self {
        Self {
            node: &settings.node,
            rank: settings.rank,
            peers: &settings.peers,
            own: Shown(&settings.own),
            vip: Shown(&settings.vip),
            follow: Shown(&settings.follow),
            fall: settings.fall,
            rise: settings.rise,
            fall_on: settings.fall_on.iter().map(Shown).collect(),
            bias: settings.bias,
            drain_ms: settings.drain_ms,
            negotiation_ms: settings.negotiation_ms,
            retry_ms: settings.retry_ms,
            reconcile_ms: settings.reconcile_ms,
            keepalived_gone_ms: settings.keepalived_gone_ms,
            unserved_ms: settings.unserved_ms,
            redundancy_ms: settings.redundancy_ms,
            repeat_ms: settings.repeat_ms,
            sinks: &settings.sinks,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OperatorJson<'a> {
    uid: u32,
    user: &'a str,
    command: &'a str,
}

impl<'a> From<&'a Operator> for OperatorJson<'a> {
    fn from(operator: &'a Operator) -> Self {
        Self {
            uid: operator.uid,
            user: &operator.user,
            command: &operator.command,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct AtJson<'a> {
    at: String,
    at_us: i64,
    mono_us: u64,
    boot: Shown<'a, BootId>,
}

impl<'a> From<&'a At> for AtJson<'a> {
    fn from(at: &'a At) -> Self {
        Self {
            at: rfc3339(at.wall_us),
            at_us: at.wall_us,
            mono_us: at.mono_us,
            boot: Shown(&at.boot),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ProbeJson<'a> {
    paced: bool,
    grade: Shown<'a, Grade>,
    latency_us: u32,
    observation: Option<ObservationJson<'a>>,
}

impl<'a> From<&'a Probe> for ProbeJson<'a> {
    fn from(probe: &'a Probe) -> Self {
        Self {
            paced: probe.paced,
            grade: Shown(&probe.grade),
            latency_us: probe.latency_us,
            observation: probe.observation.as_ref().map(ObservationJson::from),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ObservationJson<'a> {
    role: Shown<'a, RedisRole>,
    run_id: Shown<'a, RedisId>,
    replid: Shown<'a, RedisId>,
    replid2: Shown<'a, RedisId>,
    second_offset: i64,
    offset: i64,
    master: Option<Shown<'a, Endpoint>>,
    link_up: bool,
    sync_in_progress: bool,
    loading: bool,
    replicas_online: u16,
    keys: u64,
}

impl<'a> From<&'a Observation> for ObservationJson<'a> {
    fn from(seen: &'a Observation) -> Self {
        Self {
            role: Shown(&seen.role),
            run_id: Shown(&seen.run_id),
            replid: Shown(&seen.replid),
            replid2: Shown(&seen.replid2),
            second_offset: seen.second_offset,
            offset: seen.offset,
            master: seen.master.as_ref().map(Shown),
            link_up: seen.link_up,
            sync_in_progress: seen.sync_in_progress,
            loading: seen.loading,
            replicas_online: seen.replicas_online,
            keys: seen.keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventJson;
    use crate::views::fixture;

    /// The tag is the word that `--kind` takes, and nothing of a variant is lost without notice.
    #[test]
    fn every_event_is_tagged_with_its_kind() {
        let mut lines = Vec::new();
        for event in fixture::every_event() {
            let json = serde_json::to_value(EventJson::from(&event)).unwrap();
            assert_eq!(json["kind"], event.kind());
            lines.push(json.to_string());
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
