//! `rha status`: one screen.

use std::io::Write;

use super::client::Client;
use super::exit;
use super::render::{self, ReportForm, Screen};
use crate::agent::api;
use crate::config::Paths;
use crate::views::status::Status;

/// Show the role of this node, and what it knows of Redis, keepalived and the VIP
///
/// The agent answers. Exit status: 3 if an instance is neither primary nor replica, is paused or drilled, has an incident
/// open, or has no keepalived; else 0.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = ReportForm::Table)]
    output: ReportForm,
}

/// Runs `rha status`.
///
/// # Errors
/// No agent runs.
pub fn run(args: &StatusArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let status: Status = Client::require(&paths.agent_socket())?.get(api::STATUS)?;
    match args.output {
        ReportForm::Table => {
            render::status(&status, &Screen::detect(), out)?;
            hint_at_rescued(paths, out)?;
        }
        ReportForm::Json => writeln!(out, "{}", serde_json::to_string(&status)?)?,
    }
    Ok(if status.is_well() {
        exit::OK
    } else {
        exit::TROUBLE
    })
}

/// What was saved waits for somebody to look at it.
fn hint_at_rescued(paths: &Paths, out: &mut dyn Write) -> anyhow::Result<()> {
    // Who may not look there is told nothing of it.
    let saved = crate::rescue::list(&paths.rescue()).map_or(0, |entries| entries.len());
    if saved > 0 {
        let sets = render::counted(saved as u64, "data set");
        writeln!(
            out,
            "\n{sets} saved before being overwritten: rha rescue list"
        )?;
    }
    Ok(())
}
