//! keepalived ends or stands still, and the VIP moves by other hands.

use std::time::Duration;

use rustix::process::Signal;

use super::scene::Scene;
use crate::host::Service;
use crate::plan::INTERFACE;

/// How long it is so.
const WHILE: Duration = Duration::from_secs(3);

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

fn start_again(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.taken_over();
    scene.lasts(WHILE);
    scene.primary_host().start(Service::Keepalived)
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
    for process in ["keepalived", "vrrp"] {
        scene.primary_host().signal(process, Signal::STOP)?;
    }
    scene.lasts(WHILE);
    for process in ["vrrp", "keepalived"] {
        scene.primary_host().signal(process, Signal::CONT)?;
    }
    scene.lasts(WHILE);
    Ok(())
}

pub fn vip_removed(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip();
    scene.begins();
    let host = scene.primary_host();
    host.ip(&format!("addr del {vip}/32 dev {INTERFACE}"))?;
    scene.lasts(WHILE);
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
