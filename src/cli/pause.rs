//! `rha pause` and `rha resume`.

use std::io::Write;
use std::time::Duration;

use super::client::Client;
use super::exit;
use crate::agent::api;
use crate::config::{Paths, parse_duration};
use crate::views::status::Status;

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
    #[arg(long, short, value_parser = reason)]
    reason: String,
    /// For how long, such as 30m or 2h; then the pause ends by itself
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = period)]
    period: Duration,
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

/// The shortest pause: a shorter one would be over before anybody has done anything.
const SHORTEST: Duration = Duration::from_secs(1);

fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)
        .ok_or("a duration is a whole number and ms, s, m, h or d, such as 30m")?;
    if period < SHORTEST {
        return Err("a pause lasts at least 1s".to_owned());
    }
    Ok(period)
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("say why: status and history show it".to_owned());
    }
    Ok(text.to_owned())
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
    writeln!(out, "{}", client.post(api::PAUSE, &body)?)?;
    Ok(exit::OK)
}

/// Runs `rha resume`.
///
/// # Errors
/// No agent, or it refuses.
pub fn resume(args: &ResumeArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let client = Client::require(&paths.agent_socket())?;
    let status: Status = client.get(api::STATUS)?;
    let wanted = args.instance.as_ref();
    let meant = status.instances.iter();
    let meant = meant.filter(|one| wanted.is_none_or(|name| *name == one.name));
    let (paused, running): (Vec<_>, Vec<_>) = meant.partition(|one| one.paused.is_some());
    if paused.is_empty() && !running.is_empty() {
        let names: Vec<_> = running.iter().map(|one| one.name.as_str()).collect();
        writeln!(out, "not paused: {}", names.join(", "))?;
        return Ok(exit::OK);
    }
    let body = api::Resume {
        instance: args.instance.clone(),
        command: command_line(),
    };
    writeln!(out, "{}", client.post(api::RESUME, &body)?)?;
    Ok(exit::OK)
}

/// This command as it was typed, for the record; at most 500 characters.
pub(super) fn command_line() -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.join(" ").chars().take(500).collect()
}
