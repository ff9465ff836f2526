//! What can go wrong with the journal, each with what to do about it.

use std::any::Any;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::record::Seq;

/// Why the journal could not be opened, read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process has it open: there is one at a time.
    #[error("the journal {path} is in use by {}: ask the running agent, or stop it first", holder(*.pid))]
    Locked {
        /// The journal's directory.
        path: PathBuf,
        /// The process that holds it, where it could be learned.
        pid: Option<u32>,
    },
    /// There is none at this place, and none was to be made.
    #[error("there is no journal at {path}: is this the host, and the path, that the agent uses?")]
    Missing {
        /// The journal's directory.
        path: PathBuf,
    },
    /// What is stored is not what was written.
    #[error("the journal is damaged{}: {why}", place(*.seq))]
    Damaged {
        /// The first record concerned, where it is known.
        seq: Option<Seq>,
        /// What is wrong.
        why: String,
    },
    /// A later rha wrote it.
    #[error(
        "journal format {found} is newer than this rha knows ({known}): \
         install the version that wrote it, or newer"
    )]
    NewerFormat {
        /// What was found.
        found: u8,
        /// The newest that this program reads.
        known: u8,
    },
    /// The operating system said no.
    #[error("cannot {doing} {path}: {source}{hint}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What to do about it, or empty.
        hint: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Its disk takes too long. It may still be opening: whoever asks again waits for that.
    #[error("the journal {path} did not open within {seconds} s: its disk is slow")]
    Slow {
        /// The journal's directory.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A record does not fit into one entry. Nothing was written.
    #[error("record {seq} is {bytes} bytes long, and the journal takes {limit}")]
    TooLarge {
        /// The record.
        seq: Seq,
        /// Its encoded size.
        bytes: u64,
        /// The largest that is taken.
        limit: u64,
    },
    /// The caller's numbering is wrong: a fault of the program. Nothing was written.
    #[error("record {found} was offered where {expected} is due")]
    Misnumbered {
        /// The number that is due.
        expected: Seq,
        /// The number that came.
        found: Seq,
    },
    /// An earlier write failed. What is on the disk is only known after it is opened again.
    #[error("the journal was closed for writing when an earlier write failed: {why}")]
    Closed {
        /// The failure.
        why: String,
    },
    /// It was being read when it had to be let go.
    #[error("the journal is being opened anew")]
    Recalled,
    /// The committer's queue is full. Nothing was queued.
    #[error("the journal cannot keep up: its queue is full")]
    Busy,
    /// A stream that does not begin as one of ours does.
    #[error("this is no rha journal stream")]
    NotAStream,
    /// A file that does not begin as a bundle does.
    #[error("this is no bundle of rha's: `rha export` makes them")]
    NotABundle,
    /// A later rha made it.
    #[error(
        "bundle version {found} is newer than this rha knows ({known}): \
         install the version that made it, or newer"
    )]
    NewerBundle {
        /// What was found.
        found: u8,
        /// The newest that this program reads.
        known: u8,
    },
    /// A stream that could not be read.
    #[error("cannot read the journal stream: {source}")]
    Stream {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A stream that ended before its end mark.
    #[error("the journal stream was cut off after {frames} entries")]
    CutOff {
        /// How many entries came through.
        frames: u64,
    },
}

impl Error {
    /// It may pass by itself, as a full disk does; a wrong path or a missing right does not.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut};
        match self {
            Self::Slow { .. } => true,
            Self::Io { source, .. } => {
                matches!(
                    source.kind(),
                    StorageFull | QuotaExceeded | ReadOnlyFilesystem | TimedOut
                ) || source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            }
            _ => false,
        }
    }

    /// Somebody else may, and this process may not.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// An error of the operating system, with a hint about whoever could do better.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => permission_hint(path),
            io::ErrorKind::StorageFull => ": free space on that file system".to_owned(),
            io::ErrorKind::ReadOnlyFilesystem => ": it must be mounted read-write".to_owned(),
            _ => String::new(),
        };
        Self::Io {
            doing,
            path: path.to_owned(),
            hint,
            source: Arc::new(source),
        }
    }

    /// Damage at a known place.
    pub(super) fn damaged(seq: u64, why: impl Into<String>) -> Self {
        Self::Damaged {
            seq: Some(Seq(seq)),
            why: why.into(),
        }
    }

    pub(super) fn stream(source: io::Error) -> Self {
        Self::Stream {
            source: Arc::new(source),
        }
    }

    /// Damage at an unknown place.
    pub(super) fn damaged_somewhere(why: impl Into<String>) -> Self {
        Self::Damaged {
            seq: None,
            why: why.into(),
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

fn place(seq: Option<Seq>) -> String {
    seq.map_or_else(String::new, |seq| format!(" at record {seq}"))
}

/// Says who may: the owner of the file, or of the nearest directory above that exists.
fn permission_hint(path: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    path.ancestors()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)))
        .map_or_else(String::new, |(path, found)| {
            format!(
                ": user {user} needs read and write permission there; {} belongs to user {}, \
                 so run this as that user or as root",
                path.display(),
                found.uid()
            )
        })
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
}
