//! The reading side: how the agent takes the lines in, each exactly once.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::v1::{Decoded, decode};
use super::{
    Error, FORMAT, Frame, Line, Lock, create_dir, create_segment, explain, is_segment,
    segment_path, segments,
};
use crate::model::vrrp::SpoolPosition;

/// Bytes read at once: many times the longest frame.
const CHUNK: usize = 64 * 1024;

/// How long the reader waits for a writer's turn to end, before it comes back for the rest later.
const PATIENCE: Duration = Duration::from_millis(5);

/// Reads a spool from a position on, across segments, in order.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    at: SpoolPosition,
    file: Option<File>,
    /// `at` comes from the journal and was not yet compared with the file.
    is_resuming: bool,
}

impl Reader {
    /// Goes on behind the last journaled frame, or begins with the oldest segment. Makes the
    /// directory if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be made or listed.
    pub fn open(dir: &Path, resume: Option<SpoolPosition>) -> Result<Self, Error> {
        create_dir(dir)?;
        let first = segments(dir)?.first().copied().unwrap_or(1);
        let at = resume.unwrap_or(SpoolPosition {
            segment: first,
            offset: 0,
        });
        Ok(Self {
            dir: dir.to_owned(),
            at,
            file: None,
            is_resuming: resume.is_some(),
        })
    }

    /// The next frames, at most `max`; none if there is nothing new. A line that is being written
    /// is left until it is entire.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Io`]. Frames found before an error are returned first; the error
    /// then comes with the next call.
    pub fn read(&mut self, max: usize) -> Result<Vec<Frame>, Error> {
        let mut out = Vec::new();
        while out.len() < max {
            match self.step(max, &mut out) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if !out.is_empty() => break,
                Err(e) => return Err(e),
            }
        }
        Ok(out)
    }

    /// Starts a new segment if the one that is being read is the newest and larger than
    /// `limit_bytes`; what is left of it is read first all the same. Tells whether it did. Writers
    /// that stay busy are left alone: try again later.
    ///
    /// # Errors
    /// [`Error::Io`] if the new segment cannot be made.
    pub fn rotate_if(&mut self, limit_bytes: u64) -> Result<bool, Error> {
        let newest = segments(&self.dir)?.last().copied();
        let Some(file) = self
            .file
            .as_ref()
            .filter(|_| newest == Some(self.at.segment))
        else {
            return Ok(false);
        };
        if file.metadata()?.len() <= limit_bytes {
            return Ok(false);
        }
        let Some(_lock) = Lock::wait(file, Lock::EXCLUSIVE, PATIENCE)? else {
            return Ok(false);
        };
        create_segment(&self.dir, self.at.segment + 1)?;
        Ok(true)
    }

    /// Removes the segments before the one in which the last *committed* frame stands. Returns how
    /// many. A segment that a writer has locked is left for the next time.
    ///
    /// # Errors
    /// [`Error::Io`] if a segment cannot be removed.
    pub fn remove_done(&mut self, committed: SpoolPosition) -> Result<usize, Error> {
        let mut removed = 0;
        // All of these have a successor, so nothing can be appended to them; and the oldest go
        // first, so that one without a successor is the newest.
        for number in segments(&self.dir)?.range(..committed.segment.min(self.at.segment)) {
            let path = segment_path(&self.dir, *number);
            let remove = || {
                let file = File::open(&path)?;
                let lock = Lock::try_now(&file, Lock::EXCLUSIVE)?;
                lock.map(|_held| fs::remove_file(&path)).transpose()
            };
            if remove().map_err(|e| explain(&path, &e))?.is_none() {
                break;
            }
            removed += 1;
        }
        Ok(removed)
    }

    /// One read. `false` if there is nothing (more) to read.
    fn step(&mut self, max: usize, out: &mut Vec<Frame>) -> Result<bool, Error> {
        // Listed before reading: what has a successor by then is final.
        let segments = segments(&self.dir)?;
        let next = segments.range(self.at.segment + 1..).next().copied();
        let path = segment_path(&self.dir, self.at.segment);
        if self.file.is_none() {
            if !segments.contains(&self.at.segment) {
                // Removed by other hands. Whatever is left is read: rather twice than never.
                let Some(to) = next.or(segments.first().copied()) else {
                    return Ok(false);
                };
                self.go_to(to, 0, Some(0), out);
                return Ok(true);
            }
            self.file = Some(File::open(&path).map_err(|e| explain(&path, &e))?);
        }
        let Some(file) = &self.file else {
            return Ok(false);
        };
        // Under the lock, so that it is no write that is still going to be taken back. A writer that
        // keeps it longer than this rings the doorbell when it is done.
        let Some(lock) = Lock::wait(file, Lock::SHARED, PATIENCE)? else {
            return Ok(false);
        };
        let is = file.metadata()?;
        drop(lock);
        if is.len() < self.at.offset {
            // Found so at the start: a power failure took what was read before it was on the disk,
            // and all that is left was read. Later: it was cut and may have been filled again.
            let offset = if self.is_resuming { is.len() } else { 0 };
            self.is_resuming = false;
            self.go_to(self.at.segment, offset, Some(0), out);
            return Ok(true);
        }
        self.is_resuming = false;

        if is.len() > self.at.offset
            && let Some(found) = format_of(file).map_err(|e| explain(&path, &e))?
            && found > FORMAT
        {
            // Looked for by its name the next time: it may have been moved away.
            self.file = None;
            return Err(Error::Newer { path, found });
        }
        let chunk = read_chunk(file, self.at.offset, is.len()).map_err(|e| explain(&path, &e))?;
        if self.take(&chunk, max, out) {
            return Ok(true);
        }
        let torn = chunk.len() as u64;
        match next {
            Some(next) => self.go_to(next, 0, (torn > 0).then_some(torn), out),
            None if !is_segment(&self.dir, self.at.segment, &is)
                .map_err(|e| explain(&path, &e))? =>
            {
                self.go_to(self.at.segment, 0, Some(torn), out);
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Takes the entire lines out of a chunk. `false` if there is none. A frame that lacks its newline only was cut off
    /// there, for nobody was writing any more; it counts, as it does for the follower ([`super::count`]).
    fn take(&mut self, chunk: &[u8], max: usize, out: &mut Vec<Frame>) -> bool {
        let start = self.at.offset;
        let mut used = 0;
        for text in chunk.split_inclusive(|b| *b == b'\n') {
            if out.len() >= max {
                break;
            }
            let body = text.strip_suffix(b"\n");
            let decoded = decode(body.unwrap_or(text));
            if body.is_none() && !matches!(decoded, Decoded::Line(_)) {
                break;
            }
            let is_header = self.at.offset == 0 && header_format(text).is_some();
            used += text.len();
            self.at.offset = start + used as u64;
            match decoded {
                Decoded::Line(line) => out.push(frame(self.at, line)),
                Decoded::Junk if !is_header => self.damaged(text.len() as u64, out),
                Decoded::Junk | Decoded::Blank => {}
            }
        }
        if used == 0 && chunk.len() == CHUNK {
            // No frame is that long.
            self.at.offset += CHUNK as u64;
            self.damaged(CHUNK as u64, out);
            return true;
        }
        used > 0
    }

    /// Goes on somewhere else; `skipped` if that is damage.
    fn go_to(&mut self, segment: u64, offset: u64, skipped: Option<u64>, out: &mut Vec<Frame>) {
        self.at = SpoolPosition { segment, offset };
        self.file = None;
        if let Some(bytes) = skipped {
            out.push(Frame::Damaged {
                position: self.at,
                skipped_bytes: bytes,
            });
        }
    }

    /// Bytes up to `at` are no frame; a run of them is one damage.
    fn damaged(&self, bytes: u64, out: &mut Vec<Frame>) {
        if let Some(Frame::Damaged {
            position,
            skipped_bytes,
        }) = out.last_mut()
            && position.segment == self.at.segment
            && position.offset + bytes == self.at.offset
        {
            *position = self.at;
            *skipped_bytes += bytes;
            return;
        }
        out.push(Frame::Damaged {
            position: self.at,
            skipped_bytes: bytes,
        });
    }
}

fn frame(position: SpoolPosition, line: Line) -> Frame {
    let Line {
        stamped,
        source,
        bytes,
        length,
    } = line;
    let truncated = (bytes.len() as u64 != length).then_some(length);
    Frame::Line {
        position,
        stamped,
        source,
        line: bytes,
        truncated,
    }
}

/// The format of a segment; `None` where it does not begin with a header, or not yet.
fn format_of(file: &File) -> io::Result<Option<u64>> {
    let mut start = [0; 64];
    let length = file.read_at(&mut start, 0)?;
    Ok(header_format(&start[..length]))
}

/// The format that a segment is of which begins so.
fn header_format(start: &[u8]) -> Option<u64> {
    let rest = start.strip_prefix(b"rha-spool ")?;
    let end = rest.iter().position(|b| matches!(b, b' ' | b'\n'))?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// The bytes from `offset` to `end`, at most a chunk.
fn read_chunk(file: &File, offset: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end - offset).map_or(CHUNK, |left| left.min(CHUNK));
    let mut chunk = vec![0; length];
    file.read_exact_at(&mut chunk, offset)?;
    Ok(chunk)
}
