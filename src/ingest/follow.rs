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
//! so many of the lines before the mark were already taken. The segments that this may concern are kept for it,
//! also where the agent has done with them and removed them. Being killed at any moment is harmless
//! that way, and that is why there is no signal handler: SIGTERM and SIGINT end the process as they
//! do by default (systemd counts that as a clean stop), and what is still in the FIFO is there for
//! the next follower as long as keepalived holds it open.
//!
//! The same order makes trouble with the spool simple. Lines wait in the FIFO, stamped by marks, and
//! are not held in memory; the FIFO is made as large as the kernel lets everybody have it.
//!
//! What a FIFO, which acknowledges nothing, does not allow: the pieces of a line that was not written at once
//! (longer than `PIPE_BUF`; keepalived's never are) are held in memory; and where the FIFO is so full that a mark
//! does not fit, being killed between steps 2 and 3 takes the lines in its first 8 KiB twice, never more.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use super::spool::{Doorbell, Line, Source, Splitter, Writer, count};
use crate::model::time::At;

mod fifo;
mod mark;

pub use fifo::Error;
use fifo::Fifo;
use mark::{MARK_LENGTH, ends_with_mark, mark, mark_in};

/// How long the path of the FIFO may go without a look whether it still is the same FIFO.
const LOOK: Duration = Duration::from_secs(1);

/// Wait before a spool in trouble is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Bytes of lines that are appended with one write.
const PIECE: usize = 64 * 1024;

/// Bytes taken without a mark where the FIFO is full: enough to free a page, so that one fits. So much
/// may be taken twice if the follower is killed at the wrong moment.
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
        present: Pipe::open(path)?,
        former: None,
        taker: Taker::new(path, sink)?,
    };
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
                    follower.present.fifo.capacity() / 1024,
                    RETRY.as_millis(),
                ));
                trouble_since = Some((sink.now)());
            }
            (Err(_), Some(_)) => {}
        }
        if trouble_since.is_some() {
            thread::sleep(RETRY);
        } else {
            let former = follower.former.as_ref().map(|pipe| &pipe.fifo);
            follower.present.fifo.wait(former, LOOK)?;
        }
    }
}

struct Follower<'a> {
    present: Pipe,
    /// What the path led to before: a keepalived that was not reloaded since still writes into it.
    former: Option<Pipe>,
    taker: Taker<'a>,
}

impl Follower<'_> {
    /// Moves what is there to the spool, and on to another FIFO if the path leads to one:
    /// keepalived makes a new one at each reload if it made the first. The inner error is the spool's.
    fn turn(&mut self, path: &Path) -> Result<io::Result<()>, Error> {
        let taken = self.take_all()?;
        self.taker.request_sync();
        if taken.is_err() || !self.present.fifo.is_replaced() {
            return Ok(taken);
        }
        if let Err(e) = self.taker.finish(&mut self.present) {
            return Ok(Err(e));
        }
        (self.taker.sink.say)(&format!(
            "{} was replaced: following the new one",
            path.display()
        ));
        let present = Pipe::open(path)?;
        self.former = Some(std::mem::replace(&mut self.present, present));
        // What came into it between the last look and the look at its path.
        self.take_all()
    }

    fn take_all(&mut self) -> Result<io::Result<()>, Error> {
        for pipe in self.former.iter_mut().chain([&mut self.present]) {
            if let Err(e) = self.taker.take_all(pipe)? {
                return Ok(Err(e));
            }
        }
        Ok(Ok(()))
    }
}

/// A FIFO, and how far its lines are taken.
struct Pipe {
    fifo: Fifo,
    /// The line that has begun behind the last newline.
    rest: Splitter,
    /// How many lines before the first mark are already in the spool; `None` where a follower before this
    /// one may have left some half done, and nobody has looked yet.
    appended: Option<usize>,
    /// It was full, which was said, and has not been empty since.
    is_full: bool,
}

impl Pipe {
    fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            fifo: Fifo::open(path)?,
            rest: Splitter::default(),
            appended: None,
            is_full: false,
        })
    }
}

/// Takes lines out of a FIFO into the spool.
struct Taker<'a> {
    sink: &'a Sink<'a>,
    writer: Writer,
    syncer: SyncSender<Arc<File>>,
    /// Appended to, and not yet handed to the syncer.
    unsynced: Option<Arc<File>>,
    last_mono_us: u64,
}

impl<'a> Taker<'a> {
    fn new(path: &Path, sink: &'a Sink<'a>) -> io::Result<Self> {
        Ok(Self {
            sink,
            writer: Writer::keeping(sink.spool, path),
            syncer: syncer(sink.say)?,
            unsynced: None,
            last_mono_us: 0,
        })
    }

    /// Moves everything that is in the FIFO to the spool. The inner error is the spool's.
    fn take_all(&mut self, pipe: &mut Pipe) -> Result<io::Result<()>, Error> {
        loop {
            let mut bytes = pipe.fifo.peek()?;
            if bytes.is_empty() {
                pipe.is_full = false;
                return Ok(Ok(()));
            }
            if !ends_with_mark(&bytes) {
                let stamped = self.now();
                match pipe.fifo.write(mark(stamped).as_bytes()) {
                    Ok(()) => bytes = pipe.fifo.peek()?,
                    Err(Errno::AGAIN) => self.say_full(pipe),
                    Err(e) => return Err(pipe.fifo.error(e)),
                }
            }
            let now = self.now();
            let (lines, length, stamped) = match mark_in(&bytes, now.boot) {
                Some((at, stamped)) => (&bytes[..at], at + MARK_LENGTH, stamped),
                None => {
                    let head = &bytes[..bytes.len().min(UNMARKED)];
                    let end = head
                        .iter()
                        .rposition(|b| *b == b'\n')
                        .map_or(head.len(), |p| p + 1);
                    (&head[..end], end, now)
                }
            };
            match self.append(pipe, lines, stamped) {
                Ok(rest) => pipe.rest = rest,
                Err(e) => return Ok(Err(e)),
            }
            pipe.fifo.consume(length)?;
            pipe.appended = Some(0);
            self.writer.settle();
        }
    }

    /// Takes a line that was never ended.
    fn finish(&mut self, pipe: &mut Pipe) -> io::Result<()> {
        if let Some(line) = pipe.rest.clone().finish(self.now(), Source::Fifo) {
            self.append_lines(&[line])?;
            pipe.rest = Splitter::default();
        }
        Ok(())
    }

    /// Appends the lines in these bytes, but for those that are in the spool already. Returns the
    /// line that they leave unfinished.
    fn append(&mut self, pipe: &mut Pipe, bytes: &[u8], stamped: At) -> io::Result<Splitter> {
        let mut splitter = pipe.rest.clone();
        let mut appended = match pipe.appended {
            Some(appended) => appended,
            // What cannot be counted is no reason to append it twice: it waits, as for a spool that is full.
            None => count(self.sink.spool, stamped)?,
        };
        pipe.appended = Some(appended);
        let mut skip = appended;
        let mut lines = Vec::new();
        for piece in bytes.chunks(PIECE) {
            splitter.feed(piece, stamped, Source::Fifo, &mut lines);
            let known = skip.min(lines.len());
            skip -= known;
            self.append_lines(&lines[known..])?;
            appended += lines.len() - known;
            pipe.appended = Some(appended);
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
    fn say_full(&self, pipe: &mut Pipe) {
        if !std::mem::replace(&mut pipe.is_full, true) {
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
