//! Following keepalived's notify FIFO into the spool, without ever losing a line or making
//! keepalived wait.
//!
//! A line that was read from the FIFO and not yet written to the spool would die with its reader.
//! So lines are looked at while they stay in the FIFO (tee(2)), appended to the spool, and only then
//! taken out. That alone would take them twice if the reader died between the last two steps; so the
//! FIFO itself says how far things are:
//!
//! ```text
//! 1. write a time mark into the FIFO, behind the lines that are there     L1 L2 L3 <mark 17:02:11.5>
//! 2. append the lines before the mark to the spool, stamped with its time
//! 3. take the lines and the mark out of the FIFO
//! ```
//!
//! A follower that finds a mark when it starts counts the lines in the spool with that very stamp:
//! so many of the lines before the mark were already taken. Being killed at any moment is harmless
//! that way, and that is why there is no signal handler: SIGTERM and SIGINT end the process as they
//! do by default (systemd counts that as a clean stop), and what is still in the FIFO is there for
//! the next follower as long as keepalived holds it open.
//!
//! The same order makes trouble with the spool simple. Lines wait in the FIFO, stamped by marks, and
//! are not held in memory; the FIFO is made as large as the kernel lets everybody have it.
//!
//! What is not kept so strictly: the pieces of a line that was not written at once (longer than
//! `PIPE_BUF`; keepalived's never are) are held in memory, and where the FIFO is so full that a mark
//! does not fit, being killed in the wrong microseconds takes a few kilobytes of lines twice.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use super::spool::{Doorbell, Frame, Line, Reader, Source, Splitter, Writer};
use crate::model::time::{At, BootId};

mod fifo;

pub use fifo::Error;
use fifo::Fifo;

/// How long the path of the FIFO may go without a look whether it still is the same FIFO.
const LOOK: Duration = Duration::from_secs(1);

/// Wait before a spool in trouble is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Bytes of lines that are appended with one write.
const PIECE: usize = 64 * 1024;

/// Bytes taken without a mark where the FIFO is full: enough to free a page, so that one fits.
const UNMARKED: usize = 8 * 1024;

/// Where the lines go and what tells the time.
pub struct Sink<'a> {
    /// The directory of the spool.
    pub spool: &'a Path,
    /// Whom to wake.
    pub doorbell: Doorbell,
    /// Reads the clocks.
    pub now: fn() -> At,
    /// Says one line to people.
    pub say: fn(&str),
}

/// Follows the FIFO at this path until the process is ended. Makes the FIFO if there is none.
///
/// Trouble with the spool is said once, and once more when it is over; it ends nothing.
///
/// # Errors
/// [`Error`] where the path is not a FIFO that this process may follow, now or when it was replaced.
pub fn follow(path: &Path, sink: &Sink) -> Result<Infallible, Error> {
    let mut follower = Follower {
        fifo: Fifo::open(path)?,
        sink,
        writer: Writer::new(sink.spool),
        syncer: syncer(sink.say)?,
        unsynced: None,
        rest: Splitter::default(),
        appended: 0,
        boot: (sink.now)().boot,
        last_mono_us: 0,
        is_full: false,
    };
    follower.resume()?;
    let mut trouble_since: Option<At> = None;
    loop {
        let taken = follower.turn(path)?;
        match (taken, trouble_since) {
            (Ok(()), None) => {}
            (Ok(()), Some(since)) => {
                let seconds = (sink.now)().since(&since).unwrap_or_default() / 1_000_000;
                (sink.say)(&format!("the spool is well again after {seconds} s"));
                trouble_since = None;
            }
            (Err(e), None) => {
                (sink.say)(&format!(
                    "{e}; lines wait in {} (it holds {} KiB), trying again every {} ms",
                    path.display(),
                    follower.fifo.capacity() / 1024,
                    RETRY.as_millis(),
                ));
                trouble_since = Some((sink.now)());
            }
            (Err(_), Some(_)) => {}
        }
        if trouble_since.is_some() {
            thread::sleep(RETRY);
        } else {
            follower.fifo.wait(LOOK)?;
        }
    }
}

struct Follower<'a> {
    fifo: Fifo,
    sink: &'a Sink<'a>,
    writer: Writer,
    syncer: SyncSender<Arc<File>>,
    /// Appended to, and not yet handed to the syncer.
    unsynced: Option<Arc<File>>,
    /// The line that has begun behind the last newline.
    rest: Splitter,
    /// How many lines before the first mark are already in the spool.
    appended: usize,
    boot: BootId,
    last_mono_us: u64,
    /// The FIFO was full, which was said, and has not been empty since.
    is_full: bool,
}

impl Follower<'_> {
    /// Takes up what a follower before this one has left half done.
    fn resume(&mut self) -> Result<(), Error> {
        if let Some((_, stamped)) = self.mark_in(&self.fifo.peek()?) {
            // A spool that cannot be read counts as empty: rather twice than never.
            self.appended = count(self.sink.spool, stamped).unwrap_or_default();
        }
        Ok(())
    }

    /// Moves what is there to the spool, and on to another FIFO if the path leads to one:
    /// keepalived makes a new one at each reload if it made the first. The inner error is the spool's.
    fn turn(&mut self, path: &Path) -> Result<io::Result<()>, Error> {
        let taken = self.take_all()?;
        self.request_sync();
        if taken.is_err() || !self.fifo.is_replaced() {
            return Ok(taken);
        }
        // Once more, for what came between the last look into the old FIFO and the look at its path.
        if let Err(e) = self.take_all()? {
            return Ok(Err(e));
        }
        let stamped = self.now();
        if let Some(line) = self.rest.clone().finish(stamped, Source::Fifo) {
            if let Err(e) = self.append_lines(&[line]) {
                return Ok(Err(e));
            }
            self.rest = Splitter::default();
            self.appended = 0;
        }
        (self.sink.say)(&format!(
            "{} was replaced: following the new one",
            path.display()
        ));
        self.fifo = Fifo::open(path)?;
        self.resume()?;
        Ok(Ok(()))
    }

    /// Moves everything that is in the FIFO to the spool.
    fn take_all(&mut self) -> Result<io::Result<()>, Error> {
        loop {
            let mut bytes = self.fifo.peek()?;
            if bytes.is_empty() {
                self.is_full = false;
                return Ok(Ok(()));
            }
            if !ends_with_mark(&bytes) {
                let stamped = self.now();
                match self.fifo.write(mark(stamped).as_bytes()) {
                    Ok(()) => bytes = self.fifo.peek()?,
                    Err(Errno::AGAIN) => self.say_full(),
                    Err(e) => return Err(self.fifo.error(e)),
                }
            }
            let (lines, length, stamped) = match self.mark_in(&bytes) {
                Some((at, stamped)) => (&bytes[..at], at + MARK_LENGTH, stamped),
                None => {
                    let head = &bytes[..bytes.len().min(UNMARKED)];
                    let end = head
                        .iter()
                        .rposition(|b| *b == b'\n')
                        .map_or(head.len(), |p| p + 1);
                    (&head[..end], end, self.now())
                }
            };
            match self.append(lines, stamped) {
                Ok(rest) => self.rest = rest,
                Err(e) => return Ok(Err(e)),
            }
            self.fifo.consume(length)?;
            self.appended = 0;
        }
    }

    /// Appends the lines in these bytes, but for those that are in the spool already. Returns the
    /// line that they leave unfinished.
    fn append(&mut self, bytes: &[u8], stamped: At) -> io::Result<Splitter> {
        let mut splitter = self.rest.clone();
        let mut skip = self.appended;
        let mut lines = Vec::new();
        for piece in bytes.chunks(PIECE) {
            splitter.feed(piece, stamped, Source::Fifo, &mut lines);
            let known = skip.min(lines.len());
            skip -= known;
            self.append_lines(&lines[known..])?;
            lines.clear();
        }
        Ok(splitter)
    }

    /// Appends, wakes the agent, and only then has the disk written: the agent need not wait for
    /// it, and neither does the next line.
    fn append_lines(&mut self, lines: &[Line]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.writer.append(lines)?;
        self.appended += lines.len();
        self.sink.doorbell.ring();
        let file = self.writer.file();
        if let (Some(before), Some(file)) = (&self.unsynced, &file)
            && !Arc::ptr_eq(before, file)
        {
            // The end of another segment: its turn would not come again. Only a lost thread fails.
            let _ = self.syncer.send(Arc::clone(before));
        }
        self.unsynced = file;
        self.request_sync();
        Ok(())
    }

    /// Hands the segment to the syncer; if that is far behind, it is asked again soon.
    fn request_sync(&mut self) {
        if let Some(file) = &self.unsynced
            && self.syncer.try_send(Arc::clone(file)).is_ok()
        {
            self.unsynced = None;
        }
    }

    /// keepalived drops what does not fit, and 2.2.7 does not even log it.
    fn say_full(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            (self.sink.say)("the FIFO is full: keepalived may have dropped lines");
        }
    }

    /// The time, later than any time before: stamps tell the marks apart.
    fn now(&mut self) -> At {
        let mut at = (self.sink.now)();
        at.mono_us = at.mono_us.max(self.last_mono_us + 1);
        self.last_mono_us = at.mono_us;
        at
    }

    /// Where the first mark stands, and its time. A FIFO does not outlive the boot of its mark.
    fn mark_in(&self, bytes: &[u8]) -> Option<(usize, At)> {
        let boot = self.boot;
        (0..bytes.len())
            .filter(|at| bytes[*at] == MARK_BEGIN[0])
            .find_map(|at| {
                let (wall_us, mono_us) = read_mark(bytes.get(at..at + MARK_LENGTH)?)?;
                Some((
                    at,
                    At {
                        wall_us,
                        mono_us,
                        boot,
                    },
                ))
            })
    }
}

/// A mark: two times in hexadecimal between control characters that no line of keepalived's has.
const MARK_BEGIN: &[u8] = b"\x01rha ";
const MARK_END: u8 = b'\x02';
const MARK_LENGTH: usize = MARK_BEGIN.len() + 16 + 1 + 16 + 1;

fn mark(at: At) -> String {
    format!("\x01rha {:016x} {:016x}\x02", at.wall_us, at.mono_us)
}

fn read_mark(bytes: &[u8]) -> Option<(i64, u64)> {
    let times = bytes.strip_prefix(MARK_BEGIN)?.strip_suffix(&[MARK_END])?;
    let (wall, mono) = std::str::from_utf8(times).ok()?.split_once(' ')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((number(wall)?.cast_signed(), number(mono)?))
}

fn ends_with_mark(bytes: &[u8]) -> bool {
    bytes
        .len()
        .checked_sub(MARK_LENGTH)
        .is_some_and(|at| read_mark(&bytes[at..]).is_some())
}

/// How many lines in the spool came from a FIFO with this stamp.
fn count(spool: &Path, stamp: At) -> Result<usize, super::spool::Error> {
    let mut reader = Reader::open(spool, None)?;
    let mut count = 0;
    loop {
        let frames = reader.read(1024)?;
        if frames.is_empty() {
            return Ok(count);
        }
        let is_it = |f: &&Frame| matches!(f, Frame::Line { stamped, source: Source::Fifo, .. } if *stamped == stamp);
        count += frames.iter().filter(is_it).count();
    }
}

/// A thread that waits for the disk, so that lines do not. It sees the newest request in any case:
/// one that finds the queue full stays with the follower.
fn syncer(say: fn(&str)) -> io::Result<SyncSender<Arc<File>>> {
    let (sender, requests) = sync_channel::<Arc<File>>(1);
    thread::Builder::new()
        .name("sync".to_owned())
        .spawn(move || {
            for file in requests {
                if let Err(e) = file.sync_data() {
                    say(&format!(
                        "the spool may not survive a power failure: fdatasync: {e}"
                    ));
                }
            }
        })?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_a_mark() {
        let at = At {
            wall_us: -5,
            mono_us: u64::MAX,
            boot: BootId::default(),
        };
        let text = mark(at);
        assert_eq!(text.len(), MARK_LENGTH);
        assert_eq!(read_mark(text.as_bytes()), Some((-5, u64::MAX)));
        assert!(ends_with_mark(format!("line\n{text}").as_bytes()));
        assert!(!ends_with_mark(format!("{text}line\n").as_bytes()));
        assert!(!ends_with_mark(b"\x02"));
        for cut in 0..MARK_LENGTH {
            assert_eq!(read_mark(&text.as_bytes()[..cut]), None);
        }
    }
}
