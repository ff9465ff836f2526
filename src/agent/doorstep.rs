//! The agent's sockets, the spool's door, and what systemd is told.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::net::{UnixDatagram, UnixListener};

use crate::config::Config;
use crate::ingest::spool;
use crate::model::vrrp::SpoolPosition;

/// The sockets, bound.
pub struct Bound {
    /// Where `rha-event` rings.
    pub doorbell: UnixDatagram,
    /// Where the command line asks.
    pub listener: UnixListener,
    /// Both files, to be removed at the end.
    pub sockets: Sockets,
}

/// Socket files of this agent.
pub struct Sockets(Vec<PathBuf>);

impl Sockets {
    /// Removes them. One that is gone already is fine.
    pub fn remove(&self) {
        for path in &self.0 {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(path = %path.display(), %error, "socket not removed");
            }
        }
    }
}

/// Binds both sockets; what a dead agent left behind is replaced.
///
/// # Errors
/// Another agent listens there, or a directory is missing or may not be written.
pub fn bind(config: &Config) -> anyhow::Result<Bound> {
    let (agent, bell) = (config.paths.agent_socket(), config.paths.doorbell_socket());
    for dir in [
        &config.paths.runtime,
        &config.paths.track(),
        &config.paths.state,
    ] {
        std::fs::create_dir_all(dir).with_context(|| cannot("create", dir))?;
    }
    if std::os::unix::net::UnixStream::connect(&agent).is_ok() {
        anyhow::bail!(
            "another agent runs already: it listens at {}",
            agent.display()
        );
    }
    for path in [&agent, &bell] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| cannot("replace", path));
            }
            _ => {}
        }
    }
    let listener = UnixListener::bind(&agent).with_context(|| cannot("bind", &agent))?;
    let doorbell = UnixDatagram::bind(&bell).with_context(|| cannot("bind", &bell))?;
    // Only the owner and its group may give orders; anybody may ring, for a ring carries nothing.
    for (path, mode) in [(&agent, 0o660), (&bell, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .with_context(|| cannot("set the mode of", path))?;
    }
    Ok(Bound {
        doorbell,
        listener,
        sockets: Sockets(vec![agent, bell]),
    })
}

/// Opens the agent's end of the spool.
///
/// # Errors
/// The directory is missing or may not be read.
pub fn spool(config: &Config, resume: Option<SpoolPosition>) -> anyhow::Result<spool::Reader> {
    let dir = config.paths.spool();
    std::fs::create_dir_all(&dir).with_context(|| cannot("create", &dir))?;
    spool::Reader::open(&dir, resume).with_context(|| cannot("read", &dir))
}

/// What could not be done, where, and who would have to be allowed to.
fn cannot(what: &str, path: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    format!(
        "cannot {what} {} (user id {user} must be allowed to)",
        path.display()
    )
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
