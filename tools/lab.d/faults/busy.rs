//! Redis lives and does not answer, or not with what it is asked for.

use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::scene::Scene;
use crate::clock::wait_for;
use crate::redis_view;

/// A check times out after 500 ms; three in a row, a second apart, are a failover.
const BELOW_TIMEOUT_MS: u32 = 300;
const BELOW_FALL_MS: u32 = 1_800;
const ABOVE_FALL_MS: u32 = 12_000;
const SECOND: Duration = Duration::from_secs(1);
/// Keys, and how long Redis sleeps at each as it loads them (no sleep is shorter than some 100 us): 5 s together.
const KEYS: u32 = 50_000;
const LOAD_US: u32 = 50;

pub fn below_the_timeout(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    for _ in 0..5 {
        pause(scene, BELOW_TIMEOUT_MS)?;
        scene.lasts(SECOND);
    }
    Ok(())
}

pub fn below_the_fall(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    pause(scene, BELOW_FALL_MS)?;
    scene.lasts(SECOND * 4);
    Ok(())
}

pub fn above_the_fall(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    pause(scene, ABOVE_FALL_MS)?;
    scene.taken_over();
    scene.lasts(Duration::from_millis(ABOVE_FALL_MS.into()));
    scene.primary_host().revive_redis()
}

/// No client is answered, a check least of all; replication goes on.
fn pause(scene: &mut Scene<'_>, ms: u32) -> anyhow::Result<()> {
    let host = scene.primary_host();
    host.tell_redis(&["CLIENT", "PAUSE", &ms.to_string(), "ALL"])
}

pub fn script(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let host = scene.primary_host();
    // From then on Redis answers others than the script: with BUSY.
    host.tell_redis(&["CONFIG", "SET", "lua-time-limit", "100"])?;
    let address = host.address;
    scene.begins();
    let running =
        thread::spawn(move || redis_view::ask(address, &["EVAL", "while true do end", "0"]));
    scene.lasts(SECOND * 3);
    scene.primary_host().tell_redis(&["SCRIPT", "KILL"])?;
    // It ends with the script, whose error is no news.
    drop(running.join());
    scene.lasts(SECOND * 3);
    let host = scene.primary_host();
    host.tell_redis(&["CONFIG", "SET", "lua-time-limit", "5000"])
}

pub fn slow_load(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let host = scene.primary_host();
    host.add_to_redis_conf(&format!("key-load-delay {LOAD_US}"))?;
    let fill = format!("for i=1,{KEYS} do redis.call('SET','big:'..i,i) end");
    host.tell_redis(&["EVAL", &fill, "0"])?;
    host.tell_redis(&["SAVE"])?;
    // What the script wrote is in Redis' memory until it has come to send it.
    let (address, replicas) = (host.address, scene.world.hosts.len() - 1);
    wait_for("the replica to have the data set", SECOND * 10, || {
        let has = redis_view::replicated_to(address, replicas)?;
        ensure!(has == replicas, "{has} of {replicas} replicas have it");
        Ok(())
    })?;
    scene.begins();
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.primary_host().revive_redis()
}
