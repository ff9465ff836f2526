//! Running commands: bounded in time, with an error that says what failed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, bail};

/// What coreutils' `timeout` exits with when it had to end the command.
const TIMED_OUT: i32 = 124;

/// A command that enters the network namespace `netns` and is replaced by `program` there: pids are real.
pub fn in_netns(netns: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net={}", netns_path(netns)))
        .arg(program);
    command
}

/// As [`in_netns`], ended by `timeout` after `limit`.
pub fn bounded_in_netns(netns: &str, program: impl AsRef<OsStr>, limit: Duration) -> Command {
    let mut command = in_netns(netns, "timeout");
    command
        .arg("--kill-after=1")
        .arg(limit.as_secs().to_string())
        .arg(program);
    command
}

/// Where `ip netns add` has put it.
pub fn netns_path(netns: &str) -> String {
    format!("/run/netns/{netns}")
}

/// Runs it, whatever its exit code.
pub fn output(command: &mut Command) -> anyhow::Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", spell(command)))?;
    if output.status.code() == Some(TIMED_OUT) {
        bail!("{}: took too long", spell(command));
    }
    Ok(output)
}

/// Runs it and returns stdout; anything but exit 0 is an error with what it wrote to stderr.
pub fn checked(command: &mut Command) -> anyhow::Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("{}: {}: {}", spell(command), output.status, said(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a command said about its failure: the last lines of stderr, or of stdout.
pub fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let text = if stderr.trim().is_empty() {
        String::from_utf8_lossy(&output.stdout)
    } else {
        stderr
    };
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}

/// `ip` with these words, separated by blanks.
pub fn ip(words: &str) -> anyhow::Result<String> {
    checked(Command::new("ip").args(words.split_ascii_whitespace()))
}

/// The last `count` lines of a file, or why there are none.
pub fn tail(path: &Path, count: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(count)..].join("\n")
        }
        Err(error) => format!("({error})"),
    }
}

/// The command as a person would type it: without what puts it into its namespace.
fn spell(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}
