//! `rha check`: exit 0 if Redis is well here, for keepalived's vrrp_script.

use std::io::Write;

use super::client::Client;
use super::render::Problem;
use super::{exit, source};
use crate::agent::api;
use crate::agent::direct::Direct;
use crate::config::Config;

/// Tell keepalived whether Redis is well here
///
/// For a vrrp_script. The agent answers with what its fall and rise counters say; while it is down, the check
/// asks Redis itself, once. Exit status: 0 if Redis is well, 1 if not.
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
    if let Ok(Some(client)) = Client::connect(&config.paths.agent_socket()) {
        let path = format!("{}/{}", api::CHECK, instance.name);
        match client.ask(&path) {
            Ok((200, text)) => {
                write!(out, "{text}")?;
                return Ok(exit::OK);
            }
            Ok((503, text)) => return Err(Problem::failed(text.trim().to_owned()).into()),
            // An agent that does not answer is as good as none.
            Ok(_) | Err(_) => {}
        }
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
