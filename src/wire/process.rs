//! A process of this host, held by a pidfd (pidfd_open(2)), so that its exit is seen at once.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

/// What the programs that speak Redis' protocol are called.
pub const REDIS: &[&str] = &["redis", "valkey", "keydb", "dragonfly"];
/// What keepalived is called.
pub const KEEPALIVED: &str = "keepalived";

/// A living process that this host's pid namespace knows.
#[derive(Debug)]
pub struct Process {
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// Takes hold of process `pid` if it lives and runs a program whose name contains one of `names`.
    ///
    /// `None` where it cannot be watched: gone, another program, told by a program in another pid
    /// namespace (a container), or a kernel without pidfd (before 5.3). Whoever has `pid` from a file or
    /// from the process itself must make sure that it was still the same process *after* this call.
    #[must_use]
    pub fn open(pid: u32, names: &[&str]) -> Option<Self> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        if has_exited(&pidfd) || !is_known_as(pid, names) || !calls_itself(pid) {
            return None;
        }
        Some(Self {
            pidfd: super::readable(pidfd).ok()?,
        })
    }

    /// SIGKILL, to this very process.
    ///
    /// # Errors
    /// It has exited already, or this process may not (`CAP_KILL`, or the same user).
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Any signal, to this very process.
    ///
    /// # Errors
    /// As above.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.pidfd.get_ref(), signal)?)
    }

    /// Waits until the process has exited.
    pub async fn exited(&self) {
        // An error here means that the runtime is shutting down: nobody is left to be told.
        if self.pidfd.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A living process with this very name in this network namespace, if there is one. Where the namespace may not be
/// looked at, one of this name counts.
#[must_use]
pub fn find_here(name: &str) -> Option<u32> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net"));
    let own = namespace("self").ok()?;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
        })
        .find(|pid| match namespace(pid) {
            Ok(other) => other == own,
            // A zombie has no namespace.
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        })
        .and_then(|pid| pid.parse().ok())
}

/// A pidfd is readable from the exit on, also while the process is a zombie.
fn has_exited(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    !matches!(
        poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0
            })
        ),
        Ok(0)
    )
}

/// The command name (proc(5), `comm`) or the file name of the executable contains one of `names`.
fn is_known_as(pid: u32, names: &[&str]) -> bool {
    let matches = |text: &str| names.iter().any(|name| text.contains(name));
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    matches(&comm)
        || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| {
            Path::file_name(&exe).is_some_and(|name| matches(&name.to_string_lossy()))
        })
}

/// The process sees itself as `pid`. One in a nested pid namespace does not: its last `NSpid` differs.
fn calls_itself(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return false;
    };
    let own = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .and_then(|pids| pids.split_ascii_whitespace().last())
        .and_then(|last| last.parse().ok());
    // Kernels built without pid namespaces have no such line, and only one namespace.
    own.is_none_or(|own: u32| own == pid)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_exit_is_seen_and_a_zombie_is_no_process() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id(), &["sleep"]).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), process.exited()).await;
        assert!(early.is_err(), "it still lives");
        child.kill().unwrap();
        tokio::time::timeout(Duration::from_secs(2), process.exited())
            .await
            .unwrap();
        assert!(
            Process::open(child.id(), &["sleep"]).is_none(),
            "a zombie is no living process"
        );
        child.wait().unwrap();
        assert!(Process::open(child.id(), &["sleep"]).is_none());
    }

    #[test]
    fn a_running_process_is_found_by_its_very_name() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("rha-test-name");
        fs::copy("/bin/sleep", &program).unwrap();
        assert_eq!(find_here("rha-test-name"), None);
        let mut child = Command::new(program).arg("60").spawn().unwrap();
        while fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() != "rha-test-name\n"
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(find_here("rha-test-name").is_some());
        assert_eq!(find_here("rha-test"), None);
        child.kill().unwrap();
        while find_here("rha-test-name").is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn another_program_is_refused() {
        assert!(Process::open(std::process::id(), REDIS).is_none());
        assert!(Process::open(0, REDIS).is_none());
        assert!(Process::open(u32::MAX, REDIS).is_none());
    }
}
