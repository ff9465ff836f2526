//! Segments that a follower of a FIFO may have to look into again.
//!
//! The agent removes a segment as soon as it has journaled all of it. That may be before the follower has taken
//! the lines that it appended there out of its FIFO; were it killed just then, the next one would find no trace
//! of them, and append them again. So a follower gives each segment, before it appends to it, a second name
//! (a hard link), `kept-<follower>-<inode>.spool`, and takes that away when the FIFO has let go of the lines.
//! One segment is kept so for each follower, for there may always be more to append to it.
//!
//! The follower is told by the path of its FIFO. What another one leaves that never comes again takes space
//! and does no harm.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::v1::{Decoded, decode};
use super::{Source, explain};
use crate::model::time::At;

/// The second names that one follower gives.
#[derive(Debug)]
pub(super) struct Keeper {
    dir: PathBuf,
    /// What they begin with.
    prefix: String,
    /// By their inodes; `None` before the first look at what was left behind.
    kept: Option<BTreeSet<u64>>,
}

impl Keeper {
    pub(super) fn new(dir: &Path, who: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let who = std::path::absolute(who).unwrap_or_else(|_| who.to_owned());
        Self {
            dir: dir.to_owned(),
            prefix: format!("kept-{:08x}-", crc32fast::hash(who.as_os_str().as_bytes())),
            kept: None,
        }
    }

    /// Gives this segment a second name. Where the file system has none to give, a follower that is killed may
    /// find its lines gone and append them again: rather twice than never.
    pub(super) fn keep(&mut self, segment: &Path, is: &Metadata) {
        let _ = fs::hard_link(segment, self.name(is.ino()));
        self.kept().insert(is.ino());
    }

    /// Takes the second names away, but for that of the present segment.
    pub(super) fn let_go(&mut self, present: Option<&File>) {
        let present = present.and_then(|file| Some(file.metadata().ok()?.ino()));
        let kept = std::mem::take(self.kept());
        let (still, gone): (BTreeSet<_>, BTreeSet<_>) =
            kept.into_iter().partition(|inode| Some(*inode) == present);
        for inode in gone {
            // What cannot be removed now is found by the next follower.
            let _ = fs::remove_file(self.name(inode));
        }
        self.kept = Some(still);
    }

    fn kept(&mut self) -> &mut BTreeSet<u64> {
        let Self { dir, prefix, kept } = self;
        kept.get_or_insert_with(|| {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let inode = |name: &str| {
                let rest = name.strip_prefix(&**prefix)?;
                rest.strip_suffix(".spool")?.parse().ok()
            };
            entries
                .filter_map(|entry| inode(entry.file_name().to_str()?))
                .collect()
        })
    }

    fn name(&self, inode: u64) -> PathBuf {
        self.dir.join(format!("{}{inode}.spool", self.prefix))
    }
}

/// How many lines from a FIFO stand under this stamp, in the segments and in those that are kept.
///
/// # Errors
/// The spool cannot be read.
pub fn count(dir: &Path, stamp: At) -> io::Result<usize> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(explain(dir, &e)),
    };
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for entry in entries {
        let path = entry.map_err(|e| explain(dir, &e))?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "spool")
        {
            continue;
        }
        match count_in(&path, stamp, &mut seen) {
            Ok(found) => count += found,
            // Removed since: whoever needs it has kept it, under a name that stays.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(explain(&path, &e)),
        }
    }
    Ok(count)
}

/// `seen`: inodes of the files that were looked into under another name.
fn count_in(path: &Path, stamp: At, seen: &mut BTreeSet<u64>) -> io::Result<usize> {
    let file = File::open(path)?;
    if !seen.insert(file.metadata()?.ino()) {
        return Ok(0);
    }
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    let mut count = 0;
    while reader.read_until(b'\n', &mut text)? > 0 {
        // One that lacks its newline only is read as a line too.
        let frame = decode(text.strip_suffix(b"\n").unwrap_or(&text));
        let is_it = |line: &super::Line| line.stamped == stamp && line.source == Source::Fifo;
        count += usize::from(matches!(&frame, Decoded::Line(line) if is_it(line)));
        text.clear();
    }
    Ok(count)
}
