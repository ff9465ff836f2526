//! The interlock: whoever starts Redis, it must boot as a replica of nobody, and only rha promotes it. Else a Redis that
//! is restarted empty, or with an old data set, is a master at once, and empties its replicas.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::Findings;

/// Who starts Redis, and with what.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// `config_file` of `INFO server`; `None` where Redis was started without one.
    pub config_file: Option<PathBuf>,
    /// The systemd unit that it runs in, or that rha.toml names.
    pub unit: Option<String>,
    /// What rha adds to its own command (`start_as_replica`).
    pub start_as_replica: Vec<String>,
    /// Where units are, `/etc/systemd/system` and so on.
    pub units: Vec<PathBuf>,
    /// `failover.replicated_writes`.
    pub replicated_writes: bool,
}

/// Directories of units, the first that has one counts (systemd.unit(5)).
pub fn unit_directories() -> Vec<PathBuf> {
    let paths = [
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ];
    paths.iter().map(PathBuf::from).collect()
}

/// Includes are followed so deep.
const DEPTH_MAX: u32 = 4;
/// Larger is no redis.conf.
const FILE_MAX: u64 = 1 << 20;

/// Looks at who starts Redis.
pub fn check(boot: &Boot, found: &mut Findings) {
    let directives = match &boot.config_file {
        Some(file) => match read(file, 0) {
            Ok(directives) => directives,
            Err(error) => {
                let text = format!("cannot read {}: {error}", file.display());
                found.warning(
                    "interlock",
                    text,
                    "run rha doctor as root, on the host itself",
                );
                return;
            }
        },
        None => Vec::new(),
    };
    interlock(boot, &directives, found);
    starter(boot, found);
    contents(boot, &directives, found);
}

const LINE: &str = "replicaof 127.0.0.1 1";

fn interlock(boot: &Boot, directives: &[(String, String)], found: &mut Findings) {
    let file = boot.config_file.as_ref();
    let file = file.map_or("its command line".to_owned(), |file| {
        file.display().to_string()
    });
    let follows = |(key, _): &&(String, String)| key == "replicaof" || key == "slaveof";
    if let Some((_, whom)) = directives.iter().rfind(follows) {
        if whom == "127.0.0.1 1" {
            let text = format!("Redis boots as a replica of nobody ({file})");
            found.ok("interlock", text);
        } else {
            let text = format!(
                "Redis boots as a replica of {whom} ({file}): what that one has by then overwrites this copy"
            );
            found.warning("interlock", text, format!("{LINE} instead"));
        }
        return;
    }
    let by_unit = boot
        .unit
        .as_ref()
        .map(|unit| (unit, exec_start(boot, unit)));
    match by_unit {
        Some((unit, Some(command))) if command.contains("--replicaof") => {
            found.ok("interlock", format!("Redis boots as a replica ({unit})"));
        }
        Some((unit, _)) => {
            let text = format!(
                "{unit} starts Redis as a master, whatever its data set: restarted empty or stale, it empties its replicas"
            );
            found.trouble("interlock", text, format!("add to {file}: {LINE}"));
        }
        None if boot
            .start_as_replica
            .iter()
            .any(|word| word == "--replicaof") =>
        {
            let text = "rha starts Redis as a replica of nobody (start_as_replica)";
            found.ok("interlock", text);
        }
        None => {
            let text = "Redis comes up as a master, whatever its data set: restarted empty or stale, it empties its replicas";
            let todo = format!("add to {file}: {LINE}; or set start_as_replica in rha.toml");
            found.trouble("interlock", text, todo);
        }
    }
}

/// Does anybody start it at boot?
fn starter(boot: &Boot, found: &mut Findings) {
    match &boot.unit {
        Some(unit) if is_enabled(boot, unit) => {
            found.ok("boot", format!("{unit} starts Redis at boot"));
        }
        Some(unit) => {
            let text = format!("{unit} is not enabled: after a reboot nobody starts Redis");
            found.warning("boot", text, format!("systemctl enable {unit}"));
        }
        None => {
            let text = "Redis runs in no systemd unit: after a reboot nobody starts it";
            found.warning(
                "boot",
                text,
                "rha redis start after each boot, or a unit for it",
            );
        }
    }
}

fn contents(boot: &Boot, directives: &[(String, String)], found: &mut Findings) {
    let has = |wanted: &str| directives.iter().rfind(|(key, _)| key == wanted);
    if let Some((_, value)) = has("min-replicas-to-write").filter(|(_, value)| value != "0")
        && boot.replicated_writes
    {
        let text = format!(
            "min-replicas-to-write {value} in redis.conf: after a restart Redis refuses writes until rha says otherwise"
        );
        found.warning(
            "min-replicas-file",
            text,
            "leave it out: rha sets it by role",
        );
    }
    if has("rewritten").is_some() {
        let text =
            "CONFIG REWRITE has written redis.conf (a Sentinel does so): it can undo the interlock";
        found.warning(
            "rewritten",
            text,
            "stop Sentinel, and put your own redis.conf back",
        );
    }
    if has("sentinel").is_some() {
        let text = "redis.conf has lines of Sentinel's";
        found.trouble(
            "sentinel-file",
            text,
            "a redis.conf without them: rha and Sentinel fight",
        );
    }
}

/// The directives, in order, keys in lower case, with what is included in place.
fn read(file: &Path, depth: u32) -> std::io::Result<Vec<(String, String)>> {
    let size = fs::metadata(file)?.len();
    if size > FILE_MAX {
        return Err(std::io::Error::other("too large for a redis.conf"));
    }
    let text = String::from_utf8_lossy(&fs::read(file)?).into_owned();
    let mut directives = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.contains("Generated by CONFIG REWRITE") {
            directives.push(("rewritten".to_owned(), String::new()));
        }
        let Some((key, value)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let (key, value) = (key.to_ascii_lowercase(), value.trim().trim_matches('"'));
        if key.starts_with('#') {
            continue;
        }
        if key == "include" && depth < DEPTH_MAX {
            // What cannot be read, Redis would not have started with.
            directives.extend(read(Path::new(value), depth + 1).unwrap_or_default());
        } else {
            directives.push((key, value.to_owned()));
        }
    }
    Ok(directives)
}

fn exec_start(boot: &Boot, unit: &str) -> Option<String> {
    let mut texts = boot
        .units
        .iter()
        .filter_map(|directory| fs::read_to_string(directory.join(unit)).ok());
    let text = texts.next()?;
    let mut lines = text.lines();
    let command = lines.find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    Some(command.to_owned())
}

fn is_enabled(boot: &Boot, unit: &str) -> bool {
    let wanted = |directory: &PathBuf| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut wants = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".wants") || name.ends_with(".requires")
        });
        wants.any(|entry| entry.path().join(unit).symlink_metadata().is_ok())
    };
    boot.units.iter().any(wanted)
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    struct Host {
        dir: tempfile::TempDir,
        boot: Boot,
    }

    impl Host {
        fn new(conf: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("redis.conf");
            fs::write(&file, conf).unwrap();
            let boot = Boot {
                config_file: Some(file),
                units: vec![dir.path().join("system")],
                start_as_replica: vec!["--replicaof".to_owned()],
                ..Boot::default()
            };
            Self { dir, boot }
        }

        fn unit(mut self, exec: &str, enabled: bool) -> Self {
            let wants = self.dir.path().join("system/multi-user.target.wants");
            fs::create_dir_all(&wants).unwrap();
            let unit = self.dir.path().join("system/redis.service");
            fs::write(&unit, format!("[Service]\nExecStart={exec}\n")).unwrap();
            if enabled {
                std::os::unix::fs::symlink(unit, wants.join("redis.service")).unwrap();
            }
            self.boot.unit = Some("redis.service".to_owned());
            self
        }

        fn unwell(&self) -> Vec<(&'static str, State)> {
            let mut found = Findings::of("boot");
            check(&self.boot, &mut found);
            unwell(&found)
        }
    }

    #[test]
    fn the_interlock_in_the_file_is_enough() {
        let host = Host::new("port 1\nreplicaof 127.0.0.1 1\n").unit("redis-server", true);
        assert_eq!(host.unwell(), []);
        let host = Host::new("port 1\n").unit("redis-server --replicaof 127.0.0.1 1", true);
        assert_eq!(host.unwell(), []);
    }

    #[test]
    fn a_unit_that_starts_a_master_is_trouble() {
        let host = Host::new("# replicaof 127.0.0.1 1\n").unit("redis-server", true);
        assert_eq!(host.unwell(), [("interlock", State::Trouble)]);
        let host = Host::new("replicaof 127.0.0.1 1\n").unit("redis-server", false);
        assert_eq!(host.unwell(), [("boot", State::Warning)]);
    }

    #[test]
    fn without_a_unit_rha_starts_it() {
        let mut host = Host::new("port 1\n");
        assert_eq!(host.unwell(), [("boot", State::Warning)]);
        host.boot.start_as_replica.clear();
        assert_eq!(
            host.unwell(),
            [("interlock", State::Trouble), ("boot", State::Warning)]
        );
        host.boot.config_file = Some("/nowhere/redis.conf".into());
        assert_eq!(host.unwell(), [("interlock", State::Warning)]);
    }

    #[test]
    fn what_stands_in_the_file_is_seen_through_includes() {
        let host = Host::new("").unit("redis-server", true);
        let included = host.dir.path().join("more.conf");
        fs::write(
            &included,
            "SLAVEOF 10.0.0.2 6379\nmin-replicas-to-write 1\n# Generated by CONFIG REWRITE\nsentinel myid x\n",
        )
        .unwrap();
        let file = host.boot.config_file.clone().unwrap();
        fs::write(file, format!("include {}\n", included.display())).unwrap();
        let host = Host {
            boot: Boot {
                replicated_writes: true,
                ..host.boot
            },
            ..host
        };
        assert_eq!(
            host.unwell(),
            [
                ("interlock", State::Warning),
                ("min-replicas-file", State::Warning),
                ("rewritten", State::Warning),
                ("sentinel-file", State::Trouble),
            ]
        );
    }
}
