//! The fault matrix: what happens to hosts, done to the hosts of a world one after the other while a client writes,
//! and what came of it beside what is promised.
//!
//! `driver` makes worlds and hands them plays; `here` plays them inside a world, each in a `scene` that `watch` looks
//! at from all hosts; `promise` judges the `round`, `report` tells it. A new fault is a function and a row of `table`.

mod agent;
mod both;
mod busy;
mod driver;
mod hands;
mod here;
mod keepalived;
mod network;
mod promise;
mod quorum;
mod redis;
mod replicated;
mod report;
mod restart;
mod round;
mod scene;
mod switchover;
mod table;
mod watch;

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

pub use driver::run;
pub use here::run as run_here;
use table::{Fault, find};

/// `lab faults`.
#[derive(Args)]
pub struct FaultsArgs {
    /// How many times each fault
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this fault; can be given more than once
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Name the faults and what is promised of each, and do nothing
    #[arg(long)]
    list: bool,
    /// Write what the hosts recorded of each into DIR, as NAME/HOST.rha: tests/recordings is made of such
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// End with one JSON object in a line of its own
    #[arg(long)]
    pub json: bool,
}

/// `lab faults-here`.
#[derive(Args)]
pub struct HereArgs {
    /// Where what the hosts recorded goes
    #[arg(long)]
    record: Option<PathBuf>,
    /// What to play, as NAME:ROUND
    #[arg(required = true, value_parser = Play::parse)]
    plays: Vec<Play>,
}

/// One round of a fault, to be played.
#[derive(Clone, Copy)]
struct Play {
    fault: &'static Fault,
    round: u32,
}

impl Play {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (name, round) = text.split_once(':').context("NAME:ROUND is wanted")?;
        Ok(Self {
            fault: find(name)?,
            round: round.parse()?,
        })
    }
}

impl fmt::Display for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.fault.name, self.round)
    }
}
