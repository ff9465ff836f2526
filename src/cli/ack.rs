//! `rha ack`.

use std::io::Write;

use super::client::Client;
use super::exit;
use super::pause::command_line;
use crate::agent::api;
use crate::config::Paths;

/// Take notice of what is wrong: alarms that are out are not repeated
///
/// The alarms of the open incident are said no more, and taken back as ever once their cause is over; one that is raised
/// later is said and repeated. The automatic promotions of this node are counted anew (max_promotions): where it waits because
/// it was promoted too often, it is promoted at once. Status and history show who took notice, when, and the note.
///
/// Example: `rha ack --note "switch port flaps, network is on it"`
#[derive(Debug, clap::Args)]
pub struct AckArgs {
    /// The instance; left out, all instances of this node
    instance: Option<String>,
    /// What is known or done about it; status and history show it
    #[arg(
        long,
        short,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,
}

/// Runs `rha ack`.
///
/// # Errors
/// No agent, or it refuses.
pub fn run(args: &AckArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let body = api::Ack {
        instance: args.instance.clone(),
        note: args.note.trim().to_owned(),
        command: command_line(),
    };
    let client = Client::require(&paths.agent_socket())?;
    writeln!(out, "{}", client.post(api::ACK, &body)?)?;
    Ok(exit::OK)
}
