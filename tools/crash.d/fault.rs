//! What is done to rha in a round.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use rustix::process::Signal;
use serde::Serialize;

use crate::dice::Dice;
use crate::world::{Crew, World};

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// SIGKILL to the agent, now and then again while it starts
    KillAgent,
    /// SIGKILL to rha-event: the follower of the FIFO, and scripts
    KillEvent,
    /// Both at once
    KillBoth,
    /// SIGSTOP to the agent for a moment
    Stop,
    /// The spool loses its last bytes while nobody has it open
    TornSpool,
    /// A file of the journal loses bytes while the agent is down
    TornJournal,
    /// The disk of journal and spool is full for a moment (needs namespaces)
    FullDisk,
}

/// Processes that were killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kills {
    /// The agent.
    pub agent: u64,
    /// `rha-event --follow`.
    pub follower: u64,
    /// `rha-event` as a script.
    pub script: u64,
}

impl Kills {
    /// Of these, who writes the spool.
    pub fn writers(&self) -> u64 {
        self.follower + self.script
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.agent += other.agent;
        self.follower += other.follower;
        self.script += other.script;
    }
}

impl Kind {
    /// Kinds to choose from in a world of that sort, the likely ones more than once.
    pub fn choice(only: Option<Self>, is_small: bool) -> Vec<Self> {
        use Kind::{FullDisk, KillAgent, KillBoth, KillEvent, Stop, TornJournal, TornSpool};
        match only {
            Some(kind) => vec![kind],
            None if is_small => vec![FullDisk, FullDisk, KillBoth],
            None => vec![
                KillAgent,
                KillAgent,
                KillAgent,
                KillAgent,
                KillAgent,
                KillAgent,
                KillEvent,
                KillEvent,
                KillEvent,
                KillBoth,
                KillBoth,
                KillBoth,
                KillBoth,
                Stop,
                Stop,
                TornSpool,
                TornSpool,
                TornJournal,
            ],
        }
    }

    /// Scripts are killed too.
    pub fn kills_scripts(self) -> bool {
        matches!(self, Self::KillEvent | Self::KillBoth)
    }

    /// Something may be lost, if it is said.
    pub fn tears(self) -> bool {
        matches!(self, Self::TornSpool | Self::TornJournal)
    }
}

/// Does it to a world under load, and leaves everything running.
pub fn strike(
    kind: Kind,
    world: &World,
    crew: &mut Crew,
    dice: &mut Dice,
) -> anyhow::Result<Kills> {
    let mut kills = Kills::default();
    match kind {
        Kind::KillAgent => {
            crew.kill_agent()?;
            kills.agent = 1;
            thread::sleep(dice.micros(0, 10_000));
            while kills.agent < 4 && dice.once_in(3) {
                crew.launch_agent()?;
                thread::sleep(dice.micros(0, 40_000));
                crew.kill_agent()?;
                kills.agent += 1;
            }
            crew.launch_agent()?;
        }
        Kind::KillEvent => {
            kills.follower = dice.between(1, 6);
            for _ in 0..kills.follower {
                crew.kill_follower()?;
                thread::sleep(dice.micros(0, 3000));
                crew.start_follower()?;
                thread::sleep(dice.micros(0, 6000));
            }
        }
        Kind::KillBoth => {
            crew.kill_follower()?;
            thread::sleep(dice.micros(0, 500));
            crew.kill_agent()?;
            (kills.follower, kills.agent) = (1, 1);
            thread::sleep(dice.micros(0, 5000));
            crew.start_follower()?;
            crew.launch_agent()?;
        }
        Kind::Stop => {
            let agent = crew.agent.as_ref().context("no agent")?;
            agent.signal(Signal::STOP)?;
            thread::sleep(dice.micros(1000, 80_000));
            agent.signal(Signal::CONT)?;
        }
        Kind::FullDisk => {
            let filler = world.fill_disk()?;
            thread::sleep(dice.micros(0, 60_000));
            if dice.once_in(3) {
                crew.kill_agent()?;
                crew.launch_agent()?;
                kills.agent = 1;
                thread::sleep(dice.micros(0, 60_000));
            }
            fs::remove_file(filler)?;
        }
        // Nobody is at work: these files are torn by a host that died.
        Kind::TornSpool | Kind::TornJournal => {}
    }
    Ok(kills)
}

/// How long the load runs before something is done.
pub fn calm(dice: &mut Dice) -> Duration {
    dice.micros(2000, 30_000)
}
