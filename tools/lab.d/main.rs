//! The laboratory: hosts as network namespaces on one machine, with real keepalived, real Redis and real rha.
//!
//! Started by `tools/lab`, which builds it and makes the namespaces. Three processes carry one world: the
//! [`stage`] module says which and why. Everything dies with the first one.

#![allow(clippy::print_stderr)] // a tool: what went wrong goes to stderr

mod alarms;
mod client;
mod clock;
mod config;
mod demo;
mod drills;
mod failover;
mod faults;
mod host;
mod manual;
mod panel;
mod plan;
mod redis_view;
mod report;
mod run;
mod shell;
mod stage;
mod story;
mod voters;
mod walkthrough;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::failover::Cause;
use crate::report::{Verdict, say};
use crate::stage::Stage;
use crate::voters::Quorum;
use crate::world::World;

/// Make hosts of network namespaces on this machine, with real keepalived, Redis and rha in each
///
/// Needs no root where user namespaces are allowed. Leaves nothing behind when it ends, however it ends.
#[derive(Parser)]
#[command(name = "lab", bin_name = "tools/lab", version)]
struct Cli {
    #[command(flatten)]
    world: WorldArgs,
    #[command(subcommand)]
    verb: Verb,
}

/// What the world is made of.
#[derive(Args, Clone)]
pub struct WorldArgs {
    /// How many hosts carry the instance
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=3))]
    pub hosts: u8,
    /// Whose votes are needed to lead: a third Redis, or an etcd of one or three members, in namespaces of their own
    #[arg(long, global = true, value_enum, default_value_t = Quorum::None)]
    pub quorum: Quorum,
    /// The /24 network of the world: hosts are .37 .38 .39, the VIP .161, the client .200
    #[arg(
        long,
        global = true,
        value_name = "A.B.C.0",
        default_value = "192.168.192.0"
    )]
    pub network: std::net::Ipv4Addr,
    /// Use the rha and rha-event in this directory instead of those built here
    #[arg(long, global = true, value_name = "DIR", env = "RHA_LAB_BIN_DIR")]
    pub bin_dir: Option<PathBuf>,
    /// Copy every log, configuration and journal there at the end
    #[arg(long, global = true, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// The primary changes, round after round.
#[derive(Args)]
struct RoundsArgs {
    /// How many times
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long the client waits between two writes, in microseconds
    #[arg(long, default_value_t = 0)]
    pause_us: u64,
    /// End with one JSON object in a line of its own
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Walk through the test section of the original manual, step by step (15 s)
    Walkthrough {
        /// End with one JSON object in a line of its own
        #[arg(long)]
        json: bool,
    },
    /// Kill the primary's Redis again and again (kill -9), with a client that writes to the VIP
    Failover(RoundsArgs),
    /// Switch over again and again (rha switchover), with a client that writes to the VIP
    Switchover(RoundsArgs),
    /// Do to hosts what happens to hosts, one fault after the other, and compare with what is promised (10 min)
    ///
    /// A client writes to the VIP all the while. Of each fault: the longest time without an accepted write, how long
    /// two Redis took writes and two hosts had the VIP, acknowledged writes that are lost, alarms raised and resolved;
    /// and replay and verify of every journal. Exit status: 0 if every promise was kept; a fault that this machine
    /// cannot show is skipped, and kept nothing.
    ///
    /// Each fault brings its own number of hosts. What the journals tell of a broken promise goes to stderr. A clock
    /// that jumps is not among the faults: all namespaces of a machine have the same one.
    Faults(faults::FaultsArgs),
    /// Faults in this world (`lab faults` starts it in namespaces of its own)
    #[command(hide = true)]
    FaultsHere(faults::HereArgs),
    /// Each drill of `rha drill` once, and `rha doctor` before and after (2 min)
    Drills {
        /// End with one JSON object in a line of its own
        #[arg(long)]
        json: bool,
    },
    /// Show one failover and return, live
    Demo,
    /// Make a world to play with; it reads commands, and `help` lists them
    Shell,
    /// The writing client (the lab starts it in the client's namespace)
    #[command(hide = true)]
    Client(client::ClientArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match Stage::current() {
        Stage::Outer => stage::outer(),
        Stage::Init => stage::init(),
        Stage::Main => dispatch(&cli),
    };
    result.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

fn changes(cli: &Cli, cause: Cause, args: &RoundsArgs) -> anyhow::Result<Verdict> {
    let run = |world: &mut World| failover::run(world, cause, args.rounds, args.pause_us);
    world::within(&cli.world, run)
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (verdict, json) = match &cli.verb {
        Verb::Walkthrough { json } => (world::within(&cli.world, walkthrough::run), *json),
        Verb::Failover(args) => (changes(cli, Cause::Kill, args), args.json),
        Verb::Switchover(args) => (changes(cli, Cause::Switchover, args), args.json),
        Verb::Faults(args) => (faults::run(&cli.world, args), args.json),
        Verb::FaultsHere(args) => {
            let run = |world: &mut World| faults::run_here(world, args);
            (world::within(&cli.world, run), false)
        }
        Verb::Drills { json } => (world::within(&cli.world, drills::run), *json),
        Verb::Demo => (world::within(&cli.world, demo::run), false),
        Verb::Shell => (world::within(&cli.world, shell::run), false),
        Verb::Client(args) => return client::run(args),
    };
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(error) if json => Verdict::failed(&error),
        Err(error) => return Err(error),
    };
    if json {
        say(&verdict.figures);
    }
    Ok(if verdict.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
