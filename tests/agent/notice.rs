//! What is noticed: by the agent, that it stood still; by an operator, what is wrong.

use std::time::Duration;

use rustix::process::Signal;

use crate::world::World;

#[test]
#[ignore = "needs redis-server"]
fn an_agent_that_stood_still_looks_before_it_acts() {
    let world = World::new();
    let (redis, agent) = world.replica();
    agent.signal(Signal::STOP);
    world.notify("MASTER");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(redis.role(), "slave");
    agent.signal(Signal::CONT);
    world.until_role("primary");
    let tilted = world.history("--kind tilted");
    assert!(tilted[0].to_string().contains("stall"), "{}", tilted[0]);
    let told = world.history("");
    let place = |rule: &str| {
        let is_it = |record: &serde_json::Value| record["rule"] == rule;
        told.iter()
            .position(is_it)
            .unwrap_or_else(|| panic!("no {rule}: {told:#?}"))
    };
    assert!(place("tilted") < place("wait-on-vip"));
    assert!(place("wait-on-vip") < place("promote-after-tilt"));
    assert_eq!(redis.role(), "master");
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn an_operator_takes_notice() {
    let world = World::new();
    let (mut redis, agent) = world.replica();
    assert_eq!(world.wants(0, "ack"), "acknowledged: redis\n");
    redis.kill();
    world.until_status("an incident", |redis| !redis["incident"].is_null());
    let long = "x".repeat(10_000);
    assert_eq!(
        world.rha(&format!("ack --note {long}")).status.code(),
        Some(2)
    );
    assert_eq!(world.wants(2, "ack nobody").lines().count(), 1);
    assert_eq!(
        world.wants(0, "ack redis --note seen"),
        "acknowledged: redis\n"
    );
    let status = world.until_status("the notice", |redis| !redis["incident"]["acked"].is_null());
    assert_eq!(status["incident"]["acked"]["note"], "seen");
    assert!(world.wants(3, "status").contains(": seen"));
    assert_eq!(world.count("--kind operator-acked"), 2);
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}
