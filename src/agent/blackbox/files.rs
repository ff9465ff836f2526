//! The files of the black box: lines go behind the last whole one, and the oldest file makes room.
//!
//! `records.jsonl` is written; when it is full it becomes `records.1.jsonl`, then `records.2.jsonl`
//! and so on, a name that it keeps: who follows it loses nothing. Nothing is synced: the kernel
//! writes within half a minute, and what a power cut takes is read from the journal again. (A sync
//! of its own would hold up the journal's.)

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::texts::Texts;
use crate::config::BlackBox as Limits;
use crate::views::line::{Line, Mark};

/// The file that is written.
const CURRENT: &str = "records.jsonl";

/// Longest line, in bytes. A record has 64 KiB at most, of which text is up to six times as long in
/// JSON, and stands in the event and in its summary.
pub const LINE_MAX: u64 = 2 << 20;

/// The files, open behind the last whole line.
pub(super) struct Files {
    dir: PathBuf,
    limits: Limits,
    current: File,
}

impl Files {
    /// Opens the files in `dir`, or begins some. What is behind the last whole line is cut off. Returns the
    /// record of that line too.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open(dir: &Path, limits: Limits) -> io::Result<(Self, Option<Mark>)> {
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o750).create(dir)?;
        let mut files = Self {
            dir: dir.to_owned(),
            limits,
            current: create(dir)?,
        };
        let length = files.current.metadata()?.len();
        let End {
            mut mark,
            length: whole,
        } = End::of(&files.current, length)?;
        if mark.is_none() && whole > 0 {
            // None of ours, and not ours to destroy.
            files.set_aside()?;
        } else if whole < length {
            files.current.set_len(whole)?;
        }
        if mark.is_none() {
            mark = last(dir)?;
        }
        Ok((files, mark))
    }

    /// Writes a line, at the end of this file or as the first of the next. After an error part of it may be
    /// there: open the files again.
    ///
    /// # Errors
    /// Those of the file system; the file was removed.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        let found = self.current.metadata()?;
        if found.nlink() == 0 {
            return Err(io::Error::other("its file was removed"));
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        if found.len() > 0 && found.len() + bytes.len() as u64 > self.limits.file {
            self.set_aside()?;
        }
        self.current.write_all(&bytes)
    }

    fn set_aside(&mut self) -> io::Result<()> {
        let number = full(&self.dir)?.last().map_or(1, |(number, _)| number + 1);
        let name = self.dir.join(format!("records.{number}.jsonl"));
        fs::rename(self.dir.join(CURRENT), name)?;
        self.current = create(&self.dir)?;
        self.make_room()
    }

    /// Removes the oldest files, so that the one that is begun has room.
    fn make_room(&self) -> io::Result<()> {
        let mut sized = Vec::new();
        for (_, path) in full(&self.dir)? {
            sized.push((fs::metadata(&path)?.len(), path));
        }
        let mut total: u64 = sized.iter().map(|(size, _)| size).sum();
        for (size, path) in sized {
            if total + self.limits.file <= self.limits.keep {
                break;
            }
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

/// The record of the last whole line.
///
/// # Errors
/// Those of the file system.
pub(super) fn last(dir: &Path) -> io::Result<Option<Mark>> {
    if !dir.try_exists()? {
        return Ok(None);
    }
    let mut paths: Vec<_> = full(dir)?.into_iter().map(|(_, path)| path).collect();
    paths.push(dir.join(CURRENT));
    for path in paths.iter().rev() {
        let Some(file) = found(File::open(path))? else {
            continue;
        };
        let end = End::of(&file, file.metadata()?.len())?;
        if end.mark.is_some() {
            return Ok(end.mark);
        }
    }
    Ok(None)
}

/// The records of the last lines, as far back as their numbers ascend: those of one journal, or of a part of it.
///
/// # Errors
/// Those of the file system.
pub(super) fn last_run(dir: &Path) -> io::Result<Vec<Mark>> {
    let mut run: Vec<Mark> = Vec::new();
    let mut texts = Texts::new(open_all(dir)?);
    while let Some(text) = texts.line()? {
        let Some(line) = String::from_utf8(text).ok().and_then(Line::read) else {
            continue;
        };
        let mark = line.mark();
        if run.last().is_some_and(|last| last.seq >= mark.seq) {
            run.clear();
        }
        run.push(mark);
    }
    Ok(run)
}

/// All files, open for reading, oldest first; of a path that is a file, this one.
///
/// # Errors
/// Those of the file system.
pub fn open_all(place: &Path) -> io::Result<Vec<File>> {
    if !fs::metadata(place)?.is_dir() {
        return Ok(vec![File::open(place)?]);
    }
    // First the one that may be set aside meanwhile, and then stands among the others too.
    let current = found(File::open(place.join(CURRENT)))?;
    let is_current = |file: &File| -> io::Result<bool> {
        let Some(current) = &current else {
            return Ok(false);
        };
        let (one, other) = (file.metadata()?, current.metadata()?);
        Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
    };
    let mut files = Vec::new();
    for (_, path) in full(place)? {
        // The oldest may be gone by now.
        if let Some(file) = found(File::open(path))?
            && !is_current(&file)?
        {
            files.push(file);
        }
    }
    files.extend(current);
    Ok(files)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn create(dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(0o640);
    options.open(dir.join(CURRENT))
}

/// The files that were set aside, by number.
fn full(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for file in dir.read_dir()? {
        let file = file?;
        let name = file.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("records.")?.strip_suffix(".jsonl"))
            .and_then(|number| number.parse().ok());
        files.extend(number.map(|number| (number, file.path())));
    }
    files.sort_unstable();
    Ok(files)
}

/// Where a file is to go on.
struct End {
    /// The record of the last whole line.
    mark: Option<Mark>,
    /// Up to where the file is kept, in bytes.
    length: u64,
}

impl End {
    /// The end of a file of `length` bytes.
    fn of(file: &File, length: u64) -> io::Result<Self> {
        let start = length.saturating_sub(LINE_MAX);
        let mut bytes = vec![0; usize::try_from(length - start).unwrap_or_default()];
        file.read_exact_at(&mut bytes, start)?;
        let mut end = bytes.len();
        while let Some(last) = bytes[..end].iter().rposition(|byte| *byte == b'\n') {
            let before = bytes[..last].iter().rposition(|byte| *byte == b'\n');
            let text = &bytes[before.map_or(0, |at| at + 1)..last];
            let line = String::from_utf8(text.to_vec()).ok().and_then(Line::read);
            if let Some(line) = line {
                return Ok(Self {
                    mark: Some(line.mark()),
                    length: start + last as u64 + 1,
                });
            }
            end = last;
        }
        // A first line that was torn, or something else.
        let is_torn = end == bytes.len() && start == 0;
        Ok(Self {
            mark: None,
            length: if is_torn { 0 } else { length },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::model::record::{Record, Seq};
    use crate::views::fixture;
    use crate::views::line::Entry;

    const LIMITS: Limits = Limits {
        keep: 8 << 10,
        file: 2 << 10,
    };

    fn text(record: &Record) -> String {
        record.json().unwrap().into_owned()
    }

    fn lines(dir: &Path) -> Vec<String> {
        let mut text = String::new();
        for mut file in open_all(dir).unwrap() {
            file.read_to_string(&mut text).unwrap();
        }
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_oldest_go_and_all_together_stay_within_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let (mut files, _) = Files::open(dir.path(), LIMITS).unwrap();
        let told: Vec<_> = fixture::failover().iter().map(text).collect();
        let mut written = Vec::new();
        for line in told.iter().cycle().take(200) {
            files.append(line).unwrap();
            written.push(line.clone());
            let sizes = dir.path().read_dir().unwrap();
            let total: u64 = sizes.map(|f| f.unwrap().metadata().unwrap().len()).sum();
            assert!(total <= LIMITS.keep, "{total}");
        }
        let kept = lines(dir.path());
        assert!(kept.len() >= 4, "{}", kept.len());
        assert_eq!(kept, written[written.len() - kept.len()..]);
        assert!(full(dir.path()).unwrap().len() >= 2);
    }

    #[test]
    fn what_is_torn_is_cut_and_what_is_whole_is_kept() {
        let records = fixture::failover();
        let whole: String = records[..3].iter().map(|r| text(r) + "\n").collect();
        let next = text(&records[3]);
        let mark = Some(Mark::from(&records[2]));
        for torn in [
            &next[..next.len() / 2],
            &next,
            "\0\0\0\0",
            "x\ny\n{",
            "\n",
            "",
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(CURRENT), format!("{whole}{torn}")).unwrap();
            let (mut files, found) = Files::open(dir.path(), LIMITS).unwrap();
            assert_eq!(found, mark, "{torn:?}");
            files.append(&next).unwrap();
            let expected: Vec<_> = records[..4].iter().map(text).collect();
            assert_eq!(lines(dir.path()), expected, "{torn:?}");
        }
        // Nothing but a torn line: the last one is in the file before.
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("records.7.jsonl"), &whole).unwrap();
        fs::write(dir.path().join(CURRENT), &next[..9]).unwrap();
        assert_eq!(Files::open(dir.path(), LIMITS).unwrap().1, mark);
        assert_eq!(fs::read(dir.path().join(CURRENT)).unwrap(), b"");
        // What is none of ours is not destroyed.
        fs::write(dir.path().join(CURRENT), "a\nb\n").unwrap();
        assert_eq!(Files::open(dir.path(), LIMITS).unwrap().1, mark);
        assert_eq!(
            fs::read(dir.path().join("records.8.jsonl")).unwrap(),
            b"a\nb\n"
        );
    }

    #[test]
    fn a_file_that_was_removed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut files, mark) = Files::open(dir.path(), LIMITS).unwrap();
        assert_eq!(mark, None);
        let record = &fixture::failover()[0];
        assert_eq!(record.seq, Seq(1));
        files.append(&text(record)).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(files.append(&text(record)).is_err());
    }
}
