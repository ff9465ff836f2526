//! A file that an operator named, which need not be what it should be.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Why a file could not be read, in words that go on from its name.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It would have to be waited for, or has no end.
    #[error("it is {0}, not a regular file")]
    Irregular(&'static str),
    /// It is no file of its kind.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The operating system said no.
    #[error("{0}")]
    Refused(String),
}

/// All of a regular file, up to `limit` bytes.
pub(crate) fn read(file: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
    regular(file)?;
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| refused(file, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Unreadable::TooLarge(limit));
    }
    Ok(bytes)
}

/// An error for what cannot be read from its beginning to its end: opening a pipe waits for a writer, and a device
/// goes on for ever.
pub(crate) fn regular(file: &Path) -> Result<(), Unreadable> {
    let found = fs::metadata(file).map_err(|error| refused(file, &error))?;
    match kind(found.file_type()) {
        None => Ok(()),
        Some(kind) => Err(Unreadable::Irregular(kind)),
    }
}

fn kind(found: FileType) -> Option<&'static str> {
    if found.is_file() {
        None
    } else if found.is_dir() {
        Some("a directory")
    } else if found.is_fifo() {
        Some("a pipe")
    } else if found.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

fn refused(file: &Path, error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        io::ErrorKind::PermissionDenied => Unreadable::Refused(format!("{error}{}", needs(file))),
        _ => Unreadable::Refused(error.to_string()),
    }
}

/// Which user lacks which right. A file that is out of sight is so because of the last directory that is not.
fn needs(file: &Path) -> String {
    let seen = |path: &Path| Some((path.to_owned(), fs::metadata(path).ok()?));
    let Some((path, found)) = file.ancestors().find_map(seen) else {
        return String::new();
    };
    let right = if found.is_dir() { "search" } else { "read" };
    format!(
        ": user id {} needs {right} permission on {} (owner {}, group {}, mode {:04o})",
        rustix::process::geteuid().as_raw(),
        path.display(),
        found.uid(),
        found.gid(),
        found.mode() & 0o7777,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(file: &str) -> String {
        read(Path::new(file), 10).unwrap_err().to_string()
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let fifo = path("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(
            why(fifo.to_str().unwrap()),
            "it is a pipe, not a regular file"
        );
        assert_eq!(why("/dev/zero"), "it is a device, not a regular file");
        assert_eq!(why("/"), "it is a directory, not a regular file");
        assert_eq!(why("/nowhere/at/all"), "there is no such file");
        fs::write(path("ten"), "0123456789").unwrap();
        assert_eq!(read(&path("ten"), 10).unwrap(), b"0123456789");
        fs::write(path("eleven"), "0123456789.").unwrap();
        let eleven = path("eleven");
        assert_eq!(why(eleven.to_str().unwrap()), "it is larger than 10 bytes");
    }

    #[test]
    fn a_missing_right_is_told_with_who_needs_it() {
        let directory = tempfile::tempdir().unwrap();
        let seen = directory.path().join("seen");
        fs::write(&seen, "").unwrap();
        let hidden = directory.path().join("out/of/sight");
        for (path, right) in [(&seen, "read"), (&hidden, "search")] {
            let denied = io::Error::from(io::ErrorKind::PermissionDenied);
            let text = refused(path, &denied).to_string();
            assert!(
                text.contains(&format!("needs {right} permission on ")),
                "{text}"
            );
        }
    }
}
