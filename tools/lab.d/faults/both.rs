//! Redis dies on both hosts, one after the other, and comes back in either order. Its data are on the disk; only the
//! one that died last has all of them.

use std::time::Duration;

use anyhow::ensure;

use super::scene::Scene;
use crate::clock::wait_for;

/// The survivor serves alone for so long.
const ALONE: Duration = Duration::from_secs(2);
/// Nobody serves for so long.
const DARK: Duration = Duration::from_secs(2);
/// The first to return is alone for so long.
const APART: Duration = Duration::from_secs(3);
const PERSISTENT: Duration = Duration::from_secs(15);

pub fn primary_replica_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let (primary, replica) = (scene.primary, scene.replica);
    both_down(scene, primary, [primary, replica])
}

pub fn primary_replica_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let (primary, replica) = (scene.primary, scene.replica);
    both_down(scene, primary, [replica, primary])
}

pub fn replica_primary_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let (primary, replica) = (scene.primary, scene.replica);
    both_down(scene, replica, [primary, replica])
}

pub fn replica_primary_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let (primary, replica) = (scene.primary, scene.replica);
    both_down(scene, replica, [replica, primary])
}

fn both_down(scene: &mut Scene<'_>, first: usize, return_in: [usize; 2]) -> anyhow::Result<()> {
    keep_data(scene)?;
    scene.begins();
    scene.world.hosts[first].kill_redis()?;
    if first == scene.primary {
        scene.taken_over();
    }
    scene.lasts(ALONE);
    for host in &scene.world.hosts {
        host.kill_redis()?;
    }
    scene.lasts(DARK);
    let [early, late] = return_in;
    scene.world.hosts[early].revive_redis()?;
    scene.lasts(APART);
    scene.world.hosts[late].revive_redis()?;
    scene.written();
    Ok(())
}

/// From now on every write is in the append-only file before it is answered.
fn keep_data(scene: &Scene<'_>) -> anyhow::Result<()> {
    for host in &scene.world.hosts {
        host.add_to_redis_conf("appendonly yes")?;
        host.tell_redis(&["CONFIG", "SET", "appendonly", "yes"])?;
        wait_for("the append-only file", PERSISTENT, || {
            let info = host.info()?;
            let rewriting = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
            let busy = rewriting.iter().any(|name| info.get(name) != "0");
            ensure!(
                info.get("aof_enabled") == "1" && !busy,
                "it is not begun yet"
            );
            Ok(())
        })?;
    }
    Ok(())
}
