//! Calls of sled that neither panic nor wait for ever.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Trees;
use crate::journal::dir::{LOCK_PAUSE, LOCK_TRIES, remove_snapshots};
use crate::journal::error::{Error, panic_text};

/// sled keeps 2 to 2.4 times this in memory.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// A whole volume opens in a tenth of a second.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// A sled iterator that neither panics nor goes on after an error.
pub(super) struct Guarded {
    dir: PathBuf,
    iter: Option<sled::Iter>,
}

impl Guarded {
    pub(super) fn new(dir: PathBuf, iter: sled::Iter) -> Self {
        Self {
            dir,
            iter: Some(iter),
        }
    }

    fn step(
        &mut self,
        step: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Option<Result<(sled::IVec, sled::IVec), Error>> {
        let iter = self.iter.as_mut()?;
        let found = guard(&self.dir, || step(iter).transpose()).transpose();
        if !matches!(found, Some(Ok(_))) {
            self.iter = None;
        }
        found
    }
}

impl Iterator for Guarded {
    type Item = Result<(sled::IVec, sled::IVec), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Guarded {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// Calls sled and turns its panics into damage: that is what they mean.
pub(super) fn guard<T>(dir: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| classify(dir, e)),
        Err(panic) => Err(Error::damaged_somewhere(format!(
            "sled panicked: {}",
            panic_text(&*panic)
        ))),
    }
}

/// What the operating system says is about the world; an error made up by sled is about its files.
fn classify(dir: &Path, e: sled::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match e {
        sled::Error::Io(e) if is_lock(&e) => Error::Locked {
            path: dir.to_owned(),
            pid: None,
        },
        sled::Error::Io(e) => match e.kind() {
            InvalidData | InvalidInput | UnexpectedEof => Error::damaged_somewhere(e.to_string()),
            Other if e.raw_os_error().is_none() => Error::damaged_somewhere(e.to_string()),
            _ if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Error::damaged_somewhere(format!("the disk does not give it back: {e}"))
            }
            _ => Error::io("use the journal in", dir, e),
        },
        other => Error::damaged_somewhere(other.to_string()),
    }
}

/// Opens sled; where its snapshot is to blame, once more without it.
pub(super) fn open_trees(dir: &Path) -> Result<Trees, Error> {
    match open_in_time(dir) {
        Err(damage @ Error::Damaged { .. }) if remove_snapshots(dir, "")? => open_in_time(dir)
            .map_err(|again| match again {
                Error::Slow { .. } => again,
                _ => damage,
            }),
        opened => opened,
    }
}

/// Opens sled on a thread that may hang for ever.
fn open_in_time(dir: &Path) -> Result<Trees, Error> {
    let (done, result) = mpsc::sync_channel(1);
    let path = dir.to_owned();
    thread::Builder::new()
        .name("journal-open".to_owned())
        .spawn(move || {
            // Nobody waits for it any more if it comes too late.
            let _ = done.send(guard(&path, || open_sled(&path)));
        })
        .map_err(|e| Error::io("start a thread to open", dir, e))?;
    result.recv_timeout(OPEN_LIMIT).unwrap_or_else(|_| {
        Err(Error::Slow {
            path: dir.to_owned(),
            seconds: OPEN_LIMIT.as_secs(),
        })
    })
}

fn open_sled(dir: &Path) -> sled::Result<Trees> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let mut attempt = 1;
    let db = loop {
        match config.open() {
            // Its holder is dying: else it would hold our lock too.
            Err(sled::Error::Io(e)) if attempt < LOCK_TRIES && is_lock(&e) => {
                attempt += 1;
                thread::sleep(LOCK_PAUSE);
            }
            opened => break opened?,
        }
    };
    Ok(Trees {
        records: db.open_tree("records")?,
        notable: db.open_tree("notable")?,
        meta: db.open_tree("meta")?,
        db,
    })
}

/// sled's own lock on its log is held. Its kind of error says nothing, its text does.
fn is_lock(e: &io::Error) -> bool {
    e.to_string().contains("could not acquire lock")
}
