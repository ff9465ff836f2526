//! What people type, with and without an agent.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::world::{World, cli};

#[test]
#[ignore = "needs redis-server"]
fn the_check_answers_with_without_and_for_a_hung_agent() {
    let world = World::new();
    assert!(world.wants(1, "check").contains("asked itself"));
    let (mut redis, agent) = world.replica();
    assert_eq!(world.wants(0, "check redis"), "ok\n");
    assert_eq!(world.wants(2, "check nobody").lines().count(), 1);
    // A slip of the pen in the file of a running agent is no failure of Redis.
    let good = std::fs::read_to_string(world.path("rha.toml")).unwrap();
    std::fs::write(world.path("rha.toml"), format!("{good}\nfalll = \n")).unwrap();
    assert_eq!(world.wants(0, "check redis"), "ok\n");
    assert!(world.wants(2, "check").contains("rha.toml:"));
    std::fs::write(world.path("rha.toml"), good).unwrap();
    agent.signal(Signal::STOP);
    let began = tokio::time::Instant::now();
    // Nobody could promote it.
    let said = world.wants(1, "check");
    assert!(
        said.contains("a replica (asked itself: no agent answers)"),
        "{said}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    agent.signal(Signal::CONT);
    redis.kill();
    world.until_role("fault");
    assert!(world.wants(1, "check").contains("down"));
    agent.kill();
    let _redis = world.redis(world.port(), &[]);
    assert!(world.wants(0, "check").contains("asked Redis itself"));
}

#[test]
#[ignore = "needs redis-server"]
fn redis_is_started_and_stopped_with_and_without_an_agent() {
    let world = World::new();
    std::fs::write(world.path("log"), "").unwrap();
    world.wants(3, "redis status");
    assert!(world.wants(0, "redis start").contains("not recorded"));
    assert_eq!(
        cli(world.port(), "ROLE").lines().next(),
        Some("slave"),
        "it boots as a replica of nobody"
    );
    assert!(world.wants(0, "redis start").contains("already running"));
    world.wants(0, "redis status");
    let agent = world.start();
    world.until_role("replica");
    assert!(
        world
            .wants(0, "redis restart")
            .contains("start-redis: done")
    );
    world.until_role("replica");
    assert!(world.wants(0, "redis stop").contains("done"));
    world.until_role("fault");
    assert_eq!(cli(world.port(), "PING"), "");
    assert!(world.wants(0, "redis start").contains("done"));
    world.until_role("replica");
    let asked = world.history("--kind operator-asked");
    assert_eq!(asked.len(), 3);
    assert!(
        asked[0].to_string().contains("redis restart"),
        "{}",
        asked[0]
    );
    assert_eq!(agent.stop(), Some(0));
    world.wants(0, "redis stop");
    assert!(world.wants(0, "redis stop").contains("already stopped"));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn a_pause_holds_a_promotion_until_it_ends() {
    let world = World::new();
    let (redis, agent) = world.replica();
    assert!(
        world
            .wants(0, "pause --reason maintenance")
            .contains("redis")
    );
    let long = "x".repeat(100_000);
    let refused = world.rha(&format!("pause --reason {long}"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("longer than"));
    assert_eq!(world.wants(2, "resume nobody").lines().count(), 1);
    world.notify("MASTER");
    world.until_role("held");
    assert_eq!(redis.role(), "slave");
    world.wants(3, "status");
    world.wants(0, "resume");
    world.until("a decision", || {
        (world.history("--kind operator-resumed").len() == 1).then_some(())
    });
    world.wants(0, "pause --for 1s --reason short");
    world.notify("MASTER");
    world.until_status("the pause is over", |status| status["paused"].is_null());
    world.until_role("primary");
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

/// An order that comes before the agent has looked at the world waits until it has.
#[test]
#[ignore = "needs redis-server"]
fn an_order_in_the_first_moment_is_carried_out() {
    let world = World::new();
    for _ in 0..5 {
        let agent = world.start();
        assert!(world.wants(0, "redis start").contains("start-redis: done"));
        assert!(world.wants(0, "redis stop").contains("stop-redis: done"));
        assert_eq!(agent.stop(), Some(0));
    }
    world.is_sound();
}

/// The belt of keepalived's own must not give the VIP away either.
#[test]
#[ignore = "needs redis-server"]
fn the_check_is_content_while_paused() {
    let world = World::new();
    let (mut redis, agent) = world.primary();
    world.wants(0, "pause --reason disk");
    redis.kill();
    world.until("Redis is found to be down", || {
        let said = world.wants(0, "check redis");
        (said == "paused (redis: refused)\n").then_some(())
    });
    world.wants(0, "resume");
    world.until_role("fault");
    assert!(world.wants(1, "check redis").contains("redis is down"));
    assert_eq!(agent.stop(), Some(0));
}

#[test]
#[ignore = "needs redis-server"]
fn the_journal_is_read_from_the_agent_and_without_it() {
    let world = World::new();
    let none = world.wants(1, "history");
    assert!(none.contains("there is no journal"), "{none}");
    let (_redis, agent) = world.primary();
    let from_agent = world.history("--kind vrrp-notified");
    world.is_sound();
    let status: Value = serde_json::from_str(&world.wants(0, "status --output json")).unwrap();
    assert_eq!(status["node"], "a");
    closed_pipe(&world);
    assert_eq!(agent.stop(), Some(0));
    assert_eq!(world.history("--kind vrrp-notified"), from_agent);
    world.is_sound();
    assert!(world.wants(1, "status").contains("no agent listens"));
    closed_pipe(&world);
}

/// Whoever has read enough is no failure.
fn closed_pipe(world: &World) {
    for command in [
        "history -n 0 --all",
        "history -n 0 --all --output jsonl",
        "replay",
        "verify",
        "machine",
    ] {
        let mut child = world
            .command()
            .args(command.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{command}: {said}");
        assert_eq!(said, "", "{command}");
    }
}
