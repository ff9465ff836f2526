//! Files that lose bytes while nobody has them open: as after a host that died.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rha::ingest::notify;
use rha::ingest::spool::{Frame, Reader};
use serde::Serialize;

use crate::dice::Dice;
use crate::ledger::TornSpool;
use crate::load::{Writer, writer_of_line};

/// One tear in so many hits the newest log; the others hit any file.
const LOG_OF: u64 = 4;
/// Most that a tear of the journal takes.
const JOURNAL_BYTES: u64 = 8192;
/// Less than a frame of the spool has, so that it shows.
const SPOOL_BYTES: u64 = 60;
/// Frames that are read at once.
const FRAMES: usize = 1024;

/// What a file of the journal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// sled's log, which is written to.
    Log,
    /// An older one.
    OldLog,
    /// A volume that is not written to any more.
    Sealed,
    /// A snapshot of the machine's state.
    State,
    /// How far the journal had come.
    Mark,
    /// What else is there.
    Other,
}

/// Cuts the end off the newest segment of the spool.
pub fn tear_spool(spool: &Path, dice: &mut Dice) -> anyhow::Result<TornSpool> {
    let path = last_file(spool, ".spool")?;
    let digits = |name: &str| {
        name.bytes()
            .filter(u8::is_ascii_digit)
            .map(char::from)
            .collect()
    };
    let number: String = path
        .file_name()
        .map_or_else(String::new, |name| digits(&name.to_string_lossy()));
    let segment = number.parse().with_context(|| path.display().to_string())?;
    let mut torn = TornSpool {
        segment,
        ..TornSpool::default()
    };
    let lines = lines_of(spool, segment)?;
    torn.end = cut(&path, dice.between(1, SPOOL_BYTES))?;
    let hit = lines.into_iter().filter(|(end, _)| *end > torn.end);
    torn.lines = hit.map(|(_, line)| line).collect();
    Ok(torn)
}

/// Each line of a segment, and where it ends.
fn lines_of(spool: &Path, segment: u64) -> anyhow::Result<Vec<(u64, (Writer, String))>> {
    let mut reader = Reader::open(spool, None)?;
    let mut lines = Vec::new();
    loop {
        let frames = reader.read(FRAMES)?;
        if frames.is_empty() {
            return Ok(lines);
        }
        for frame in frames {
            if let Frame::Line { position, line, .. } = frame
                && position.segment == segment
            {
                lines.push((position.offset, writer_of_line(&notify::parse(&line)?)));
            }
        }
    }
}

/// Tears one file of the journal, most often the newest log: cuts its end off, or overwrites bytes close to it.
pub fn tear_journal(journal: &Path, dice: &mut Dice) -> anyhow::Result<Part> {
    let mut files = Vec::new();
    list(journal, &mut files)?;
    files.sort();
    let log = files.iter().rposition(|path| path.ends_with("db"));
    let log = log.context("the journal has no log")?;
    let index = if dice.once_in(LOG_OF) {
        usize::try_from(dice.between(0, files.len() as u64 - 1))?
    } else {
        log
    };
    let path = &files[index];
    let part = match part_of(path) {
        Part::Log if index != log => Part::OldLog,
        part => part,
    };
    if dice.once_in(3) {
        blot(path, dice)?;
    } else {
        cut(path, dice.between(1, JOURNAL_BYTES))?;
    }
    Ok(part)
}

/// The regular files that hold something, but for `lock`.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is = entry.metadata()?;
        if is.is_dir() {
            list(&entry.path(), files)?;
        } else if is.is_file() && is.len() > 0 && entry.file_name() != "lock" {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn part_of(path: &Path) -> Part {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit('.').next() {
        Some("db") => Part::Log,
        Some("vol") => Part::Sealed,
        Some("state") => Part::State,
        Some("mark") => Part::Mark,
        _ => Part::Other,
    }
}

/// Cuts bytes off, at most all there are. Returns what is left.
fn cut(path: &Path, bytes: u64) -> anyhow::Result<u64> {
    let file = File::options().write(true).open(path)?;
    let end = file.metadata()?.len().saturating_sub(bytes);
    file.set_len(end)?;
    Ok(end)
}

/// Makes a run of bytes close to the end zeros: blocks that were allotted and never written.
fn blot(path: &Path, dice: &mut Dice) -> anyhow::Result<()> {
    let file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    let back = dice.between(1, JOURNAL_BYTES.min(length));
    let bytes = vec![0; usize::try_from(dice.between(1, back))?];
    Ok(file.write_all_at(&bytes, length - back)?)
}

/// The newest file in `dir` whose name ends so.
fn last_file(dir: &Path, ending: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .max()
        .with_context(|| format!("no {ending} in {}", dir.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test: what fails is shown

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_file_but_the_lock_is_torn_and_the_newest_log_most() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            "lock",
            "mark",
            "00000000000000000001.vol",
            "00000000000000000001.state",
            "00000000000000000002/db",
            "00000000000000000010/conf",
            "00000000000000000010/db",
        ];
        let mut dice = Dice::new(1);
        let mut torn = BTreeMap::<Part, usize>::new();
        for _ in 0..400 {
            for name in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, [7; 20_000]).unwrap();
            }
            let part = tear_journal(dir.path(), &mut dice).unwrap();
            let is_hit = |name: &&str| fs::read(dir.path().join(name)).unwrap() != [7; 20_000];
            let hit: Vec<&str> = files.into_iter().filter(|name| is_hit(name)).collect();
            assert_eq!(hit.len(), 1, "{hit:?}");
            let expected = match hit[0] {
                "mark" => Part::Mark,
                name if name.ends_with(".vol") => Part::Sealed,
                name if name.ends_with(".state") => Part::State,
                "00000000000000000002/db" => Part::OldLog,
                "00000000000000000010/db" => Part::Log,
                name => {
                    assert_ne!(name, "lock");
                    Part::Other
                }
            };
            assert_eq!(part, expected);
            *torn.entry(part).or_default() += 1;
        }
        assert_eq!(torn.len(), 6, "{torn:?}");
        assert!(torn[&Part::Log] > 280, "{torn:?}");
    }
}
