//! One value of every variant that is stored, in the order in which they came to be.

use std::borrow::Cow;

use crate::journal::block::Block;
use crate::journal::codec::Entry;
use crate::model::alarm::{Alarm, AlarmKind, AlarmStatus};
use crate::model::decision::{Decision, Note, RuleId, Transition};
use crate::model::drill::Drill;
use crate::model::effect::{Effect, EffectId, Outcome};
use crate::model::event::{Deadline, Event, Operator, RedisRequest};
use crate::model::quorum::{Quorum, Vote};
use crate::model::record::{Record, Seq};
use crate::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole, Sign};
use crate::model::rescue::Diverged;
use crate::model::role::Role;
use crate::model::settings::Settings;
use crate::model::time::{At, BootId, Tilt};
use crate::model::vrrp::{Notification, Notified, SpoolPosition, Subject, VrrpState, Word};

/// A record of every event, in stored order; effects, outcomes and notes are spread over them.
pub(crate) fn samples() -> Vec<Record> {
    let (mut decisions, mut events) = (decisions(), events());
    decisions.resize(events.len(), Decision::default());
    decisions.push(decision_of_format_3());
    events.extend(events_of_format_3());
    events.extend(further_events_of_format_3());
    events.extend(events_of_a_quorum());
    let mut decisions = decisions.into_iter();
    let events = events.into_iter().enumerate();
    let records = events.map(|(index, event)| Record {
        seq: Seq(index as u64 + 1),
        at: at(index as u64),
        instance: if index == 0 {
            String::new()
        } else {
            "redis".to_owned()
        },
        cause: (index % 3 == 1).then_some(Seq(index as u64)),
        ruleset: 1,
        incident: (index > 5).then_some(Seq(6)),
        event,
        decision: decisions.next().unwrap_or_default(),
    });
    records.collect()
}

/// The samples, and a block of quiet checks behind them.
pub(crate) fn entries(records: &[Record]) -> Vec<Entry> {
    let next = records.len() as u64 + 1;
    let mut entries: Vec<_> = records.iter().cloned().map(Entry::Record).collect();
    let checks: Vec<_> = (0..6).map(|index| check(next, index)).collect();
    entries.push(Entry::Quiet(Block::pack(&checks).unwrap()));
    entries
}

fn check(first: u64, index: u64) -> Record {
    let mut probe = probe();
    probe.latency_us += index as u32 * 7;
    if let Some(seen) = &mut probe.observation {
        seen.offset += index as i64 * 14;
        seen.keys -= index;
    }
    let event = match index % 3 {
        0 => Event::RedisProbed(probe),
        1 => Event::PeerProbed {
            peer: "lvs2".to_owned(),
            probe,
        },
        _ => Event::PeerProbed {
            peer: "lvs3".to_owned(),
            probe: Probe {
                paced: true,
                grade: Grade::Timeout,
                latency_us: 500_000,
                observation: None,
            },
        },
    };
    Record {
        seq: Seq(first + index),
        at: at(100 + index),
        instance: "redis".to_owned(),
        cause: None,
        ruleset: 1,
        incident: None,
        event,
        decision: Decision::default(),
    }
}

fn at(second: u64) -> At {
    At {
        wall_us: 1_763_913_600_000_000 + second as i64 * 1_000_123,
        mono_us: 86_400_000_000 + second * 1_000_100,
        boot: BootId(0x0123_4567_89ab_cdef),
    }
}

fn probe() -> Probe {
    Probe {
        paced: true,
        grade: Grade::Ok,
        latency_us: 312,
        observation: Some(Observation {
            role: RedisRole::Replica,
            run_id: RedisId([0x11; 20]),
            replid: RedisId([0x22; 20]),
            replid2: RedisId::default(),
            second_offset: -1,
            offset: 5_000_000_000,
            master: Some(endpoint("192.168.192.161")),
            link_up: true,
            sync_in_progress: false,
            loading: false,
            replicas_online: 0,
            keys: 70_000,
        }),
    }
}

fn endpoint(host: &str) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port: 6379,
    }
}

fn spool(offset: u64) -> SpoolPosition {
    SpoolPosition { segment: 3, offset }
}

fn operator() -> Operator {
    Operator {
        uid: 1000,
        user: "jun".to_owned(),
        command: "rha pause --for 1h".to_owned(),
    }
}

fn settings() -> Settings {
    Settings {
        node: "lvs1".to_owned(),
        above: Vec::new(),
        peers: vec!["lvs2".to_owned(), "lvs3".to_owned()],
        own: endpoint("192.168.192.37"),
        vip: endpoint("192.168.192.161"),
        follow: endpoint("192.168.192.161"),
        fall: 3,
        rise: 3,
        fall_on: Grade::ALL.to_vec(),
        bias: 50,
        // What those formats are read as that did not have these.
        prefer_availability: true,
        last_primary_ms: 0,
        replicated_writes: false,
        kill_hung: false,
        drain_ms: 3_000,
        negotiation_ms: 2_000,
        retry_ms: 200,
        reconcile_ms: 500,
        keepalived_gone_ms: 1_000,
        unserved_ms: 5_000,
        redundancy_ms: 30_000,
        repeat_ms: 14_400_000,
        sinks: vec!["ops".to_owned()],
        tilt_ms: 0,
        max_promotions: 0,
        promotions_window_ms: 0,
        quorum: None,
    }
}

fn notified(subject: Subject, word: Word, priority: Option<u16>) -> Event {
    Event::VrrpNotified(Notified {
        notification: Notification {
            subject,
            name: "RHA_REDIS".to_owned(),
            word,
            priority,
            raw: priority
                .is_none()
                .then(|| "VS \"RHA_REDIS\" ÜBER".to_owned()),
        },
        stamped: at(7),
        spool: priority.map(|_| spool(40)),
    })
}

/// Stored order: variant after variant of [`Event`].
fn events() -> Vec<Event> {
    let mut events = vec![
        Event::AgentStarted {
            version: "0.1.0".to_owned(),
            pid: 4711,
        },
        Event::Configured(settings()),
        Event::ConfigRejected {
            error: "rha.toml:3: unknown key".to_owned(),
        },
        Event::AgentReady {
            vip_here: true,
            keepalived: Some(false),
        },
        Event::AgentReady {
            vip_here: false,
            keepalived: None,
        },
        Event::AgentStopping,
    ];
    let states = [
        VrrpState::Master,
        VrrpState::Backup,
        VrrpState::Fault,
        VrrpState::Stop,
        VrrpState::Deleted,
        VrrpState::Unknown,
    ];
    events.extend(states.map(|s| notified(Subject::Instance, Word::State(s), Some(150))));
    events.extend([
        notified(Subject::Group, Word::RxLowerPriority, Some(255)),
        notified(Subject::Unknown, Word::PriorityChanged, None),
        Event::NotifyUnparsed {
            raw: "\\x00".to_owned(),
            why: "no words".to_owned(),
            stamped: at(8),
            spool: spool(80),
        },
        Event::VipChanged { here: true },
        Event::KeepalivedChanged { running: false },
        Event::RedisAttached {
            pid: 815,
            run_id: RedisId([0x11; 20]),
            version: "8.2.1".to_owned(),
            watched: true,
        },
    ]);
    events.extend(Grade::ALL.map(|grade| Event::RedisProbed(Probe { grade, ..probe() })));
    events.extend(later_events());
    events
}

/// From [`Event::RedisExited`] on.
fn later_events() -> Vec<Event> {
    let mut events = vec![Event::RedisExited { pid: 815 }];
    events.push(Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: Probe {
            paced: true,
            grade: Grade::Refused,
            latency_us: u32::MAX,
            observation: None,
        },
    });
    events.extend(DEADLINES.map(|deadline| Event::DeadlinePassed { deadline }));
    let outcomes = [
        Outcome::Done(String::new()),
        Outcome::Refused("target is an address of this host".to_owned()),
        Outcome::TimedOut,
        Outcome::Failed("LOADING".to_owned()),
        Outcome::Superseded,
    ];
    events.extend(outcomes.map(|outcome| Event::EffectFinished {
        effect: EffectId {
            seq: Seq(300),
            index: 2,
        },
        order: "follow 192.168.192.161:6379".to_owned(),
        outcome,
    }));
    events.extend(operators_events());
    events.extend([
        Event::ActedUnrecorded {
            at: at(9),
            why: "no space left on device".to_owned(),
            what: "promote".to_owned(),
        },
        Event::JournalQuarantined {
            path: "/var/lib/rha/journal.bad-1".to_owned(),
            why: "the chain is broken".to_owned(),
        },
        Event::SpoolDamaged {
            spool: spool(4096),
            skipped_bytes: 96,
        },
        Event::JournalFailed {
            at: at(10),
            why: "no space left on device".to_owned(),
            over: true,
        },
        Event::EffectTried {
            effect: EffectId {
                seq: Seq(300),
                index: 3,
            },
            order: "send-alarm took-over raised to ops".to_owned(),
            why: "connection refused".to_owned(),
        },
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
    ]);
    events
}

/// What is stored since format 3.
fn events_of_format_3() -> Vec<Event> {
    let switchover = |to: Option<&str>| Event::SwitchoverAsked {
        to: to.map(str::to_owned),
        within_ms: 5_000,
        operator: operator(),
    };
    vec![
        Event::PeerAdvertised {
            peer: "lvs2".to_owned(),
            heard: false,
        },
        switchover(Some("lvs2")),
        switchover(None),
        Event::Configured(Settings {
            above: vec!["lvs2".to_owned()],
            prefer_availability: false,
            last_primary_ms: 30_000,
            replicated_writes: true,
            kill_hung: true,
            tilt_ms: 2_000,
            max_promotions: 20,
            promotions_window_ms: 120_000,
            ..settings()
        }),
        Event::DeadlinePassed {
            deadline: Deadline::Apart,
        },
        Event::DeadlinePassed {
            deadline: Deadline::LastPrimary,
        },
        Event::OperatorAsked {
            request: RedisRequest::Promote,
            operator: operator(),
        },
        Event::PeerSigned {
            peer: "lvs2".to_owned(),
            sign: Some(Sign::Leads),
        },
        Event::VipClaimed {
            by: Some("02:00:00:00:ab:09".to_owned()),
        },
        Event::OperatorDrilled {
            drill: Drill::Link,
            for_ms: 300_000,
            operator: operator(),
        },
        Event::DrillEnded {
            drill: Drill::AgentKill,
            restored: false,
            how: "eth0: no such interface".to_owned(),
            operator: operator(),
        },
        Event::DeadlinePassed {
            deadline: Deadline::DrillOver,
        },
    ]
}

/// Of time, and of operators who take notice.
fn further_events_of_format_3() -> Vec<Event> {
    vec![
        Event::Tilted {
            why: Tilt::ClockJump,
            by_ms: -3_600_000,
        },
        Event::Tilted {
            why: Tilt::Stall,
            by_ms: 5_000,
        },
        Event::OperatorAcked {
            note: "the switch port flaps".to_owned(),
            operator: operator(),
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
        Event::DeadlinePassed {
            deadline: Deadline::TiltOver,
        },
        Event::DeadlinePassed {
            deadline: Deadline::FlapWait,
        },
    ]
}

fn events_of_a_quorum() -> Vec<Event> {
    vec![
        Event::Configured(Settings {
            quorum: Some(Quorum {
                alone: true,
                voters: vec!["etcd".to_owned()],
                ttl_ms: 3_000,
            }),
            ..settings()
        }),
        voted(Vote::Ours { handed: true }),
        voted(Vote::Free),
        voted(Vote::Theirs {
            holder: "lvs2".to_owned(),
        }),
        voted(Vote::Silent {
            why: "connection refused".to_owned(),
        }),
        Event::DeadlinePassed {
            deadline: Deadline::Lead,
        },
        Event::DeadlinePassed {
            deadline: Deadline::OwnVote,
        },
        Event::DeadlinePassed {
            deadline: Deadline::Vouched,
        },
    ]
}

fn diverged(lacks: Option<u64>) -> Diverged {
    Diverged {
        target: endpoint("192.168.192.161"),
        replid: RedisId([9; 20]),
        offset: 98_765,
        lacks,
        keys: 12,
    }
}

fn voted(vote: Vote) -> Event {
    Event::QuorumChanged {
        voter: "etcd".to_owned(),
        vote,
    }
}

fn decision_of_format_3() -> Decision {
    let to = || "lvs2".to_owned();
    Decision {
        effects: vec![
            Effect::KillRedis { pid: 4711 },
            Effect::GuardWrites { on: true },
            Effect::HandOver {
                to: to(),
                within_ms: 5_000,
            },
            Effect::LetGo {
                to: to(),
                within_ms: 5_000,
            },
            send_alarm(AlarmKind::OlderCopy),
            send_alarm(AlarmKind::VipClaimed),
            Effect::Rejoin {
                target: endpoint("192.168.192.161"),
                epoch: 3,
            },
            Effect::ClaimLead,
            Effect::ReleaseLead { at_once: true },
            send_alarm(AlarmKind::Quorum),
        ],
        ..Decision::default()
    }
}

fn send_alarm(kind: AlarmKind) -> Effect {
    Effect::SendAlarm {
        sink: "ops".to_owned(),
        alarm: Alarm {
            incident: Seq(6),
            kind,
            status: AlarmStatus::Raised,
            title: "an older copy".to_owned(),
            content: "it lacks 17 bytes".to_owned(),
        },
    }
}

fn operators_events() -> impl Iterator<Item = Event> {
    let paused = Event::OperatorPaused {
        until_us: Some(-1),
        reason: "new kernel".to_owned(),
        operator: operator(),
    };
    let resumed = Event::OperatorResumed {
        operator: operator(),
    };
    let requests = [
        RedisRequest::Start,
        RedisRequest::Stop,
        RedisRequest::Restart,
    ];
    let asked = requests.map(|request| Event::OperatorAsked {
        request,
        operator: operator(),
    });
    [paused, resumed].into_iter().chain(asked)
}

const DEADLINES: [Deadline; 9] = [
    Deadline::Negotiation,
    Deadline::Retry,
    Deadline::Unserved,
    Deadline::Redundancy,
    Deadline::Reconcile,
    Deadline::KeepalivedGone,
    Deadline::Repeat,
    Deadline::PauseExpiry,
    Deadline::Conflict,
];

const ALARMS: [AlarmKind; 12] = [
    AlarmKind::TookOver,
    AlarmKind::NoReplica,
    AlarmKind::Unserved,
    AlarmKind::PromotionHeld,
    AlarmKind::EffectFailed,
    AlarmKind::AuthRefused,
    AlarmKind::Misconfigured,
    AlarmKind::KeepalivedGone,
    AlarmKind::VrrpFault,
    AlarmKind::JournalTrouble,
    AlarmKind::TwoPrimaries,
    AlarmKind::NotifyLost,
];

/// A transition from every role to the one behind it, and every effect and note.
fn decisions() -> Vec<Decision> {
    let transitions = Role::ALL
        .into_iter()
        .zip(Role::ALL.into_iter().cycle().skip(1));
    let mut decisions: Vec<_> = transitions
        .map(|(from, to)| Decision {
            transition: Some(Transition { from, to }),
            rule: Some(RuleId(Cow::Borrowed("promote-on-vip"))),
            effects: Vec::new(),
            notes: Vec::new(),
        })
        .collect();
    decisions[0].effects = vec![
        Effect::Promote,
        Effect::Follow {
            target: endpoint("fe80::1"),
        },
        Effect::SetEligible { eligible: true },
        Effect::SetBias { bias: 253 },
        Effect::Drain { hold_ms: 3_000 },
        Effect::RemoveVip,
        Effect::StartRedis,
        Effect::StopRedis,
    ];
    let statuses = [
        AlarmStatus::Raised,
        AlarmStatus::Repeated,
        AlarmStatus::Resolved,
    ];
    decisions[1].effects = ALARMS
        .into_iter()
        .zip(statuses.into_iter().cycle())
        .map(|(kind, status)| Effect::SendAlarm {
            sink: "ops".to_owned(),
            alarm: Alarm {
                incident: Seq(6),
                kind,
                status,
                title: "192.168.192.37: took over".to_owned(),
                content: "192.168.192.37: Redis 主库已切换".to_owned(),
            },
        })
        .collect();
    decisions[2].notes = vec![
        Note::IncidentOpened(Seq(6)),
        Note::IncidentClosed(Seq(6)),
        Note::Blocked {
            guard: Cow::Borrowed("loading"),
        },
        Note::AlarmSuppressed {
            kind: AlarmKind::TookOver,
            why: Cow::Borrowed("repeat"),
        },
        Note::Epoch(12),
        Note::Noticed(Cow::Borrowed("redis has a new run id")),
    ];
    decisions
}
