//! The journal's directory around sled's files: made, locked, cleaned, synced.

pub(super) mod layout;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::error::Error;

/// The lock of a process that was just killed can take a moment to go.
pub(super) const LOCK_TRIES: u32 = 30;
/// Between two tries.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Makes a directory, and those above it, if it is not there.
pub(super) fn make(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o750).create(dir);
    made.map_err(|e| Error::io("create", dir, e))?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Our own lock, because sled is only safe to prepare for where nobody else has it open.
pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let failed = |e| Error::io("lock", &path, e);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(failed)?;
    for attempt in 1.. {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if attempt < LOCK_TRIES => thread::sleep(LOCK_PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // Only decoration: what cannot be read is not told.
                let _ = file.take(16).read_to_string(&mut pid);
                return Err(Error::Locked {
                    path: dir.to_owned(),
                    pid: pid.trim().parse().ok(),
                });
            }
            Err(e) => return Err(failed(e.into())),
        }
    }
    // The holder's number is a courtesy to whoever is refused; a full disk must not keep us out.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// Removes sled's snapshots whose name ends so. They are derived from the log.
pub(super) fn remove_snapshots(dir: &Path, suffix: &str) -> Result<bool, Error> {
    let failed = |e| Error::io("clean up", dir, e);
    let mut removed = false;
    for file in dir.read_dir().map_err(failed)? {
        let file = file.map_err(failed)?;
        let name = file.file_name();
        if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(suffix) {
            std::fs::remove_file(file.path()).map_err(failed)?;
            removed = true;
        }
    }
    Ok(removed)
}

/// Puts the names in a directory on the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    // A relative path of one part has the empty path as parent.
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)
        .and_then(|open| open.sync_all())
        .map_err(|e| Error::io("sync", dir, e))?;
    #[cfg(test)]
    super::tests::power::synced(dir);
    Ok(())
}
