//! Alarms are sent once, however late, over restarts and reloads.

use rustix::process::Signal;

use crate::world::{Sink, World};

#[test]
#[ignore = "needs redis-server"]
fn an_alarm_waits_for_its_sink_over_reload_and_restart() {
    let (first, second) = (Sink::later(), Sink::later());
    let mut world = World::with(|setup| setup.sink = Some(first.port));
    let (mut redis, agent) = world.replica();
    redis.kill();
    world.until("it is ordered", || {
        (world.alarms().len() == 1).then_some(())
    });
    world.until_said("alarm not sent");
    // The same settings, then another sink of the same name: both keep what waits.
    agent.signal(Signal::HUP);
    world.until_said("configuration reloaded");
    agent.kill();
    let agent = world.start();
    world.until("ready again", || {
        (world.count("--kind agent-ready") == 2).then_some(())
    });
    assert_eq!(first.titles(), Vec::<String>::new());
    let text = std::fs::read_to_string(world.path("rha.toml")).unwrap();
    let text = text.replace(
        &format!(":{}/x", first.port),
        &format!(":{}/x", second.port),
    );
    std::fs::write(world.path("rha.toml"), text).unwrap();
    let second = second.open();
    agent.signal(Signal::HUP);
    world.until("it is sent", || (second.titles().len() == 1).then_some(()));
    let sent = || {
        let outcomes = world.history("--kind effect-finished");
        outcomes
            .iter()
            .filter(|one| one.to_string().contains("HTTP 200"))
            .count()
    };
    world.until("its outcome is recorded", || (sent() == 1).then_some(()));
    assert_eq!(agent.stop(), Some(0));
    // Once is enough.
    let agent = world.start();
    world.until("ready once more", || {
        (world.count("--kind agent-ready") == 3).then_some(())
    });
    let checks = world.count("--kind redis-probed --all");
    world.until("some checks", || {
        (world.count("--kind redis-probed --all") > checks + 4).then_some(())
    });
    assert_eq!(second.titles().len(), 1, "{:?}", second.titles());
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
    world.setup.sink = None;
}
