//! Any event, and any state.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use rha::machine::{Health, State, Status};
use rha::model::drill::Drill;
use rha::model::effect::{EffectId, Outcome};
use rha::model::event::{Deadline, Event, Operator, RedisRequest};
use rha::model::quorum::Vote;
use rha::model::record::Seq;
use rha::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole, Sign};
use rha::model::rescue::Diverged;
use rha::model::role::Role;
use rha::model::settings::Settings;
use rha::model::time::{At, BootId, Tilt};
use rha::model::vrrp::{Notification, Notified, SpoolPosition, Subject, VrrpState, Word};

/// An event, and how long after the one before it.
pub type Timed = (u64, Event);

// --- states -------------------------------------------------------------------------------------------

pub fn ready_state() -> State {
    State {
        live: true,
        boot: BootId(1),
        settings: settings(3, 3, 4),
        ..State::default()
    }
}

/// States that no events lead to, too.
pub fn any_state() -> impl Strategy<Value = State> {
    let facts = (
        select(&Role::ALL),
        any::<bool>(),
        option::of(vrrp_state()),
        any::<bool>(),
        option::of(any::<bool>()),
        0..3_u64,
    );
    let redis = (
        select(&[Status::Unknown, Status::Up, Status::Down][..]),
        option::of(grade()),
        option::of(observation()),
        any::<bool>(),
    );
    (facts, redis, 0..4_u16, 0..4_u16, 0..9_u8).prop_map(|(facts, redis, fall, rise, bias)| {
        let (role, live, vrrp, vip_here, keepalived, epoch) = facts;
        let (status, grade, seen, linked_once) = redis;
        State {
            settings: settings(fall, rise, bias),
            role,
            epoch,
            live,
            boot: BootId(1),
            vrrp,
            vip_here,
            keepalived,
            health: Health {
                status,
                good: 0,
                bad: 0,
            },
            grade,
            redis: seen,
            linked_once,
            ..State::default()
        }
    })
}

fn settings(fall: u16, rise: u16, bias: u8) -> Settings {
    Settings {
        node: "a".to_owned(),
        above: vec!["b".to_owned(); usize::from(bias % 2)],
        peers: vec!["b".to_owned(), "c".to_owned()],
        own: endpoint("10.0.0.1"),
        vip: endpoint("10.0.0.100"),
        follow: endpoint("10.0.0.100"),
        fall,
        rise,
        fall_on: vec![Grade::Timeout, Grade::Refused],
        bias,
        prefer_availability: true,
        last_primary_ms: 30_000,
        replicated_writes: rise % 2 == 1,
        kill_hung: true,
        drain_ms: 3_000,
        negotiation_ms: 2_000,
        retry_ms: 200,
        reconcile_ms: 500,
        keepalived_gone_ms: 1_000,
        unserved_ms: 5_000,
        redundancy_ms: 30_000,
        repeat_ms: u64::from(bias) * 1_000,
        sinks: vec!["ops".to_owned(), "pager".to_owned()],
        tilt_ms: u64::from(bias % 3) * 1_000,
        max_promotions: fall,
        promotions_window_ms: 60_000,
        quorum: None,
    }
}

fn endpoint(host: &str) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port: 6379,
    }
}

// --- events -------------------------------------------------------------------------------------------

pub fn timed() -> impl Strategy<Value = Timed> {
    (
        select(&[0, 50, 300_000, 1_000_000, 10_000_000][..]),
        event(),
    )
}

pub fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => check(),
        6 => notified().prop_map(Event::VrrpNotified),
        6 => finished(),
        4 => deadline().prop_map(|deadline| Event::DeadlinePassed { deadline }),
        2 => any::<bool>().prop_map(|here| Event::VipChanged { here }),
        2 => any::<bool>().prop_map(|running| Event::KeepalivedChanged { running }),
        2 => process().prop_map(|pid| Event::RedisExited { pid }),
        2 => (process(), identity()).prop_map(|(pid, run_id)| Event::RedisAttached {
            pid,
            run_id,
            version: "7.0.15".to_owned(),
            watched: true,
        }),
        1 => process().prop_map(|pid| Event::AgentStarted { version: "0.1.0".to_owned(), pid }),
        3 => (any::<bool>(), option::of(any::<bool>()))
            .prop_map(|(vip_here, keepalived)| Event::AgentReady { vip_here, keepalived }),
        1 => (0..4_u16, 0..4_u16, 0..9_u8)
            .prop_map(|(fall, rise, bias)| Event::Configured(settings(fall, rise, bias))),
        1 => operator_event(),
        1 => other_event(),
    ]
}

fn operator() -> Operator {
    Operator {
        uid: 0,
        user: "root".to_owned(),
        command: "rha".to_owned(),
    }
}

fn operator_event() -> impl Strategy<Value = Event> {
    let requests = [
        RedisRequest::Start,
        RedisRequest::Stop,
        RedisRequest::Restart,
        RedisRequest::Promote,
    ];
    prop_oneof![
        option::of(any::<i64>()).prop_map(move |until_us| Event::OperatorPaused {
            until_us,
            reason: "a test".to_owned(),
            operator: operator(),
        }),
        Just(()).prop_map(move |()| Event::OperatorResumed {
            operator: operator()
        }),
        select(requests.to_vec()).prop_map(move |request| Event::OperatorAsked {
            request,
            operator: operator(),
        }),
    ]
}

fn other_event() -> impl Strategy<Value = Event> {
    let why = || "a test".to_owned();
    let spool = SpoolPosition {
        segment: 1,
        offset: 1,
    };
    select(vec![
        Event::AgentStopping,
        Event::ConfigRejected { error: why() },
        Event::ActedUnrecorded {
            at: At::default(),
            why: why(),
            what: why(),
        },
        Event::JournalQuarantined {
            path: why(),
            why: why(),
        },
        Event::NotifyUnparsed {
            raw: why(),
            why: why(),
            stamped: At::default(),
            spool,
        },
        Event::SpoolDamaged {
            spool,
            skipped_bytes: 1,
        },
        Event::JournalFailed {
            at: At::default(),
            why: why(),
            over: false,
        },
        Event::EffectTried {
            effect: EffectId {
                seq: Seq(1),
                index: 0,
            },
            order: why(),
            why: why(),
        },
        Event::RecordsRemoved {
            below: Seq(7),
            records: 6,
            bytes: 600,
            why: why(),
        },
        Event::VolumeDamaged {
            path: why(),
            why: why(),
        },
        Event::PeerAdvertised {
            peer: "b".to_owned(),
            heard: true,
        },
        Event::PeerSigned {
            peer: "b".to_owned(),
            sign: Some(Sign::Leads),
        },
        Event::PeerSigned {
            peer: "b".to_owned(),
            sign: Some(Sign::Paused),
        },
        Event::PeerSigned {
            peer: "b".to_owned(),
            sign: None,
        },
        Event::VipClaimed {
            by: Some("02:00:00:00:ab:09".to_owned()),
        },
        Event::VipClaimed { by: None },
        Event::SwitchoverAsked {
            to: None,
            within_ms: 5_000,
            operator: operator(),
        },
        Event::OperatorDrilled {
            drill: Drill::RedisHang,
            for_ms: 5_000,
            operator: operator(),
        },
        Event::DrillEnded {
            drill: Drill::RedisHang,
            restored: true,
            how: why(),
            operator: operator(),
        },
        Event::PeerAdvertised {
            peer: "c".to_owned(),
            heard: false,
        },
        Event::Tilted {
            why: Tilt::ClockJump,
            by_ms: -5_000,
        },
        Event::Tilted {
            why: Tilt::Stall,
            by_ms: 5_000,
        },
        Event::OperatorAcked {
            note: why(),
            operator: operator(),
        },
        Event::Rescued {
            diverged: diverged(Some(14)),
            path: why(),
            bytes: 187,
        },
        Event::Rescued {
            diverged: diverged(None),
            path: why(),
            bytes: 187,
        },
        Event::NotRescued {
            diverged: diverged(None),
            why: why(),
            waits: true,
        },
        Event::QuorumChanged {
            voter: "etcd".to_owned(),
            vote: Vote::Ours { handed: false },
        },
        Event::QuorumChanged {
            voter: "etcd".to_owned(),
            vote: Vote::Silent { why: why() },
        },
    ])
}

fn diverged(lacks: Option<u64>) -> Diverged {
    Diverged {
        target: endpoint("10.0.0.100"),
        replid: RedisId::default(),
        offset: 7,
        lacks,
        keys: 1,
    }
}

pub fn check() -> impl Strategy<Value = Event> {
    let peers = select(vec!["b".to_owned(), "c".to_owned()]);
    prop_oneof![
        3 => probe().prop_map(Event::RedisProbed),
        1 => (peers, probe()).prop_map(|(peer, probe)| Event::PeerProbed { peer, probe }),
    ]
}

fn probe() -> impl Strategy<Value = Probe> {
    (any::<bool>(), grade(), option::of(observation())).prop_map(|(paced, grade, observation)| {
        Probe {
            paced,
            grade,
            latency_us: 400,
            observation,
        }
    })
}

/// Most checks are good ones.
fn grade() -> impl Strategy<Value = Grade> {
    prop_oneof![2 => Just(Grade::Ok), 1 => select(&Grade::ALL)]
}

fn observation() -> impl Strategy<Value = Observation> {
    let masters = vec![
        endpoint("10.0.0.100"),
        endpoint("10.0.0.1"),
        endpoint("127.0.0.1"),
    ];
    let role = select(&[RedisRole::Master, RedisRole::Replica][..]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (
        role,
        identity(),
        option::of(select(masters)),
        flags,
        0..3_u16,
    )
        .prop_map(
            |(role, run_id, master, (link_up, sync_in_progress, loading), replicas_online)| {
                Observation {
                    role,
                    run_id,
                    replid: run_id,
                    replid2: RedisId::default(),
                    second_offset: -1,
                    offset: 0,
                    master,
                    link_up,
                    sync_in_progress: sync_in_progress && loading,
                    loading,
                    replicas_online,
                    keys: 0,
                }
            },
        )
}

pub fn notified() -> impl Strategy<Value = Notified> {
    let word = prop_oneof![
        8 => vrrp_state().prop_map(Word::State),
        1 => Just(Word::RxLowerPriority),
        1 => Just(Word::PriorityChanged),
    ];
    let subject = prop_oneof![9 => Just(Subject::Instance), 1 => Just(Subject::Group)];
    (subject, word).prop_map(|(subject, word)| Notified {
        notification: Notification {
            subject,
            name: "RHA_REDIS".to_owned(),
            word,
            priority: Some(250),
            raw: None,
        },
        stamped: At::default(),
        spool: None,
    })
}

fn vrrp_state() -> impl Strategy<Value = VrrpState> {
    select(vec![
        VrrpState::Master,
        VrrpState::Backup,
        VrrpState::Fault,
        VrrpState::Stop,
        VrrpState::Deleted,
        VrrpState::Unknown,
    ])
}

/// Of effects that were ordered, and of some that were not.
fn finished() -> impl Strategy<Value = Event> {
    let outcomes = vec![
        Outcome::Done(String::new()),
        Outcome::Refused("a test".to_owned()),
        Outcome::TimedOut,
        Outcome::Failed("a test".to_owned()),
        Outcome::Superseded,
    ];
    (1..60_u64, 0..4_u16, select(outcomes)).prop_map(|(seq, index, outcome)| {
        let effect = EffectId {
            seq: Seq(seq),
            index,
        };
        Event::EffectFinished {
            effect,
            order: "a test".to_owned(),
            outcome,
        }
    })
}

fn deadline() -> impl Strategy<Value = Deadline> {
    select(vec![
        Deadline::Negotiation,
        Deadline::Retry,
        Deadline::Unserved,
        Deadline::Redundancy,
        Deadline::Reconcile,
        Deadline::KeepalivedGone,
        Deadline::Repeat,
        Deadline::PauseExpiry,
        Deadline::Conflict,
        Deadline::Apart,
        Deadline::LastPrimary,
        Deadline::DrillOver,
        Deadline::TiltOver,
        Deadline::FlapWait,
    ])
}

fn process() -> impl Strategy<Value = u32> {
    1..4_u32
}

fn identity() -> impl Strategy<Value = RedisId> {
    (1..4_u8).prop_map(|first| {
        let mut id = RedisId::default();
        id.0[0] = first;
        id
    })
}
