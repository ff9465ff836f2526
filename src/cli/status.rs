//! `rha status`: one screen.

use std::io::Write;

use super::client::Client;
use super::exit;
use super::render::{self, ReportForm, Screen};
use crate::agent::api;
use crate::config::Config;
use crate::views::status::Status;

/// Show what this node is, what it sees and what it holds true
///
/// Exit 0 if every instance is served or ready to serve, 3 if one is in trouble.
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
pub fn run(args: &StatusArgs, config: &Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    let status: Status = Client::require(&config.paths.agent_socket())?.get(api::STATUS)?;
    match args.output {
        ReportForm::Table => render::status(&status, &Screen::detect(), out)?,
        ReportForm::Json => writeln!(out, "{}", serde_json::to_string(&status)?)?,
    }
    Ok(if status.is_well() {
        exit::OK
    } else {
        exit::TROUBLE
    })
}
