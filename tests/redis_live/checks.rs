//! What a health check makes of a Redis.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use rha::model::redis::{Grade, RedisRole};
use rha::wire::redis::{Secret, Target, probe};
use tokio::time::Instant;

use crate::port::free_port;
use crate::world::{KEYS, SLOW, Server, TIMEOUT, slow_pair, target};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_probe_tells_role_keys_and_process() {
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
#[ignore = "needs redis-server"]
async fn credentials_are_graded() {
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
#[ignore = "needs redis-server"]
async fn loading_busy_maxclients_and_misconf_are_graded() {
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
#[ignore = "needs redis-server"]
async fn a_replica_without_its_master_is_degraded() {
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
#[ignore = "needs redis-server"]
async fn a_stopped_redis_times_out_and_recovers() {
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
#[ignore = "needs redis-server"]
async fn an_online_replica_counts_from_its_first_acknowledgement() {
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
