//! SIGHUP.

use rustix::process::Signal;

use crate::world::{World, free_port, possible};

#[test]
fn a_good_configuration_is_taken_a_bad_one_is_not() {
    if !possible() {
        return;
    }
    let mut world = World::new();
    let redis = world.redis(world.port(), &[]);
    let port = free_port();
    let second = world.redis(port, &[]);
    {
        let _agent = world.start();
        world.until_role("replica");
    }
    let before = world.setup.clone();
    // The agent borrows the world: what is changed beside it is a copy.
    let mut changed = World::new();
    let agent = {
        changed.setup.clone_from(&before);
        world.start()
    };
    world.until("ready", || {
        (world.count("--kind agent-ready") == 2).then_some(())
    });
    let write = |changed: &World| {
        changed.configure();
        let text = std::fs::read_to_string(changed.path("rha.toml")).unwrap();
        let own = text.replace(
            changed.dir.path().to_str().unwrap(),
            world.dir.path().to_str().unwrap(),
        );
        std::fs::write(world.path("rha.toml"), own).unwrap();
    };

    changed.setup.fall = 7;
    changed.setup.instances.push(("queue".to_owned(), port));
    write(&changed);
    agent.signal(Signal::HUP);
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

    let good = std::fs::read_to_string(world.path("rha.toml")).unwrap();
    let bad = good.replace("fall = 7", "falll = 7");
    std::fs::write(world.path("rha.toml"), bad).unwrap();
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
    // The command line needs a good one to find the agent.
    std::fs::write(world.path("rha.toml"), good).unwrap();
    let rejected = world.history("--kind config-rejected");
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].to_string().contains("falll"), "{}", rejected[0]);
    // The old configuration is in force.
    world.event(&["INSTANCE", "RHA_QUEUE", "MASTER", "150"]);
    world.until("it leads", || {
        world
            .status("queue")
            .filter(|status| status["role"] == "primary")
    });

    // An instance that is removed is neither shown nor decided about, also not by the next agent.
    changed.setup.instances.truncate(1);
    write(&changed);
    agent.signal(Signal::HUP);
    world.until("it is gone", || {
        world.status("queue").is_none().then_some(())
    });
    assert_eq!(second.role(), "master");
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    let agent = world.start();
    world.until("ready", || {
        (world.count("--kind agent-ready --instance redis") == 3).then_some(())
    });
    assert!(world.status("queue").is_none());
    let records = world.count("--instance queue");
    // And comes back as if it had never been away.
    changed.setup.instances.push(("queue".to_owned(), port));
    write(&changed);
    agent.signal(Signal::HUP);
    world.until("it is ready", || {
        (world.count("--kind agent-ready --instance queue") == 2).then_some(())
    });
    assert!(world.count("--instance queue") > records);
    world.until("it knows its past", || {
        world.status("queue").filter(|status| status["epoch"] == 1)
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
    drop(redis);
    world.setup = before;
}
