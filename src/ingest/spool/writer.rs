//! The writing side: what `rha-event` does with its lines.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::keep::Keeper;
use super::{
    Line, Lock, create_dir, create_segment, explain, is_segment, segment_path, segments, v1,
};
use crate::model::time::BootId;

/// A segment of this many bytes takes no more: some ten million lines that no agent has asked for.
/// The spool shares its disk with the journal and must not fill it.
const LIMIT_BYTES: u64 = 1 << 30;

/// How long a writer waits for its turn. Turns last microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many times the newest segment may be another one by the time that it is locked.
const MOVES: u32 = 16;

/// Appends lines to the newest segment of a spool.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    current: Option<Segment>,
    keeper: Option<Keeper>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<File>,
    /// Its header was found, or written, to be that of this format and of this boot.
    boot: Option<BootId>,
}

impl Writer {
    /// A writer for the spool in this directory. Touches nothing: directory and segment are made by
    /// the first line, so that a spool in trouble can be tried again by trying to append again.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            current: None,
            keeper: None,
        }
    }

    /// A writer whose segments stay for [`super::count`] until [`Self::settle`], whoever removes them and
    /// whatever becomes of this process. `who`: a path that the next process will name as well.
    #[must_use]
    pub fn keeping(dir: &Path, who: &Path) -> Self {
        Self {
            keeper: Some(Keeper::new(dir, who)),
            ..Self::new(dir)
        }
    }

    /// What was appended, by this process or by one before it, need not be counted any more.
    pub fn settle(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.let_go(self.current.as_ref().map(|segment| &*segment.file));
        }
    }

    /// Appends the lines with one write: all of them, or on an error none. They survive the end of
    /// this process at once, and a power failure after [`Self::sync`].
    ///
    /// # Errors
    /// The spool cannot be written (the text says where and why), is locked by another process for
    /// two seconds, or holds 1 GiB that no agent has taken in.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let Some(first) = lines.first() else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for line in lines {
            v1::encode(line, &mut bytes);
        }
        for _ in 0..MOVES {
            let segment = match self.current.take() {
                Some(segment) => segment,
                None => self.newest()?,
            };
            if let Some(segment) =
                segment.append(&self.dir, first.stamped.boot, &bytes, self.keeper.as_mut())?
            {
                self.current = Some(segment);
                return Ok(());
            }
        }
        Err(explain(
            &self.dir,
            &io::Error::other("segments change faster than they can be locked"),
        ))
    }

    /// Waits until what was appended is on the disk.
    ///
    /// # Errors
    /// What fdatasync(2) says.
    pub fn sync(&self) -> io::Result<()> {
        self.file().map_or(Ok(()), |file| file.sync_data())
    }

    /// The segment that was last appended to, for somebody else to sync.
    #[must_use]
    pub fn file(&self) -> Option<Arc<File>> {
        self.current
            .as_ref()
            .map(|segment| Arc::clone(&segment.file))
    }

    fn newest(&self) -> io::Result<Segment> {
        create_dir(&self.dir)?;
        let number = segments(&self.dir)?.last().copied().unwrap_or(1);
        let file = Arc::new(create_segment(&self.dir, number)?);
        Ok(Segment {
            number,
            file,
            boot: None,
        })
    }
}

impl Segment {
    /// Gives the segment back, or nothing if it is not the one to write to any more.
    fn append(
        mut self,
        dir: &Path,
        boot: BootId,
        bytes: &[u8],
        keeper: Option<&mut Keeper>,
    ) -> io::Result<Option<Self>> {
        let path = segment_path(dir, self.number);
        let explain = |e: io::Error| explain(&path, &e);
        let file = Arc::clone(&self.file);
        let Some(_lock) = Lock::wait(&file, Lock::EXCLUSIVE, PATIENCE).map_err(explain)? else {
            return Err(explain(io::Error::other(
                "locked by another process for two seconds",
            )));
        };
        let is = file.metadata().map_err(explain)?;
        let is_newest = segments(dir)?.last() == Some(&self.number);
        if !is_newest || !is_segment(dir, self.number, &is).map_err(explain)? {
            return Ok(None);
        }
        if is.len() >= LIMIT_BYTES {
            return Err(explain(io::Error::other(
                "1 GiB of lines waits for the agent: start rha",
            )));
        }
        let header = v1::header(boot);
        if is.len() > 0 && self.boot != Some(boot) {
            let mut found = vec![0; header.len()];
            if file.read_exact_at(&mut found, 0).is_err() || found != header {
                create_segment(dir, self.number + 1)?;
                return Ok(None);
            }
        }
        if let Some(keeper) = keeper.filter(|_| self.boot.is_none()) {
            keeper.keep(&path, &is);
        }
        let header = if is.len() == 0 { &header[..] } else { &[] };
        if let Err(e) = (&*file).write_all(&[header, bytes].concat()) {
            // All or nothing, for the lines will be tried again. If even this fails, the newline
            // before the next frame keeps it apart from the torn one.
            let _ = file.set_len(is.len());
            return Err(explain(e));
        }
        self.boot = Some(boot);
        Ok(Some(self))
    }
}
