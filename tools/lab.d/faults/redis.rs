//! Redis ends, or hangs.

use std::time::Duration;

use rustix::process::Signal;

use super::scene::Scene;

/// A moment in which a wrong reaction would come.
const WHILE: Duration = Duration::from_secs(3);
const FLAPS: u32 = 20;
/// Too short for a returned Redis to count as up: that takes three checks.
const FLAP: Duration = Duration::from_millis(150);

pub fn kill_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.primary_host().revive_redis()
}

pub fn kill_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.replica_host().kill_redis()?;
    scene.lasts(WHILE);
    scene.replica_host().revive_redis()
}

/// rha is expected to kill it; what hangs on is killed here, so that the world goes on.
pub fn hang_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let hung = scene.primary_host().pid("redis")?;
    scene.begins();
    scene.primary_host().signal("redis", Signal::STOP)?;
    scene.taken_over();
    scene.lasts(WHILE);
    let host = scene.primary_host();
    if host.pid("redis").is_ok_and(|pid| pid == hung) {
        host.kill_redis()?;
    }
    host.revive_redis()
}

pub fn hang_and_wake(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().signal("redis", Signal::STOP)?;
    scene.taken_over();
    if scene.primary_host().redis_lives() {
        scene.primary_host().signal("redis", Signal::CONT)?;
    }
    scene.lasts(WHILE);
    scene.primary_host().revive_redis()
}

pub fn hang_briefly(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().signal("redis", Signal::STOP)?;
    scene.lasts(Duration::from_millis(1_200));
    scene.primary_host().signal("redis", Signal::CONT)?;
    scene.lasts(WHILE);
    Ok(())
}

pub fn hang_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.replica_host().signal("redis", Signal::STOP)?;
    scene.lasts(WHILE * 2);
    if scene.replica_host().redis_lives() {
        scene.replica_host().signal("redis", Signal::CONT)?;
    }
    scene.lasts(WHILE);
    scene.replica_host().revive_redis()
}

pub fn flap(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    for _ in 0..FLAPS {
        scene.primary_host().kill_redis()?;
        scene.lasts(FLAP);
        scene.primary_host().revive_redis()?;
        scene.lasts(FLAP);
    }
    Ok(())
}
