//! One of everything that a view must have a word for.

use super::fixture::*;
use crate::model::drill::Drill;
use crate::model::effect::{Effect, EffectId, Outcome};
use crate::model::event::{Deadline, Event, Operator, RedisRequest};
use crate::model::quorum::Vote;
use crate::model::record::Seq;
use crate::model::redis::{Grade, Sign};
use crate::model::rescue::Diverged;
use crate::model::time::Tilt;
use crate::model::vrrp::{Notification, Notified, SpoolPosition, Subject, Word};

/// Every variant of [`Event`], once, in stored order.
pub fn every_event() -> Vec<Event> {
    let mut events = first_events();
    events.extend(further_events());
    events.extend(events_of_the_journal());
    events
}

const SPOOL: SpoolPosition = SpoolPosition {
    segment: 3,
    offset: 77,
};

fn first_events() -> Vec<Event> {
    let stamped = Story::default().now;
    vec![
        Event::AgentStarted {
            version: "0.1.0".to_owned(),
            pid: 4711,
        },
        Event::Configured(settings()),
        Event::ConfigRejected {
            error: "rha.toml:3: unknown key `fal`".to_owned(),
        },
        Event::AgentReady {
            vip_here: true,
            keepalived: Some(true),
        },
        Event::AgentStopping,
        Event::VrrpNotified(Notified {
            notification: Notification {
                subject: Subject::Group,
                name: "VG_1".to_owned(),
                word: Word::RxLowerPriority,
                priority: None,
                raw: Some("GROUP \\\"VG_1\\\" MASTER_RX_LOWER_PRI x".to_owned()),
            },
            stamped,
            spool: None,
        }),
        Event::NotifyUnparsed {
            raw: "INSTANCE".to_owned(),
            why: "no name".to_owned(),
            stamped,
            spool: SPOOL,
        },
        Event::VipChanged { here: false },
        Event::KeepalivedChanged { running: false },
    ]
}

fn events_of_the_journal() -> Vec<Event> {
    vec![
        Event::RecordsRemoved {
            below: Seq(131_073),
            records: 131_072,
            bytes: 1_250_000,
            why: "older than 400d".to_owned(),
        },
        Event::VolumeDamaged {
            path: "journal/00000000000000000001.vol".to_owned(),
            why: "a chunk is garbled".to_owned(),
        },
        Event::PeerAdvertised {
            peer: "b".to_owned(),
            heard: true,
        },
        Event::PeerSigned {
            peer: "b".to_owned(),
            sign: Some(Sign::Leads),
        },
        Event::VipClaimed {
            by: Some("02:00:00:00:ab:09".to_owned()),
        },
        Event::SwitchoverAsked {
            to: Some("b".to_owned()),
            within_ms: 5_000,
            operator: operator("alice"),
        },
        Event::OperatorDrilled {
            drill: Drill::RedisKill,
            for_ms: 300_000,
            operator: operator("alice"),
        },
        Event::DrillEnded {
            drill: Drill::RedisKill,
            restored: true,
            how: "its time was over; Redis started".to_owned(),
            operator: operator("alice"),
        },
        Event::Tilted {
            why: Tilt::Stall,
            by_ms: 4_321,
        },
        Event::OperatorAcked {
            note: "the switch port flaps".to_owned(),
            operator: operator("alice"),
        },
        Event::Rescued {
            diverged: diverged(Some(1_450)),
            path: "/var/lib/rha/rescue/redis-e3-o98765-20260803T060000Z.rdb".to_owned(),
            bytes: 187,
        },
        Event::NotRescued {
            diverged: diverged(None),
            why: "no space left on device".to_owned(),
            waits: true,
        },
        Event::QuorumChanged {
            voter: "etcd".to_owned(),
            vote: Vote::Theirs {
                holder: "b".to_owned(),
            },
        },
    ]
}

fn diverged(lacks: Option<u64>) -> Diverged {
    Diverged {
        target: vip(),
        replid: id(9),
        offset: 98_765,
        lacks,
        keys: 12,
    }
}

fn further_events() -> Vec<Event> {
    vec![
        Event::RedisAttached {
            pid: 1234,
            run_id: id(1),
            version: "8.0.2".to_owned(),
            watched: true,
        },
        Event::RedisProbed(failed(Grade::Timeout, 500_000)),
        Event::RedisExited { pid: 1234 },
        Event::PeerProbed {
            peer: "lvs2".to_owned(),
            probe: replica(false),
        },
        Event::DeadlinePassed {
            deadline: Deadline::Unserved,
        },
        Event::EffectFinished {
            effect: EffectId {
                seq: Seq(17),
                index: 1,
            },
            order: "follow 192.168.192.161:6000".to_owned(),
            outcome: Outcome::Failed("connection reset".to_owned()),
        },
        Event::OperatorPaused {
            until_us: Some(START_US),
            reason: "disk change".to_owned(),
            operator: operator("alice"),
        },
        Event::OperatorResumed {
            operator: operator(""),
        },
        Event::OperatorAsked {
            request: RedisRequest::Restart,
            operator: operator("alice"),
        },
        Event::ActedUnrecorded {
            at: Story::default().now,
            why: "no space left".to_owned(),
            what: "promoted Redis".to_owned(),
        },
        Event::JournalQuarantined {
            path: "journal.bad".to_owned(),
            why: "no space left".to_owned(),
        },
        Event::SpoolDamaged {
            spool: SPOOL,
            skipped_bytes: 12,
        },
        Event::JournalFailed {
            at: Story::default().now,
            why: "no space left".to_owned(),
            over: true,
        },
        Event::EffectTried {
            effect: EffectId {
                seq: Seq(17),
                index: 2,
            },
            order: "send-alarm took-over raised to ops".to_owned(),
            why: "connection refused".to_owned(),
        },
    ]
}

/// Every variant of [`Effect`], once.
pub fn every_effect() -> Vec<Effect> {
    use crate::model::alarm::{Alarm, AlarmKind, AlarmStatus};
    vec![
        Effect::Promote,
        Effect::Follow { target: vip() },
        Effect::SetEligible { eligible: false },
        Effect::SetBias { bias: 50 },
        Effect::Drain { hold_ms: 3000 },
        Effect::RemoveVip,
        Effect::StartRedis,
        Effect::StopRedis,
        Effect::KillRedis { pid: 4711 },
        Effect::GuardWrites { on: true },
        Effect::Rejoin {
            target: vip(),
            epoch: 3,
        },
        Effect::ClaimLead,
        Effect::ReleaseLead { at_once: true },
        Effect::HandOver {
            to: "b".to_owned(),
            within_ms: 5_000,
        },
        Effect::LetGo {
            to: "b".to_owned(),
            within_ms: 5_000,
        },
        Effect::SendAlarm {
            sink: "ops".to_owned(),
            alarm: Alarm {
                incident: Seq(17),
                kind: AlarmKind::Unserved,
                status: AlarmStatus::Raised,
                title: "Fault: nobody serves".to_owned(),
                content: "Start Redis.".to_owned(),
            },
        },
    ]
}

fn operator(user: &str) -> Operator {
    Operator {
        uid: 1000,
        user: user.to_owned(),
        command: "rha pause --reason 'disk change' 1h".to_owned(),
    }
}
