//! One FIFO, held open so that nothing in it gets lost, read by this process alone.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, mkfifoat, open};
use rustix::io::Errno;
use rustix::pipe::{
    PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, tee,
};

use crate::ingest::spool::explain;

/// What the FIFO is asked to hold: the most that Linux gives without privileges
/// (`/proc/sys/fs/pipe-max-size`), some 35,000 lines. keepalived drops what does not fit.
const CAPACITY: usize = 1 << 20;

/// How many times the path may lead to nothing by the time that it is opened.
const MOVES: u32 = 16;

/// Why a FIFO cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is something else at the path.
    #[error(
        "{}: not a FIFO; keepalived may be writing into it all the same. Stop keepalived and remove it, rha-event makes the FIFO",
        .0.display()
    )]
    NotFifo(PathBuf),
    /// Somebody follows it already; two would share the lines out among themselves.
    #[error("{}: another rha-event follows this FIFO; stop that one first", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, opened or read; the text names it.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A FIFO, locked and open in both directions: it never reports an end, and what is in it stays
/// when keepalived goes.
pub(super) struct Fifo {
    path: PathBuf,
    fd: OwnedFd,
    /// Device and inode.
    id: (u64, u64),
    /// A pipe into which the FIFO is copied to be looked at: its reading and its writing end.
    copy: (File, OwnedFd),
}

impl Fifo {
    /// Opens the FIFO at this path, or makes one that only this user may use.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let explain = |e: Errno| Error::Io(explain(path, &e.into()));
        for _ in 0..MOVES {
            match fs::symlink_metadata(path) {
                Ok(is) if !is.file_type().is_fifo() => return Err(Error::NotFifo(path.to_owned())),
                Ok(_) => {}
                Err(_) => match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(e) => return Err(explain(e)),
                },
            }
            let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = match open(path, flags, Mode::empty()) {
                Ok(fd) => fd,
                // Replaced since: look again. O_NOFOLLOW says LOOP of a symbolic link.
                Err(Errno::NOENT | Errno::LOOP) => continue,
                Err(e) => return Err(explain(e)),
            };
            match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(Error::InUse(path.to_owned())),
                Err(e) => return Err(explain(e)),
            }
            // Keeps the capacity that it has where the kernel refuses.
            let _ = fcntl_setpipe_size(&fd, CAPACITY);
            let (reading, writing) =
                pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(explain)?;
            let _ = fcntl_getpipe_size(&fd).and_then(|size| fcntl_setpipe_size(&writing, size));
            let file = File::from(fd);
            let id = id(&file.metadata()?);
            // If it was replaced meanwhile, there may be lines in it all the same: whoever follows it looks.
            return Ok(Self {
                path: path.to_owned(),
                fd: file.into(),
                id,
                copy: (File::from(reading), writing),
            });
        }
        Err(explain(Errno::AGAIN))
    }

    /// All that is in it, which stays in it.
    pub(super) fn peek(&self) -> Result<Vec<u8>, Error> {
        let (reading, writing) = &self.copy;
        let length = match tee(&self.fd, writing, CAPACITY, SpliceFlags::NONBLOCK) {
            Ok(length) => length,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(e) => return Err(self.error(e)),
        };
        let mut bytes = vec![0; length];
        (&*reading)
            .read_exact(&mut bytes)
            .map_err(|e| explain(&self.path, &e))?;
        Ok(bytes)
    }

    /// Takes this many bytes out of it. Nobody else reads it, so they are those that were peeked at.
    pub(super) fn consume(&self, length: usize) -> Result<(), Error> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            match rustix::io::read(&self.fd, &mut bytes[done..]) {
                Ok(n) => done += n,
                Err(Errno::INTR) => {}
                Err(e) => return Err(self.error(e)),
            }
        }
        Ok(())
    }

    /// Writes behind everything that is in it, all or nothing (at most `PIPE_BUF` bytes).
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Errno> {
        rustix::io::write(&self.fd, bytes).map(|_all| ())
    }

    /// Waits until there is something in it, or in the other one, at most this long.
    pub(super) fn wait(&self, other: Option<&Self>, at_most: Duration) -> Result<(), Error> {
        let timeout = Timespec::try_from(at_most).unwrap_or_default();
        let pipes = [Some(self), other].into_iter().flatten();
        let mut fds: Vec<_> = pipes
            .map(|fifo| PollFd::new(&fifo.fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(self.error(e)),
        }
    }

    /// The path does not lead here any more.
    pub(super) fn is_replaced(&self) -> bool {
        fs::symlink_metadata(&self.path).map_or(true, |is| id(&is) != self.id)
    }

    /// How many bytes it holds.
    pub(super) fn capacity(&self) -> usize {
        fcntl_getpipe_size(&self.fd).unwrap_or_default()
    }

    /// An error of this FIFO.
    pub(super) fn error(&self, errno: Errno) -> Error {
        Error::Io(explain(&self.path, &errno.into()))
    }
}

fn id(is: &Metadata) -> (u64, u64) {
    (is.dev(), is.ino())
}
