//! Two processes, one inside the other, so that nothing is left behind however a run ends.
//!
//! - `outer` owns the directories and hears SIGTERM, SIGHUP and ctrl-c. It never touches what it did not start.
//! - `inner` does the work: process 1 of a pid namespace where there may be one, so that the kernel ends
//!   everything with it; and in a process group of its own, which `outer` can end where there is none.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{
    Pid, Signal, getpid, kill_process_group, set_parent_process_death_signal,
    test_kill_process_group,
};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

const DISK: &str = "RHA_CRASH_DISK";
const RUN: &str = "RHA_CRASH_RUN";
/// For what was killed to be gone: a full disk is synced, thousands of pages at worst.
const GONE: Duration = Duration::from_secs(8);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Where worlds are made: on a disk, or fdatasync would cost nothing; and where paths are short, for sockets.
pub struct Places {
    /// State and logs.
    pub disk: PathBuf,
    /// Sockets and FIFOs.
    pub run: PathBuf,
}

impl Places {
    /// As the outer process has made them; `None` in the outer process.
    pub fn given() -> Option<Self> {
        let place = |name| std::env::var_os(name).map(PathBuf::from);
        Some(Self {
            disk: place(DISK)?,
            run: place(RUN)?,
        })
    }
}

/// Process 1 of a namespace may mount, and what it leaves is collected by the kernel.
pub fn is_in_namespace() -> bool {
    getpid().is_init()
}

/// Is the next child process 1 of a pid namespace? There is no such namespace before.
fn begins_namespace() -> bool {
    let [own, next] =
        ["pid", "pid_for_children"].map(|name| fs::read_link(format!("/proc/self/ns/{name}")));
    own.ok() != next.ok()
}

/// To be called by the inner process first.
pub fn settle() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if is_in_namespace() {
        let mut mount = std::process::Command::new("mount");
        let status = mount.args(["-t", "proc", "proc", "/proc"]).status()?;
        ensure!(status.success(), "mounting /proc: {status}");
    }
    Ok(())
}

/// Makes the places, runs the inner process, removes the places; keeps them where it has failed.
pub fn outer() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(supervise())
}

async fn supervise() -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let exe = std::env::current_exe()?;
    // target/release/examples/crash
    let target = exe
        .ancestors()
        .nth(3)
        .context("the tool is not where cargo builds it")?;
    let base = target.join("crash");
    fs::create_dir_all(&base).with_context(|| format!("creating {}", base.display()))?;
    let disk = tempfile::Builder::new().prefix("run-").tempdir_in(&base)?;
    let run = tempfile::Builder::new().prefix("rha-crash-").tempdir()?;
    let mut command = if begins_namespace() {
        // Else its small disks would be mounted here too, and nobody could remove their places any more.
        let mut command = Command::new("unshare");
        command.arg("--mount").arg(&exe);
        command
    } else {
        Command::new(&exe)
    };
    let mut inner = command
        .args(std::env::args_os().skip(1))
        .env(DISK, disk.path())
        .env(RUN, run.path())
        .process_group(0)
        .spawn()?;
    let group = inner.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (status, number) = tokio::select! {
        status = inner.wait() => (Some(status?), 0),
        _ = terminate.recv() => (None, Signal::TERM.as_raw()),
        _ = interrupt.recv() => (None, Signal::INT.as_raw()),
        _ = hang_up.recv() => (None, Signal::HUP.as_raw()),
    };
    if let Some(group) = group {
        // Gone where the inner process has ended everything itself.
        let _ = kill_process_group(group, Signal::KILL);
        let gone = tokio::time::timeout(GONE, async {
            let ended = inner.wait().await;
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(LOOK).await;
            }
            ended
        });
        gone.await
            .with_context(|| format!("process group {group:?} does not die"))??;
    }
    let code = match status {
        // The shell's way to say that a signal ended it.
        None => 128 + number,
        Some(status) => status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .unwrap_or(1),
    };
    if status.is_some() && code != 0 {
        eprintln!("crash: kept for a look: {}", disk.keep().display());
    } else {
        disk.close().context("removing the state of the run")?;
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
