//! The three processes of a world, one inside the other.
//!
//! - `outer` was put into new namespaces by `unshare` and stands with one foot in the old pid namespace, where
//!   signals reach it; it owns the directory on disk. When it dies, `init` dies with it.
//! - `init` is process 1 of the new pid namespace: it collects orphans (a Redis that daemonized and died must
//!   not stay a zombie), and the kernel kills everything in the namespace when it ends.
//! - `main` does the work.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, WaitOptions, getpid, set_parent_process_death_signal, wait};

use crate::run::checked;

const STAGE: &str = "RHA_LAB_STAGE";
const DISK: &str = "RHA_LAB_DISK";
/// Directories of worlds that were killed are recognized by this and by their lock being free.
const WORLD_PREFIX: &str = "world-";

/// Which of the three this process is.
#[derive(Clone, Copy)]
pub enum Stage {
    /// Holds the directory on disk.
    Outer,
    /// Process 1.
    Init,
    /// Does the work.
    Main,
}

impl Stage {
    /// Read from the environment that the stage before has set.
    pub fn current() -> Self {
        match std::env::var(STAGE).as_deref() {
            Ok("init") => Self::Init,
            Ok("main") => Self::Main,
            _ => Self::Outer,
        }
    }
}

/// The world's directory on disk: journals belong on a disk, or fdatasync would cost nothing.
pub fn disk() -> anyhow::Result<PathBuf> {
    Ok(std::env::var_os(DISK)
        .context("no directory for the world: start it with tools/lab")?
        .into())
}

/// Makes the directory on disk, starts `init`, waits, removes the directory.
pub fn outer() -> anyhow::Result<ExitCode> {
    let (dir, _lock) = world_dir()?;
    let status = myself()?
        .env(STAGE, "init")
        .env(DISK, dir.path())
        .status()?;
    dir.close()
        .context("removing the world's directory on disk")?;
    Ok(exit_code(status))
}

/// Prepares the namespaces, starts `main`, and collects whatever ends until `main` does.
pub fn init() -> anyhow::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    ensure!(
        getpid().is_init(),
        "not process 1 of a namespace of its own: start it with tools/lab"
    );
    checked(Command::new("mount").args(["-t", "proc", "proc", "/proc"]))?;
    checked(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "lab", "/run"]))?;
    let main = myself()?.env(STAGE, "main").spawn()?;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_pid().cast_unsigned() == main.id() => {
                let code = status
                    .exit_status()
                    .and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("waiting for children: {error}"),
        }
    }
}

/// The command that makes another world beside this one, in namespaces of its own, for these words of `lab`. It ends
/// with this one.
pub fn another_world(words: &[String]) -> anyhow::Result<Command> {
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount", "--pid"])
        .arg(std::env::current_exe()?)
        .args(words)
        .env_remove(STAGE)
        .env_remove(DISK);
    Ok(command)
}

fn myself() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1));
    Ok(command)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A new, locked directory below `target/lab`; those left behind by killed worlds are removed on the way.
fn world_dir() -> anyhow::Result<(tempfile::TempDir, File)> {
    let exe = std::env::current_exe()?;
    // target/release/examples/lab
    let target = exe
        .ancestors()
        .nth(3)
        .context("the lab is not where cargo builds it")?;
    let base = target.join("lab");
    fs::create_dir_all(&base).with_context(|| format!("creating {}", base.display()))?;
    let base_lock = File::open(&base)?;
    flock(&base_lock, FlockOperation::LockExclusive)?;
    sweep(&base)?;
    let dir = tempfile::Builder::new()
        .prefix(WORLD_PREFIX)
        .tempdir_in(&base)?;
    let lock = File::open(dir.path())?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok((dir, lock))
}

fn sweep(base: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with(WORLD_PREFIX)
        {
            continue;
        }
        let lock = File::open(entry.path())?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
