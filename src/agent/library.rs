//! Where the journal is, for the one who writes it and those who only look.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::journal::{Committer, Error, Journal, Quarantined, Reader};

/// The journal's place and its present reader.
#[derive(Clone)]
pub struct Library {
    dir: PathBuf,
    reader: Arc<Mutex<Option<Reader>>>,
}

impl Library {
    /// Opens the journal; a damaged one is set aside and another begun.
    ///
    /// # Errors
    /// Another process holds it, it is of a newer format, or it may not be used.
    pub fn open(dir: &Path, suffix: &str) -> Result<(Self, Journal, Option<Quarantined>), Error> {
        let (journal, quarantined) = Journal::open_or_quarantine(dir, suffix)?;
        let reader = Arc::new(Mutex::new(Some(journal.reader())));
        Ok((
            Self {
                dir: dir.to_owned(),
                reader,
            },
            journal,
            quarantined,
        ))
    }

    /// The reader; `None` while the journal is being opened anew.
    #[must_use]
    pub fn reader(&self) -> Option<Reader> {
        self.reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Lets go of a journal that failed: its errors stick to the handle, and only when every reader
    /// is gone can it be opened again. Ends when its thread does, which a dying disk may delay.
    pub fn close(&self, committer: Committer) -> JoinHandle<()> {
        self.put(None);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = committer.stop() {
                tracing::warn!(%error, "the journal's end");
            }
        })
    }

    /// Opens it again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn reopen(&self) -> Result<Committer, Error> {
        let journal = Journal::open(&self.dir)?;
        self.put(Some(journal.reader()));
        Committer::start(journal)
    }

    fn put(&self, reader: Option<Reader>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader;
    }
}
