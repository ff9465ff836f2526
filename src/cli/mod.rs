//! What people type: one file for each subcommand, and the glue that they share.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Config;

mod ack;
pub mod blackbox;
mod bundle;
mod check;
mod client;
pub mod completions;
pub mod config;
mod doctor;
mod draft;
mod drill;
pub mod explain;
mod export;
mod follow;
pub mod history;
mod import;
pub mod incidents;
pub mod journal;
pub mod keepalived;
mod locate;
pub mod machine;
mod pause;
pub mod postmortem;
mod promote;
mod redis;
pub mod render;
pub mod replay;
mod rescue;
mod run;
mod source;
mod status;
mod switchover;
pub mod verify;
mod when;

use render::{Progress, Screen};
use source::Origin;
pub use when::parse_when;

/// Exit codes, a contract: scripts rest on them.
mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Wrong usage or configuration.
    pub const USAGE: u8 = 2;
    /// Looked and found trouble: unhealthy, damaged, diverged.
    pub const TROUBLE: u8 = 3;
}

/// Keep a Redis pair alive behind a keepalived VIP, and record every step
///
/// The agent (`rha run`) watches the local Redis, hears keepalived through `rha-event`, and decides
/// promotion and demotion. Every fact and every decision is in the journal before anything is done about
/// it. The other commands ask the agent; history, replay and verify read its journal while it is down.
///
/// First day: `rha config check`, `rha redis start`, `rha keepalived install`, `rha status`.
///
/// After a failover: `rha history --since "1h ago" --why`.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 looked and found trouble.
#[derive(Debug, Parser)]
#[command(name = "rha", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration file
    #[arg(
        long,
        short = 'c',
        global = true,
        env = "RHA_CONFIG",
        value_name = "FILE"
    )]
    #[arg(default_value = "/etc/rha/rha.toml")]
    config: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent
    ///
    /// In the foreground, or as a systemd service (Type=notify, with a watchdog). SIGTERM ends it and
    /// leaves Redis and the VIP as they are; SIGHUP makes it read the configuration again. It logs to
    /// standard error: one line for each change, and more with RHA_LOG=debug.
    Run,
    Status(status::StatusArgs),
    History(Box<history::HistoryArgs>),
    Replay(replay::ReplayArgs),
    Postmortem(postmortem::PostmortemArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Verify(verify::VerifyArgs),
    Journal(journal::JournalArgs),
    Check(check::CheckArgs),
    Redis(redis::RedisArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Ack(ack::AckArgs),
    Switchover(switchover::SwitchoverArgs),
    Promote(promote::PromoteArgs),
    Drill(drill::DrillArgs),
    Doctor(doctor::DoctorArgs),
    Rescue(rescue::RescueArgs),
    Config(config::Args),
    Keepalived(keepalived::Args),
    Machine(machine::MachineArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
}

/// Parses the command line, runs it, says what went wrong. The exit code is the process's.
#[must_use]
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::OK
            };
            // Nobody to tell if even this cannot be printed.
            let _ = error.print();
            return code;
        }
    };
    let (mut out, mut err) = (BufWriter::new(render::stdout()), anstream::stderr());
    let result = dispatch(&cli, &mut out, &mut err)
        .and_then(|code| out.flush().map(|()| code).map_err(anyhow::Error::from));
    render::ignore_broken_pipe(result)
        .or_else(|error| render::report(&error, &mut err))
        .unwrap_or(exit::FAILED)
}

fn dispatch(cli: &Cli, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let file = cli.config.as_path();
    let mut paths = || locate::paths(file, err);
    match &cli.command {
        Command::Run => run::run(file, Config::load(file)?),
        Command::Status(args) => status::run(args, &paths()?, out),
        Command::History(args) => look(args, file, out, err),
        Command::Replay(args) => {
            let origin = origin(args.bundle.as_deref(), file, err)?;
            let (before, records) = source::records(&origin)?;
            let records = Progress::of("records").over(records);
            let advert = match &origin {
                Origin::Host(_) => advert_ms(file),
                Origin::Bundle(bundle) => bundle::open(bundle)?.about().advert_ms,
            };
            replay::run(args, before, records, advert, out)
        }
        Command::Postmortem(args) => {
            let origin = origin(args.bundle.as_deref(), file, err)?;
            let config = Config::load(file).ok();
            let paths = config.as_ref().map(|config| &config.paths);
            let with = args.with.iter().map(|name| bundle::find(name, paths));
            let with: Vec<PathBuf> = with.collect();
            postmortem::run(args, &Screen::detect(), &origin, &with, out)
        }
        Command::Export(args) => export::run(args, &paths()?, advert_ms(file), out, err),
        Command::Import(args) => import::run(args, &paths()?, out),
        Command::Journal(args) => journal::run(args, &paths()?, out),
        Command::Verify(args) => verify::run(args, &source::verify(&paths()?)?, out),
        Command::Check(args) => match Config::load(file) {
            Ok(config) => check::run(args, &config, out),
            Err(error) => {
                check::without_config(args, file, out).unwrap_or_else(|| Err(error.into()))
            }
        },
        Command::Redis(args) => redis::run(args, file, out, err),
        Command::Pause(args) => pause::pause(args, &paths()?, out),
        Command::Resume(args) => pause::resume(args, &paths()?, out),
        Command::Ack(args) => ack::run(args, &paths()?, out),
        Command::Switchover(args) => switchover::run(args, &paths()?, out),
        Command::Doctor(args) => doctor::run(args, file, out, err),
        Command::Drill(args) => drill::run(args, file, out, err),
        Command::Promote(args) => promote::run(args, &paths()?, out),
        Command::Rescue(args) => rescue::run(args, file, out, err),
        Command::Config(args) => config::run(args, file, out, err),
        Command::Keepalived(args) => keepalived::run(args, file, out, err),
        Command::Machine(args) => machine::run(args, &Screen::detect(), out),
        Command::Explain(args) => explain::run(args, &Screen::detect(), out),
        Command::Completions(args) => completions::run(args, Cli::command(), out),
    }
}

/// The bundle that is named, or else the journal of this host.
fn origin(bundle: Option<&Path>, file: &Path, err: &mut dyn Write) -> anyhow::Result<Origin> {
    match bundle {
        None => Ok(Origin::Host(locate::paths(file, err)?)),
        // Needs no configuration: it may be read on any machine.
        Some(name) => {
            let config = Config::load(file).ok();
            let paths = config.as_ref().map(|config| &config.paths);
            Ok(Origin::Bundle(bundle::find(name, paths)))
        }
    }
}

fn look(
    args: &history::HistoryArgs,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let screen = Screen::detect();
    if let Some(history::What::Incidents(args)) = &args.what {
        let origin = origin(args.bundle.as_deref(), file, err)?;
        return incidents::run(args, &screen, &origin, out);
    }
    let now = jiff::ZonedDateTime::now();
    let place = match &args.blackbox {
        None => {
            let origin = origin(args.bundle.as_deref(), file, err)?;
            let own = source::node(&origin, file, args.node.is_some())?;
            let filter = args.filter(&now, own.as_deref())?;
            if args.follow {
                return follow::run(args, &filter, &screen, &origin, out, err);
            }
            return history::run(args, &screen, source::history(&origin, &filter)?, out);
        }
        // Needs no configuration: it may be the box of another host.
        Some(Some(place)) => place.clone(),
        Some(None) => locate::paths(file, err)?.black_box(),
    };
    let own = Config::load(file).ok().map(|config| config.node.name);
    let filter = args.filter(&now, own.as_deref())?;
    history::run(args, &screen, blackbox::history(&place, &filter)?, out)
}

/// The interval between keepalived's adverts on this host, in milliseconds.
fn advert_ms(file: &Path) -> Option<u64> {
    let config = Config::load(file).ok()?;
    u64::try_from(config.keepalived.advert_interval.as_millis()).ok()
}
