//! Records for tests: stories told to the machine itself, under a clock that the test turns.

use crate::machine::{self, State};
use crate::model::effect::{EffectId, Outcome};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole};
use crate::model::settings::Settings;
use crate::model::time::{At, BootId};
use crate::model::vrrp::{Notification, Notified, SpoolPosition, Subject, VrrpState, Word};

/// 2026-08-03T06:00:00Z.
pub const START_US: i64 = 1_785_736_800_000_000;

/// The records of one instance, decided by the machine.
pub struct Story {
    pub instance: &'static str,
    pub state: State,
    pub records: Vec<Record>,
    pub now: At,
    pub seq: Seq,
    pub line: u64,
    pub obeyed: usize,
}

impl Default for Story {
    fn default() -> Self {
        let now = At {
            wall_us: START_US,
            mono_us: 5_000_000,
            boot: BootId(0x1122_3344_5566_7788),
        };
        Self {
            instance: "redis",
            state: State::default(),
            records: Vec::new(),
            now,
            seq: Seq(1),
            line: 0,
            obeyed: 0,
        }
    }
}

impl Story {
    pub fn wait_ms(&mut self, ms: u64) {
        self.now.mono_us += ms * 1000;
        self.now.wall_us += i64::try_from(ms * 1000).unwrap();
    }

    pub fn tell(&mut self, event: Event) {
        self.tell_because(None, event);
    }

    fn tell_because(&mut self, cause: Option<Seq>, event: Event) {
        self.wait_ms(1);
        let (seq, now) = (self.seq, self.now);
        let record = machine::decide(&mut self.state, seq, now, self.instance, cause, event);
        self.records.push(record);
        self.seq = seq.next();
    }

    /// Everything that was ordered is done, and what that orders in turn.
    pub fn obey(&mut self) {
        while let Some(record) = self.records.get(self.obeyed) {
            self.obeyed += 1;
            let (seq, effects) = (record.seq, record.decision.effects.clone());
            for (index, order) in (0..).zip(effects) {
                self.wait_ms(2);
                let finished = Event::EffectFinished {
                    effect: EffectId { seq, index },
                    order: order.to_string(),
                    outcome: Outcome::Done(String::new()),
                };
                self.tell_because(Some(seq), finished);
            }
        }
    }

    /// One check of the local Redis; the check before it was a second earlier.
    pub fn check(&mut self, probe: Probe) {
        self.wait_ms(999);
        self.tell(Event::RedisProbed(probe));
    }

    pub fn notify(&mut self, word: VrrpState) {
        self.line += 40;
        let event = Event::VrrpNotified(Notified {
            notification: Notification {
                subject: Subject::Instance,
                name: "RHA_REDIS".to_owned(),
                word: Word::State(word),
                priority: Some(253),
                raw: None,
            },
            stamped: self.now,
            spool: Some(SpoolPosition {
                segment: 1,
                offset: self.line,
            }),
        });
        self.tell(event);
    }

    /// The agent starts on a host that keepalived has made a backup or a master.
    pub fn start(&mut self, vip_here: bool) {
        let version = "0.1.0".to_owned();
        self.tell(Event::AgentStarted { version, pid: 4711 });
        self.tell(Event::Configured(settings()));
        self.notify(if vip_here {
            VrrpState::Master
        } else {
            VrrpState::Backup
        });
        self.tell(Event::RedisAttached {
            pid: 900,
            run_id: id(1),
            version: "8.0.2".to_owned(),
            watched: true,
        });
        for _ in 0..3 {
            self.check(replica(true));
        }
        let keepalived = Some(true);
        self.tell(Event::AgentReady {
            vip_here,
            keepalived,
        });
        self.obey();
    }

    /// The promotion that `start(true)` ordered is seen, with a replica attached.
    pub fn lead(&mut self) {
        self.check(master(1));
        self.check(master(1));
        self.obey();
    }
}

/// A replica takes over from a primary that died, gets a replica of its own, and all is well.
pub fn failover() -> Vec<Record> {
    let mut story = Story::default();
    story.start(false);
    story.tell(Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: master(1),
    });
    for _ in 0..4 {
        story.check(replica(true));
    }
    story.tell(Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: failed(Grade::Refused, 90),
    });
    story.notify(VrrpState::Master);
    story.obey();
    story.tell(Event::VipChanged { here: true });
    story.check(master(0));
    story.check(master(0));
    story.check(failed(Grade::Timeout, 500_000));
    story.check(master(1));
    story.tell(Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: replica(true),
    });
    story.check(master(1));
    story.obey();
    story.check(master(1));
    story.records
}

/// The events, told one after the other to a machine that is never ready.
pub fn folded(events: impl IntoIterator<Item = Event>) -> Vec<Record> {
    let mut story = Story::default();
    events.into_iter().for_each(|event| story.tell(event));
    story.records
}

pub fn settings() -> Settings {
    Settings {
        node: "lvs1".to_owned(),
        above: Vec::new(),
        peers: vec!["lvs2".to_owned()],
        own: endpoint("192.168.192.37"),
        vip: vip(),
        follow: vip(),
        fall: 3,
        rise: 3,
        fall_on: vec![Grade::Timeout, Grade::Refused, Grade::Unreachable],
        bias: 50,
        prefer_availability: true,
        last_primary_ms: 30_000,
        replicated_writes: false,
        kill_hung: true,
        drain_ms: 3_000,
        negotiation_ms: 2_000,
        retry_ms: 200,
        reconcile_ms: 500,
        keepalived_gone_ms: 1_000,
        unserved_ms: 5_000,
        redundancy_ms: 30_000,
        repeat_ms: 0,
        sinks: vec!["ops".to_owned()],
        tilt_ms: 2_000,
        max_promotions: 20,
        promotions_window_ms: 120_000,
        quorum: None,
    }
}

pub fn master(replicas_online: u16) -> Probe {
    Probe {
        paced: true,
        grade: Grade::Ok,
        latency_us: 412,
        observation: Some(Observation {
            role: RedisRole::Master,
            master: None,
            link_up: false,
            replicas_online,
            ..observation()
        }),
    }
}

pub fn replica(link_up: bool) -> Probe {
    Probe {
        paced: true,
        grade: Grade::Ok,
        latency_us: 398,
        observation: Some(Observation {
            link_up,
            ..observation()
        }),
    }
}

pub fn failed(grade: Grade, latency_us: u32) -> Probe {
    Probe {
        paced: true,
        grade,
        latency_us,
        observation: None,
    }
}

pub fn observation() -> Observation {
    Observation {
        role: RedisRole::Replica,
        run_id: id(1),
        replid: id(7),
        replid2: RedisId::default(),
        second_offset: -1,
        offset: 123_456,
        master: Some(vip()),
        link_up: true,
        sync_in_progress: false,
        loading: false,
        replicas_online: 0,
        keys: 1_000,
    }
}

pub fn id(byte: u8) -> RedisId {
    RedisId([byte; 20])
}

pub fn vip() -> Endpoint {
    endpoint("192.168.192.161")
}

pub fn endpoint(host: &str) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port: 6000,
    }
}
