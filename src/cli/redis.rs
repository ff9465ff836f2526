//! `rha redis start|stop|restart|status`: what redis.sh did. The port and the process decide, never a pidfile.

use std::io::Write;
use std::path::Path;

use super::client::Client;
use super::pause::command_line;
use super::render::{Problem, counted};
use super::{exit, locate, source};
use crate::agent::api;
use crate::agent::direct::Direct;
use crate::config::{Config, Instance};
use crate::model::effect::Effect;
use crate::model::event::RedisRequest;
use crate::model::redis::RedisRole;
use crate::views::explained;

/// Start, stop, restart or look at the local Redis
///
/// The agent does it, and records who asked. While no agent runs, this command does it itself, unrecorded.
/// The port and the process say whether Redis runs, never a pidfile.
#[derive(Debug, clap::Args)]
pub struct RedisArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start Redis and wait until it is ready
    ///
    /// It starts as a replica of nobody, with the command or the unit of the configuration; from there on the
    /// agent decides whom it follows, or that it serves.
    Start(Which),
    /// Stop Redis and wait until it is gone
    ///
    /// On the primary this is a failover.
    Stop(Which),
    /// Stop Redis, then start it
    ///
    /// On the primary this is a failover: Redis comes back as a replica.
    Restart(Which),
    /// Ask Redis how it is
    ///
    /// Exit status: 0 if it is well, 3 if not.
    Status(Which),
}

/// Which Redis.
#[derive(Debug, clap::Args)]
struct Which {
    /// The instance; can be left out where there is only one
    instance: Option<String>,
}

/// Runs `rha redis`. The agent does it, and records who asked; while it is down, this command does it itself.
///
/// # Errors
/// It was not done; the message says why.
pub fn run(
    args: &RedisArgs,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    use Effect::{StartRedis, StopRedis};
    let (which, request, effects) = match &args.command {
        Command::Start(which) => (which, RedisRequest::Start, vec![StartRedis]),
        Command::Stop(which) => (which, RedisRequest::Stop, vec![StopRedis]),
        Command::Restart(which) => (which, RedisRequest::Restart, vec![StopRedis, StartRedis]),
        Command::Status(which) => return status(which, &Config::load(file)?, out),
    };
    let paths = locate::paths(file, err)?;
    let Some(client) = Client::connect(&paths.agent_socket())? else {
        return directly(which, &Config::load(file)?, effects, out);
    };
    let instance = match Config::load(file) {
        Ok(config) => which.of_config(&config)?.name.clone(),
        Err(_) => source::instance_of_agent(&client, which.instance.as_deref())?,
    };
    let body = api::RedisAsk {
        instance,
        request,
        command: command_line(),
    };
    writeln!(out, "{}", client.post(api::REDIS, &body)?)?;
    Ok(exit::OK)
}

impl Which {
    fn of_config<'config>(&self, config: &'config Config) -> anyhow::Result<&'config Instance> {
        source::instance(config, self.instance.as_deref())
    }
}

fn directly(
    which: &Which,
    config: &Config,
    effects: Vec<Effect>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let instance = which.of_config(config)?;
    for effect in effects {
        let outcome = Direct::new(config, instance)?.carry_out(effect.clone())?;
        if !outcome.is_done() {
            return Err(Problem::failed(format!("{effect}: {outcome}")).into());
        }
        writeln!(out, "{effect}: {outcome} (no agent runs: not recorded)")?;
    }
    Ok(exit::OK)
}

fn status(which: &Which, config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let instance = which.of_config(config)?;
    let probe = Direct::new(config, instance)?.probe()?;
    write!(
        out,
        "{} at {}: {}",
        instance.name,
        instance.local_endpoint(),
        probe.grade
    )?;
    if let Some(seen) = &probe.observation {
        write!(out, ", {}", seen.role)?;
        match (&seen.master, seen.role) {
            (Some(master), RedisRole::Replica) => {
                let link = if seen.link_up { "up" } else { "down" };
                write!(out, " of {master} (link {link})")?;
            }
            _ => write!(
                out,
                " with {}",
                counted(seen.replicas_online.into(), "replica")
            )?,
        }
        write!(
            out,
            ", offset {}, {}",
            seen.offset,
            counted(seen.keys, "key")
        )?;
    }
    writeln!(out)?;
    if let Some(meaning) = explained(probe.grade.word()) {
        writeln!(out, "{meaning}")?;
    }
    Ok(if probe.grade.is_ready() {
        exit::OK
    } else {
        exit::TROUBLE
    })
}
