//! `rha promote --force`.

use std::io::Write;

use super::client::Client;
use super::pause::command_line;
use super::{exit, source};
use crate::agent::api;
use crate::config::Paths;
use crate::model::event::RedisRequest;

/// Promote the copy here although it may be older
///
/// When the copy on the node with the VIP may lack what the last primary had, the agent waits for a better one; with
/// prefer = "consistency" for ever. This ends the wait: what this copy lacks is lost, unless it is found on the disk of
/// the last primary. Run it on the node that has the VIP; `rha history -n 20 --why` says what is missing. It is recorded
/// who asked. Where another guard keeps the promotion gate shut (Redis is down, loading, or in the middle of receiving a
/// data set, or automatic actions are paused), nothing is promoted.
///
/// While everything is well nothing needs to be forced: stop Redis or keepalived on the primary, and the other node
/// takes over.
#[derive(Debug, clap::Args)]
pub struct PromoteArgs {
    /// The instance; can be left out where there is only one
    instance: Option<String>,
    /// Yes, what the copy here lacks may be lost
    #[arg(long, required = true)]
    force: bool,
}

/// Runs `rha promote --force`.
///
/// # Errors
/// No agent, or it promotes nothing; the message says why.
pub fn run(args: &PromoteArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let client = Client::require(&paths.agent_socket())?;
    let instance = source::instance_of_agent(&client, args.instance.as_deref())?;
    let body = api::RedisAsk {
        instance,
        request: RedisRequest::Promote,
        command: command_line(),
    };
    writeln!(out, "{}", client.post(api::REDIS, &body)?)?;
    Ok(exit::OK)
}
