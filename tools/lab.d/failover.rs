//! The primary changes, round after round, because its Redis is killed or because an operator wants it to: how long a
//! client could not write, and what it lost.

use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use serde_json::json;

use crate::client::{Tally, Writing};
use crate::clock::now_us;
use crate::report::{GREEN, RED, Verdict, ms, say, styled};
use crate::world::World;

/// The slowest failover that is waited for; with keepalived's own time-outs it would be under 5 s.
const OUTAGE_LIMIT: Duration = Duration::from_secs(15);
/// An outage like this is no failover but a client waiting for the kernel to repeat its SYN.
const STALL_US: u64 = 900_000;

/// Why the primary changes.
#[derive(Clone, Copy)]
pub enum Cause {
    /// kill -9 of its Redis.
    Kill,
    /// `rha switchover`.
    Switchover,
}

/// So many rounds; the client pauses so long between two writes.
pub fn run(world: &mut World, cause: Cause, rounds: u32, pause_us: u64) -> anyhow::Result<Verdict> {
    let mut kills = Vec::new();
    let mut outages = Vec::new();
    let mut tallies = Vec::new();
    for number in 1..=rounds {
        let (killed_us, outage_us, tally) = round(world, cause, number, pause_us)?;
        kills.push(killed_us);
        outages.push(outage_us);
        tallies.push(tally);
    }
    let mut verdict = verdict(world, &outages, &tallies)?;
    // `CLOCK_MONOTONIC`, to be found again in the journals that --keep keeps.
    verdict.figures["killed_us"] = kills.into();
    Ok(verdict)
}

/// One failover and return. The VIP must have gone to another host and stayed there.
fn round(
    world: &mut World,
    cause: Cause,
    number: u32,
    pause_us: u64,
) -> anyhow::Result<(u64, u64, Tally)> {
    let everybody: Vec<usize> = (0..world.hosts.len()).collect();
    let old = world.settled(&everybody)?;
    let writing = Writing::start(world.plan.vip_redis(), &format!("r{number}:"), pause_us)?;
    let began_us = now_us();
    let (gap, outage_us) = match cause {
        Cause::Kill => {
            world.hosts[old].signal("redis", Signal::KILL)?;
            let gap = writing.outage(began_us, OUTAGE_LIMIT)?;
            world.hosts[old].redis("start")?;
            let outage_us = gap.accepted_us - began_us;
            (gap, outage_us)
        }
        Cause::Switchover => {
            world.hosts[old].rha_checked(&["switchover"])?;
            let gap = writing.longest_gap(now_us(), OUTAGE_LIMIT)?;
            let gap = gap.context("the client noticed nothing")?;
            let outage_us = gap.length_us();
            (gap, outage_us)
        }
    };
    let new = world.settled(&everybody)?;
    let tally = writing.finish()?;
    let [from, to] = [old, new].map(|index| &world.hosts[index].name);
    say(format_args!(
        "round {number}: {from} -> {to}, a write accepted after {} ms ({} failed before, first: {}), {} of {} lost",
        ms(outage_us),
        gap.errors,
        gap.error,
        tally.lost.len(),
        tally.acknowledged,
    ));
    ensure!(old != new, "round {number}: the VIP is back at {from}");
    Ok((began_us, outage_us, tally))
}

fn verdict(world: &World, outages: &[u64], tallies: &[Tally]) -> anyhow::Result<Verdict> {
    let audits = world.audit()?;
    for audit in &audits {
        let style = if audit.ok { GREEN } else { RED };
        let line = format!("{}: {}: {}", audit.host, audit.command, audit.exit);
        say(styled(style, line));
    }
    let mut sorted = outages.to_vec();
    sorted.sort_unstable();
    let stalls = sorted.iter().filter(|&&us| us >= STALL_US).count();
    let lost: usize = tallies.iter().map(|tally| tally.lost.len()).sum();
    let acknowledged: u64 = tallies.iter().map(|tally| tally.acknowledged).sum();
    let [median, p99, max] = [50, 99, 100].map(|percent| ms(rank(&sorted, percent)));
    say(format_args!(
        "{} rounds: median {median} ms, p99 {p99} ms, max {max} ms, {stalls} stalls, \
         {lost} of {acknowledged} acknowledged writes lost",
        outages.len()
    ));
    let ok = audits.iter().all(|audit| audit.ok);
    let figures = json!({
        "ok": ok,
        "rounds": outages.len(),
        "median_ms": median,
        "p99_ms": p99,
        "max_ms": max,
        "stalls": stalls,
        "acknowledged": acknowledged,
        "lost": lost,
        "outages_ms": outages.iter().map(|&us| ms(us)).collect::<Vec<_>>(),
        "alarms": world.alarms.all().len(),
    });
    Ok(Verdict::measured(ok, figures))
}

/// Nearest-rank percentile of sorted values.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}
