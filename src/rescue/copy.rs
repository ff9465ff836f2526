//! One file to the shelf: whole and on the disk, or not there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::note::Note;

/// From one look whether it is still wanted to the next.
const PIECE: u64 = 4 << 20;
/// What every RDB begins with.
const MAGIC: &[u8] = b"REDIS";

/// Ends a copying, at its next piece, when it is dropped.
#[derive(Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// What a copying looks at.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Copies the RDB `from` into `dir`, with its note: readable by the owner only, on the disk before it has its name. What
/// an earlier try left behind under this instance's name is removed. Returns where it is.
///
/// # Errors
/// It cannot be read or written, is no RDB, or was stopped; then nothing of it is left.
pub fn copy(mut from: File, dir: &Path, note: &Note, stop: &AtomicBool) -> io::Result<PathBuf> {
    sweep(dir, &note.instance)?;
    let path = dir.join(note.file_name());
    let temporary = path.with_extension("rdb.tmp");
    let copied = create(&temporary).and_then(|mut file| {
        pieces(&mut from, &mut file, stop)?;
        file.sync_all()
    });
    let done = copied.and_then(|()| {
        let about = Note::place(&path);
        let draft = path.with_extension("json.tmp");
        let mut file = create(&draft)?;
        file.write_all(&note.text()?)?;
        file.sync_all()?;
        fs::rename(&draft, &about)?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    });
    if let Err(error) = done {
        // It is in the way of nothing; the next try removes it.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(path)
}

/// Makes the directory, for the owner only, where there is none.
///
/// # Errors
/// It cannot be made.
pub fn prepare(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        fs::create_dir_all(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn pieces(from: &mut File, to: &mut File, stop: &AtomicBool) -> io::Result<()> {
    let mut head = [0; MAGIC.len()];
    match from.read_exact(&mut head) {
        Ok(()) if head == MAGIC => {}
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
        _ => return Err(io::Error::new(ErrorKind::InvalidData, "it is no RDB")),
    }
    to.write_all(&head)?;
    while !stop.load(Ordering::Relaxed) {
        if io::copy(&mut Read::by_ref(from).take(PIECE), to)? == 0 {
            return Ok(());
        }
    }
    Err(io::Error::new(ErrorKind::Interrupted, "it was stopped"))
}

/// What a copying that did not end left behind.
fn sweep(dir: &Path, instance: &str) -> io::Result<()> {
    let begins = format!("{instance}-e");
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&begins) && name.ends_with(".tmp") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(dir: &Path, text: &str) -> File {
        fs::write(dir.join("dump"), text).unwrap();
        File::open(dir.join("dump")).unwrap()
    }

    #[test]
    fn a_copy_is_private_and_has_its_note() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = dir.path().join("rescue");
        prepare(&shelf).unwrap();
        let stop = Stop::default();
        let from = source(dir.path(), "REDIS0010");
        let path = copy(from, &shelf, &Note::sample(), &stop.flag()).unwrap();
        assert!(path.ends_with("redis-e3-o98765-20260803T060001Z.rdb"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "REDIS0010");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&Note::place(&path))), (0o600, 0o600));
        assert_eq!(mode(&shelf), 0o700);
        assert_eq!(Note::beside(&path), Some(Note::sample()));
    }

    #[test]
    fn what_fails_leaves_nothing_and_what_was_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = dir.path().join("rescue");
        prepare(&shelf).unwrap();
        let from = source(dir.path(), "no dump");
        let error = copy(from, &shelf, &Note::sample(), &AtomicBool::new(false)).unwrap_err();
        assert_eq!(error.to_string(), "it is no RDB");
        fs::write(shelf.join("redis-e1-o1-x.rdb.tmp"), "").unwrap();
        fs::write(shelf.join("other-e1-o1-x.rdb.tmp"), "").unwrap();
        let from = source(dir.path(), "REDIS0010");
        let error = copy(from, &shelf, &Note::sample(), &AtomicBool::new(true)).unwrap_err();
        assert_eq!(error.to_string(), "it was stopped");
        let left: Vec<_> = fs::read_dir(&shelf).unwrap().collect();
        assert_eq!(left.len(), 1, "another instance may be copying: {left:?}");
    }
}
