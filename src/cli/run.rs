//! `rha run`: the agent.

use std::io::IsTerminal;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::exit;
use super::render::Problem;
use crate::config::Config;
use crate::text::one_line;

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// It could not be started; the message says which user needs what.
pub fn run(file: &Path, config: Config) -> anyhow::Result<u8> {
    let filter = EnvFilter::new(format!("warn,rha={}", level()?));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        // systemd's journal stamps every line itself.
        log.without_time().init();
    } else {
        log.init();
    }
    match crate::agent::run(file, config) {
        Ok(()) => Ok(exit::OK),
        // In one line: it goes into a log.
        Err(error) => Err(Problem::failed(one_line(&error)).into()),
    }
}

/// What `RHA_LOG` asks for.
fn level() -> anyhow::Result<LevelFilter> {
    let Some(word) = std::env::var_os("RHA_LOG").filter(|word| !word.is_empty()) else {
        return Ok(LevelFilter::INFO);
    };
    let level = word.to_str().and_then(|word| word.parse().ok());
    level.ok_or_else(|| {
        Problem::usage(format!(
            "RHA_LOG={}: no level; error, warn, info, debug or trace",
            word.display()
        ))
        .into()
    })
}
