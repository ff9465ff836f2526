//! `rha check`: exit 0 if Redis is well here, for keepalived's vrrp_script.

use std::io::Write;
use std::path::{Path, PathBuf};
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
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let paths = Paths {
        state: PathBuf::new(),
        runtime: runtime_dir(&text).into(),
    };
    ask_agent(&paths.agent_socket(), instance, out)
}

/// The value of `runtime`, in a file that need not be TOML as a whole.
fn runtime_dir(text: &str) -> &str {
    fn value(line: &str) -> Option<&str> {
        let rest = line.trim_start().strip_prefix("runtime")?.trim_start();
        let rest = rest.strip_prefix('=')?.trim_start();
        let inside = rest.strip_prefix(['"', '\''])?;
        inside.split_once(&rest[..1]).map(|(value, _)| value)
    }
    text.lines().find_map(value).unwrap_or("/run/rha")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_is_found_in_a_broken_file() {
        let found = [
            ("[paths\nruntime = \"/run/x\" # here\n", "/run/x"),
            ("  runtime='/run/y'", "/run/y"),
            (
                "# runtime = \"/no\"\nruntime = unquoted\nruntime = \"open",
                "/run/rha",
            ),
            ("runtimes = \"/no\"", "/run/rha"),
            ("", "/run/rha"),
        ];
        for (text, dir) in found {
            assert_eq!(runtime_dir(text), dir, "{text}");
        }
    }
}
