//! The agent, its configuration, its journal and their disk.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustix::fs::statvfs;

use super::finding::Findings;
use crate::agent::api::{self, JournalStats};
use crate::cli::client::Client;
use crate::config::Config;
use crate::keepalived::host;
use crate::views::status::{InstanceStatus, Status};

/// With less free on the disk, a journal cannot be written for long.
const FREE_LEAST: u64 = 64 << 20;
/// Lines that wait in the spool while the agent runs, in bytes: it takes them in at once.
const SPOOL_MOST: u64 = 1 << 20;

/// What the agent says, if one runs.
pub struct Agent {
    /// Its status.
    pub status: Option<Status>,
    client: Option<Client>,
}

impl Agent {
    /// Asks it.
    pub fn ask(config: &Config, found: &mut Findings) -> Self {
        let socket = config.paths.agent_socket();
        let asked = Client::connect(&socket).and_then(|client| {
            let status = client
                .as_ref()
                .map(|one| one.get(api::STATUS))
                .transpose()?;
            Ok((client, status))
        });
        match asked {
            Ok((Some(client), status)) => {
                found.ok("runs", format!("it answers at {}", socket.display()));
                Self {
                    status,
                    client: Some(client),
                }
            }
            Ok((None, _)) => {
                let text = "it does not run: nobody promotes, demotes or records anything here";
                found.trouble(
                    "runs",
                    text,
                    "systemctl start rha; what it knows was left out here",
                );
                Self::none()
            }
            Err(error) => {
                let text = format!("it does not answer: {error:#}");
                found.trouble("runs", text, "see its log: journalctl -u rha");
                Self::none()
            }
        }
    }

    fn none() -> Self {
        Self {
            status: None,
            client: None,
        }
    }

    /// What it says of an instance.
    pub fn instance(&self, name: &str) -> Option<&InstanceStatus> {
        let status = self.status.as_ref()?;
        status.instances.iter().find(|one| one.name == name)
    }

    /// The text behind an address of it.
    pub fn text(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        let mut body = self.client.as_ref()?.open(path).ok()?;
        body.read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// Everything about the agent.
pub fn check(config: &Config, agent: &Agent, found: &mut Findings) {
    if let Some(status) = &agent.status {
        version(&status.version, env!("CARGO_PKG_VERSION"), found);
        for instance in &status.instances {
            waiting(instance, found);
        }
        if let (Some(running), Ok(file)) = (agent.text(api::CONFIG), config.show()) {
            same_config(&running, &file, config, found);
        }
    }
    for remark in config.remarks.iter().chain(&config.host_remarks()) {
        match remark.fatal {
            true => found.trouble("config", remark.to_string(), "rha config check"),
            false => found.warning("config", remark.to_string(), "rha config check"),
        }
    }
    for lack in host::lacks(config) {
        found.trouble("config", lack, "rha config check");
    }
    journal(config, agent, found);
}

fn version(running: &str, own: &str, found: &mut Findings) {
    if running == own {
        found.ok("version", format!("rha {own}, as this command"));
    } else {
        let text = format!("rha {running} runs, and {own} is installed");
        found.warning(
            "version",
            text,
            "systemctl restart rha (Redis and the VIP stay)",
        );
    }
}

/// What waits to be done or said.
fn waiting(instance: &InstanceStatus, found: &mut Findings) {
    let name = &instance.name;
    if let Some(last) = instance.unsent.last() {
        let text = format!(
            "{}: {} alarms unsent: {}",
            name,
            instance.unsent.len(),
            last.why
        );
        found.trouble(
            "alarms",
            text,
            "see [[alarm.sink]]: its url, and who listens there",
        );
    }
    if instance.journal_out.is_some() {
        let text = "its journal cannot be written: nothing is recorded";
        found.trouble(
            "journal",
            text,
            "see its log, and the disk under paths.state",
        );
    }
    if let Some(pause) = &instance.paused {
        let text = format!("{name}: automatic actions are paused: {}", pause.reason);
        found.warning("paused", text, "rha resume");
    }
    if let Some(drill) = &instance.drill {
        let text = format!(
            "{name}: the drill {} runs: what is broken now is meant to be",
            drill.drill
        );
        found.warning("drill", text, "look again when it is over");
    }
    if let Some(incident) = &instance.incident {
        let text = format!("{name}: incident #{} is open", incident.id);
        found.warning("incident", text, "rha history --why");
    }
}

/// What it runs with, against what a restart would bring.
fn same_config(running: &str, file: &str, config: &Config, found: &mut Findings) {
    let place = config.file.display();
    match difference(running, file) {
        None => found.ok("config-in-force", format!("{place} is in force")),
        Some(key) => {
            let text = format!("{place} is not in force: {key} differs");
            found.warning(
                "config-in-force",
                text,
                "systemctl reload rha, or put the file back",
            );
        }
    }
}

/// The first line that differs, with its table.
fn difference(running: &str, file: &str) -> Option<String> {
    let (mut now, mut then) = (running.lines(), file.lines());
    let mut table = String::new();
    loop {
        match (now.next(), then.next()) {
            (None, None) => return None,
            (one, other) if one == other => {
                let line = one.unwrap_or_default();
                if line.starts_with('[') {
                    line.trim_matches(['[', ']']).clone_into(&mut table);
                }
            }
            (one, other) => {
                let line = other.or(one).unwrap_or_default();
                let key = line.split(" = ").next().unwrap_or_default();
                return Some(format!("{table}.{key}"));
            }
        }
    }
}

fn journal(config: &Config, agent: &Agent, found: &mut Findings) {
    let state = &config.paths.state;
    if !state.is_dir() {
        let text = format!("{} is not there: nothing can be recorded", state.display());
        found.trouble("state", text, "make it, owned by the agent's user");
        return;
    }
    let stats = agent.text(api::JOURNAL);
    let stats = stats.and_then(|text| serde_json::from_str::<JournalStats>(&text).ok());
    if let Some(JournalStats { records, bytes, .. }) = stats {
        let text = format!(
            "{records} records, {} MiB (rha verify reads all of it)",
            bytes >> 20
        );
        found.ok("journal", text);
    } else if agent.status.is_some() {
        let text = "the agent cannot read its journal";
        found.trouble(
            "journal",
            text,
            "see its log; rha history --blackbox has a copy",
        );
    }
    match statvfs(state) {
        Ok(disk) => space(state, disk.f_bavail * disk.f_frsize, found),
        Err(error) => found.warning(
            "disk",
            format!("{}: {error}", state.display()),
            "look at the disk",
        ),
    }
    if config.black_box.keep > 0 && !config.paths.black_box().join("records.jsonl").is_file() {
        let text = "there is no black box, though one is configured";
        let todo = "see the agent's log; the journal is all there is meanwhile";
        found.warning("blackbox", text, todo);
    }
    let waits = spooled(&config.paths.spool());
    if agent.status.is_some() && waits > SPOOL_MOST {
        let text = format!("{waits} bytes of keepalived's lines wait in the spool");
        found.warning(
            "spool",
            text,
            "see the agent's log: why does it not take them in?",
        );
    }
}

fn space(state: &Path, free: u64, found: &mut Findings) {
    let text = format!("{} MiB free under {}", free >> 20, state.display());
    match free {
        free if free < FREE_LEAST => {
            found.trouble("disk", text, "make room, or set [journal] size lower");
        }
        _ => found.ok("disk", text),
    }
}

/// What the agent has not taken in; second names of a follower's are not counted.
fn spooled(spool: &Path) -> u64 {
    let entries = fs::read_dir(spool).into_iter().flatten().flatten();
    let segments = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with(".spool") && !name.starts_with("kept-")
    });
    let sizes = segments.filter_map(|entry| entry.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;
    use crate::views::status::{DrillStatus, IncidentStatus, PauseStatus, UnsentStatus};

    #[test]
    fn the_first_difference_is_named() {
        let file = "[health]\ninterval = \"1s\"\nfall = 3\n";
        assert_eq!(difference(file, file), None);
        let changed = file.replace('3', "4");
        assert_eq!(difference(file, &changed).unwrap(), "health.fall");
        assert_eq!(difference("[health]\n", file).unwrap(), "health.interval");
    }

    #[test]
    fn what_waits_is_told() {
        let mut found = Findings::of("agent");
        let instance = InstanceStatus {
            unsent: vec![UnsentStatus {
                order: "1.0".to_owned(),
                why: "refused".to_owned(),
            }],
            journal_out: Some(String::new()),
            paused: Some(PauseStatus {
                until: None,
                reason: "x".to_owned(),
            }),
            drill: Some(DrillStatus {
                drill: "link".to_owned(),
                until: String::new(),
            }),
            incident: Some(IncidentStatus {
                id: 7,
                opened: String::new(),
                alarms: Vec::new(),
                acked: None,
            }),
            ..InstanceStatus::default()
        };
        waiting(&instance, &mut found);
        version("0.0.1", "0.1.0", &mut found);
        space(Path::new("/var"), 1 << 20, &mut found);
        space(Path::new("/var"), 1 << 40, &mut found);
        use State::{Trouble, Warning};
        assert_eq!(
            unwell(&found),
            [
                ("alarms", Trouble),
                ("journal", Trouble),
                ("paused", Warning),
                ("drill", Warning),
                ("incident", Warning),
                ("version", Warning),
                ("disk", Trouble),
            ]
        );
    }

    #[test]
    fn second_names_do_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("1.spool"), "four").unwrap();
        fs::write(dir.path().join("kept-1-2.spool"), "four").unwrap();
        assert_eq!(spooled(dir.path()), 4);
    }
}
