//! What is done to rha in a round.

use std::fs::{self, File};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use rustix::process::Signal;

use crate::dice::Dice;
use crate::world::{Crew, World, last_file};

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
    /// sled's log loses its last bytes while the agent is down
    TornJournal,
    /// The disk of journal and spool is full for a moment (needs namespaces)
    FullDisk,
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

/// Does it to a world under load, and leaves everything running. Returns how many processes were killed.
pub fn strike(kind: Kind, world: &World, crew: &mut Crew, dice: &mut Dice) -> anyhow::Result<u64> {
    match kind {
        Kind::KillAgent => {
            let mut kills = 1;
            crew.kill_agent()?;
            thread::sleep(dice.micros(0, 10_000));
            while kills < 4 && dice.once_in(3) {
                crew.launch_agent()?;
                thread::sleep(dice.micros(0, 40_000));
                crew.kill_agent()?;
                kills += 1;
            }
            crew.launch_agent()?;
            Ok(kills)
        }
        Kind::KillEvent => {
            let kills = dice.between(1, 6);
            for _ in 0..kills {
                crew.kill_follower()?;
                thread::sleep(dice.micros(0, 3000));
                crew.start_follower()?;
                thread::sleep(dice.micros(0, 6000));
            }
            Ok(kills)
        }
        Kind::KillBoth => {
            crew.kill_follower()?;
            thread::sleep(dice.micros(0, 500));
            crew.kill_agent()?;
            thread::sleep(dice.micros(0, 5000));
            crew.start_follower()?;
            crew.launch_agent()?;
            Ok(2)
        }
        Kind::Stop => {
            let agent = crew.agent.as_ref().context("no agent")?;
            agent.signal(Signal::STOP)?;
            thread::sleep(dice.micros(1000, 80_000));
            agent.signal(Signal::CONT)?;
            Ok(0)
        }
        Kind::FullDisk => {
            let filler = world.fill_disk()?;
            thread::sleep(dice.micros(0, 60_000));
            let mut kills = 0;
            if dice.once_in(3) {
                crew.kill_agent()?;
                crew.launch_agent()?;
                kills = 1;
                thread::sleep(dice.micros(0, 60_000));
            }
            fs::remove_file(filler)?;
            Ok(kills)
        }
        // Nobody is at work: these files are torn by a host that died.
        Kind::TornSpool | Kind::TornJournal => Ok(0),
    }
}

/// Ends everything, takes the last bytes of a file, and starts the agent. The follower must stay away until the agent
/// has looked at its spool: a spool that lost its end has lost its host, and the next boot writes another segment.
pub fn tear(kind: Kind, world: &World, crew: &mut Crew, dice: &mut Dice) -> anyhow::Result<()> {
    crew.kill_follower()?;
    crew.kill_agent()?;
    let (file, bytes) = if kind == Kind::TornSpool {
        // Less than a frame, so that it shows.
        let spool = last_file(&world.state().join("spool"), ".spool")?;
        (spool, dice.between(1, 60))
    } else {
        (world.state().join("journal/db"), dice.between(1, 8192))
    };
    let file = File::options().write(true).open(file)?;
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(bytes))?;
    crew.launch_agent()
}

/// How long the load runs before something is done.
pub fn calm(dice: &mut Dice) -> Duration {
    dice.micros(2000, 30_000)
}
