//! Where the agent and its journal are.

use std::io::Write;
use std::path::Path;

use super::client::Client;
use super::render;
use crate::config::{Config, Paths};

/// The paths of the configuration. A slip of the pen in it must not keep anybody from a running agent, which has kept
/// its old settings: what is wrong is then a warning.
///
/// # Errors
/// What is wrong with the configuration, where no agent can be asked either.
pub fn paths(file: &Path, err: &mut dyn Write) -> anyhow::Result<Paths> {
    let error = match Config::load(file) {
        Ok(config) => return Ok(config.paths),
        Err(error) => error,
    };
    let paths = Paths::of_spoiled(file);
    match Client::connect(&paths.agent_socket()) {
        Ok(Some(_)) => {
            render::warn(&error, err)?;
            Ok(paths)
        }
        _ => Err(error.into()),
    }
}
