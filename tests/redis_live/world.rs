//! A Redis on a loopback port, and an executor over it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rha::effects::alarm::Alarms;
use rha::effects::{Executor, InstanceConfig, RescueConfig, Tools};
use rha::ingest::Incoming;
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::{Endpoint, Grade, Observation, Probe};
use rha::wire::netlink::Netlink;
use rha::wire::redis::{Link, SharedLink, Target, probe};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::port::free_port;

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const TIMEOUT: Duration = Duration::from_millis(500);
pub const SLOW: Duration = Duration::from_millis(400);

pub fn target(port: u16) -> Target {
    let endpoint = Endpoint {
        host: "127.0.0.1".to_owned(),
        port,
    };
    Target {
        endpoint,
        username: None,
        password: None,
    }
}

/// A redis-server of its own directory, killed and removed in the end.
pub struct Server {
    pub child: Child,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    pub async fn start(arguments: &[&str]) -> Self {
        let server = Self::launch(free_port(), arguments);
        server.until(Grade::is_ready).await;
        server
    }

    pub fn launch(port: u16, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(arguments)
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            port,
            _dir: dir,
        }
    }

    pub async fn until(&self, wanted: impl Fn(Grade) -> bool) {
        let mut link = None;
        for _ in 0..500 {
            let seen = self.probe(&mut link).await;
            if wanted(seen.grade) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server on port {} did not get there", self.port);
    }

    /// It counts from its first acknowledgement of something written.
    pub async fn until_a_replica_is_online(&self) {
        for _ in 0..500 {
            self.cli(&["SET", "key", "value"]);
            if self.observe().await.replicas_online == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no replica came online");
    }

    pub async fn probe(&self, link: &mut Option<Link>) -> Probe {
        probe(link, &target(self.port), TIMEOUT, SLOW).await
    }

    pub async fn observe(&self) -> Observation {
        self.probe(&mut None).await.observation.unwrap()
    }

    pub async fn link(&self) -> Link {
        Link::connect(&target(self.port), TIMEOUT).await.unwrap()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// So many writes, each of them acknowledged. Some are larger than what Redis reads at a time.
    pub fn write(&self, count: u64) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let large = "x".repeat(50_000);
        for number in 0..count {
            let value = if number % 1_000 == 999 {
                &large
            } else {
                "small"
            };
            write!(stream, "SET {number} {value}\r\n").unwrap();
        }
        let mut acknowledged = vec![0; 5 * usize::try_from(count).unwrap()];
        stream.read_exact(&mut acknowledged).unwrap();
        assert!(acknowledged.chunks(5).all(|reply| reply == b"+OK\r\n"));
    }

    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An executor over a real Redis, without a prober.
pub struct Bench {
    pub executor: Executor,
    pub link: SharedLink,
    pub outcomes: mpsc::Receiver<Incoming>,
    pub dir: tempfile::TempDir,
    given: u64,
}

impl Bench {
    pub fn new(port: u16, change: impl FnOnce(&mut InstanceConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (events, outcomes) = mpsc::channel(64);
        let mut config = InstanceConfig {
            peers: std::collections::BTreeMap::new(),
            replica_lag: None,
            name: "cache".to_owned(),
            vip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 161)),
            interface: "lo".to_owned(),
            redis: target(port),
            start: Vec::new(),
            start_as_replica: Vec::new(),
            unit: None,
            start_timeout: PATIENCE,
            stop_timeout: PATIENCE,
            drain: Duration::ZERO,
            eligible_file: dir.path().join("eligible"),
            bias_file: dir.path().join("bias"),
            rescue: RescueConfig {
                dir: dir.path().join("rescue"),
                node: "a".to_owned(),
                keep: 8,
                size: 1 << 30,
                timeout: PATIENCE,
                waits: false,
            },
        };
        change(&mut config);
        let link = SharedLink::default();
        let tools = Tools {
            netlink: Netlink::open().unwrap(),
            link: link.clone(),
            nudge: Arc::new(Notify::new()),
            wish: Arc::default(),
            alarms: Alarms::start(Vec::new(), events.clone()),
            events,
        };
        Self {
            executor: Executor::new(config, tools),
            link,
            outcomes,
            dir,
            given: 0,
        }
    }

    pub fn give(&mut self, effect: Effect) -> EffectId {
        self.given += 1;
        let id = EffectId {
            seq: Seq(self.given),
            index: 0,
        };
        self.executor.start(id, 0, effect);
        id
    }

    pub async fn outcome(&mut self) -> (EffectId, Outcome) {
        let incoming = timeout(2 * PATIENCE, self.outcomes.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(incoming.instance, "cache");
        match incoming.event {
            Event::EffectFinished {
                effect, outcome, ..
            } => {
                assert_eq!(incoming.cause, Some(effect.seq));
                (effect, outcome)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn carry_out(&mut self, effect: Effect) -> Outcome {
        let given = self.give(effect);
        let (id, outcome) = self.outcome().await;
        assert_eq!(id, given);
        outcome
    }
}

/// A master whose data set takes seconds to send, and a fresh replica of it.
pub async fn slow_pair() -> (Server, Server) {
    let slow = [
        "--repl-diskless-sync-delay",
        "0",
        "--rdb-key-save-delay",
        "20000",
    ];
    let master = Server::start(&slow).await;
    let script = format!("for i = 1, {KEYS} do redis.call('SET', 'key' .. i, 'value') end");
    master.cli(&["EVAL", &script, "0"]);
    let replica = Server::start(&[]).await;
    let link = replica.link().await;
    link.follow(&target(master.port).endpoint).await.unwrap();
    for _ in 0..250 {
        if replica.observe().await.sync_in_progress {
            return (master, replica);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no synchronisation began");
}

pub const KEYS: u64 = 100;
