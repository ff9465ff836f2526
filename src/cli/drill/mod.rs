//! `rha drill`: something is broken on purpose, and made as before.

mod act;
mod after;
mod checks;
pub(super) mod daemon;
mod keeper;
mod plan;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::pause::command_line;
use super::render::{Problem, counted};
use super::{exit, source};
use crate::agent::clock::Clock;
use crate::agent::hands::{peer_target, vip_target};
use crate::agent::runtime::runtime;
use crate::config::{Config, Instance, parse_duration};
use crate::model::drill::Drill;
use crate::views::status::InstanceStatus;
use crate::wire::process::Process;
use act::Act;
use checks::Check;
use keeper::{Keeper, Said};
use plan::{Lock, Plan, left_behind};

/// Break something on this host for a while, to see what the pair does
///
/// Without a name, the drills are listed. Everything that must be so is looked at first, and it asks before it begins.
/// Another process makes everything as before: when the time is over, at Ctrl-C, and also when the shell, this command
/// or the agent is gone meanwhile. (Only if that process itself is killed, `rha drill --restore` is needed; a reboot
/// brings interfaces up by itself.) Beginning and end are recorded as an operator's, alarms are sent as for real, and
/// in the end it shows what the pair did: the postmortem of the incident.
///
/// Example: `rha drill redis-kill --for 30s`
///
/// Exit status: 0 done, 1 refused or not made as before, 2 not asked (no terminal, and no --yes), 3 with --dry-run if
/// something is not as it must be, or if this node has not settled a minute after.
#[derive(Debug, clap::Args)]
pub struct DrillArgs {
    /// What to break
    #[arg(value_parser = PossibleValuesParser::new(Drill::ALL.map(Drill::word)).try_map(drill))]
    name: Option<Drill>,
    /// The instance; can be left out where there is only one
    instance: Option<String>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "300s", value_parser = period)]
    period: Duration,
    /// Only say what would be done and undone, and what is not as it must be
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Also where no other node could serve, an incident is open, it is paused, or no agent runs
    #[arg(long)]
    anyway: bool,
    /// Make as before what a drill has broken
    #[arg(long, conflicts_with_all = ["name", "dry_run"])]
    restore: bool,
    /// Be the process that undoes it
    #[arg(long, hide = true, conflicts_with_all = ["name", "restore"])]
    keep: bool,
}

/// A shorter one would be over before anybody notices.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long a keeper may take to undo its drill, with all that it tries again.
const KEEPER_PATIENCE: Duration = Duration::from_secs(150);

fn drill(word: String) -> Result<Drill, String> {
    Drill::of(&word).ok_or_else(|| format!("no drill is called {word:?}"))
}

fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)
        .ok_or("a duration is a whole number and ms, s, m, h or d, such as 300s")?;
    if (SHORTEST..=LONGEST).contains(&period) {
        Ok(period)
    } else {
        Err("a drill lasts from 1s to 24h".to_owned())
    }
}

/// Runs `rha drill`.
///
/// # Errors
/// It was refused, or could not be done or undone.
pub fn run(
    args: &DrillArgs,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    if args.keep {
        return keeper::keep(file);
    }
    if args.restore {
        return restore(&Config::load(file)?, out);
    }
    let Some(drill) = args.name else {
        return list(out);
    };
    let config = Config::load(file)?;
    let instance = source::instance(&config, args.instance.as_deref())?;
    let act = Act::new(&config, instance)?;
    let (before, checks) = looked(drill, &act, &config, instance, args.anyway);
    describe(drill, args.period, &config, instance, before.as_ref(), out)?;
    for check in &checks {
        let word = if check.passes { "ok" } else { "no" };
        writeln!(out, "{word}  {}: {}", check.name, check.asks)?;
    }
    out.flush()?;
    let failed = checks.iter().find(|check| !check.passes);
    if args.dry_run {
        return Ok(failed.map_or(exit::OK, |_| exit::TROUBLE));
    }
    let barred = checks
        .iter()
        .find(|one| !(one.passes || one.can_wait && args.anyway));
    if let Some(check) = barred {
        let problem = Problem::failed(format!("not now: {}. Nothing was changed", check.name));
        return Err(match check.can_wait {
            true => problem.hint("--anyway goes on without it.").into(),
            false => problem.into(),
        });
    }
    confirm(args.yes, instance, err)?;
    let plan = Plan {
        drill,
        instance: instance.name.clone(),
        for_ms: u64::try_from(args.period.as_millis())?,
        command: command_line(),
        unrecorded: before.is_none(),
        keeper: 0,
        undo: None,
    };
    drilled(file, &config, instance, &plan, before.as_ref(), out)
}

/// What is known of another node may be as old as its last check: so long a "no" is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(200);

/// What the agent says, and what follows from it.
fn looked(
    drill: Drill,
    act: &Act,
    config: &Config,
    instance: &Instance,
    anyway: bool,
) -> (Option<InstanceStatus>, Vec<Check>) {
    let began = Instant::now();
    loop {
        let status = after::look(&config.paths, &instance.name);
        let checks = checks::checks(drill, act, status.as_ref());
        let passes = |check: &Check| check.passes || check.name != checks::OTHER_NODE;
        if anyway || checks.iter().all(passes) || began.elapsed() >= LOOK_AGAIN {
            return (status, checks);
        }
        thread::sleep(PAUSE);
    }
}

fn list(out: &mut dyn Write) -> anyhow::Result<u8> {
    for drill in Drill::ALL {
        let (does, undoes) = effect(drill);
        writeln!(out, "{drill:15}  {does}; undone: {undoes}")?;
    }
    Ok(exit::OK)
}

/// What is done, and what is done in the end.
fn effect(drill: Drill) -> (&'static str, &'static str) {
    match drill {
        Drill::Link => (
            "the VIP's interface is set down: this host is cut off there",
            "it is set up, with its routes and IPv6 addresses",
        ),
        Drill::RedisStop => ("Redis is stopped in good order", "it is started"),
        Drill::RedisKill => ("Redis is killed (SIGKILL)", "it is started"),
        Drill::RedisHang => (
            "Redis hangs (SIGSTOP)",
            "it is woken, or started where the agent has killed it (kill_hung)",
        ),
        Drill::KeepalivedStop => (
            "keepalived is stopped in good order",
            "it is started as it ran",
        ),
        Drill::AgentKill => (
            "the agent is killed (SIGKILL)",
            "it is started as it ran, unless systemd has done so",
        ),
    }
}

fn describe(
    drill: Drill,
    period: Duration,
    config: &Config,
    instance: &Instance,
    before: Option<&InstanceStatus>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (does, undoes) = effect(drill);
    let (node, seconds) = (&config.node.name, period.as_secs());
    let name = &instance.name;
    writeln!(
        out,
        "drill {drill} of instance {name} on node {node}, for {seconds} s"
    )?;
    writeln!(out, "    does: {does}")?;
    writeln!(out, "  undoes: after {seconds} s, or at Ctrl-C: {undoes}")?;
    if drill == Drill::Link {
        let interface = &instance.interface;
        writeln!(
            out,
            "  notice: {interface} goes down. ssh over {interface} is cut, and comes back with it after {seconds} s; \
             nobody can end the drill from outside meanwhile"
        )?;
    }
    let means = match before.map(|status| status.role.as_str()) {
        None => "no agent answers: nothing of it is recorded",
        Some("primary") if drill == Drill::AgentKill => {
            "this node leads; Redis serves on, and nobody watches it here"
        }
        Some("primary") => "this node leads: the VIP moves, writes fail for a moment",
        Some(_) => "this node does not lead: clients should see nothing of it",
    };
    writeln!(out, "   means: {means}")
}

/// Asks for the instance's name.
fn confirm(yes: bool, instance: &Instance, err: &mut dyn Write) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let problem = Problem::usage("nobody can be asked: this is no terminal");
        return Err(problem.hint("--yes begins without asking.").into());
    }
    write!(
        err,
        "type the instance's name ({}) to begin: ",
        instance.name
    )?;
    err.flush()?;
    let mut typed = String::new();
    stdin.lock().read_line(&mut typed)?;
    if typed.trim() == instance.name {
        return Ok(());
    }
    Err(Problem::failed("not that name: nothing was changed").into())
}

fn drilled(
    file: &Path,
    config: &Config,
    instance: &Instance,
    plan: &Plan,
    before: Option<&InstanceStatus>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let file = file.canonicalize()?;
    let since_us = Clock::new()?.now().wall_us;
    let mut keeper = Keeper::start(&file, plan)?;
    let others = instance.others(&config.node.name);
    let others = others.map(|node| peer_target(instance, node));
    let watch = after::Watch::start(vip_target(instance)?, others.collect::<Result<_, _>>()?);
    let over = follow(&mut keeper, plan, out);
    let paths = &config.paths;
    let end = match &over {
        Ok(_) if !plan.unrecorded => after::settled(paths, &instance.name),
        _ => after::look(paths, &instance.name),
    };
    let outage = watch.stop();
    writeln!(out, "{}\n", over?)?;
    if plan.unrecorded {
        writeln!(out, "no agent ran: nothing of it is recorded")?;
    } else {
        after::tell_records(paths, &instance.name, since_us, out)?;
    }
    after::tell_outage(&outage, plan.drill == Drill::Link, out)?;
    after::tell_roles(&config.node.name, before, end.as_ref(), out)?;
    let is_well = end.is_some_and(|status| status.is_well());
    if !is_well && !plan.unrecorded {
        writeln!(out, "this node has not settled: rha status tells more")?;
        return Ok(exit::TROUBLE);
    }
    Ok(exit::OK)
}

/// Says what the keeper says, and tells it of Ctrl-C.
fn follow(keeper: &mut Keeper, plan: &Plan, out: &mut dyn Write) -> anyhow::Result<String> {
    let mut said = keeper.said();
    let runtime = runtime()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        loop {
            tokio::select! {
                word = said.recv() => match word {
                    Some(Said::Ready) => keeper.go()?,
                    Some(Said::Broken) => {
                        let seconds = Duration::from_millis(plan.for_ms).as_secs();
                        let seconds = counted(seconds, "second");
                        writeln!(out, "began: {} lasts {seconds}; Ctrl-C ends it now", plan.drill)?;
                        out.flush()?;
                    }
                    Some(Said::Over(how)) => return Ok(format!("over: {how}")),
                    Some(Said::Failed(why)) => return Err(Problem::failed(why).into()),
                    None => {
                        let problem = Problem::failed("the process that would undo it is gone");
                        return Err(problem.hint("rha drill --restore makes it as before.").into());
                    }
                },
                _ = interrupt.recv() => keeper.end()?,
                _ = terminate.recv() => keeper.end()?,
            }
        }
    })
}

/// Ends the drill that runs, or undoes one that nobody undoes.
fn restore(config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let Some(plan) = left_behind(&config.paths)? else {
        writeln!(out, "nothing to restore")?;
        return Ok(exit::OK);
    };
    let began = Instant::now();
    let lock = loop {
        if let Some(lock) = Lock::take(&config.paths)? {
            break lock;
        }
        if began.elapsed() >= KEEPER_PATIENCE {
            let why = format!("process {} does not undo it", plan.keeper);
            return Err(Problem::failed(why).hint("Kill it, and try again.").into());
        }
        tell_to_end(plan.keeper)?;
        thread::sleep(Duration::from_millis(200));
    };
    // It may have been undone meanwhile.
    let Some(plan) = left_behind(&config.paths)? else {
        writeln!(out, "over: {} was ended", plan.drill)?;
        return Ok(exit::OK);
    };
    let instance = source::instance(config, Some(&plan.instance))?;
    let Some(undo) = &plan.undo else {
        lock.forget()?;
        writeln!(out, "nothing to restore")?;
        return Ok(exit::OK);
    };
    let act = Act::new(config, instance)?;
    match keeper::finish(config, &act, &lock, &plan, undo, "rha drill --restore")? {
        Said::Failed(why) => Err(Problem::failed(why).into()),
        Said::Over(how) => {
            writeln!(out, "over: {how}")?;
            Ok(exit::OK)
        }
        Said::Ready | Said::Broken => Ok(exit::FAILED),
    }
}

fn tell_to_end(pid: u32) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    if let Some(keeper) = Process::open(pid, &["rha"]) {
        keeper.signal(rustix::process::Signal::TERM)?;
    }
    Ok(())
}
