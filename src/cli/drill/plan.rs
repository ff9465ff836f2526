//! What is to be undone: in a file, so that it is known whatever becomes of the processes that know it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::daemon::Daemon;
use crate::agent::clock::Clock;
use crate::cli::render::Problem;
use crate::config::Paths;
use crate::model::drill::Drill;
use crate::model::time::{At, BootId};
use crate::wire::netlink::Lost;

/// A drill that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Which.
    pub drill: Drill,
    /// Of which instance.
    pub instance: String,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// The command line, for the record.
    pub command: String,
    /// No agent records it.
    pub unrecorded: bool,
    /// The process that will undo it; 0 before there is one.
    pub keeper: u32,
    /// How it is undone; `None` before that was looked at.
    pub undo: Option<Undo>,
}

/// How something is made as before. Each can be done twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Undo {
    /// The interface up, and what it lost.
    Link {
        /// Which interface.
        interface: String,
        /// What goes with it.
        lost: Lost,
    },
    /// Redis running: the process that was stopped in its tracks, or another one.
    Redis {
        /// That process.
        hung: Option<Hung>,
    },
    /// keepalived or the agent running.
    Daemon(Daemon),
}

/// A process that was stopped in its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hung {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since the boot (proc(5), field 22 of `stat`).
    pub started: u64,
    /// Which boot that was.
    boot: u64,
}

impl Hung {
    /// The process that has this id now.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pid: u32) -> io::Result<Self> {
        let BootId(boot) = Clock::new()?.now().boot;
        Ok(Self {
            pid,
            started: started(pid)?,
            boot,
        })
    }

    /// It still is that very process.
    pub fn is_there(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }
}

fn started(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may have blanks and brackets of its own.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest);
    let field = rest.and_then(|rest| rest.split_ascii_whitespace().nth(19));
    field
        .and_then(|ticks| ticks.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The moment when a drill that begins now is over.
pub fn end_of(now: &At, for_ms: u64) -> u64 {
    now.mono_us.saturating_add(for_ms.saturating_mul(1000))
}

/// Held by who undoes the drill, as long as it runs.
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes it; `None` while another has it.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub fn take(paths: &Paths) -> anyhow::Result<Option<Self>> {
        let path = paths.state.join("drill.lock");
        let cannot = || format!("cannot write {}", path.display());
        let mut options = File::options();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&path).with_context(cannot)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self {
                path: paths.state.join("drill.json"),
                _file: file,
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// Puts the plan on the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, plan: &Plan) -> anyhow::Result<()> {
        let temporary = self.path.with_extension("tmp");
        let mut options = File::options();
        options.create(true).truncate(true).write(true).mode(0o600);
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(plan)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        });
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The drill is over.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The drill that was begun and not undone; `None` where there is none.
///
/// # Errors
/// The file is there and cannot be read.
pub fn left_behind(paths: &Paths) -> anyhow::Result<Option<Plan>> {
    let path = paths.state.join("drill.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let plan = serde_json::from_slice(&text).map_err(|error| {
        Problem::failed(format!("{}: {error}", path.display()))
            .hint("It says what a drill broke; put that right by hand, and remove the file.")
    })?;
    Ok(Some(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(dir: &tempfile::TempDir) -> Paths {
        Paths {
            state: dir.path().to_owned(),
            runtime: dir.path().to_owned(),
        }
    }

    #[test]
    fn a_plan_is_kept_until_it_is_forgotten_and_one_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(&dir);
        let lock = Lock::take(&paths).unwrap().unwrap();
        assert!(Lock::take(&paths).unwrap().is_none());
        assert!(left_behind(&paths).unwrap().is_none());
        let plan = Plan {
            drill: Drill::RedisHang,
            instance: "redis".to_owned(),
            for_ms: 1000,
            command: "rha drill".to_owned(),
            unrecorded: false,
            keeper: 1,
            undo: Some(Undo::Redis {
                hung: Some(Hung::of(std::process::id()).unwrap()),
            }),
        };
        lock.write(&plan).unwrap();
        let found = left_behind(&paths).unwrap().unwrap();
        let Some(Undo::Redis { hung: Some(hung) }) = found.undo else {
            panic!("{found:?}");
        };
        assert!(hung.is_there());
        assert!(!Hung { started: 1, ..hung }.is_there(), "another process");
        lock.forget().unwrap();
        lock.forget().unwrap();
        assert!(left_behind(&paths).unwrap().is_none());
        fs::write(dir.path().join("drill.json"), "{").unwrap();
        assert!(left_behind(&paths).is_err());
        drop(lock);
        assert!(Lock::take(&paths).unwrap().is_some());
    }
}
