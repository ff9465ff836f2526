//! Bring-up, failover and back, crashes, stops.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::port::free_port;
use crate::world::World;

#[test]
#[ignore = "needs redis-server"]
fn replica_primary_and_replica_again() {
    let world = World::new();
    let (redis, agent) = world.replica();
    assert_eq!(redis.role(), "slave");
    world.notify("MASTER");
    world.until_role("primary");
    assert_eq!(redis.role(), "master");
    assert_eq!(
        std::fs::read_to_string(world.path("run/track/redis.eligible"))
            .ok()
            .as_deref(),
        Some("1\n")
    );
    world.notify("BACKUP");
    world.until_role("replica");
    assert_eq!(redis.role(), "slave");
    world.wants(0, "history -n 5");
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_agent_takes_no_line_in_twice_and_keeps_the_times_of_those_that_came_meanwhile() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    for _ in 0..30 {
        world.notify("BACKUP");
    }
    world.until("some are in", || {
        (world.count("--kind vrrp-notified") > 5).then_some(())
    });
    agent.kill();
    // One process writes them: they are stamped within a moment.
    for _ in 0..20 {
        world.notify("BACKUP");
    }
    let written = jiff::Timestamp::now().as_microsecond();
    let agent = world.start();
    world.until("all are in", || {
        (world.count("--kind vrrp-notified") >= 50).then_some(())
    });
    agent.kill();
    let lines = world.history("--kind vrrp-notified");
    assert_eq!(lines.len(), 50);
    let mut places: Vec<String> = lines
        .iter()
        .map(|line| line["event"]["spool"].to_string())
        .collect();
    places.dedup();
    assert_eq!(places.len(), 50, "each line has a place of its own");
    for line in &lines[30..] {
        let stamped = line["event"]["stamped"].clone();
        assert!(line["original_at"].is_string(), "{line}");
        let recorded = line["at_us"].as_i64().unwrap();
        assert!(recorded > written, "{stamped} was recorded at {recorded}");
    }
    // The one before may have been killed before it was ready.
    let ready = world.count("--kind agent-ready");
    let agent = world.start();
    world.until("it decides again", || {
        (world.count("--kind agent-ready") > ready).then_some(())
    });
    world.notify("MASTER");
    world.until_role("primary");
    assert_eq!(world.count("--kind vrrp-notified"), 51);
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn junk_is_recorded_or_refused_and_the_next_line_is_read() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let mut junk =
        b"\xff\xfe\x00binary\nINSTANCE \"RHA_REDIS\" SLEEPING 150\nINSTANCE\nGROUP \"G\" MASTER\n"
            .to_vec();
    junk.extend(vec![b'x'; 1 << 20]);
    junk.extend(
        b"\nVS [1.2.3.4]:80 UP\nINSTANCE \"other\" MASTER 1\nINSTANCE \"RHA_REDIS\" MASTER 150\n",
    );
    std::fs::write(world.path("junk"), junk).unwrap();
    let file = std::fs::File::open(world.path("junk")).unwrap();
    let status = world
        .event_command()
        .stdin(Stdio::from(file))
        .status()
        .unwrap();
    assert!(status.success());
    world.until_role("primary");
    let lines = world.count("--kind vrrp-notified") + world.count("--kind notify-unparsed");
    assert_eq!(lines, 8);
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}

#[test]
#[ignore = "needs redis-server"]
fn sigterm_leaves_redis_as_it_is_and_takes_the_sockets_away() {
    let world = World::new();
    let (redis, agent) = world.primary();
    assert!(world.path("run/agent.sock").exists());
    assert_eq!(agent.stop(), Some(0));
    assert_eq!(redis.role(), "master");
    assert!(!world.path("run/agent.sock").exists());
    assert!(!world.path("run/doorbell.sock").exists());
    assert_eq!(world.count("--kind agent-stopping"), 1);
}

#[test]
#[ignore = "needs redis-server"]
fn two_instances_are_independent() {
    let world = World::with(|setup| setup.instances.push(("queue".to_owned(), free_port())));
    let (first, agent) = world.replica();
    let second = world.redis(world.setup.instances[1].1, &[]);
    world.until("the second follows", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "replica")
    });
    // A Redis that hangs costs the other instance nothing.
    first.signal(Signal::STOP);
    world.notify("MASTER");
    world.event(&["INSTANCE", "RHA_QUEUE", "MASTER", "150"]);
    world.until("the second leads", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "primary")
    });
    assert_eq!(second.role(), "master");
    let wait = |instance: &str, kind: &str| {
        let records = world.history(&format!("--instance {instance} --kind {kind}"));
        records.last().unwrap()["at_us"].as_i64().unwrap()
    };
    let took_us = wait("queue", "effect-finished") - wait("queue", "vrrp-notified");
    assert!(took_us < 1_000_000, "the promotion took {took_us} us");
    assert_eq!(world.status("redis").unwrap()["vrrp"], "MASTER");
    first.signal(Signal::CONT);
    world.until("the first leads", || {
        world
            .status("redis")
            .filter(|status| status["role"] == "primary")
    });
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}

#[test]
#[ignore = "needs redis-server"]
fn an_agent_under_a_flood_of_rings_still_works() {
    let world = World::new();
    let (mut redis, agent) = world.primary();
    let bell = world.path("run/doorbell.sock");
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ringer = std::thread::spawn({
        let done = done.clone();
        move || {
            let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = socket.send_to(b"x", &bell);
            }
        }
    });
    redis.kill();
    world.until_role("fault");
    assert_eq!(agent.stop(), Some(0));
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    ringer.join().unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn silent_connections_are_closed_and_keep_nobody_out() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let connect = || UnixStream::connect(world.path("run/agent.sock")).unwrap();
    let silent: Vec<UnixStream> = (0..100).map(|_| connect()).collect();
    world.wants(0, "status");
    let mut stalled = connect();
    let head = b"POST /v1/pause HTTP/1.1\r\nhost: rha\r\ncontent-length: 10\r\n\r\n{";
    stalled.write_all(head).unwrap();
    let mut answer = [0; 64];
    let length = stalled.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    for mut stream in silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed by the agent");
    }
    assert_eq!(agent.stop(), Some(0));
}
