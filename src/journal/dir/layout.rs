//! What is where in a journal's directory, and how what a crash left half done is finished.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sync_dir;
use crate::journal::error::Error;
use crate::journal::sealed::Sealed;

/// Volumes, by their first record.
#[derive(Debug, Default)]
pub(in crate::journal) struct Found {
    pub sealed: Vec<(u64, PathBuf)>,
    pub open: Vec<(u64, PathBuf)>,
    /// Damaged sleds whose good records have been saved, or are to be: see `salvage.rs`.
    pub damaged: Vec<(u64, PathBuf)>,
    /// What was not finished, or is not needed any more.
    leftover: Vec<PathBuf>,
}

/// The sled of format 1, which was the directory itself, is on its way to a directory of its own.
const MOVING: &str = "moving";

/// The open volume that begins with the record `first`.
pub(in crate::journal) fn open_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(open_name(first))
}

/// Its name in a journal.
pub(in crate::journal) fn open_name(first: u64) -> String {
    format!("{first:020}")
}

/// The same, damaged.
pub(in crate::journal) fn damaged_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.damaged"))
}

/// The sealed one.
pub(in crate::journal) fn sealed_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.vol"))
}

/// Is there a journal, of whatever format?
pub(in crate::journal) fn is_journal(dir: &Path) -> Result<bool, Error> {
    let look = |name: &str| {
        let path = dir.join(name);
        path.try_exists()
            .map_err(|e| Error::io("look for", &path, e))
    };
    if look("db")? || look(MOVING)? || look("mark")? {
        return Ok(true);
    }
    match list(dir) {
        Ok(found) => Ok(!found.sealed.is_empty() || !found.open.is_empty()),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Finishes what was interrupted, and tells which volumes there are.
pub(in crate::journal) fn settle(dir: &Path) -> Result<Found, Error> {
    move_first_format(dir)?;
    let mut found = list(dir)?;
    for path in std::mem::take(&mut found.leftover) {
        remove(&path)?;
    }
    // A sealed volume is complete when it has its name, and then its sled goes; but not before it was looked at: this
    // is the last moment at which there are two.
    for (first, open) in std::mem::take(&mut found.open) {
        let Some(at) = found.sealed.iter().position(|(other, _)| *other == first) else {
            found.open.push((first, open));
            continue;
        };
        let sealed = &found.sealed[at].1;
        match Sealed::new(sealed.clone(), first, Arc::default()).read_through() {
            Ok(_) => remove(&open)?,
            Err(Error::Damaged { .. }) => {
                remove(sealed)?;
                found.sealed.remove(at);
                found.open.push((first, open));
            }
            Err(e) => return Err(e),
        }
    }
    for (first, path) in std::mem::take(&mut found.damaged) {
        let mut others = found.sealed.iter().chain(&found.open);
        if others.any(|(other, _)| *other == first) {
            found.damaged.push((first, path));
            continue;
        }
        // Nothing of it has been saved yet.
        let open = open_path(dir, first);
        fs::rename(&path, &open).map_err(|e| Error::io("rename", &path, e))?;
        found.open.push((first, open));
    }
    Ok(found)
}

/// Volumes, and no more than that.
pub(in crate::journal) fn list(dir: &Path) -> Result<Found, Error> {
    let failed = |e| Error::io("list", dir, e);
    let mut found = Found::default();
    for file in dir.read_dir().map_err(failed)? {
        let path = file.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (stem, kind) = name.split_once('.').unwrap_or((&name, ""));
        let is_number = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| stem.parse::<u64>().ok()).flatten();
        match (number, kind) {
            (Some(first), "vol") => found.sealed.push((first, path)),
            (Some(first), "") if path.is_dir() => found.open.push((first, path)),
            (Some(first), "damaged") => found.damaged.push((first, path)),
            (Some(_), "tmp" | "gone") => found.leftover.push(path),
            _ => {}
        }
    }
    Ok(found)
}

/// All that is there, by name, but for the lock and what was set aside.
pub(in crate::journal) fn everything(dir: &Path) -> Result<Vec<(OsString, PathBuf)>, Error> {
    let failed = |e| Error::io("list", dir, e);
    let mut found = Vec::new();
    for file in dir.read_dir().map_err(failed)? {
        let file = file.map_err(failed)?;
        let name = file.file_name();
        if name != "lock" && !name.to_string_lossy().starts_with("bad-") {
            found.push((name, file.path()));
        }
    }
    Ok(found)
}

/// The log goes last: until then it is not taken for moved.
fn move_first_format(dir: &Path) -> Result<(), Error> {
    let moving = dir.join(MOVING);
    let failed = |e| Error::io("move the journal of an earlier version in", dir, e);
    if dir.join("db").is_file() {
        fs::create_dir_all(&moving).map_err(failed)?;
        let mut names: Vec<_> = dir
            .read_dir()
            .map_err(failed)?
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| name == "conf" || name == "blobs" || name.starts_with("snap."))
            .collect();
        names.push("db".to_owned());
        for name in names {
            fs::rename(dir.join(&name), moving.join(&name)).map_err(failed)?;
            #[cfg(test)]
            crate::journal::tests::steps::reached();
        }
        sync_dir(&moving)?;
    }
    if moving.is_dir() {
        fs::rename(&moving, open_path(dir, 1)).map_err(failed)?;
        sync_dir(dir)?;
    }
    Ok(())
}

/// Removes what is not needed any more. A directory loses its name first: half of it is never taken for a volume.
pub(in crate::journal) fn remove(path: &Path) -> Result<(), Error> {
    let failed = |e| Error::io("remove", path, e);
    let removed = if path.is_dir() && path.extension().is_none() {
        let gone = path.with_extension("gone");
        fs::rename(path, &gone).and_then(|()| {
            #[cfg(test)]
            crate::journal::tests::steps::reached();
            fs::remove_dir_all(gone)
        })
    } else if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    #[cfg(test)]
    crate::journal::tests::steps::reached();
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(e)),
        _ => Ok(()),
    }
}
