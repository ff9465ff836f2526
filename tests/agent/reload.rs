//! SIGHUP.

use std::fs;

use rustix::process::Signal;

use crate::port::free_port;
use crate::world::{Agent, Setup, World};

/// Puts another configuration in the place of the world's, and tells the agent.
fn reload(world: &World, agent: &Agent, setup: &Setup) {
    let toml = world.toml(setup);
    fs::write(world.path("rha.toml"), toml).unwrap();
    agent.signal(Signal::HUP);
}

#[test]
#[ignore = "needs redis-server"]
fn a_good_configuration_is_taken_a_bad_one_is_not() {
    let world = World::new();
    let (redis, agent) = world.replica();
    let mut setup = world.setup.clone();
    let second = world.redis(free_port(), &[]);
    setup.fall = 7;
    setup.instances.push(("queue".to_owned(), second.port));
    reload(&world, &agent, &setup);
    world.until("the new instance follows", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "replica")
    });
    assert_eq!(second.role(), "slave");
    let settings = world.history("--kind configured --instance redis");
    assert_eq!(settings.last().unwrap()["event"]["fall"], 7);
    assert_eq!(world.status("redis").unwrap()["role"], "replica");
    assert_eq!(redis.role(), "slave");

    let good = world.toml(&setup);
    fs::write(
        world.path("rha.toml"),
        good.replace("fall = 7", "falll = 7"),
    )
    .unwrap();
    agent.signal(Signal::HUP);
    world.until_said("reload refused");
    let log = world.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("reload refused"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("rha.toml:") && lines[0].contains("falll"),
        "{}",
        lines[0]
    );
    fs::write(world.path("rha.toml"), good).unwrap();
    let rejected = world.until("it is recorded", || {
        Some(world.history("--kind config-rejected")).filter(|found| !found.is_empty())
    });
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].to_string().contains("falll"), "{}", rejected[0]);
    // The old configuration is in force.
    world.event(&["INSTANCE", "RHA_QUEUE", "MASTER", "150"]);
    world.until("it leads", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "primary")
    });
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}

#[test]
#[ignore = "needs redis-server"]
fn a_removed_instance_is_left_alone_and_comes_back_with_its_past() {
    let world = World::with(|setup| setup.instances.push(("queue".to_owned(), free_port())));
    let both = world.setup.clone();
    let second = world.redis(both.instances[1].1, &[]);
    let (_redis, agent) = world.replica();
    world.event(&["INSTANCE", "RHA_QUEUE", "MASTER", "150"]);
    world.until("it leads", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "primary")
    });
    let mut one = both.clone();
    one.instances.truncate(1);
    reload(&world, &agent, &one);
    world.until("it is gone", || {
        world.status("queue").is_none().then_some(())
    });
    assert_eq!(second.role(), "master");
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    // The next agent does not decide about it either.
    let agent = world.start();
    world.until("ready", || {
        (world.count("--kind agent-ready --instance redis") == 2).then_some(())
    });
    assert!(world.status("queue").is_none());
    assert_eq!(second.role(), "master");
    reload(&world, &agent, &both);
    world.until("it is back, and knows its past", || {
        world.status("queue").filter(|status| status["epoch"] == 1)
    });
    world.until("it is decided about", || {
        (world.count("--kind agent-ready --instance queue") == 2).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}
