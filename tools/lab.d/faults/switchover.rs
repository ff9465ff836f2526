//! Something happens in the middle of a planned switchover.

use std::process::{Child, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;

use super::scene::Scene;
use crate::clock::now;
use crate::host::Service;
use crate::plan::CLIENT;
use crate::run::{bounded_in_netns, in_netns, output};

/// A moment in which a wrong reaction would come.
const WHILE: Duration = Duration::from_secs(3);
/// From the command's start: it has asked for what must be so, and writes are held back, or the VIP is on its way.
const MIDDLE: Duration = Duration::from_millis(8);
/// Clients that load the primary, and the bytes that each writes at once.
const CLIENTS: &str = "20";
const BYTES: &str = "200";
/// The load has its full weight.
const WARM: Duration = Duration::from_secs(1);
/// A command that takes longer hangs: a lost SYN costs a second.
const HANG: Duration = Duration::from_millis(900);

pub fn planned(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().rha_checked(&["switchover"])?;
    scene.lasts(WHILE);
    Ok(())
}

/// Beside the client that counts: twenty that write as fast as they can, and one that connects anew for each command.
pub fn under_load(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let vip = scene.world.plan.vip_redis();
    let (host, port) = (vip.ip().to_string(), vip.port().to_string());
    let mut load = in_netns(CLIENT, "redis-benchmark");
    load.args(["-h", &host, "-p", &port, "-t", "set", "-q", "-r", "10000"])
        .args(["-c", CLIENTS, "-d", BYTES, "-n", "100000000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let load = Ended(load.spawn().context("redis-benchmark")?);
    scene.lasts(WARM);
    scene.begins();
    let commands = thread::spawn(move || one_by_one(&host, &port));
    scene.lasts(WARM);
    scene.primary_host().rha_checked(&["switchover"])?;
    let (longest, failed) = commands
        .join()
        .map_err(|_| anyhow::anyhow!("redis-cli"))??;
    drop(load);
    ensure!(longest < HANG, "redis-cli hung for {longest:?}");
    ensure!(failed <= 1, "{failed} commands of redis-cli failed");
    Ok(())
}

/// `redis-cli SET` again and again: how long the slowest took, and how many were refused. One may be: its connection was
/// closed before it was answered.
fn one_by_one(host: &str, port: &str) -> anyhow::Result<(Duration, usize)> {
    let (mut longest, mut failed) = (Duration::ZERO, 0);
    let end = now() + WARM + WHILE;
    while now() < end {
        let mut command = bounded_in_netns(CLIENT, "redis-cli", WHILE);
        command.args(["-h", host, "-p", port, "SET", "redis-cli", "1"]);
        let began = now();
        let said = output(&mut command)?;
        longest = longest.max(now().saturating_sub(began));
        failed += usize::from(said.stdout != b"OK\n");
    }
    Ok((longest, failed))
}

pub fn target_dies(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    begin(scene, |scene| scene.replica_host().kill_redis())?;
    scene.replica_host().revive_redis()
}

pub fn primary_dies(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    begin(scene, |scene| scene.primary_host().kill_redis())?;
    scene.primary_host().revive_redis()
}

/// Its keepalived takes the VIP, and nobody promotes there.
pub fn target_agent_stands_still(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.replica_host().send(Service::Agent, Signal::STOP)?;
    begin(scene, |_| Ok(()))?;
    scene.replica_host().send(Service::Agent, Signal::CONT)
}

pub fn agent_dies(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    begin(scene, |scene| scene.primary_host().kill(Service::Agent))?;
    scene.primary_host().start(Service::Agent)?;
    scene.primary_host().answers()
}

/// Asks for it, and does something in the middle. How it ends is for the promise to judge.
fn begin(
    scene: &mut Scene<'_>,
    act: impl FnOnce(&mut Scene<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    scene.begins();
    let mut command = scene.primary_host().rha_command(&["switchover"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut asked = Ended(command.spawn()?);
    sleep(MIDDLE);
    act(scene)?;
    asked.0.wait()?;
    scene.written();
    scene.lasts(WHILE);
    Ok(())
}

/// A process that ends with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
