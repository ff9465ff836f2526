//! A Redis that refuses, hangs, answers nonsense, or is not there.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use rustix::process::Signal;

use crate::port::free_port;
use crate::world::{Sink, World, cli};

#[test]
#[ignore = "needs redis-server"]
fn a_wrong_password_alarms_once_and_changes_no_role() {
    let sink = Sink::later().open();
    let mut world = World::with(|setup| setup.sink = Some(sink.port));
    world.setup.password_file = world.text("password");
    std::fs::write(world.path("password"), "right\n").unwrap();
    world.configure();
    let redis = world.redis(world.port(), &["--requirepass", "right"]);
    let agent = world.start();
    world.until_role("replica");
    world.notify("MASTER");
    world.until_role("primary");
    let port = world.port().to_string();
    let replica = world.redis(
        free_port(),
        &["--replicaof", "127.0.0.1", &port, "--masterauth", "right"],
    );
    world.until_status("the replica is attached", |status| {
        status["redis"]["replicas_online"] == 1
    });

    // Over one connection, for the next one would be refused.
    std::fs::write(
        world.path("admin"),
        "CONFIG SET requirepass other\nCLIENT KILL TYPE normal SKIPME yes\n",
    )
    .unwrap();
    let mut admin = Command::new("redis-cli");
    admin.args(["-p", &port, "-a", "right", "--no-auth-warning"]);
    admin.stdin(std::fs::File::open(world.path("admin")).unwrap());
    let output = admin.output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("OK\n1"),
        "{output:?}"
    );
    world.until_status("refused", |status| status["grade"] == "auth");
    world.until("the alarm is sent", || {
        (sink.titles().len() == 1).then_some(())
    });
    // Many checks later there is still one alarm, and the same role.
    let checks = world.count("--kind redis-probed --all");
    world.until("ten checks", || {
        (world.count("--kind redis-probed --all") > checks + 10).then_some(())
    });
    assert_eq!(world.status("redis").unwrap()["role"], "primary");
    assert_eq!(world.alarms(), ["auth-refused raised"]);

    std::fs::write(world.path("password"), "other\n").unwrap();
    agent.signal(Signal::HUP);
    world.until("it is resolved", || {
        (sink.titles().len() == 2).then_some(())
    });
    assert_eq!(
        world.alarms(),
        ["auth-refused raised", "auth-refused resolved"]
    );
    assert_eq!(world.status("redis").unwrap()["role"], "primary");
    // A password file that is gone is a reload refused, not an agent gone.
    std::fs::remove_file(world.path("password")).unwrap();
    agent.signal(Signal::HUP);
    world.until("refused", || {
        (world.count("--kind config-rejected") == 1).then_some(())
    });
    world.until_status("it goes on", |status| status["grade"] == "ok");
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
    drop((redis, replica));
}

/// Listens at `port` and answers whatever it is asked with `answer`.
fn nonsense(port: u16, answer: &'static [u8]) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut sink = [0; 1024];
                while let Ok(1..) = std::io::Read::read(&mut stream, &mut sink) {
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn garbage_is_graded_alarmed_once_and_does_not_flap() {
    let world = World::with(|setup| {
        setup.sink = Some(free_port());
        setup.redundancy = "300ms";
    });
    nonsense(world.port(), b"220 mail.example.org ESMTP\r\n");
    let agent = world.start();
    world.until_status("graded", |status| status["grade"] == "garbage");
    world.until_role("fault");
    world.until("the alarm", || {
        (world.alarms() == ["unserved raised"]).then_some(())
    });
    let checks = world.count("--kind redis-probed --all");
    world.until("ten checks", || {
        (world.count("--kind redis-probed --all") > checks + 10).then_some(())
    });
    assert_eq!(world.alarms(), ["unserved raised"]);
    let changes = world
        .history("")
        .iter()
        .filter(|record| !record["transition"].is_null())
        .count();
    assert_eq!(changes, 1);
    assert_eq!(world.wants(1, "check").lines().count(), 1);
    world.wants(3, "redis status");
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn nothing_at_the_port_is_a_fault_and_the_redis_that_comes_is_a_replica() {
    let world = World::new();
    let agent = world.start();
    world.until_role("fault");
    world.until_status("graded", |status| status["grade"] == "refused");
    world.wants(1, "check");
    let redis = world.redis(world.port(), &[]);
    world.until_role("replica");
    assert_eq!(redis.role(), "slave");
    world.wants(0, "check");
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_hangs_is_a_fault_one_that_exits_is_one_at_once() {
    let world = World::new();
    let (mut redis, agent) = world.primary();
    redis.signal(Signal::STOP);
    world.until_role("fault");
    assert_eq!(world.history("--rule fall-primary").len(), 1);
    assert_eq!(
        std::fs::read_to_string(world.path("run/track/redis.eligible")).unwrap(),
        "0\n"
    );
    redis.signal(Signal::CONT);
    world.until_status("up", |status| status["health"] == "up");
    redis.kill();
    world.until("the exit is seen", || {
        (world.count("--kind redis-exited") == 1).then_some(())
    });
    world.until_role("fault");
    assert_eq!(agent.stop(), Some(0));
    assert_eq!(cli(world.port(), "PING"), "");
    world.is_sound();
}
