//! The agent's sockets, the spool's door, and what systemd is told.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sd_notify::NotifyState;
use tokio::net::{UnixDatagram, UnixListener};

use crate::config::Config;
use crate::ingest::spool;
use crate::model::vrrp::SpoolPosition;

/// What a step of the start takes at most, in microseconds.
const START_STEP_US: u32 = 30_000_000;

/// The sockets, bound.
pub struct Bound {
    /// Where `rha-event` rings.
    pub doorbell: UnixDatagram,
    /// Where the command line asks.
    pub listener: UnixListener,
    /// Both files.
    pub sockets: Sockets,
}

/// Socket files of this agent, removed when this is dropped.
pub struct Sockets {
    paths: [PathBuf; 2],
    /// Only one agent uses the directory.
    _lock: File,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.paths {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(path = %path.display(), %error, "socket not removed");
            }
        }
    }
}

/// Makes the directories and binds both sockets; what a dead agent left behind is replaced.
///
/// # Errors
/// Another agent uses the directory, or it may not be made or written.
pub fn bind(config: &Config) -> anyhow::Result<Bound> {
    let runtime = &config.paths.runtime;
    for dir in [runtime, &config.paths.track(), &config.paths.state] {
        std::fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    let lock = lock_file(runtime)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            anyhow::bail!("another agent runs already: it holds {}", runtime.display())
        }
        Err(error) => return Err(cannot("lock", runtime, &error.into())),
    }
    let (agent, bell) = (config.paths.agent_socket(), config.paths.doorbell_socket());
    for path in [&agent, &bell] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot("replace", path, &error));
            }
            _ => {}
        }
    }
    let listener = UnixListener::bind(&agent).map_err(|error| cannot("bind", &agent, &error))?;
    let doorbell = UnixDatagram::bind(&bell).map_err(|error| cannot("bind", &bell, &error))?;
    let sockets = Sockets {
        paths: [agent, bell],
        _lock: lock,
    };
    // Only the owner and its group may give orders; anybody may ring, for a ring carries nothing.
    for (path, mode) in sockets.paths.iter().zip([0o660, 0o666]) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| cannot("set the mode of", path, &error))?;
    }
    Ok(Bound {
        doorbell,
        listener,
        sockets,
    })
}

/// A file that nobody else may open: whoever can open it could hold its lock, and keep the agent from starting.
fn lock_file(runtime: &Path) -> anyhow::Result<File> {
    let path = runtime.join("agent.lock");
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    options
        .open(&path)
        .map_err(|error| cannot("open", &path, &error))
}

/// Opens the agent's end of the spool.
///
/// # Errors
/// The directory is missing or may not be read.
pub fn spool(config: &Config, resume: Option<SpoolPosition>) -> anyhow::Result<spool::Reader> {
    let dir = config.paths.spool();
    std::fs::create_dir_all(&dir).map_err(|error| cannot("create", &dir, &error))?;
    Ok(spool::Reader::open(&dir, resume)?)
}

/// What could not be done, where, and who would have to be allowed to.
fn cannot(what: &str, path: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot {what} {}", spool::explain(path, error))
}

/// systemd: ready, with a status line.
pub fn say_ready(config: &Config) {
    let names: Vec<&str> = config
        .instances
        .iter()
        .map(|instance| instance.name.as_str())
        .collect();
    let status = format!("watching {}", names.join(", "));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// systemd: the start takes its time, and goes on.
pub fn say_starting() {
    tell(&[NotifyState::ExtendTimeoutUsec(START_STEP_US)]);
}

/// systemd's watchdog, from the loop itself: a loop that hangs stops saying it.
pub fn say_alive() {
    tell(&[NotifyState::Watchdog]);
}

/// systemd: a reload began.
pub fn say_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock for systemd"),
    }
}

/// systemd: the end.
pub fn say_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd is not told");
    }
}
