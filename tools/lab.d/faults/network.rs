//! Cables, ports of the switch, and what a firewall between the hosts would do.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::bail;

use super::scene::{Scene, Skipped};
use crate::host::Host;
use crate::plan::INTERFACE;

/// How long a partition lasts.
pub const CUT_MS: u32 = 4_000;
const CUT: Duration = Duration::from_millis(CUT_MS as u64);
const BRIEFLY: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(3);
const BLOCKED: Duration = Duration::from_secs(5);
const FOR_LONG: Duration = Duration::from_secs(8);
/// keepalived writes the IP header of its adverts itself, and the kernel routes what a program does so as protocol
/// 255, whatever the header says (raw(7), `IPPROTO_RAW`). Nobody else here does.
const RAW: u8 = 255;
/// The routing table of lost adverts.
const LOST: u8 = 112;

pub fn link_down_briefly(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    link_down(scene, BRIEFLY)
}

pub fn link_down_for_long(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    link_down(scene, FOR_LONG)
}

fn link_down(scene: &mut Scene<'_>, span: Duration) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().link("down")?;
    scene.lasts(span);
    scene.primary_host().link("up")?;
    scene.lasts(WHILE);
    Ok(())
}

pub fn link_down_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.replica_host().link("down")?;
    scene.lasts(WHILE);
    scene.replica_host().link("up")?;
    scene.lasts(WHILE);
    Ok(())
}

pub fn partition_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let primary = scene.primary;
    partition(scene, primary)
}

pub fn partition_replica(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let replica = scene.replica;
    partition(scene, replica)
}

/// Clients are on both sides: one writes to the replica, which has been promoted.
pub fn partition_both_written(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.replica_host().partition(true)?;
    scene.lasts(CUT / 2);
    scene.replica_host().write_locally()?;
    scene.lasts(CUT / 2);
    scene.replica_host().partition(false)?;
    scene.lasts(WHILE);
    Ok(())
}

fn partition(scene: &mut Scene<'_>, away: usize) -> anyhow::Result<()> {
    scene.begins();
    scene.world.hosts[away].partition(true)?;
    scene.lasts(CUT);
    scene.world.hosts[away].partition(false)?;
    scene.lasts(WHILE);
    Ok(())
}

pub fn host_gone(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip();
    scene.begins();
    scene.primary_host().power_off(vip)?;
    scene.taken_over();
    scene.lasts(BLOCKED);
    scene.primary_host().power_on()
}

pub fn replica_hears_no_vrrp(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let deaf = [scene.replica];
    without_vrrp(scene, &deaf)
}

pub fn primary_hears_no_vrrp(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let deaf = [scene.primary];
    without_vrrp(scene, &deaf)
}

pub fn vrrp_blocked(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let everybody: Vec<usize> = (0..scene.world.hosts.len()).collect();
    without_vrrp(scene, &everybody)
}

fn without_vrrp(scene: &mut Scene<'_>, deaf: &[usize]) -> anyhow::Result<()> {
    let nobody = scene.world.plan.nobody();
    let hosts = &scene.world.hosts;
    let ways: Vec<(usize, Ipv4Addr)> = deaf
        .iter()
        .map(|&index| (index, hosts[index].address))
        .flat_map(|(to, address)| {
            let others = (0..hosts.len()).filter(move |&from| from != to);
            others.map(move |from| (from, address))
        })
        .collect();
    scene.begins();
    for &(from, to) in &ways {
        lose_vrrp(&scene.world.hosts[from], to, nobody)?;
    }
    scene.lasts(BLOCKED);
    for &(from, to) in &ways {
        let host = &scene.world.hosts[from];
        host.ip(&format!("rule del to {to} ipproto {RAW} table {LOST}"))?;
        host.ip(&format!("route del {to} table {LOST}"))?;
    }
    scene.lasts(WHILE);
    Ok(())
}

/// Adverts to that address go to a neighbour that does not exist: they leave the host and reach nobody. (A packet
/// filter would do it too, and is not everywhere.)
fn lose_vrrp(host: &Host, to: Ipv4Addr, nobody: Ipv4Addr) -> anyhow::Result<()> {
    host.ip(&format!(
        "neigh replace {nobody} lladdr 02:00:00:00:00:fe dev {INTERFACE} nud permanent"
    ))?;
    host.ip(&format!(
        "route replace {to} via {nobody} dev {INTERFACE} onlink table {LOST}"
    ))?;
    let rule = format!("rule add to {to} ipproto {RAW} table {LOST}");
    if let Err(error) = host.ip(&rule) {
        bail!(Skipped(format!(
            "no routing by protocol in this kernel: {error:#}"
        )));
    }
    Ok(())
}
