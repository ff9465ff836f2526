//! Files, directories and pipes put in place: each function changes nothing that is right already, and
//! says what it did, or nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fchmod, fstat, mknodat};
use rustix::io::Errno;

use super::{Error, io};

/// Most backups of one file.
const BACKUPS_MAX: u32 = 999;

pub(super) fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|source| io(parent, source))
}

pub(super) fn directory(path: &Path) -> Result<Option<&'static str>, Error> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(None),
        Ok(_) => Err(Error::Occupied {
            path: path.to_owned(),
            expected: "directory",
        }),
        Err(_) => {
            fs::create_dir(path).map_err(|source| io(path, source))?;
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(path, mode).map_err(|source| io(path, source))?;
            Ok(Some("made the directory"))
        }
    }
}

/// A named pipe that only its owner can use. An existing one is opened without following links, so that
/// nobody can have the mode of another file changed.
pub(super) fn fifo(path: &Path) -> Result<Option<&'static str>, Error> {
    let private = Mode::RUSR | Mode::WUSR;
    let open = || -> rustix::io::Result<bool> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(path, flags, Mode::empty())?;
        let is_fifo = FileType::from_raw_mode(fstat(&pipe)?.st_mode) == FileType::Fifo;
        if is_fifo {
            fchmod(&pipe, private)?;
        }
        Ok(is_fifo)
    };
    match open() {
        Ok(true) => Ok(None),
        Ok(false) | Err(Errno::LOOP | Errno::ISDIR) => Err(Error::Occupied {
            path: path.to_owned(),
            expected: "FIFO",
        }),
        Err(Errno::NOENT) => {
            mknodat(CWD, path, FileType::Fifo, private, 0)
                .map_err(|errno| io(path, errno.into()))?;
            Ok(Some("made the FIFO"))
        }
        Err(errno) => Err(io(path, errno.into())),
    }
}

pub(super) fn initial(path: &Path, text: &str) -> Result<Option<&'static str>, Error> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path);
    match opened {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .map_err(|source| io(path, source))?;
            Ok(Some("wrote"))
        }
        Err(why) if why.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(source) => Err(io(path, source)),
    }
}

pub(super) fn file(path: &Path, text: &str, backup: bool) -> Result<Option<&'static str>, Error> {
    let found = match File::open(path) {
        Ok(opened) => {
            let mut found = Vec::new();
            // One byte more than is wanted shows a longer file.
            let limit = text.len() as u64 + 1;
            opened
                .take(limit)
                .read_to_end(&mut found)
                .map_err(|source| io(path, source))?;
            Some(found)
        }
        Err(why) if why.kind() == ErrorKind::NotFound => None,
        Err(source) => return Err(io(path, source)),
    };
    if found.as_deref() == Some(text.as_bytes()) {
        return Ok(None);
    }
    if backup && found.is_some() {
        keep(path)?;
    }
    let new = write_beside(path, text)?;
    fs::rename(&new, path).map_err(|source| io(path, source))?;
    Ok(Some(match (found, backup) {
        (None, _) => "wrote",
        (Some(_), true) => "kept the old file as .bak-N and wrote",
        (Some(_), false) => "replaced",
    }))
}

/// Copies `path` to the first free `path.bak-N`.
fn keep(path: &Path) -> Result<(), Error> {
    for number in 1..=BACKUPS_MAX {
        let backup = beside(path, "", &format!(".bak-{number}"));
        // A hard link never replaces anything, and the rename that follows leaves it the old file.
        match fs::hard_link(path, &backup) {
            Ok(()) => return Ok(()),
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(io(&backup, source)),
        }
    }
    let full = std::io::Error::other(format!("there are {BACKUPS_MAX} backups; remove some"));
    Err(io(path, full))
}

/// Writes `text` into a new file next to `path`, down to the disk.
pub(super) fn write_beside(path: &Path, text: &str) -> Result<PathBuf, Error> {
    let new = beside(path, ".", ".rha-new");
    // What a killed installation left behind.
    remove(&new)?;
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| io(&new, source))?;
    Ok(new)
}

pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(io(path, why)),
        _ => Ok(()),
    }
}

/// Gives `path` to `owner`; true if it had another one. Links are not followed: their directory belongs
/// to the very user that the file is given to.
pub(super) fn own(path: &Path, owner: (u32, u32)) -> Result<bool, Error> {
    let found = fs::symlink_metadata(path).map_err(|source| io(path, source))?;
    if (found.uid(), found.gid()) == owner {
        return Ok(false);
    }
    lchown(path, Some(owner.0), Some(owner.1)).map_err(|source| io(path, source))?;
    Ok(true)
}

fn beside(path: &Path, before: &str, behind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{behind}"))
}
