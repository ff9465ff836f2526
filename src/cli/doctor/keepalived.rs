//! keepalived, its configuration, the notify FIFO with its follower, and the track files.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::agent::Agent;
use super::finding::Findings;
use crate::config::Config;
use crate::keepalived::finding::Severity;
use crate::keepalived::host::{self, Host};
use crate::keepalived::lint::lint;
use crate::keepalived::load::load;
use crate::keepalived::render::render;

/// The oldest that rha was tried with.
const OLDEST: (u32, u32, u32) = (2, 2, 7);

/// Everything about keepalived.
pub fn check(config: &Config, agent: &Agent, host: Option<&Host>, found: &mut Findings) {
    match host.map(|host| host.keepaliveds) {
        Some(0) => found.trouble(
            "runs",
            "it does not run: the VIP cannot come here",
            "systemctl start keepalived",
        ),
        Some(1) => found.ok("runs", "one keepalived runs"),
        Some(many) => found.trouble(
            "runs",
            format!("{many} keepalived run: they fight over the VIP"),
            "stop all but one",
        ),
        None => found.warning("runs", "cannot be found out", "run rha doctor as root"),
    }
    version(found);
    conf(config, host, found);
    fifo(config, found);
    for instance in &config.instances {
        let status = agent.instance(&instance.name);
        let wanted = [
            (
                "eligible",
                config.paths.eligible(&instance.name),
                status.and_then(|one| one.eligible).map(u8::from),
            ),
            (
                "bias",
                config.paths.bias(&instance.name),
                status.and_then(|one| one.bias),
            ),
        ];
        for (name, file, wanted) in wanted {
            track(name, &file, wanted, found);
        }
    }
}

fn version(found: &mut Findings) {
    let output = Command::new("keepalived")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let said = match &output {
        // It says so on standard error.
        Ok(output) => String::from_utf8_lossy(&output.stderr),
        Err(_) => {
            found.trouble(
                "version",
                "keepalived is not installed",
                "install it: 2.2.7 or newer",
            );
            return;
        }
    };
    match parsed(&said) {
        Some(version) if version < OLDEST => {
            let (major, minor, patch) = version;
            let text = format!(
                "keepalived {major}.{minor}.{patch} is older than any that rha was tried with"
            );
            found.warning("version", text, "2.2.7 or newer");
        }
        Some((major, minor, patch)) => {
            found.ok("version", format!("keepalived {major}.{minor}.{patch}"));
        }
        None => found.warning(
            "version",
            "keepalived does not tell its version",
            "keepalived --version",
        ),
    }
}

/// `Keepalived v2.2.7 (01/16,2022)`.
fn parsed(said: &str) -> Option<(u32, u32, u32)> {
    let version = said.split_ascii_whitespace().nth(1)?.strip_prefix('v')?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// Is it what rha would render, and what do its mistakes do?
fn conf(config: &Config, host: Option<&Host>, found: &mut Findings) {
    let file = &config.keepalived.config;
    let place = file.display();
    let document = match load(file) {
        Ok(document) => document,
        Err(error) => {
            let text = format!("cannot read {place}: {error}");
            found.trouble("config", text, "rha keepalived install");
            return;
        }
    };
    match drift(config, file) {
        Drift::None => found.ok("config", format!("{place} is what rha renders")),
        Drift::Line(line) => {
            let text = format!("{place} is not what rha renders: {line}");
            found.warning(
                "config",
                text,
                "rha keepalived install, then systemctl reload keepalived",
            );
        }
        Drift::Unknown(why) => found.warning("config", why, "rha keepalived render"),
    }
    for finding in lint(&document, host) {
        let text = format!("{}: {}", finding.place, finding.text);
        match finding.severity {
            Severity::Error => found.trouble("lint", text, finding.todo),
            Severity::Warning => found.warning("lint", text, finding.todo),
        }
    }
}

enum Drift {
    None,
    Line(String),
    Unknown(String),
}

fn drift(config: &Config, file: &Path) -> Drift {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return Drift::Unknown(error.to_string()),
    };
    // Another program file of the same name is no difference: it is looked at as it is named there.
    let named = text.lines().find_map(program);
    let program = named
        .or_else(|| std::env::current_exe().ok())
        .unwrap_or_default();
    let wanted = match render(config, &config.node.name, &program) {
        Ok(wanted) => wanted,
        Err(error) => return Drift::Unknown(error.to_string()),
    };
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (has, wanted) = (lines(&text), lines(&wanted));
    let pairs = (0..has.len().max(wanted.len())).map(|line| (has.get(line), wanted.get(line)));
    let mut differing = pairs.filter(|(has, wanted)| has != wanted);
    match differing.next() {
        None => Drift::None,
        Some((has, wanted)) => {
            let told = |line: Option<&String>| {
                line.map_or("nothing".to_owned(), |line| format!("`{}`", line.trim()))
            };
            Drift::Line(format!("{} instead of {}", told(has), told(wanted)))
        }
    }
}

/// The program in `script "/usr/bin/rha check …"`.
fn program(line: &str) -> Option<PathBuf> {
    let command = line.trim().strip_prefix("script \"")?;
    let (program, rest) = command.split_once(' ')?;
    (rest.contains("check")).then(|| PathBuf::from(program))
}

fn fifo(config: &Config, found: &mut Findings) {
    let path = config.paths.fifo();
    let place = path.display();
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let text = format!("{place}: {error}: keepalived's lines go nowhere");
            found.trouble(
                "fifo",
                text,
                "systemd-tmpfiles --create /etc/tmpfiles.d/rha.conf, then reload keepalived",
            );
            return;
        }
    };
    let owner = host::user(&config.keepalived.user).ok().flatten();
    if !metadata.file_type().is_fifo() {
        let text = format!("{place} is no FIFO: keepalived's lines go nowhere");
        found.trouble("fifo", text, "remove it, and rha keepalived install");
        return;
    }
    if owner.is_some_and(|owner| owner != metadata.uid()) {
        let text = format!(
            "{place} belongs to user {}, not to {}",
            metadata.uid(),
            config.keepalived.user
        );
        found.warning(
            "fifo",
            text,
            format!("chown {} {place}", config.keepalived.user),
        );
    } else if metadata.mode() & 0o022 != 0 {
        let text = format!("{place} can be written by others: anybody could say MASTER");
        found.trouble("fifo", text, format!("chmod 0600 {place}"));
    } else {
        found.ok("fifo", format!("{place} is there"));
    }
    let holders = holders(metadata.ino(), metadata.dev());
    follower(&holders, &place.to_string(), found);
}

fn follower(holders: &[String], place: &str, found: &mut Findings) {
    let has = |name: &str| holders.iter().any(|holder| holder == name);
    if has("rha-event") {
        found.ok("follower", format!("rha-event follows {place}"));
    } else if rustix::process::geteuid().is_root() {
        let text = format!(
            "no rha-event follows {place}: keepalived's lines wait there, failovers wait for the VIP itself"
        );
        found.trouble("follower", text, "systemctl start rha-event");
    } else {
        found.warning("follower", "cannot be found out", "run rha doctor as root");
    }
    if has("rha-event") && !has("keepalived") && rustix::process::geteuid().is_root() {
        let text = format!("keepalived has not opened {place}: it says nothing there");
        found.trouble(
            "speaker",
            text,
            "systemctl reload keepalived (the FIFO was made anew, or its file names another)",
        );
    }
}

/// The names of the processes that have it open.
fn holders(inode: u64, device: u64) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_it = |process: &Path| {
        let open = fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        open.filter_map(|entry| fs::metadata(entry.path()).ok())
            .any(|file| file.ino() == inode && file.dev() == device && file.file_type().is_fifo())
    };
    processes
        .map(|entry| entry.path())
        .filter(|process| {
            process.file_name().is_some_and(|name| {
                name.to_string_lossy()
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
            })
        })
        .filter(|process| has_it(process))
        .filter_map(|process| fs::read_to_string(process.join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

fn track(name: &str, file: &Path, wanted: Option<u8>, found: &mut Findings) {
    let place = file.display();
    let said = fs::read_to_string(file).ok();
    let said = said.as_deref().map(str::trim);
    match (said, wanted) {
        (None, _) => {
            let text = format!("the track file {place} is not there: keepalived takes it for 0");
            let todo = "start the agent, which writes it; reload keepalived if its directory was made anew";
            match name {
                "eligible" => found.trouble("track", text, todo),
                _ => found.warning("track", text, todo),
            }
        }
        (Some(said), Some(wanted)) if said != wanted.to_string() => {
            let text = format!("the track file {place} says {said}, and the agent means {wanted}");
            found.trouble(
                "track",
                text,
                "who else writes it? systemctl restart rha writes it anew",
            );
        }
        (Some(said), _) => found.ok("track", format!("{name} is {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parsed("Keepalived v2.2.7 (01/16,2022)\n"), Some((2, 2, 7)));
        assert_eq!(parsed("Keepalived v1.3.5 (03/19,2017)"), Some((1, 3, 5)));
        assert_eq!(parsed("what?"), None);
        assert!(parsed("Keepalived v2.0.20 (x)").unwrap() < OLDEST);
    }

    #[test]
    fn track_files_are_compared() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("redis.eligible");
        let of = |name, wanted| {
            let mut found = Findings::of("keepalived");
            track(name, &file, wanted, &mut found);
            unwell(&found)
        };
        assert_eq!(of("eligible", Some(1)), [("track", State::Trouble)]);
        assert_eq!(of("bias", None), [("track", State::Warning)]);
        fs::write(&file, "1\n").unwrap();
        assert_eq!(of("eligible", Some(1)), []);
        assert_eq!(of("eligible", None), []);
        assert_eq!(of("eligible", Some(0)), [("track", State::Trouble)]);
    }

    #[test]
    fn who_follows_the_fifo() {
        let of = |holders: &[&str]| {
            let holders: Vec<_> = holders.iter().map(|name| (*name).to_owned()).collect();
            let mut found = Findings::of("keepalived");
            follower(&holders, "/run/x", &mut found);
            unwell(&found).first().map(|(check, _)| *check)
        };
        assert_eq!(of(&["rha-event", "keepalived"]), None);
        assert_eq!(of(&[]), Some("follower"));
        let path = tempfile::NamedTempFile::new().unwrap();
        let metadata = path.as_file().metadata().unwrap();
        assert!(
            holders(metadata.ino(), metadata.dev()).is_empty(),
            "no FIFO"
        );
    }

    #[test]
    fn the_program_of_a_check_is_found() {
        let line = "    script \"/usr/bin/rha check redis --config /etc/rha/rha.toml\"";
        assert_eq!(program(line).unwrap(), Path::new("/usr/bin/rha"));
        assert_eq!(program("interval 1"), None);
    }
}
