//! The spool: files in which notify lines wait until the agent has them in its journal.
//!
//! `rha-event` appends, the agent reads, and neither needs the other to be alive. The spool is a
//! directory of segments `notify-<16 digits>.spool`; lines go to the newest one. A segment is text, and of
//! one format throughout. The formats are modules, frozen, named by their numbers ([`v1`] is the only
//! one so far); of every format, the first line begins with `rha-spool` and the number.
//!
//! A segment of a newer format, as an update that was taken back leaves behind, is neither written to
//! (writers begin one of their own behind it) nor passed over: keepalived's lines are of use in their order
//! only. What is in it and was not taken in waits, with all that is behind it, until rha is updated again or
//! the segment is moved away; [`Error::Newer`] says so.
//!
//! To add a format: a module with its golden segments, [`FORMAT`], and the choice in the reader.
//!
//! Rules that hold it together:
//! - All writing happens under an exclusive `flock` on the segment (some 20 µs), and the reader looks
//!   at the size under a shared one. So a write that a full disk cut short is taken back before
//!   anybody has seen it, and can be tried again.
//! - A writer that has the lock looks whether the segment still is the newest, and goes on if not;
//!   a newer segment is only made under the lock of the one before. So a segment that has a
//!   successor is final, and may be read to its end and removed.
//! - Each boot starts a segment of its own. The agent may take a line in before it is on the disk;
//!   if the host then loses power, the segment ends before the place where the agent has to go on,
//!   and nothing written after the boot may fill that gap.

mod keep;
mod reader;
mod v1;
mod writer;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::model::time::At;
use crate::model::vrrp::SpoolPosition;

pub use keep::count;
pub use reader::Reader;
pub use writer::Writer;

/// How much of a line is kept, in bytes: `PIPE_BUF`, the longest write that a FIFO keeps together.
pub const MAX_LINE: usize = 4096;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// By which of its three forms `rha-event` got a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From a FIFO that it follows.
    Fifo,
    /// From standard input.
    Stdin,
    /// From its own arguments, as a notify script.
    Args,
}

/// A line on its way into the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    stamped: At,
    source: Source,
    /// Without the newline, at most [`MAX_LINE`] bytes.
    bytes: Vec<u8>,
    /// Length of the line as it came.
    length: u64,
}

impl Line {
    /// A line without its newline; what is longer than [`MAX_LINE`] is cut.
    #[must_use]
    pub fn new(stamped: At, source: Source, line: &[u8]) -> Self {
        debug_assert!(!line.contains(&b'\n'), "one line at a time");
        let bytes = line[..line.len().min(MAX_LINE)].to_vec();
        Self {
            stamped,
            source,
            bytes,
            length: line.len() as u64,
        }
    }
}

/// What the reader finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A line.
    Line {
        /// Behind it: where reading goes on once it is journaled.
        position: SpoolPosition,
        /// When `rha-event` read it.
        stamped: At,
        /// How `rha-event` got it.
        source: Source,
        /// The line without its newline, at most [`MAX_LINE`] bytes.
        line: Vec<u8>,
        /// Length of the line as it came, where that was too long to be kept.
        truncated: Option<u64>,
    },
    /// Bytes that are no frame, or a segment that is gone or was cut (then 0 bytes).
    Damaged {
        /// Where reading went on.
        position: SpoolPosition,
        /// How many bytes were passed over.
        skipped_bytes: u64,
    },
}

/// Cuts a stream of bytes into lines without ever holding more than [`MAX_LINE`] bytes of one.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    kept: Vec<u8>,
    length: u64,
}

impl Splitter {
    /// Takes the next bytes of the stream and adds the lines that they complete to `lines`.
    pub fn feed(&mut self, bytes: &[u8], stamped: At, source: Source, lines: &mut Vec<Line>) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, is_end) = piece
                .strip_suffix(b"\n")
                .map_or((piece, false), |t| (t, true));
            self.kept
                .extend(&text[..text.len().min(MAX_LINE - self.kept.len())]);
            self.length += text.len() as u64;
            if is_end {
                lines.push(self.cut(stamped, source));
            }
        }
    }

    /// The last line where the stream ended without a newline.
    pub fn finish(&mut self, stamped: At, source: Source) -> Option<Line> {
        (self.length > 0).then(|| self.cut(stamped, source))
    }

    fn cut(&mut self, stamped: At, source: Source) -> Line {
        let Self {
            kept: bytes,
            length,
        } = std::mem::take(self);
        Line {
            stamped,
            source,
            bytes,
            length,
        }
    }
}

/// The agent's doorbell: a Unix datagram socket that the agent binds. One byte means "look at the
/// spool". Nobody home, or a full queue (the agent knows already), is no error.
#[derive(Debug)]
pub struct Doorbell {
    socket: Option<UnixDatagram>,
    path: PathBuf,
}

impl Doorbell {
    /// The doorbell at this path, at most 107 bytes long (unix(7)). It need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let socket = UnixDatagram::unbound()
            .and_then(|s| s.set_nonblocking(true).map(|()| s))
            .ok();
        Self {
            socket,
            path: path.to_owned(),
        }
    }

    /// Rings it. Never waits.
    pub fn ring(&self) {
        if let Some(socket) = &self.socket {
            // Lines are safe in the spool: the agent finds them whenever it looks.
            let _ = socket.send_to(&[1], &self.path);
        }
    }
}

/// Why the spool cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are lines in a format that this program does not know.
    #[error(
        "{}: written by a newer rha (spool format {found}, this one reads up to {FORMAT}), and left as it is: it and the lines \
         behind it wait, and of keepalived only the VIP's coming and going is seen. Update rha on this host, or, to do \
         without these lines, move the file away", path.display()
    )]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A file or the directory cannot be used; the text names it.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// An I/O error in one line: where, what, and for a permission who lacks it.
#[must_use]
pub fn explain(path: &Path, error: &io::Error) -> io::Error {
    let mut text = format!("{}: {error}", path.display());
    if error.kind() == io::ErrorKind::PermissionDenied {
        // The file may be out of sight or not exist yet: then the directory above it is in the way.
        let blocking = path
            .ancestors()
            .find_map(|p| Some((p, fs::metadata(p).ok()?)));
        if let Some((path, is)) = blocking {
            let needs = if is.is_dir() {
                "write and search"
            } else {
                "read and write"
            };
            text += &format!(
                ": user id {} needs {needs} permission on {} (owner {}, group {}, mode {:04o})",
                rustix::process::geteuid().as_raw(),
                path.display(),
                is.uid(),
                is.gid(),
                is.mode() & 0o7777,
            );
        }
    }
    io::Error::new(error.kind(), text)
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("notify-{number:016}.spool"))
}

/// The name of a segment leads to this file. A file that it does not lead to any more may have other names.
fn is_segment(dir: &Path, number: u64, is: &Metadata) -> io::Result<bool> {
    match fs::metadata(segment_path(dir, number)) {
        Ok(named) => Ok((named.dev(), named.ino()) == (is.dev(), is.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Numbers of the segments; none if the directory does not exist.
fn segments(dir: &Path) -> io::Result<BTreeSet<u64>> {
    let number = |name: &str| -> Option<u64> {
        let digits = name.strip_prefix("notify-")?.strip_suffix(".spool")?;
        let is_one = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit());
        is_one.then(|| digits.parse().ok()).flatten()
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(explain(dir, &e)),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(|e| explain(dir, &e))?.file_name();
        found.extend(name.to_str().and_then(number));
    }
    Ok(found)
}

fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o770)
        .create(dir)
        .map_err(|e| explain(dir, &e))
}

/// Opens a segment for reading and appending; makes an empty one, and its name durable, if there is
/// none. Whoever first writes into it begins with the header.
fn create_segment(dir: &Path, number: u64) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = segment_path(dir, number);
    let mut options = File::options();
    options.read(true).append(true).mode(0o660);
    let found = match options.open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let made = options.create(true).open(&path);
            made.and_then(|file| File::open(dir)?.sync_all().map(|()| file))
        }
        found => found,
    };
    found.map_err(|e| explain(&path, &e))
}

/// A lock on a segment, until it is dropped.
struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    /// Nobody else reads the size or writes.
    const EXCLUSIVE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
    /// Nobody else writes.
    const SHARED: FlockOperation = FlockOperation::NonBlockingLockShared;

    /// `None` if somebody else has it.
    fn try_now(file: &'a File, how: FlockOperation) -> io::Result<Option<Self>> {
        match flock(file, how) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Tries for a while: a process that was stopped with the lock in hand must not stop others.
    /// The lock is held for microseconds.
    fn wait(file: &'a File, how: FlockOperation, at_most: Duration) -> io::Result<Option<Self>> {
        const PAUSE: Duration = Duration::from_micros(200);
        for _ in 0..at_most.as_micros() / PAUSE.as_micros() {
            if let Some(lock) = Self::try_now(file, how)? {
                return Ok(Some(lock));
            }
            thread::sleep(PAUSE);
        }
        Ok(None)
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Unlocking an open file cannot fail (flock(2)); closing it would unlock it as well.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests;
