//! What an agent finds at its start, and what it makes of it.

use std::process::{Child, Command};

use rustix::process::Signal;

use crate::namespace::{inside, ip};
use crate::world::{VIP, World, has_address};

#[test]
#[ignore = "needs redis-server"]
fn an_order_without_an_outcome_is_reconciled() {
    let world = World::new();
    let (redis, agent) = world.replica();
    redis.signal(Signal::STOP);
    world.notify("MASTER");
    world.until("the order is recorded", || {
        (world.count("--rule promote-on-vip") + world.count("--rule promote-on-first-vip") == 1)
            .then_some(())
    });
    agent.kill();
    redis.signal(Signal::CONT);
    // Nobody knows whether the order was carried out. This is the worse case.
    world.until("it answers", || {
        (redis.cli("REPLICAOF NO ONE") == "OK").then_some(())
    });
    let agent = world.start();
    // The VIP is not on the interface here, so keepalived's word of before does not count any more.
    world.until("ready", || {
        (world.count("--kind agent-ready") == 2).then_some(())
    });
    world.until_role("replica");
    assert_eq!(redis.role(), "slave");
    world.until("it follows the VIP", || {
        redis.cli("ROLE").contains(VIP).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn a_master_that_should_be_a_replica_follows() {
    let world = World::new();
    let (redis, agent) = world.replica();
    agent.kill();
    redis.cli("REPLICAOF NO ONE");
    let agent = world.start();
    world.until("it follows the VIP", || {
        redis.cli("ROLE").contains(VIP).then_some(())
    });
    world.until_role("replica");
    // And behind rha's back while it runs.
    redis.cli("REPLICAOF NO ONE");
    world.until("it follows again", || {
        redis.cli("ROLE").contains(VIP).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server, and namespaces"]
fn with_the_vip_an_unfinished_promotion_is_finished() {
    if !inside("reconcile::with_the_vip_an_unfinished_promotion_is_finished") {
        return;
    }
    let world = World::with(|setup| setup.interface = "eth9");
    let (redis, agent) = world.replica();
    redis.signal(Signal::STOP);
    ip(&format!("addr add {VIP}/32 dev eth9"));
    world.notify("MASTER");
    world.until_role("promoting");
    agent.kill();
    redis.signal(Signal::CONT);
    // Nobody knows whether the order was carried out. This is the worse case.
    world.until("it answers", || {
        (redis.cli("REPLICAOF 127.0.0.1 1") == "OK").then_some(())
    });
    let agent = world.start();
    world.until_role("primary");
    assert_eq!(redis.role(), "master");
    // The VIP alone counts where keepalived's word is lost: it leaves without one.
    ip(&format!("addr del {VIP}/32 dev eth9"));
    world.until_role("replica");
    assert_eq!(redis.role(), "slave");
    // And comes back without one.
    ip(&format!("addr add {VIP}/32 dev eth9"));
    world.until_role("primary");
    assert_eq!(redis.role(), "master");
    assert_eq!(agent.stop(), Some(0));
    assert!(has_address("eth9"), "a clean stop leaves the VIP as it is");
    assert_eq!(redis.role(), "master");
    // Nothing happens over a restart: no promotion, no alarm.
    let before = world.history("--kind effect-finished").len();
    let agent = world.start();
    world.until("it is still primary", || {
        (world.count("--rule still-primary") == 1).then_some(())
    });
    world.until("eligible and bias are written", || {
        (world.count("--kind effect-finished") == before + 2).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

/// A process that is called keepalived and does nothing.
fn keepalived(world: &World) -> Child {
    let program = world.path("keepalived");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let child = Command::new(program).arg("600").spawn().unwrap();
    std::fs::write(world.path("keepalived.pid"), child.id().to_string()).unwrap();
    child
}

#[test]
#[ignore = "needs redis-server, and namespaces"]
fn a_vip_that_a_dead_keepalived_left_behind_is_given_up() {
    if !inside("reconcile::a_vip_that_a_dead_keepalived_left_behind_is_given_up") {
        return;
    }
    let mut world = World::with(|setup| setup.interface = "eth9");
    world.setup.pidfile = world.text("keepalived.pid");
    world.configure();
    let mut alive = keepalived(&world);
    ip(&format!("addr add {VIP}/32 dev eth9"));
    let redis = world.redis(world.port(), &[]);
    let agent = world.start();
    world.until_role("primary");
    // While the agent runs, and nobody else could take it: it stays …
    alive.kill().unwrap();
    alive.wait().unwrap();
    world.until("it is known", || {
        (world.count("--rule orphaned-vip-alone") == 1).then_some(())
    });
    assert!(has_address("eth9"));
    assert_eq!(redis.role(), "master");
    // … and where somebody could …
    let mut alive = keepalived(&world);
    let _other = world.redis_of_b();
    world.until("the other node answers", || {
        let checks = world.history("--kind peer-probed");
        checks
            .iter()
            .any(|check| check["event"]["grade"] == "ok")
            .then_some(())
    });
    world.until("keepalived is seen", || {
        (world.count("--kind keepalived-changed") == 2).then_some(())
    });
    alive.kill().unwrap();
    alive.wait().unwrap();
    world.until("the VIP is gone", || (!has_address("eth9")).then_some(()));
    world.until("Redis follows", || {
        redis.cli("ROLE").contains(VIP).then_some(())
    });
    agent.kill();
    // … and while it did not: pidfile and VIP are there, keepalived is not.
    ip(&format!("addr add {VIP}/32 dev eth9"));
    redis.cli("REPLICAOF NO ONE");
    let agent = world.start();
    world.until("the VIP is gone again", || {
        (!has_address("eth9")).then_some(())
    });
    world.until("Redis follows again", || {
        redis.cli("ROLE").contains(VIP).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server, and namespaces"]
fn the_drain_address_goes_with_the_agent() {
    if !inside("reconcile::the_drain_address_goes_with_the_agent") {
        return;
    }
    let world = World::with(|setup| {
        setup.interface = "eth9";
        setup.drain = "60s";
    });
    let (mut redis, agent) = world.primary();
    redis.kill();
    world.until("the drain address stands", || {
        has_address("lo").then_some(())
    });
    // A reload leaves it alone.
    agent.signal(Signal::HUP);
    world.until_said("configuration reloaded");
    assert!(has_address("lo"));
    assert_eq!(agent.stop(), Some(0));
    assert!(!has_address("lo"));
    // A killed agent leaves it behind; the next one removes it.
    ip(&format!("addr add {VIP}/32 dev lo"));
    let agent = world.start();
    world.until("the stale one is gone", || {
        (!has_address("lo")).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
}
