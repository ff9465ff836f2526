//! `rha pause` and `rha resume`.

use std::io::Write;

use super::client::Client;
use super::exit;
use super::render::Problem;
use crate::agent::api::{self, Answer};
use crate::config::{Paths, parse_duration};

/// Suspend automatic actions for a while
///
/// While it is paused, rha goes on checking and recording, but promotes nothing, demotes nothing and tells
/// keepalived nothing, whatever happens to Redis: the VIP stays where it is. (A VIP that a dead keepalived has left
/// behind is given up all the same, for another node holds it by then.) When the pause ends, everything is looked
/// at again at once.
///
/// Example: `rha pause --for 30m --reason "new kernel on lvs1"`
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// The instance; left out, all instances of this node
    instance: Option<String>,
    /// Why; status and history show it
    #[arg(long, short)]
    reason: String,
    /// For how long, such as 30m or 2h; then the pause ends by itself
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = period)]
    period: std::time::Duration,
    /// Pause until `rha resume`, however long that takes
    #[arg(long, conflicts_with = "period")]
    until_resumed: bool,
}

/// End a pause now
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The instance; left out, all instances of this node
    instance: Option<String>,
}

fn period(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration is a number and ms, s, m, h or d".to_owned())
}

/// Runs `rha pause`.
///
/// # Errors
/// No agent, or it refuses.
pub fn pause(args: &PauseArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let for_ms = u64::try_from(args.period.as_millis()).unwrap_or(u64::MAX);
    let body = api::Pause {
        instance: args.instance.clone(),
        for_ms: (!args.until_resumed).then_some(for_ms),
        reason: args.reason.clone(),
        command: command_line(),
    };
    let client = Client::require(&paths.agent_socket())?;
    tell(client.post(api::PAUSE, &body)?, out)
}

/// Runs `rha resume`.
///
/// # Errors
/// No agent, or it refuses.
pub fn resume(args: &ResumeArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let body = api::Resume {
        instance: args.instance.clone(),
        command: command_line(),
    };
    let client = Client::require(&paths.agent_socket())?;
    tell(client.post(api::RESUME, &body)?, out)
}

/// Prints the agent's answer; a refusal is a failure.
pub(super) fn tell(answer: Answer, out: &mut dyn Write) -> anyhow::Result<u8> {
    if !answer.ok {
        return Err(Problem::failed(answer.text).into());
    }
    writeln!(out, "{}", answer.text)?;
    Ok(exit::OK)
}

/// This command as it was typed, for the record; at most 500 characters.
pub(super) fn command_line() -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.join(" ").chars().take(500).collect()
}
