//! Where a fault is played: a settled world, a client that writes, and a watch over all hosts.

use std::collections::BTreeSet;
use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;

use super::promise::Promise;
use super::round::Round;
use super::table::Fault;
use super::watch::Watch;
use crate::alarms::Received;
use crate::client::Writing;
use crate::clock::{now_us, wait_for};
use crate::host::Host;
use crate::report::ms;
use crate::world::World;

/// The client pauses between two writes: the world's two hosts share the processors with it.
const PAUSE_US: u64 = 300;
/// A check later everybody knows what [`World::settled`] saw, and the primary's bias is that of one with replicas.
const SETTLING: Duration = Duration::from_millis(1_500);
/// What is waited for is waited for so much longer than promised: then the round says how late it came.
const GRACE: Duration = Duration::from_secs(8);
/// The alarms that must come, and their ends, come within this time.
const ALARM_LIMIT: Duration = Duration::from_secs(15);
/// An alarm too many would come in this time.
const ALARM_SILENCE: Duration = Duration::from_secs(1);

/// What a fault has at its disposal.
pub struct Scene<'world> {
    /// The world.
    pub world: &'world mut World,
    /// Index of the host that is primary when the fault comes.
    pub primary: usize,
    /// Index of a host that is its replica.
    pub replica: usize,
    client: Writing,
    watch: Watch,
    /// So many alarms had been received before.
    alarms_before: usize,
    /// The fault's moment.
    moment_us: u64,
    patience: Duration,
    broken: Vec<String>,
}

/// This machine cannot show the fault.
#[derive(Debug)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Plays one round. An error is the lab's own; whatever rha does is in the round.
pub fn play(world: &mut World, fault: &Fault, number: u32) -> anyhow::Result<Round> {
    let mut scene = Scene::set(world, fault, number)?;
    let acted = (fault.act)(&mut scene);
    let mut round = Round {
        name: fault.name.to_owned(),
        round: number,
        ..Round::default()
    };
    if let Err(error) = acted {
        match error.downcast_ref::<Skipped>() {
            Some(why) => round.skipped = Some(why.to_string()),
            None => scene.broken.push(format!("{error:#}")),
        }
    }
    scene.look_back(fault.promise, &mut round)?;
    if round.skipped.is_some() {
        round.broken.clear();
    }
    Ok(round)
}

fn everybody(world: &World) -> Vec<usize> {
    (0..world.hosts.len()).collect()
}

/// Waits until one leads, all others are in place, and everybody knows.
fn settled(world: &mut World) -> anyhow::Result<usize> {
    let primary = world.settled(&everybody(world))?;
    sleep(SETTLING);
    Ok(primary)
}

impl<'world> Scene<'world> {
    fn set(world: &'world mut World, fault: &Fault, number: u32) -> anyhow::Result<Self> {
        let primary = settled(world)?;
        let prefix = format!("{}:{number}:", fault.name);
        Ok(Self {
            primary,
            replica: usize::from(primary == 0),
            client: Writing::start(world.plan.vip_redis(), &prefix, PAUSE_US)?,
            watch: Watch::begin(world)?,
            alarms_before: world.alarms.all().len(),
            world,
            moment_us: now_us(),
            patience: Duration::from_millis(fault.promise.outage_ms.into()) + GRACE,
            broken: Vec::new(),
        })
    }

    /// The host that was primary when the fault came.
    pub fn primary_host(&mut self) -> &mut Host {
        &mut self.world.hosts[self.primary]
    }

    /// The host that was its replica.
    pub fn replica_host(&mut self) -> &mut Host {
        &mut self.world.hosts[self.replica]
    }

    /// What comes next is the fault: outages count from here on. What came before was preparation.
    pub fn begins(&mut self) {
        self.moment_us = now_us();
    }

    /// It stays so for a while.
    pub fn lasts(&self, span: Duration) {
        sleep(span);
    }

    /// Waits until another host than the primary serves and the client has noticed; that nobody does is for the
    /// promise to judge, and the fault is undone all the same.
    pub fn taken_over(&mut self) {
        let others = (0..self.world.hosts.len()).filter(|&index| index != self.primary);
        let others: Vec<usize> = others.collect();
        let served = wait_for("another host to serve", self.patience, || {
            ensure!(others.iter().any(|&one| self.watch.serves(one)), "none");
            Ok(())
        });
        match served {
            Ok(()) => self.written(),
            Err(error) => self.broken.push(format!("{error:#}")),
        }
    }

    /// Preparation: waits until this host leads, and all others are in place.
    pub fn leads(&mut self, index: usize) -> anyhow::Result<()> {
        let primary = settled(self.world)?;
        ensure!(primary == index, "another host leads");
        (self.primary, self.replica) = (primary, usize::from(primary == 0));
        Ok(())
    }

    /// Waits until a write is accepted from now on.
    pub fn written(&mut self) {
        // The outage is in the figures.
        let _ = self.client.accepted(now_us(), self.patience);
    }

    /// Waits until at least so many alarms have been raised, and as many resolved as raised. What does not come is for
    /// the promise to judge.
    pub fn alarms_over(&self, least: usize) {
        let _ = wait_for("the alarms", ALARM_LIMIT, || {
            let (raised, resolved) = self.alarms();
            ensure!(
                raised.len() >= least && raised.len() == resolved.len(),
                "fewer"
            );
            Ok(())
        });
    }

    /// The titles of the alarms raised and of those resolved.
    fn alarms(&self) -> (Vec<String>, Vec<String>) {
        let alarms = self.world.alarms.all().split_off(self.alarms_before);
        let (resolved, raised): (Vec<_>, Vec<_>) =
            alarms.into_iter().partition(Received::is_resolved);
        let titles = |alarms: Vec<Received>| alarms.into_iter().map(|alarm| alarm.title).collect();
        (titles(raised), titles(resolved))
    }

    /// All hosts as they should be again, and what there is to say of it.
    fn look_back(mut self, promise: Promise, round: &mut Round) -> anyhow::Result<()> {
        round.before = self.primary_host().name.clone();
        match self.world.settled(&everybody(self.world)) {
            Ok(primary) => round.after = Some(self.world.hosts[primary].name.clone()),
            Err(error) => self.broken.push(format!("{error:#}")),
        }
        self.alarms_over(promise.alarms.0);
        sleep(ALARM_SILENCE);
        let (raised, resolved) = self.alarms();
        (round.raised, round.resolved) = (raised.len(), resolved.len());
        round.alarms = [raised, resolved].concat();
        round.outage_ms = self.client.longest_outage(self.moment_us).map(ms);
        let (masters_us, vips_us) = self.watch.end()?;
        (round.two_masters_ms, round.two_vips_ms) = (ms(masters_us), ms(vips_us));
        match self.client.finish() {
            Ok(tally) => {
                round.acknowledged = tally.acknowledged;
                round.lost = Some(tally.lost.len() as u64);
                round.rescued = rescued(self.world, &tally.lost)?;
            }
            Err(error) => self.broken.push(format!("{error:#}")),
        }
        let audits = self.world.audit()?.into_iter().filter(|audit| !audit.ok);
        round.audits = audits
            .map(|audit| format!("{}: {}: {}", audit.host, audit.command, audit.said))
            .collect();
        round.broken = self.broken;
        round.broken.extend(promise.judge(round));
        Ok(())
    }
}

/// How many of the lost keys are in the newest data set that each host has saved. The client's keys are removed by now, so
/// that the primary lacks all that is there.
fn rescued(world: &World, lost: &[String]) -> anyhow::Result<u64> {
    if lost.is_empty() {
        return Ok(0);
    }
    let lost: BTreeSet<&str> = lost.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for host in &world.hosts {
        if host
            .rha_checked(&["rescue", "list", "--output", "jsonl"])?
            .is_empty()
        {
            continue;
        }
        let output = host.rha(&["rescue", "diff", "1", "--output", "jsonl"])?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let key = row["key"].as_str().unwrap_or_default();
            found.extend(lost.get(key).copied());
        }
    }
    Ok(found.len() as u64)
}
