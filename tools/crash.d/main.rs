//! The journal under fire: the real agent and the real `rha-event` are killed again and again under load, and
//! everything that they had acknowledged must be there afterwards, once and in order.
//!
//! Started by `tools/crash`, which builds it and makes the namespaces.

#![allow(clippy::print_stderr)] // a tool: what went wrong goes to stderr

mod ask;
mod clock;
mod dice;
mod fault;
mod ledger;
mod load;
mod round;
mod sink;
mod stage;
mod tear;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::fault::{Kills, Kind};
use crate::ledger::Tally;
use crate::round::{Rounds, last_said};
use crate::stage::Places;
use crate::tear::Part;
use crate::world::World;

/// A world is used up after so many rounds: its journal is then read from end to end, and another one begins.
const ROUNDS_OF_A_WORLD: usize = 60;
/// One world in so many has a small disk.
const SMALL_WORLDS: u64 = 5;
/// A world with a small disk lives shorter.
const ROUNDS_OF_A_SMALL_WORLD: usize = 8;

/// Kill the agent and rha-event again and again under load, and look for what is lost, doubled or out of order
///
/// Real rha, rha-event and redis-server, in directories of their own. Needs no root; without namespaces the kind
/// full-disk is left out. Ends what it has started, also on SIGTERM, SIGHUP and ctrl-c.
///
/// The first line is the seed. Exit status: 0 if nothing was lost, doubled, out of order or strange; 1 otherwise,
/// and then the state of the run is kept, and its place told.
#[derive(Parser)]
#[command(name = "crash", bin_name = "tools/crash", version)]
struct Cli {
    /// How many rounds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The seed of the plan: which faults, when, under which load. Chosen and printed where it is left out
    #[arg(long)]
    seed: Option<u64>,
    /// Only this kind of fault
    #[arg(long, value_name = "KIND")]
    only: Option<Kind>,
    /// End with one JSON object in a line of its own
    #[arg(long)]
    json: bool,
    /// Lose a record of each round on purpose: the run must fail
    #[arg(long, hide = true)]
    spoil: bool,
}

/// What all rounds together came to.
#[derive(Default)]
struct Run {
    rounds: usize,
    worlds: usize,
    faults: BTreeMap<Kind, u64>,
    kills: Kills,
    compacted: u64,
    /// Files of the journal that were torn.
    torn: BTreeMap<Part, u64>,
    tally: Tally,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(places) = Places::given() else {
        return stage::outer().unwrap_or_else(|error| {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        });
    };
    let began = clock::now();
    let seed = cli.seed.unwrap_or_else(clock::any_number);
    say(format_args!("seed {seed}"));
    let mut run = Run::default();
    let error = play(&cli, &places, seed, &mut run).err();
    let ok = error.is_none() && run.tally.is_good() && run.rounds == cli.rounds as usize;
    for wrong in run.tally.told.iter().take(40) {
        eprintln!("crash: {wrong}");
    }
    if let Some(error) = &error {
        eprintln!("crash: {error:#}");
    }
    let seconds = (clock::now() - began).as_secs_f64();
    report(&run, seconds);
    if cli.json {
        say(figures(ok, seed, &run, seconds, error.as_ref()));
    }
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn play(cli: &Cli, places: &Places, seed: u64, run: &mut Run) -> anyhow::Result<()> {
    stage::settle()?;
    let can_mount = stage::is_in_namespace();
    ensure!(
        can_mount || cli.only != Some(Kind::FullDisk),
        "full-disk needs namespaces: run it as root, or allow user namespaces"
    );
    if !can_mount {
        say("no namespaces for this user: no disk is filled");
    }
    let mut dice = Dice::new(seed);
    while run.rounds < cli.rounds as usize {
        let is_small = match cli.only {
            Some(only) => only == Kind::FullDisk,
            None => can_mount && dice.once_in(SMALL_WORLDS),
        };
        let world = World::new(places, run.worlds, is_small)?;
        run.worlds += 1;
        let played = play_world(cli, &world, is_small, &mut dice, run);
        if let Err(error) = played {
            return Err(error.context(last_said(&world)?));
        }
    }
    Ok(())
}

/// Plays rounds until the world is used up.
fn play_world(
    cli: &Cli,
    world: &World,
    is_small: bool,
    dice: &mut Dice,
    run: &mut Run,
) -> anyhow::Result<()> {
    let at_most = if is_small {
        ROUNDS_OF_A_SMALL_WORLD
    } else {
        ROUNDS_OF_A_WORLD
    };
    let left = (cli.rounds as usize - run.rounds).min(at_most);
    let kinds = Kind::choice(cli.only, is_small);
    let mut rounds = Rounds::begin(world, cli.spoil)?;
    let mut torn = false;
    for _ in 0..left {
        let kind = dice.pick(&kinds);
        let number = run.rounds + 1;
        let outcome = rounds
            .play(kind, dice)
            .with_context(|| format!("round {number}, {kind:?}"))?;
        run.rounds = number;
        run.kills.add(&outcome.kills);
        run.compacted += outcome.compacted;
        *run.faults.entry(kind).or_default() += 1;
        if let Some(part) = outcome.torn {
            *run.torn.entry(part).or_default() += 1;
        }
        if !outcome.tally.is_good() {
            say(format_args!(
                "round {number}, {kind:?}: {}",
                outcome.tally.told.join("; ")
            ));
        }
        torn = outcome.ends_world();
        run.tally.add(outcome.tally);
        if torn {
            break;
        }
    }
    run.tally.add(rounds.end(torn)?);
    Ok(())
}

/// For people.
fn report(run: &Run, seconds: f64) {
    let Kills {
        agent,
        follower,
        script,
    } = run.kills;
    let tally = &run.tally;
    let forgiven = &tally.forgiven;
    say(format_args!(
        "{} rounds in {seconds:.1} s; killed: {agent} agents, {follower} followers, {script} scripts; {} records \
         looked at, {} things acknowledged: {} lost, {} doubled, {} out of order, {} strange",
        run.rounds,
        tally.records,
        tally.acknowledged,
        tally.lost,
        tally.doubled,
        tally.disordered,
        tally.strange,
    ));
    say(format_args!(
        "forgiven, each against its record: {} lines torn off and {} told again, {} damages of the spool where it was \
         torn, {} where a kill cut a write short, {} torn journals set aside with {} records",
        forgiven.torn_lines,
        forgiven.torn_lines_again,
        forgiven.torn_spools,
        forgiven.cut_short,
        forgiven.set_aside,
        forgiven.torn_records,
    ));
    say(format_args!(
        "{} alarms: {} sent again since their sending was not recorded, {} decided while the journal could not be written",
        tally.alarms, tally.resent, tally.unrecorded,
    ));
}

fn figures(ok: bool, seed: u64, run: &Run, seconds: f64, error: Option<&anyhow::Error>) -> Value {
    let tally = &run.tally;
    let faults = run.faults.iter().filter_map(|(kind, count)| {
        let word = kind.to_possible_value()?;
        Some((word.get_name().to_owned(), json!(count)))
    });
    json!({
        "ok": ok,
        "seed": seed,
        "rounds": run.rounds,
        "worlds": run.worlds,
        "faults": faults.collect::<serde_json::Map<_, _>>(),
        "kills": run.kills,
        "compacted": run.compacted,
        "torn": run.torn,
        "records": tally.records,
        "acknowledged": tally.acknowledged,
        "lost": tally.lost,
        "doubled": tally.doubled,
        "disordered": tally.disordered,
        "strange": tally.strange,
        "alarms": tally.alarms,
        "resent": tally.resent,
        "unrecorded": tally.unrecorded,
        "forgiven": tally.forgiven,
        "seconds": (seconds * 10.0).round() / 10.0,
        "rounds_per_minute": (run.rounds as f64 / seconds * 60.0).round(),
        "error": error.map(|error| format!("{error:#}")),
    })
}

/// Prints a line. A reader that went away is no failure.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
