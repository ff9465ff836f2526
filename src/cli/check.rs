//! `rha check`: exit 0 if Redis is well here, for keepalived's vrrp_script.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::client::Client;
use super::render::Problem;
use super::{exit, source};
use crate::agent::api;
use crate::agent::direct::Direct;
use crate::config::{Config, Paths};
use crate::model::redis::RedisRole;

/// An agent answers within a millisecond; keepalived waits for the check only until the next is due.
const AGENT_PATIENCE: Duration = Duration::from_millis(300);

/// Tell keepalived whether Redis is well here
///
/// For a vrrp_script. The agent answers with what its fall and rise counters say, and that all is well while it is
/// paused: then the VIP stays where it is. While no agent runs, the check asks Redis itself, once, and only a master
/// is well: nobody could promote a replica. Exit status: 0 if Redis is well, 1 if not.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The instance; can be left out where there is only one
    instance: Option<String>,
}

/// Runs `rha check`.
///
/// # Errors
/// No such instance.
pub fn run(args: &CheckArgs, config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let instance = source::instance(config, args.instance.as_deref())?;
    let socket = config.paths.agent_socket();
    let no_agent = match ask_agent(&socket, &instance.name, out) {
        Ok(answer) => return answer,
        Err(why) => why,
    };
    let probe = Direct::new(config, instance)?.probe()?;
    let master = probe
        .observation
        .is_some_and(|seen| seen.role == RedisRole::Master);
    let trouble = match probe.grade {
        grade if !grade.is_ready() => grade.word(),
        // Nobody is here to promote it.
        _ if !master => "a replica",
        _ => {
            writeln!(out, "ok (asked Redis itself: {no_agent})")?;
            return Ok(exit::OK);
        }
    };
    let text = format!("redis: {trouble} (asked itself: {no_agent})");
    Err(Problem::failed(text).into())
}

/// What the agent says where the configuration cannot be read; `None` where no agent can be asked. A running agent
/// keeps its old configuration, and a slip of the pen must not make keepalived give the VIP away.
pub fn without_config(
    args: &CheckArgs,
    file: &Path,
    out: &mut dyn Write,
) -> Option<anyhow::Result<u8>> {
    let instance = args.instance.as_deref()?;
    ask_agent(&Paths::of_spoiled(file).agent_socket(), instance, out).ok()
}

/// Why no agent's word counts.
const NO_AGENT: &str = "no agent answers";

/// What the agent says; an error from one that does not answer, or knows nothing of the instance.
fn ask_agent(
    socket: &Path,
    instance: &str,
    out: &mut dyn Write,
) -> Result<anyhow::Result<u8>, &'static str> {
    let client = match Client::connect(socket) {
        Ok(Some(client)) => client,
        Ok(None) => return Err(NO_AGENT),
        Err(_) => return Err("the agent's socket may not be used, or hangs"),
    };
    let path = format!("{}/{instance}", api::CHECK);
    match client.ask(&path, AGENT_PATIENCE).map_err(|_| NO_AGENT)? {
        (200, text) => Ok(write!(out, "{text}")
            .map(|()| exit::OK)
            .map_err(anyhow::Error::from)),
        (503, text) => Ok(Err(Problem::failed(text.trim().to_owned()).into())),
        _ => Err("the agent knows nothing of it yet"),
    }
}
