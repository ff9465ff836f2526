//! `rha redis start|stop|restart|status`: what redis.sh did. The port and the process decide, never a pidfile.

use std::io::Write;

use super::client::Client;
use super::pause::{command_line, tell};
use super::render::Problem;
use super::{exit, source};
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
pub fn run(args: &RedisArgs, config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let (which, request) = match &args.command {
        Command::Start(which) => (which, RedisRequest::Start),
        Command::Stop(which) => (which, RedisRequest::Stop),
        Command::Restart(which) => (which, RedisRequest::Restart),
        Command::Status(which) => {
            return status(
                config,
                source::instance(config, which.instance.as_deref())?,
                out,
            );
        }
    };
    let instance = source::instance(config, which.instance.as_deref())?;
    let Some(client) = Client::connect(&config.paths.agent_socket())? else {
        return directly(config, instance, request, out);
    };
    let body = api::RedisAsk {
        instance: instance.name.clone(),
        request,
        command: command_line(),
    };
    tell(client.post(api::REDIS, &body)?, out)
}

fn directly(
    config: &Config,
    instance: &Instance,
    request: RedisRequest,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let effects = match request {
        RedisRequest::Start => vec![Effect::StartRedis],
        RedisRequest::Stop => vec![Effect::StopRedis],
        RedisRequest::Restart => vec![Effect::StopRedis, Effect::StartRedis],
    };
    for effect in effects {
        let outcome = Direct::new(config, instance)?.carry_out(effect.clone())?;
        if !outcome.is_done() {
            return Err(Problem::failed(format!("{effect}: {outcome}")).into());
        }
        writeln!(out, "{effect}: {outcome} (no agent runs: not recorded)")?;
    }
    Ok(exit::OK)
}

fn status(config: &Config, instance: &Instance, out: &mut dyn Write) -> anyhow::Result<u8> {
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
            _ => write!(out, " with {} replica(s)", seen.replicas_online)?,
        }
        write!(out, ", offset {}, {} key(s)", seen.offset, seen.keys)?;
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
