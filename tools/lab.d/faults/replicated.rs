//! Faults of a pair that takes writes only with a replica.

use std::time::Duration;

use anyhow::ensure;

use super::scene::Scene;
use super::{network, redis};
use crate::clock::wait_for;
use crate::redis_view;

/// Until the primary's Redis knows.
const KNOWN: Duration = Duration::from_secs(10);
/// Long enough to see that nobody takes writes.
const WHILE: Duration = Duration::from_secs(4);

pub fn kill_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    prepare(scene)?;
    redis::kill_primary(scene)
}

pub fn kill_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    prepare(scene)?;
    redis::kill_replica(scene)
}

pub fn partition_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    prepare(scene)?;
    network::partition_replica(scene)
}

pub fn partition_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    prepare(scene)?;
    network::partition_primary(scene)
}

/// The other one cannot know that nobody goes on there: an operator does.
pub fn host_gone(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    prepare(scene)?;
    let vip = scene.world.plan.vip();
    scene.begins();
    scene.primary_host().power_off(vip)?;
    scene.lasts(WHILE);
    scene.replica_host().rha_checked(&["promote", "--force"])?;
    scene.taken_over();
    scene.primary_host().power_on()
}

fn prepare(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    for host in &scene.world.hosts {
        host.replicate_writes()?;
    }
    let address = scene.primary_host().address;
    wait_for("writes to need a replica", KNOWN, || {
        let wanted = redis_view::setting(address, "min-replicas-to-write")?;
        ensure!(wanted == "1", "min-replicas-to-write is {wanted}");
        Ok(())
    })
}
