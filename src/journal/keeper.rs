//! The thread that keeps the shelf in order beside the one that writes: seals what is full, removes what is too old.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::dir::layout;
use super::error::Error;
use super::index::Order;
use super::reader::Reader;
use super::row::{Row, Volume};
use super::seal::Press;
use super::snapshot::{self, Fold};

/// Chores that may wait.
const QUEUE: usize = 16;

/// What is to be done, and whom to tell.
pub(super) struct Chore {
    pub what: What,
    pub done: Option<oneshot::Sender<Result<(), Error>>>,
}

pub(super) enum What {
    /// Seal every volume that is not written to any more.
    Seal,
    /// Remove the volumes that end before this record.
    Trim(u64),
}

/// The thread, and how it is asked.
#[derive(Debug)]
pub(super) struct Keeper {
    chores: SyncSender<Chore>,
    stop: Arc<AtomicBool>,
    /// What it found to be damaged.
    damage: Arc<OnceLock<String>>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread; it begins with what an earlier run has left.
    pub(super) fn start<F: Fold>(reader: Reader) -> Result<Self, Error> {
        let (chores, queue) = sync_channel(QUEUE);
        let stop = Arc::<AtomicBool>::default();
        let damage = Arc::<OnceLock<String>>::default();
        let (stopped, damaged) = (stop.clone(), damage.clone());
        let thread = thread::Builder::new()
            .name("journal-keeper".to_owned())
            .spawn(move || run::<F>(&reader, &queue, &stopped, &damaged))
            .map_err(|e| Error::Closed {
                why: format!("no thread for it: {e}"),
            })?;
        let keeper = Self {
            chores,
            stop,
            damage,
            thread,
        };
        keeper.ask(Chore {
            what: What::Seal,
            done: None,
        });
        Ok(keeper)
    }

    /// Queues a chore; never blocks. One that does not fit is answered so, or comes by itself later.
    pub(super) fn ask(&self, chore: Chore) {
        if let Err(refused) = self.chores.try_send(chore) {
            use std::sync::mpsc::TrySendError::{Disconnected, Full};
            let (Full(chore) | Disconnected(chore)) = refused;
            if let Some(done) = chore.done {
                // Who asked may be gone.
                let _ = done.send(Err(Error::Busy));
            }
        }
    }

    /// What is wrong with a volume that is not sealed: it can only be saved where the journal is opened anew.
    pub(super) fn damage(&self) -> Option<&String> {
        self.damage.get()
    }

    /// Ends the thread, in the middle of its work if need be: it is begun again by the next.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.chores);
        // It catches nothing and has nothing to say.
        let _ = self.thread.join();
    }
}

fn run<F: Fold>(
    reader: &Reader,
    queue: &Receiver<Chore>,
    stop: &AtomicBool,
    damage: &OnceLock<String>,
) {
    while let Ok(Chore { what, done }) = queue.recv() {
        let result = match what {
            What::Seal => seal_all::<F>(reader, stop).inspect_err(|error| {
                if matches!(error, Error::Damaged { .. }) {
                    damage.get_or_init(|| error.to_string());
                }
            }),
            What::Trim(below) => trim::<F>(reader, below),
        };
        if let Err(error) = &result
            && !matches!(error, Error::Recalled)
        {
            tracing::warn!(%error, "a volume of the journal cannot be sealed or removed");
        }
        if let Some(done) = done {
            // Who asked may be gone.
            let _ = done.send(result);
        }
    }
}

/// Removes the volumes that end before `below`, once it is known what they come to.
fn trim<F: Fold>(reader: &Reader, below: u64) -> Result<(), Error> {
    let row = reader.shelf.row();
    let firsts = row.iter().skip(1).map(Volume::first);
    let Some(first) = firsts.take_while(|first| *first <= below).last() else {
        return Ok(());
    };
    match fold_before::<F>(reader, &row, first) {
        // Where the volume that stays cannot be read itself, nobody can go on from what was before it.
        Ok(()) | Err(Error::Damaged { .. }) => reader.shelf.trim(below),
        Err(e) => Err(e),
    }
}

/// Makes the snapshot before `first`, where a volume begins, if there is none.
fn fold_before<F: Fold>(reader: &Reader, row: &Row, first: u64) -> Result<(), Error> {
    let (dir, anchor) = (reader.shelf.dir(), row.anchor(first)?);
    if snapshot::is_whole(dir, first, anchor)? {
        return Ok(());
    }
    // What of it cannot be read was told when the journal was opened.
    let (fold, _) = reader.fold_to::<F>(first)?;
    snapshot::write(dir, first, anchor, &fold)
}

/// Seals every volume but the newest.
pub(super) fn seal_all<F: Fold>(reader: &Reader, stop: &AtomicBool) -> Result<(), Error> {
    for pair in reader.shelf.row().windows(2) {
        if let [Volume::Open { first, .. }, behind] = pair {
            seal::<F>(reader, *first, behind.first(), stop)?;
        }
    }
    Ok(())
}

fn seal<F: Fold>(reader: &Reader, first: u64, end: u64, stop: &AtomicBool) -> Result<(), Error> {
    let shelf = &reader.shelf;
    let row = shelf.row();
    // What cannot be read before it was told when the journal was opened.
    let (mut fold, _) = reader.fold_to::<F>(first)?;
    let mut press = Press::new(
        &layout::sealed_path(shelf.dir(), first),
        first,
        row.anchor(first)?,
    )?;
    for pair in row.range(first..end, Order::OldestFirst) {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (key, value) = pair?;
        press.take(key, &value, |record| fold.fold(record))?;
    }
    press.check_end(end)?;
    let index = press.finish()?.name()?;
    snapshot::write(shelf.dir(), index.next, index.hash, &fold)?;
    shelf.sealed(first)
}
