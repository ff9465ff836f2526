//! A daemon that is stopped and started again the way it ran: by systemd, or by the same command.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What systemd tells one process is not for another.
const NOT_FOR_OTHERS: [&str; 6] = [
    "NOTIFY_SOCKET=",
    "WATCHDOG_USEC=",
    "WATCHDOG_PID=",
    "LISTEN_FDS=",
    "LISTEN_PID=",
    "INVOCATION_ID=",
];
/// What cannot start at all has ended by then.
const EARLY_END: Duration = Duration::from_millis(300);

/// How a daemon ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its process id.
    pub pid: u32,
    /// The systemd unit that it ran in.
    pub unit: Option<String>,
    /// Its program file.
    program: PathBuf,
    /// Its command line.
    words: Vec<String>,
    /// Its environment.
    environment: Vec<String>,
    /// Its working directory.
    directory: PathBuf,
    /// Where its standard error went, if that was a file.
    log: Option<PathBuf>,
}

impl Daemon {
    /// Looks at the running process.
    ///
    /// # Errors
    /// It is gone, or may not be looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        let at = |name: &str| format!("/proc/{pid}/{name}");
        let words = split(&fs::read(at("cmdline"))?);
        if words.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let environment = split(&fs::read(at("environ"))?);
        let unit = unit_of(&fs::read_to_string(at("cgroup")).unwrap_or_default());
        Ok(Self {
            pid,
            unit: unit.filter(|_| Path::new("/run/systemd/system").is_dir()),
            program: fs::read_link(at("exe"))?,
            words,
            environment: environment
                .into_iter()
                .filter(|one| !NOT_FOR_OTHERS.iter().any(|name| one.starts_with(name)))
                .collect(),
            directory: fs::read_link(at("cwd"))?,
            log: fs::read_link(at("fd/2")).ok().filter(|to| to.is_file()),
        })
    }

    /// As one would type it.
    pub fn told(&self) -> String {
        match &self.unit {
            Some(unit) => format!("systemctl start {unit}"),
            None => self.words.join(" "),
        }
    }

    /// `systemctl stop`, where it runs in a unit; false where it does not.
    ///
    /// # Errors
    /// systemd's words.
    pub fn stop_unit(&self) -> Result<bool, String> {
        let Some(unit) = &self.unit else {
            return Ok(false);
        };
        systemctl("stop", unit).map(|()| true)
    }

    /// Starts it.
    ///
    /// # Errors
    /// It does not start, or ends at once.
    pub fn start(&self) -> Result<(), String> {
        if let Some(unit) = &self.unit {
            return systemctl("start", unit);
        }
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", self.told());
        let mut command = Command::new(&self.program);
        let variables = self.environment.iter();
        command
            .args(&self.words[1..])
            .arg0(&self.words[0])
            .env_clear()
            .envs(variables.filter_map(|one| one.split_once('=')))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            // A signal to the drill is not for it.
            .process_group(0);
        let log = || File::options().append(true).open(self.log.as_ref()?).ok();
        command.stdout(log().map_or_else(Stdio::null, Stdio::from));
        command.stderr(log().map_or_else(Stdio::null, Stdio::from));
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        std::thread::sleep(EARLY_END);
        match child.try_wait() {
            Ok(Some(status)) if !status.success() => Err(failed(&status)),
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn systemctl(verb: &str, unit: &str) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("systemctl {verb} {unit}: {why}");
    let output = Command::new("systemctl")
        .args([verb, unit])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(&said.lines().next().unwrap_or("it failed")))
}

/// The innermost service of `/proc/PID/cgroup` (cgroups(7)), if it is one.
pub fn unit_of(cgroup: &str) -> Option<String> {
    let mut paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let service = paths.find_map(|path| {
        let name = path.trim_end_matches('/').rsplit('/').next()?;
        name.ends_with(".service").then_some(name)
    });
    service.map(str::to_owned)
}

fn split(bytes: &[u8]) -> Vec<String> {
    let words = bytes.split(|byte| *byte == 0);
    words
        .filter(|word| !word.is_empty())
        .map(|word| std::ffi::OsString::from_vec(word.to_vec()))
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process() {
        let of = unit_of;
        assert_eq!(
            of("0::/system.slice/keepalived.service\n").unwrap(),
            "keepalived.service"
        );
        assert_eq!(of("0::/user.slice/user-0.slice/session-1.scope\n"), None);
        assert_eq!(of("0::/\n"), None);
        assert_eq!(
            of("1:name=systemd:/system.slice/rha.service\n0::/\n").unwrap(),
            "rha.service"
        );
    }

    #[test]
    fn a_daemon_is_started_as_it_ran() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = "echo $MARK; sleep 60 & wait";
        let mut first = Command::new("sh")
            .args(["-c", script])
            .env("MARK", "here")
            .env("NOTIFY_SOCKET", "none")
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        let daemon = loop {
            match Daemon::of(first.id()) {
                Ok(daemon) if daemon.words.len() == 3 => break daemon,
                _ => std::thread::yield_now(),
            }
        };
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(Daemon::of(first.id()).is_err());
        assert!(daemon.told().starts_with("sh -c"), "{}", daemon.told());
        let names = |name: &str| daemon.environment.iter().any(|one| one.starts_with(name));
        assert!(names("MARK=here") && !names("NOTIFY_SOCKET"));
        let short = Daemon {
            words: ["sh", "-c", "echo $MARK >&2; pwd >&2"]
                .map(str::to_owned)
                .to_vec(),
            ..daemon
        };
        short.start().unwrap();
        let said = fs::read_to_string(&log).unwrap();
        let there = dir.path().canonicalize().unwrap();
        assert_eq!(said, format!("here\n{}\n", there.display()));
        let bad = Daemon {
            words: ["sh", "-c", "exit 3"].map(str::to_owned).to_vec(),
            ..short
        };
        assert!(bad.start().unwrap_err().contains("exit status: 3"));
    }
}
