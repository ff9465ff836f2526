//! keepalived ends or stands still, and the VIP moves by other hands.

use std::time::Duration;

use anyhow::ensure;
use rustix::process::Signal;

use super::scene::Scene;
use crate::clock::wait_for;
use crate::host::{Host, Service};
use crate::plan::{BRIDGE, INTERFACE};
use crate::run::ip;

/// How long it is so.
const WHILE: Duration = Duration::from_secs(3);
/// How often the VIP goes to the other host.
const TO_AND_FRO: u32 = 6;
/// Three checks, and some.
const RETURNED: Duration = Duration::from_secs(15);
/// `failover.drain` is 3 s.
const DRAINED: Duration = Duration::from_secs(3);
/// rha asks every 5 s who has the VIP, and believes the second answer.
const ASKED_TWICE: Duration = Duration::from_secs(13);
const BRIEFLY: Duration = Duration::from_secs(1);
/// The host of highest priority.
const HIGHEST: usize = 0;

pub fn kill(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().kill(Service::Keepalived)?;
    start_again(scene)
}

pub fn kill_parent(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().kill_first(Service::Keepalived)?;
    start_again(scene)
}

pub fn stop(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().stop(Service::Keepalived)?;
    start_again(scene)
}

/// Whoever is primary loses its keepalived, again and again, as soon as the pair is whole.
pub fn to_and_fro(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    for _ in 0..TO_AND_FRO {
        let heir = scene.replica;
        scene.primary_host().stop(Service::Keepalived)?;
        scene.taken_over();
        scene.primary_host().start(Service::Keepalived)?;
        scene.leads(heir)?;
    }
    Ok(())
}

fn start_again(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.taken_over();
    scene.lasts(WHILE);
    scene.primary_host().start(Service::Keepalived)
}

/// What has just returned has no copy yet: whoever promotes it loses everything. Nobody serves until the heir is back.
pub fn stop_as_other_returns(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let (returning, heir) = (scene.primary, scene.replica);
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.primary_host().revive_redis()?;
    wait_for("the return", RETURNED, || {
        let status = scene.world.hosts[returning].status()?;
        ensure!(status.eligible(), "it may not have the VIP yet");
        Ok(())
    })?;
    (scene.primary, scene.replica) = (heir, returning);
    scene.begins();
    scene.primary_host().stop(Service::Keepalived)?;
    scene.lasts(WHILE);
    scene.primary_host().start(Service::Keepalived)?;
    scene.lasts(WHILE);
    Ok(())
}

/// Its parent starts another.
pub fn kill_child(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().signal("vrrp", Signal::KILL)?;
    scene.lasts(WHILE);
    Ok(())
}

pub fn reload(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    for host in &scene.world.hosts {
        host.signal("keepalived", Signal::HUP)?;
    }
    scene.lasts(WHILE);
    Ok(())
}

pub fn freeze(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    stand_still(scene.primary_host())?;
    scene.lasts(WHILE);
    wake_up(scene.primary_host())?;
    scene.lasts(WHILE);
    Ok(())
}

/// It is the host of highest priority that has just become primary. As its replica is attached, half of its bias goes;
/// if its keepalived sleeps through that, what it believes of its own priority outranks the newer primary.
pub fn freeze_young(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    if scene.primary == HIGHEST {
        scene.primary_host().kill_redis()?;
        scene.taken_over();
        scene.primary_host().revive_redis()?;
        scene.leads(scene.replica)?;
    }
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    (scene.primary, scene.replica) = (HIGHEST, scene.primary);
    // While its host drains the VIP, it cannot follow it, and would take it over without a copy.
    scene.lasts(DRAINED);
    scene.begins();
    stand_still(scene.primary_host())?;
    scene.replica_host().revive_redis()?;
    scene.taken_over();
    scene.lasts(BRIEFLY);
    wake_up(scene.primary_host())?;
    scene.lasts(WHILE);
    Ok(())
}

fn stand_still(host: &Host) -> anyhow::Result<()> {
    host.signal("keepalived", Signal::STOP)?;
    host.signal("vrrp", Signal::STOP)
}

fn wake_up(host: &Host) -> anyhow::Result<()> {
    host.signal("vrrp", Signal::CONT)?;
    host.signal("keepalived", Signal::CONT)
}

pub fn vip_removed(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip();
    scene.begins();
    let host = scene.primary_host();
    host.ip(&format!("addr del {vip}/32 dev {INTERFACE}"))?;
    scene.lasts(WHILE);
    Ok(())
}

/// One that no rha knows of: it answers who asks for the VIP.
pub fn vip_on_a_stranger(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip();
    scene.begins();
    ip(&format!("addr add {vip}/32 dev {BRIDGE}"))?;
    scene.lasts(ASKED_TWICE);
    ip(&format!("addr del {vip}/32 dev {BRIDGE}"))?;
    scene.alarms_over(1);
    Ok(())
}

pub fn vip_added(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip();
    scene.begins();
    let host = scene.replica_host();
    host.ip(&format!("addr add {vip}/32 dev {INTERFACE}"))?;
    scene.lasts(WHILE);
    let host = scene.replica_host();
    host.ip(&format!("addr del {vip}/32 dev {INTERFACE}"))?;
    scene.lasts(WHILE);
    Ok(())
}
