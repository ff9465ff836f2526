//! What is there already, and so what is to be done. Changes nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Error, What, io};

/// Most backups of one file.
const BACKUPS_MAX: u32 = 999;
/// The mode of a FIFO that only its owner can use.
const PRIVATE: u32 = 0o600;

/// What is to be done at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// It belongs to somebody else.
    Own,
    /// The FIFO is open to others.
    Close,
    /// The directory is missing.
    MakeDirectory,
    /// The FIFO is missing.
    MakeFifo,
    /// The file is missing.
    Write,
    /// The file has another text.
    Replace,
    /// The file has another text, which stays under this name.
    Supersede(PathBuf),
}

impl Change {
    /// What was done at `path`, or with `dry`, what would be done.
    #[must_use]
    pub fn tell(&self, path: &Path, dry: bool) -> String {
        let verb = |past: &'static str, plain: &'static str| if dry { plain } else { past };
        let (keep, change) = (verb("kept", "keep"), verb("changed", "change"));
        let (make, write) = (verb("made", "make"), verb("wrote", "write"));
        let deed = match self {
            Self::Keep => keep.to_owned(),
            Self::Own => format!("{change} the owner of"),
            Self::Close => format!("{change} the mode of"),
            Self::MakeDirectory => format!("{make} the directory"),
            Self::MakeFifo => format!("{make} the FIFO"),
            Self::Write => write.to_owned(),
            Self::Replace => verb("replaced", "replace").to_owned(),
            Self::Supersede(old) => format!("{keep} the old file as {} and {write}", old.display()),
        };
        let would = if dry { "would " } else { "" };
        format!("{would}{deed} {}", path.display())
    }
}

/// What is to be done so that `what` is at `path`, and belongs to `owner` if there is one.
pub(super) fn look(path: &Path, what: &What, owner: Option<(u32, u32)>) -> Result<Change, Error> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return Ok(match what {
                What::Directory => Change::MakeDirectory,
                What::Fifo => Change::MakeFifo,
                What::Initial(_) | What::File { .. } => Change::Write,
            });
        }
        Err(source) => return Err(io(path, source)),
    };
    let (fits, expected) = match what {
        What::Directory => (path.is_dir(), "directory"),
        // A link is none: its directory belongs to the user that the FIFO is made for.
        What::Fifo => (found.file_type().is_fifo(), "FIFO"),
        What::Initial(_) | What::File { .. } => (path.is_file(), "file"),
    };
    if !fits {
        let path = path.to_owned();
        return Err(Error::Occupied { path, expected });
    }
    Ok(match what {
        What::Fifo if found.mode() & 0o7777 != PRIVATE => Change::Close,
        What::File { text, backup } if !holds(path, text)? => match backup {
            true => Change::Supersede(free_backup(path)?),
            false => Change::Replace,
        },
        _ if owner.is_some_and(|owner| owner != (found.uid(), found.gid())) => Change::Own,
        _ => Change::Keep,
    })
}

fn holds(path: &Path, text: &str) -> Result<bool, Error> {
    let read = || {
        let mut found = Vec::new();
        // One byte more than is wanted shows a longer file.
        let limit = text.len() as u64 + 1;
        File::open(path)?.take(limit).read_to_end(&mut found)?;
        Ok(found == text.as_bytes())
    };
    read().map_err(|source| io(path, source))
}

/// The first `path.bak-N` that nothing is at.
pub(super) fn free_backup(path: &Path) -> Result<PathBuf, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut backups =
        (1..=BACKUPS_MAX).map(|number| path.with_file_name(format!("{name}.bak-{number}")));
    let free = backups.find(|backup| fs::symlink_metadata(backup).is_err());
    free.ok_or_else(|| {
        let full = format!("there are {BACKUPS_MAX} backups; remove some");
        io(path, std::io::Error::other(full))
    })
}
