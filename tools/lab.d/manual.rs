//! The pages of the original manual: what they show of INFO, and how they write a command.

use std::process::Output;

use anyhow::ensure;

use crate::plan::PORT;
use crate::redis_view::Info;
use crate::run::said;

/// Does INFO show a master with exactly these addresses as online slaves?
pub fn judge(info: &Info, expected: &[String]) -> anyhow::Result<()> {
    let role = info.get("role");
    ensure!(role == "master", "role:{role}");
    let connected = info.get("connected_slaves");
    ensure!(
        connected == expected.len().to_string(),
        "connected_slaves:{connected}"
    );
    let mut slaves: Vec<String> = info
        .slaves()
        .into_iter()
        .map(|slave| format!("{}:{} {}", slave.ip, slave.port, slave.state))
        .collect();
    slaves.sort();
    let mut wanted: Vec<String> = expected
        .iter()
        .map(|address| format!("{address}:{PORT} online"))
        .collect();
    wanted.sort();
    ensure!(slaves == wanted, "{slaves:?}");
    Ok(())
}

/// The lines of INFO that the manual prints.
pub fn is_on_page(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    matches!(name, "role" | "connected_slaves" | "master_repl_offset")
        || name.starts_with("repl_backlog_")
        || (name.starts_with("slave") && line.contains("ip="))
}

/// What redis-cli answered: its stdout, or its complaint.
pub fn answer_of(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    if stdout.trim().is_empty() {
        said(output)
    } else {
        stdout.trim().to_owned()
    }
}

/// Keys and values in quotes, as the manual has them.
pub fn spelled_args(args: &[&str]) -> String {
    args.iter()
        .enumerate()
        .map(|(index, arg)| match index {
            0 => (*arg).to_owned(),
            _ => format!("\"{arg}\""),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The slaves that are expected, in the words of INFO.
pub fn named(slaves: &[String]) -> String {
    if slaves.is_empty() {
        "connected_slaves:0".to_owned()
    } else {
        format!("connected_slaves:{}, {}", slaves.len(), slaves.join(" "))
    }
}
