//! Where the journal is, for the one who writes it and those who only look.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::blackbox::compare;
use crate::config::Paths;
use crate::journal::{Committer, Damage, Error, Journal, Reader, Salvaged};
use crate::replay::Recovered;

/// How long a command may go on reading the journal while the agent starts.
const UNLOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const UNLOCK_PAUSE: Duration = Duration::from_millis(100);

/// The journal's place and its present reader.
#[derive(Clone)]
pub struct Library {
    place: Place,
    reader: Arc<Mutex<Option<Reader>>>,
    /// Grows when readers are to be given back.
    recalls: watch::Sender<u64>,
}

/// Where the journal is, and what knows better if it was emptied.
#[derive(Clone)]
struct Place {
    journal: PathBuf,
    black_box: PathBuf,
}

/// A reader, lent: to be dropped as soon as `recalled` changes.
pub struct Lent {
    /// The reader.
    pub reader: Reader,
    /// Tells when it is to be given back.
    pub recalled: watch::Receiver<u64>,
}

/// A journal that was opened, and what it really holds.
pub struct Opened {
    /// To be written.
    pub journal: Journal,
    /// The fold of all its records: some of them may never have been acknowledged.
    pub recovered: Recovered,
    /// It was damaged.
    pub damage: Option<Damage>,
}

impl Opened {
    /// Opens the journal and folds it; what is damaged is set aside under this suffix.
    fn open(place: &Place, suffix: &str) -> Result<Self, Error> {
        let Salvaged {
            journal,
            fold,
            damage,
        } = Journal::open_or_salvage(&place.journal, suffix)?;
        let missing = || {
            compare::missing(&place.black_box, Some(&journal)).map(|why| Damage {
                why,
                set_aside: None,
            })
        };
        Ok(Self {
            damage: damage.or_else(missing),
            journal,
            recovered: fold,
        })
    }
}

impl Library {
    /// The library of these directories, without a reader.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            place: Place {
                journal: paths.journal(),
                black_box: paths.black_box(),
            },
            reader: Arc::default(),
            recalls: watch::Sender::default(),
        }
    }

    /// Opens the journal, once nobody else has it open: a command that began while no agent ran reads it to its
    /// end, and must not keep the agent from starting.
    ///
    /// # Errors
    /// Another process holds it, it is of a newer format, or it may not or cannot be used.
    pub async fn open(&self, suffix: &str) -> Result<Opened, Error> {
        let began = tokio::time::Instant::now();
        loop {
            match Opened::open(&self.place, suffix) {
                Err(Error::Locked { .. }) if began.elapsed() < UNLOCK_PATIENCE => {
                    tokio::time::sleep(UNLOCK_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    /// There is a journal, whatever can be done with it.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        Journal::is_at(&self.place.journal).unwrap_or(false)
    }

    /// The reader; `None` while the journal is being opened anew.
    #[must_use]
    pub fn lend(&self) -> Option<Lent> {
        let recalled = self.recalls.subscribe();
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        Some(Lent { reader, recalled })
    }

    /// Tells when readers are to be given back: what is lent behind that may be of another journal.
    #[must_use]
    pub fn recalls(&self) -> watch::Receiver<u64> {
        self.recalls.subscribe()
    }

    /// Lets go of a journal: its errors stick to the handle, and only when every reader is gone can it be
    /// opened again. Ends when its thread does, which a dying disk may delay.
    pub fn close(&self, committer: Committer) -> JoinHandle<()> {
        self.recall();
        tokio::task::spawn_blocking(move || end(committer))
    }

    /// Lets go of a journal that failed and opens it again, on a thread of its own: a dying disk may delay every
    /// step.
    pub fn mend(
        &self,
        failed: Option<Committer>,
        suffix: String,
    ) -> JoinHandle<Result<Opened, Error>> {
        self.recall();
        let place = self.place.clone();
        tokio::task::spawn_blocking(move || {
            failed.into_iter().for_each(end);
            Opened::open(&place, &suffix)
        })
    }

    /// Lends this from here on.
    pub fn opened(&self, reader: Reader) {
        self.put(Some(reader));
    }

    fn recall(&self) {
        if let Some(Lent { reader, .. }) = self.lend() {
            reader.recall();
        }
        self.put(None);
        self.recalls.send_modify(|recalls| *recalls += 1);
    }

    fn put(&self, reader: Option<Reader>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader;
    }
}

fn end(committer: Committer) {
    if let Err(error) = committer.stop() {
        tracing::debug!(%error, "the journal's end");
    }
}
