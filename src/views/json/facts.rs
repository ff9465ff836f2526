//! What events are made of, as JSON: settings, checks, times, who did it.

use serde::Serialize;

use super::Shown;
use crate::model::event::Operator;
use crate::model::quorum::Quorum;
use crate::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole};
use crate::model::settings::Settings;
use crate::model::time::{At, BootId};
use crate::views::time::rfc3339;

#[derive(Debug, Serialize)]
pub(super) struct SettingsJson<'a> {
    node: &'a str,
    above: &'a [String],
    peers: &'a [String],
    own: Shown<'a, Endpoint>,
    vip: Shown<'a, Endpoint>,
    follow: Shown<'a, Endpoint>,
    fall: u16,
    rise: u16,
    fall_on: Vec<Shown<'a, Grade>>,
    bias: u8,
    prefer_availability: bool,
    last_primary_ms: u64,
    replicated_writes: bool,
    kill_hung: bool,
    drain_ms: u64,
    negotiation_ms: u64,
    retry_ms: u64,
    reconcile_ms: u64,
    keepalived_gone_ms: u64,
    unserved_ms: u64,
    redundancy_ms: u64,
    repeat_ms: u64,
    sinks: &'a [String],
    tilt_ms: u64,
    max_promotions: u16,
    promotions_window_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<QuorumJson<'a>>,
}

#[derive(Debug, Serialize)]
struct QuorumJson<'a> {
    alone: bool,
    voters: &'a [String],
    ttl_ms: u64,
}

impl<'a> From<&'a Quorum> for QuorumJson<'a> {
    fn from(quorum: &'a Quorum) -> Self {
        Self {
            alone: quorum.alone,
            voters: &quorum.voters,
            ttl_ms: quorum.ttl_ms,
        }
    }
}

impl<'a> From<&'a Settings> for SettingsJson<'a> {
    fn from(settings: &'a Settings) -> Self {
        Self {
            node: &settings.node,
            above: &settings.above,
            peers: &settings.peers,
            own: Shown(&settings.own),
            vip: Shown(&settings.vip),
            follow: Shown(&settings.follow),
            fall: settings.fall,
            rise: settings.rise,
            fall_on: settings.fall_on.iter().map(Shown).collect(),
            bias: settings.bias,
            prefer_availability: settings.prefer_availability,
            last_primary_ms: settings.last_primary_ms,
            replicated_writes: settings.replicated_writes,
            kill_hung: settings.kill_hung,
            drain_ms: settings.drain_ms,
            negotiation_ms: settings.negotiation_ms,
            retry_ms: settings.retry_ms,
            reconcile_ms: settings.reconcile_ms,
            keepalived_gone_ms: settings.keepalived_gone_ms,
            unserved_ms: settings.unserved_ms,
            redundancy_ms: settings.redundancy_ms,
            repeat_ms: settings.repeat_ms,
            sinks: &settings.sinks,
            tilt_ms: settings.tilt_ms,
            max_promotions: settings.max_promotions,
            promotions_window_ms: settings.promotions_window_ms,
            quorum: settings.quorum.as_ref().map(QuorumJson::from),
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
