//! Against real redis-server processes on loopback ports. A machine without redis-server skips loudly; on CI
//! that is a failure.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test: what fails is shown, what is skipped is said

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rha::effects::alarm::Alarms;
use rha::effects::{Executor, InstanceConfig, Tools};
use rha::ingest::Incoming;
use rha::ingest::probe::{Pace, Prober, Subject};
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::{Endpoint, Grade, Observation, Probe, RedisRole};
use rha::wire::netlink::Netlink;
use rha::wire::redis::{Followed, Link, Secret, SharedLink, Target, probe};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_millis(500);
const SLOW: Duration = Duration::from_millis(400);

/// False, said loudly, where there is no redis-server.
fn possible() -> bool {
    let found = Command::new("redis-server")
        .arg("--version")
        .output()
        .is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "redis-server must be installed on CI"
        );
        eprintln!("SKIPPED: there is no redis-server on this machine");
    }
    found
}

/// A port of the loopback that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn target(port: u16) -> Target {
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
struct Server {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    async fn start(arguments: &[&str]) -> Self {
        let server = Self::launch(free_port(), arguments);
        server.until(Grade::is_ready).await;
        server
    }

    fn launch(port: u16, arguments: &[&str]) -> Self {
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

    async fn until(&self, wanted: impl Fn(Grade) -> bool) {
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
    async fn until_a_replica_is_online(&self) {
        for _ in 0..500 {
            self.cli(&["SET", "key", "value"]);
            if self.observe().await.replicas_online == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no replica came online");
    }

    async fn probe(&self, link: &mut Option<Link>) -> Probe {
        probe(link, &target(self.port), TIMEOUT, SLOW).await
    }

    async fn observe(&self) -> Observation {
        self.probe(&mut None).await.observation.unwrap()
    }

    async fn link(&self) -> Link {
        Link::connect(&target(self.port), TIMEOUT).await.unwrap()
    }

    fn signal(&self, signal: &str) {
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
    fn write(&self, count: u64) {
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

    fn cli(&self, arguments: &[&str]) -> String {
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
struct Bench {
    executor: Executor,
    link: SharedLink,
    outcomes: mpsc::Receiver<Incoming>,
    dir: tempfile::TempDir,
    given: u64,
}

impl Bench {
    fn new(port: u16, change: impl FnOnce(&mut InstanceConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (events, outcomes) = mpsc::channel(64);
        let mut config = InstanceConfig {
            name: "cache".to_owned(),
            vip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 161)),
            interface: "lo".to_owned(),
            redis: target(port),
            start: Vec::new(),
            start_as_replica: Vec::new(),
            unit: None,
            start_timeout: PATIENCE,
            stop_timeout: PATIENCE,
            may_drain: false,
            eligible_file: dir.path().join("eligible"),
            bias_file: dir.path().join("bias"),
        };
        change(&mut config);
        let link = SharedLink::default();
        let tools = Tools {
            netlink: Netlink::open().unwrap(),
            link: link.clone(),
            nudge: Arc::new(Notify::new()),
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

    fn give(&mut self, effect: Effect) -> EffectId {
        self.given += 1;
        let id = EffectId {
            seq: Seq(self.given),
            index: 0,
        };
        self.executor.start(id, 0, effect);
        id
    }

    async fn outcome(&mut self) -> (EffectId, Outcome) {
        let incoming = timeout(2 * PATIENCE, self.outcomes.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(incoming.instance, "cache");
        match incoming.event {
            Event::EffectFinished { effect, outcome } => {
                assert_eq!(incoming.cause, Some(effect.seq));
                (effect, outcome)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Outcome {
        let given = self.give(effect);
        let (id, outcome) = self.outcome().await;
        assert_eq!(id, given);
        outcome
    }
}

#[tokio::test]
async fn a_probe_tells_role_keys_and_process() {
    if !possible() {
        return;
    }
    let server = Server::start(&[]).await;
    server.cli(&["MSET", "a", "1", "b", "2"]);
    let mut link = None;
    let seen = server.probe(&mut link).await;
    assert_eq!(seen.grade, Grade::Ok);
    assert!(seen.latency_us > 0);
    let observation = seen.observation.unwrap();
    assert_eq!((observation.role, observation.keys), (RedisRole::Master, 2));
    let identity = link.as_ref().unwrap().identity().unwrap().clone();
    assert_eq!(identity.pid, server.child.id());
    assert_eq!(identity.run_id, observation.run_id);
    assert!(!identity.version.is_empty());
    // The kept connection is used again, and made anew within the same check when Redis has closed it.
    let clients = |server: &Server| {
        server
            .cli(&["CLIENT", "LIST", "TYPE", "normal"])
            .lines()
            .count()
    };
    let before = clients(&server);
    server.probe(&mut link).await;
    assert_eq!(clients(&server), before);
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(server.probe(&mut link).await.grade, Grade::Ok);
}

#[tokio::test]
async fn credentials_are_graded() {
    if !possible() {
        return;
    }
    let port = free_port();
    let server = Server::launch(port, &["--requirepass", "right"]);
    let secret = |text: &str| Some(Secret(text.to_owned()));
    let good = Target {
        password: secret("right"),
        ..target(port)
    };
    for _ in 0..500 {
        if probe(&mut None, &good, TIMEOUT, SLOW)
            .await
            .grade
            .is_ready()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grade = async |target: &Target| probe(&mut None, target, TIMEOUT, SLOW).await.grade;
    assert_eq!(grade(&good).await, Grade::Ok);
    assert_eq!(grade(&target(port)).await, Grade::Auth, "no password");
    let wrong = Target {
        password: secret("wrong"),
        ..target(port)
    };
    assert_eq!(grade(&wrong).await, Grade::Auth, "wrong password");
    let acl = ["-a", "right", "--no-auth-warning", "ACL", "SETUSER", "low"];
    assert_eq!(
        server.cli(&[&acl[..], &["on", ">low", "+ping", "+auth"]].concat()),
        "OK"
    );
    let low = Target {
        username: Some("low".to_owned()),
        password: secret("low"),
        ..target(port)
    };
    assert_eq!(grade(&low).await, Grade::Auth, "may PING, but not INFO");
    drop(server);
    let open = Server::start(&[]).await;
    let needless = Target {
        password: secret("right"),
        ..target(open.port)
    };
    assert_eq!(
        grade(&needless).await,
        Grade::Auth,
        "a password where none is set"
    );
}

#[tokio::test]
async fn loading_busy_maxclients_and_misconf_are_graded() {
    if !possible() {
        return;
    }
    let server = Server::start(&["--enable-debug-command", "yes"]).await;
    server.cli(&["DEBUG", "POPULATE", "20000"]);
    server.cli(&["CONFIG", "SET", "key-load-delay", "1000"]);
    server.cli(&[
        "CONFIG",
        "SET",
        "loading-process-events-interval-bytes",
        "1024",
    ]);
    let port = server.port.to_string();
    let mut loader = Command::new("redis-cli")
        .args(["-p", &port, "DEBUG", "RELOAD"])
        .spawn()
        .unwrap();
    server.until(|grade| grade == Grade::Loading).await;
    let seen = server.probe(&mut None).await;
    assert!(
        seen.observation.is_some_and(|seen| seen.loading),
        "INFO is answered while loading"
    );
    server.cli(&["CONFIG", "SET", "key-load-delay", "0"]);
    server.until(|grade| grade == Grade::Ok).await;
    loader.wait().unwrap();

    server.cli(&["CONFIG", "SET", "busy-reply-threshold", "50"]);
    let mut script = Command::new("redis-cli")
        .args(["-p", &port, "EVAL", "while true do end", "0"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    server.until(|grade| grade == Grade::Busy).await;
    server.cli(&["SCRIPT", "KILL"]);
    script.wait().unwrap();
    server.until(|grade| grade == Grade::Ok).await;

    let mut kept = None;
    server.probe(&mut kept).await;
    server.cli(&["CONFIG", "SET", "maxclients", "1"]);
    assert_eq!(
        server.probe(&mut None).await.grade,
        Grade::Degraded,
        "maxclients"
    );
    assert_eq!(
        server.probe(&mut kept).await.grade,
        Grade::Ok,
        "the kept connection works on"
    );
}

#[tokio::test]
async fn a_replica_without_its_master_is_degraded() {
    if !possible() {
        return;
    }
    let arguments = [
        "--replicaof",
        "127.0.0.1",
        "1",
        "--replica-serve-stale-data",
        "no",
    ];
    let server = Server::start(&arguments).await;
    let seen = server.probe(&mut None).await;
    assert_eq!(seen.grade, Grade::Degraded, "MASTERDOWN");
    let observation = seen.observation.unwrap();
    assert_eq!(observation.master.unwrap().port, 1);
    assert!(!observation.link_up);
}

#[tokio::test]
async fn a_closed_port_is_refused_and_junk_is_garbage() {
    let closed = target(free_port());
    let seen = probe(&mut None, &closed, TIMEOUT, SLOW).await;
    assert_eq!((seen.grade, seen.observation), (Grade::Refused, None));

    for junk in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+HELLO\r\n",
        "*1\r\n$4\r\nPONG\r\n",
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            for _ in 0..4 {
                let _ = stream.write_all(junk.as_bytes());
            }
            // Until the other end has hung up.
            while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        });
        let mut link = None;
        let seen = probe(&mut link, &target(port), TIMEOUT, SLOW).await;
        assert_eq!(seen.grade, Grade::Garbage, "{junk:?}");
        assert!(link.is_none(), "such a connection is not kept");
        // Not here: the runtime of this thread is what hangs up.
        tokio::task::spawn_blocking(move || server.join())
            .await
            .unwrap()
            .unwrap();
    }

    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let began = Instant::now();
    let port = silent.local_addr().unwrap().port();
    let seen = probe(&mut None, &target(port), TIMEOUT, SLOW).await;
    assert_eq!(seen.grade, Grade::Timeout);
    assert!(began.elapsed() < 2 * TIMEOUT);
}

#[tokio::test]
async fn a_stopped_redis_times_out_and_recovers() {
    if !possible() {
        return;
    }
    let server = Server::start(&[]).await;
    let mut link = None;
    assert_eq!(server.probe(&mut link).await.grade, Grade::Ok);
    server.signal("-STOP");
    assert_eq!(server.probe(&mut link).await.grade, Grade::Timeout);
    assert!(
        link.is_none(),
        "a connection that did not answer is not kept"
    );
    assert_eq!(
        server.probe(&mut link).await.grade,
        Grade::Timeout,
        "the kernel still accepts"
    );
    server.signal("-CONT");
    assert_eq!(server.probe(&mut link).await.grade, Grade::Ok);
}

#[tokio::test]
async fn promote_and_follow_are_confirmed_and_idempotent() {
    if !possible() {
        return;
    }
    let one = Server::start(&[]).await;
    let two = Server::start(&[]).await;
    one.cli(&["SET", "key", "value"]);
    let link = two.link().await;
    let master = target(one.port).endpoint;
    let mut client = std::net::TcpStream::connect(("127.0.0.1", two.port)).unwrap();
    assert_eq!(link.follow(&master).await, Ok(Followed::SteppedDown));
    assert_eq!(link.follow(&master).await, Ok(Followed::Already));
    link.kill_clients().await.unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        client.read(&mut [0; 1]).unwrap(),
        0,
        "other clients are closed"
    );
    link.answers().await.unwrap();
    for _ in 0..250 {
        one.cli(&["SET", "key", "value"]);
        if one.observe().await.replicas_online == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(one.observe().await.replicas_online, 1);
    let replica = two.observe().await;
    assert_eq!(
        (replica.role, replica.master, replica.keys),
        (RedisRole::Replica, Some(master), 1)
    );
    assert!(replica.link_up);
    link.promote().await.unwrap();
    link.promote().await.unwrap();
    let promoted = two.observe().await;
    assert_eq!((promoted.role, promoted.master), (RedisRole::Master, None));
    assert_eq!(
        promoted.replid2, replica.replid,
        "it was promoted out of that history"
    );
}

/// Everything that a prober says, one at a time.
async fn next(events: &mut mpsc::Receiver<Incoming>) -> Event {
    timeout(PATIENCE, events.recv())
        .await
        .unwrap()
        .unwrap()
        .event
}

#[tokio::test]
async fn the_prober_attaches_reports_and_sees_the_exit_at_once() {
    if !possible() {
        return;
    }
    let mut server = Server::start(&[]).await;
    let (port, pid) = (server.port, server.child.id());
    let shared = SharedLink::default();
    let nudge = Arc::new(Notify::new());
    let (sender, mut events) = mpsc::channel(64);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(port),
        subject: Subject::Own(shared.clone()),
        // Only the first check and those asked for: what is seen in between is no probe.
        pace: Pace {
            interval: Duration::from_secs(3600),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::clone(&nudge),
        events: sender,
    };
    let task = tokio::spawn(prober.run());
    let Event::RedisAttached {
        pid: told,
        watched,
        run_id: first,
        ..
    } = next(&mut events).await
    else {
        panic!("a new process is announced first");
    };
    assert_eq!((told, watched), (pid, true));
    assert!(matches!(
        next(&mut events).await,
        Event::RedisProbed(Probe {
            paced: true,
            grade: Grade::Ok,
            ..
        })
    ));
    assert!(shared.get().is_some(), "the warm connection is shared");

    let killed = Instant::now();
    server.child.kill().unwrap();
    assert_eq!(next(&mut events).await, Event::RedisExited { pid });
    let took = killed.elapsed();
    eprintln!("exit seen after {} us", took.as_micros());
    assert!(took < Duration::from_millis(100), "{took:?}");
    server.child.wait().unwrap();

    nudge.notify_one();
    let refused = next(&mut events).await;
    assert!(matches!(
        refused,
        Event::RedisProbed(Probe {
            paced: false,
            grade: Grade::Refused,
            ..
        })
    ));
    assert!(shared.get().is_none());

    let second = Server::launch(port, &[]);
    second.until(Grade::is_ready).await;
    nudge.notify_one();
    let Event::RedisAttached { run_id, pid, .. } = next(&mut events).await else {
        panic!("a restarted process is announced");
    };
    assert_eq!(pid, second.child.id());
    assert_ne!(run_id, first);
    task.abort();
}

#[tokio::test]
async fn a_peer_is_probed_under_its_name() {
    if !possible() {
        return;
    }
    let server = Server::start(&[]).await;
    let (sender, mut events) = mpsc::channel(64);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(server.port),
        subject: Subject::Peer("lvs2".to_owned()),
        pace: Pace {
            interval: Duration::from_millis(20),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::new(Notify::new()),
        events: sender,
    };
    let task = tokio::spawn(prober.run());
    for _ in 0..3 {
        let Event::PeerProbed { peer, probe } = next(&mut events).await else {
            panic!("only peer probes are expected");
        };
        assert_eq!((peer.as_str(), probe.grade), ("lvs2", Grade::Ok));
    }
    task.abort();
}

#[tokio::test]
async fn promote_over_the_warm_link_and_over_none() {
    if !possible() {
        return;
    }
    let server = Server::start(&["--replicaof", "127.0.0.1", "1"]).await;
    let mut bench = Bench::new(server.port, |_| {});
    assert!(
        bench.carry_out(Effect::Promote).await.is_done(),
        "without a warm link"
    );
    assert_eq!(server.observe().await.role, RedisRole::Master);

    let mut times = Vec::new();
    for _ in 0..20 {
        let link = server.link().await;
        link.follow(&Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 1,
        })
        .await
        .unwrap();
        bench.link.set(Some(link));
        let began = Instant::now();
        assert!(bench.carry_out(Effect::Promote).await.is_done());
        times.push(began.elapsed());
    }
    times.sort();
    eprintln!(
        "promote over a warm link: median {} us",
        times[times.len() / 2].as_micros()
    );
    assert!(times[times.len() / 2] < Duration::from_millis(20));

    let link = server.link().await;
    let mut looks = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        link.data_set().await.unwrap();
        looks.push(began.elapsed());
    }
    looks.sort();
    eprintln!(
        "of that, the last look at the data set: median {} us",
        looks[looks.len() / 2].as_micros()
    );
    assert!(looks[0] < Duration::from_millis(1), "{:?}", looks[0]);

    // A warm link that Redis has closed is replaced.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(bench.carry_out(Effect::Promote).await.is_done());
}

/// A master whose data set takes seconds to send, and a fresh replica of it.
async fn slow_pair() -> (Server, Server) {
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

const KEYS: u64 = 100;

#[tokio::test]
async fn a_replica_in_mid_first_sync_is_not_promoted() {
    if !possible() {
        return;
    }
    let (master, replica) = slow_pair().await;
    let mut bench = Bench::new(replica.port, |_| {});
    bench.link.set(Some(replica.link().await));
    let mut refused = 0;
    let outcome = loop {
        match bench.carry_out(Effect::Promote).await {
            Outcome::Refused(why) => {
                assert!(why.contains("data set"), "{why}");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => break other,
        }
        assert!(refused < 1000, "the synchronisation never ends");
    };
    assert!(refused > 10, "the data set takes {KEYS} x 20 ms: {refused}");
    assert!(outcome.is_done(), "{outcome}");
    let promoted = replica.observe().await;
    assert_eq!((promoted.role, promoted.keys), (RedisRole::Master, KEYS));
    drop(master);
}

/// A replica that has not yet read what its master sent, as on a busy machine: it stands in the socket. With the
/// order to promote it waits behind that. Returns how many of the writes it has afterwards.
async fn keys_after_a_promotion_of_a_busy_replica(end_of_master: &str) -> u64 {
    let fast = ["--repl-diskless-sync-delay", "0"];
    let (master, replica) = (Server::start(&fast).await, Server::start(&fast).await);
    let mut bench = Bench::new(replica.port, |_| {});
    let link = replica.link().await;
    link.follow(&target(master.port).endpoint).await.unwrap();
    bench.link.set(Some(link));
    master.until_a_replica_is_online().await;
    replica.signal("-STOP");
    master.write(MANY);
    master.signal(end_of_master);
    bench.give(Effect::Promote);
    tokio::time::sleep(Duration::from_millis(50)).await;
    replica.signal("-CONT");
    let (_, outcome) = bench.outcome().await;
    assert!(outcome.is_done(), "{outcome}");
    let promoted = replica.observe().await;
    assert_eq!(promoted.role, RedisRole::Master);
    master.signal("-CONT");
    // One of them is older.
    promoted.keys - 1
}

const MANY: u64 = 10_000;

#[tokio::test]
async fn what_a_killed_master_had_sent_is_read_before_the_promotion() {
    if !possible() {
        return;
    }
    let keys = keys_after_a_promotion_of_a_busy_replica("-KILL").await;
    assert_eq!(keys, MANY, "acknowledged writes are lost");
}

/// As where its host is gone: the connection does not end.
#[tokio::test]
async fn what_a_silent_master_had_sent_is_read_before_the_promotion() {
    if !possible() {
        return;
    }
    let keys = keys_after_a_promotion_of_a_busy_replica("-STOP").await;
    assert_eq!(keys, MANY, "acknowledged writes are lost");
}

#[tokio::test]
async fn an_online_replica_counts_from_its_first_acknowledgement() {
    if !possible() {
        return;
    }
    let (master, replica) = slow_pair().await;
    let mut early = 0;
    // The stream is not empty: else the first ping would have to be waited for.
    master.cli(&["SET", "key1", "again"]);
    for _ in 0..2000 {
        let told = master.cli(&["INFO", "replication"]);
        let seen = master.observe().await.replicas_online;
        if told.contains("state=online,offset=0") && seen == 0 {
            early += 1;
        }
        if seen == 1 {
            let told = master.cli(&["INFO", "replication"]);
            assert!(told.contains("state=online"), "{told}");
            assert!(!told.contains("offset=0,"), "{told}");
            assert_eq!(replica.observe().await.keys, KEYS);
            assert!(early > 0, "Redis said online too early at least once");
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the replica never counted");
}

#[tokio::test]
async fn a_replica_that_receives_a_data_set_is_looked_at_often() {
    if !possible() {
        return;
    }
    let (_master, replica) = slow_pair().await;
    let (events, mut facts) = mpsc::channel(1024);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(replica.port),
        subject: Subject::Own(SharedLink::default()),
        pace: Pace {
            interval: Duration::from_secs(60),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::new(Notify::new()),
        events,
    };
    tokio::spawn(prober.run());
    let mut checks = 0;
    let last = loop {
        if let Event::RedisProbed(probe) = next(&mut facts).await {
            checks += 1;
            let seen = probe.observation.unwrap();
            if !(seen.sync_in_progress || seen.loading) {
                break seen;
            }
        }
    };
    assert!(checks > 5, "{checks}");
    assert_eq!(last.keys, KEYS);
    let idle = timeout(Duration::from_millis(300), facts.recv()).await;
    assert!(idle.is_err(), "back to the steady pace: {idle:?}");
}

#[tokio::test]
async fn a_hung_redis_cannot_be_promoted_and_a_dead_one_fails_at_once() {
    if !possible() {
        return;
    }
    let server = Server::start(&[]).await;
    let mut bench = Bench::new(server.port, |_| {});
    bench.link.set(Some(server.link().await));
    server.signal("-STOP");
    let began = Instant::now();
    assert_eq!(bench.carry_out(Effect::Promote).await, Outcome::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(4));
    server.signal("-CONT");
    drop(server);
    let outcome = bench.carry_out(Effect::Promote).await;
    assert_eq!(outcome, Outcome::Failed("connection refused".to_owned()));
}

#[tokio::test]
async fn redis_is_not_told_to_follow_itself_but_stops_taking_writes() {
    if !possible() {
        return;
    }
    let old = Server::start(&[]).await;
    let new = Server::start(&[]).await;
    let mut bench = Bench::new(old.port, |_| {});
    let itself = Effect::Follow {
        target: target(old.port).endpoint,
    };
    let first = bench.give(itself.clone());
    for _ in 0..250 {
        if old.observe().await.role == RedisRole::Replica {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(old.cli(&["SET", "key", "value"]).contains("READONLY"));
    // A later order of the same sort ends the waiting.
    let second = bench.give(Effect::Follow {
        target: target(new.port).endpoint,
    });
    assert_eq!(bench.outcome().await, (first, Outcome::Superseded));
    let (id, outcome) = bench.outcome().await;
    assert_eq!(id, second);
    assert!(outcome.is_done(), "{outcome}");
    let again = bench
        .carry_out(Effect::Follow {
            target: target(new.port).endpoint,
        })
        .await;
    assert_eq!(again, Outcome::Done("follows it already".to_owned()));
    assert!(bench.carry_out(Effect::Promote).await.is_done());

    let began = Instant::now();
    let outcome = bench.carry_out(itself).await;
    assert!(
        matches!(&outcome, Outcome::Refused(why) if why.contains("of this host")),
        "{outcome}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "it does not wait for ever"
    );
}

/// Demotion through nobody, as while a drain address stands, must not cost a full resynchronisation.
#[tokio::test]
async fn stepping_down_first_keeps_the_place_in_the_stream() {
    if !possible() {
        return;
    }
    let old = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
    let new = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
    old.cli(&["SET", "key", "value"]);
    new.link()
        .await
        .follow(&target(old.port).endpoint)
        .await
        .unwrap();
    old.until_a_replica_is_online().await;
    for _ in 0..250 {
        if new.observe().await.offset == old.observe().await.offset {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    new.link().await.promote().await.unwrap();
    let link = old.link().await;
    link.follow(&Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 1,
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    link.follow(&target(new.port).endpoint).await.unwrap();
    new.until_a_replica_is_online().await;
    let stats = new.cli(&["INFO", "stats"]);
    assert!(stats.contains("sync_full:0"), "{stats}");
    assert!(stats.contains("sync_partial_ok:1"), "{stats}");
}

#[tokio::test]
async fn start_and_stop_by_command() {
    if !possible() {
        return;
    }
    let port = free_port();
    let place = tempfile::tempdir().unwrap();
    let pidfile: PathBuf = place.path().join("redis.pid");
    // Left behind by a crash: this kept the old scripts from ever starting Redis again.
    std::fs::write(&pidfile, std::process::id().to_string()).unwrap();
    let command = [
        "redis-server",
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "yes",
        "--dir",
        place.path().to_str().unwrap(),
        "--pidfile",
        pidfile.to_str().unwrap(),
    ]
    .map(str::to_owned);
    let mut bench = Bench::new(port, |config| {
        config.start = command.to_vec();
        config.start_as_replica = ["--replicaof", "127.0.0.1", "1"]
            .map(str::to_owned)
            .to_vec();
    });
    let done = |text: &str| Outcome::Done(text.to_owned());
    assert_eq!(
        bench.carry_out(Effect::StopRedis).await,
        done("already stopped")
    );
    assert_eq!(bench.carry_out(Effect::StartRedis).await, done(""));
    let mut link = None;
    let seen = probe(&mut link, &target(port), TIMEOUT, SLOW)
        .await
        .observation
        .unwrap();
    assert_eq!(
        (seen.role, seen.master.unwrap().port),
        (RedisRole::Replica, 1)
    );
    assert_eq!(
        bench.carry_out(Effect::StartRedis).await,
        done("already running")
    );
    // In a row, in order.
    let stop = bench.give(Effect::StopRedis);
    let start = bench.give(Effect::StartRedis);
    assert_eq!(bench.outcome().await, (stop, done("")));
    assert_eq!(bench.outcome().await, (start, done("")));
    assert_eq!(bench.carry_out(Effect::StopRedis).await, done(""));
    let gone = probe(&mut None, &target(port), TIMEOUT, SLOW).await;
    assert_eq!(gone.grade, Grade::Refused);
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    if !possible() {
        return;
    }
    let port = free_port();
    let fails = |outcome: Outcome, text: &str| match outcome {
        Outcome::Failed(why) | Outcome::Refused(why) => assert!(why.contains(text), "{why}"),
        other => panic!("{other}"),
    };
    let mut bench = Bench::new(port, |_| {});
    fails(
        bench.carry_out(Effect::StartRedis).await,
        "neither start nor unit",
    );
    let mut bench = Bench::new(port, |config| {
        config.start = vec!["/nonexistent/redis".to_owned()];
    });
    fails(
        bench.carry_out(Effect::StartRedis).await,
        "/nonexistent/redis",
    );
    let mut bench = Bench::new(port, |config| {
        config.start = ["redis-server", "/nonexistent/redis.conf"]
            .map(str::to_owned)
            .to_vec();
    });
    fails(bench.carry_out(Effect::StartRedis).await, "exit status: 1");
    let mut bench = Bench::new(port, |config| {
        config.start = ["sleep", "60"].map(str::to_owned).to_vec();
        config.start_timeout = Duration::from_millis(300);
    });
    assert_eq!(bench.carry_out(Effect::StartRedis).await, Outcome::TimedOut);
}

#[tokio::test]
async fn track_files_are_written_within_a_millisecond() {
    let mut bench = Bench::new(free_port(), |_| {});
    let mut times = Vec::new();
    for round in 0..50_u8 {
        let began = Instant::now();
        bench.give(Effect::SetEligible {
            eligible: round % 2 == 0,
        });
        bench.give(Effect::SetBias { bias: round });
        assert!(bench.outcome().await.1.is_done());
        assert!(bench.outcome().await.1.is_done());
        times.push(began.elapsed());
        let read = |name: &str| std::fs::read_to_string(bench.dir.path().join(name)).unwrap();
        assert_eq!(read("eligible"), format!("{}\n", 1 - round % 2));
        assert_eq!(read("bias"), format!("{round}\n"));
    }
    times.sort();
    let (fastest, median) = (times[0], times[times.len() / 2]);
    eprintln!("both track files: median {} us", median.as_micros());
    // The fastest, for a busy machine slows down most of them.
    assert!(fastest < Duration::from_millis(1), "{fastest:?}");
}
