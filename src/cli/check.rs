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

/// An agent answers within a millisecond; keepalived waits for the check only until the next is due.
const AGENT_PATIENCE: Duration = Duration::from_millis(300);

/// Tell keepalived whether Redis is well here
///
/// For a vrrp_script. The agent answers with what its fall and rise counters say, and that all is well while it is
/// paused: then the VIP stays where it is. While no agent runs, the check asks Redis itself, once. Exit status: 0 if
/// Redis is well, 1 if not.
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
    if let Some(answer) = ask_agent(&config.paths.agent_socket(), &instance.name, out) {
        return answer;
    }
    let probe = Direct::new(config, instance)?.probe()?;
    if probe.grade.is_ready() {
        writeln!(out, "ok (asked Redis itself: no agent answers)")?;
        return Ok(exit::OK);
    }
    Err(Problem::failed(format!(
        "redis: {} (asked itself: no agent answers)",
        probe.grade
    ))
    .into())
}

/// What the agent says where the configuration cannot be read; `None` where no agent can be asked. A running agent
/// keeps its old configuration, and a slip of the pen must not make keepalived give the VIP away.
pub fn without_config(
    args: &CheckArgs,
    file: &Path,
    out: &mut dyn Write,
) -> Option<anyhow::Result<u8>> {
    let instance = args.instance.as_deref()?;
    ask_agent(&Paths::of_spoiled(file).agent_socket(), instance, out)
}

/// `None` from an agent that does not answer, or knows nothing of the instance: it is as good as none.
fn ask_agent(socket: &Path, instance: &str, out: &mut dyn Write) -> Option<anyhow::Result<u8>> {
    let client = Client::connect(socket).ok()??;
    match client
        .ask(&format!("{}/{instance}", api::CHECK), AGENT_PATIENCE)
        .ok()?
    {
        (200, text) => Some(
            write!(out, "{text}")
                .map(|()| exit::OK)
                .map_err(anyhow::Error::from),
        ),
        (503, text) => Some(Err(Problem::failed(text.trim().to_owned()).into())),
        _ => None,
    }
}
