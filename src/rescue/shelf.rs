//! The directory of saved data sets: what is there, and room for one more.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::note::Note;

/// What stays free on the file system: others write there, too, the journal first of all.
const LEFT_FREE: u64 = 64 << 20;

/// One saved data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The RDB.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub written: SystemTime,
    /// What is known of it; `None` where its note is gone.
    pub note: Option<Note>,
}

/// How much may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many data sets.
    pub keep: u16,
    /// So many bytes, all together.
    pub size: u64,
}

/// What is there, the oldest first; nothing where there is no such directory.
///
/// # Errors
/// It cannot be read.
pub fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "rdb") {
            continue;
        }
        let about = match fs::metadata(&path) {
            // Removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            about => about?,
        };
        found.push(Entry {
            bytes: about.len(),
            written: about.modified()?,
            note: Note::beside(&path),
            path,
        });
    }
    found.sort_by(|one, other| (one.written, &one.path).cmp(&(other.written, &other.path)));
    Ok(found)
}

/// Makes room for one more of `bytes` bytes: the oldest go. Nothing goes where that would not help.
///
/// # Errors
/// There is no room; one line that says why.
pub fn make_room(dir: &Path, bounds: Bounds, bytes: u64) -> Result<(), String> {
    let Bounds { keep, size } = bounds;
    if bytes > size {
        return Err(format!(
            "it takes {bytes} bytes, and [rescue] size is {size}"
        ));
    }
    let in_words = |error: io::Error| format!("{}: {error}", dir.display());
    let entries = list(dir).map_err(in_words)?;
    let count = entries.len().saturating_add(1);
    let taken: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let (mut over, mut taken) = (
        count.saturating_sub(usize::from(keep.max(1))),
        taken.saturating_add(bytes),
    );
    let mut going = Vec::new();
    for entry in &entries {
        if over == 0 && taken <= size {
            break;
        }
        over = over.saturating_sub(1);
        taken = taken.saturating_sub(entry.bytes);
        going.push(entry);
    }
    let about = rustix::fs::statvfs(dir).map_err(|error| in_words(error.into()))?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let freed: u64 = going.iter().map(|entry| entry.bytes).sum();
    let needed = bytes.saturating_add(LEFT_FREE);
    if free.saturating_add(freed) < needed {
        return Err(format!(
            "{} has {free} bytes free, and {needed} are needed ({LEFT_FREE} stay free)",
            dir.display()
        ));
    }
    for entry in going {
        remove(entry).map_err(in_words)?;
    }
    Ok(())
}

fn remove(entry: &Entry) -> io::Result<()> {
    fs::remove_file(&entry.path)?;
    match fs::remove_file(Note::place(&entry.path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn put(dir: &Path, name: &str, bytes: usize, age: u64) {
        let path = dir.join(name);
        fs::write(&path, vec![0; bytes]).unwrap();
        fs::write(Note::place(&path), "{}").unwrap();
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(written).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_and_their_notes_with_them() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "a.rdb", 10, 1);
        put(dir.path(), "b.rdb", 10, 3);
        put(dir.path(), "c.rdb", 10, 2);
        let bounds = Bounds {
            keep: 3,
            size: 1000,
        };
        make_room(dir.path(), bounds, 10).unwrap();
        assert_eq!(names(dir.path()), ["a.json", "a.rdb", "c.json", "c.rdb"]);
        let bounds = Bounds { keep: 9, size: 25 };
        make_room(dir.path(), bounds, 10).unwrap();
        assert_eq!(names(dir.path()), ["a.json", "a.rdb"]);
    }

    #[test]
    fn nothing_goes_where_that_would_not_help() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "a.rdb", 10, 1);
        let bounds = Bounds { keep: 1, size: 50 };
        let why = make_room(dir.path(), bounds, 51).unwrap_err();
        assert_eq!(why, "it takes 51 bytes, and [rescue] size is 50");
        let bounds = Bounds {
            keep: 1,
            size: u64::MAX,
        };
        let why = make_room(dir.path(), bounds, u64::MAX - LEFT_FREE).unwrap_err();
        assert!(why.contains("bytes free, and"), "{why}");
        assert_eq!(names(dir.path()), ["a.json", "a.rdb"]);
    }

    #[test]
    fn a_missing_directory_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(&dir.path().join("none")).unwrap(), []);
    }
}
