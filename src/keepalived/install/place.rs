//! Files, directories and pipes put in place, each so that nobody who may write beside them can turn it
//! against another file.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fchmod, fstat, mknodat};

use super::look::free_backup;
use super::{Error, io};

/// The mode of a FIFO that only its owner can use.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

pub(super) fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|source| io(parent, source))
}

pub(super) fn directory(path: &Path) -> Result<(), Error> {
    fs::create_dir(path).map_err(|source| io(path, source))?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).map_err(|source| io(path, source))
}

pub(super) fn fifo(path: &Path) -> Result<(), Error> {
    mknodat(CWD, path, FileType::Fifo, PRIVATE, 0).map_err(|errno| io(path, errno.into()))
}

/// Leaves a FIFO to its owner alone. It is opened without following links: the mode of another file
/// would be changed otherwise.
pub(super) fn close(path: &Path) -> Result<(), Error> {
    let close = || -> rustix::io::Result<bool> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(path, flags, Mode::empty())?;
        let is_fifo = FileType::from_raw_mode(fstat(&pipe)?.st_mode) == FileType::Fifo;
        if is_fifo {
            fchmod(&pipe, PRIVATE)?;
        }
        Ok(is_fifo)
    };
    match close() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Occupied {
            path: path.to_owned(),
            expected: "FIFO",
        }),
        Err(errno) => Err(io(path, errno.into())),
    }
}

/// Writes `text` where nothing is yet.
pub(super) fn initial(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        options.open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|source| io(path, source))
}

/// Puts `text` in the place of whatever is at `path`, at once and as a whole.
pub(super) fn file(path: &Path, text: &str) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.rha-new"));
    let write = || {
        // What a killed installation left behind.
        remove(&new)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| io(&new, source))?;
    fs::rename(&new, path).map_err(|source| io(path, source))
}

/// Keeps `path` under the first free name, which it returns.
pub(super) fn keep(path: &Path) -> Result<PathBuf, Error> {
    loop {
        let backup = free_backup(path)?;
        // A hard link never replaces anything, and the rename that follows leaves it the old file.
        match fs::hard_link(path, &backup) {
            Ok(()) => return Ok(backup),
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(io(&backup, source)),
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

/// Gives `path` to `owner`. Links are not followed: their directory belongs to the very user that the
/// file is given to.
pub(super) fn own(path: &Path, owner: (u32, u32)) -> Result<(), Error> {
    lchown(path, Some(owner.0), Some(owner.1)).map_err(|source| io(path, source))
}
