//! The thread that writes. What queues up while it waits for the disk goes to the disk together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::model::record::{Record, Seq};

use super::Journal;
use super::error::{Error, panic_text};
use super::keeper::{Chore, Keeper, What};
use super::reader::Reader;
use super::snapshot::Fold;

/// Commits that may wait. The agent waits for one before it offers the next of the same instance.
const QUEUE: usize = 4096;
/// Records that go to the disk together at most, so that nobody waits long behind a flood.
const GROUP: usize = 1024;

/// A journal and the thread that owns it.
#[derive(Debug)]
pub struct Committer {
    jobs: SyncSender<Job>,
    thread: JoinHandle<Ending>,
    keeper: Arc<Keeper>,
    reader: Reader,
}

enum Job {
    Commit(Commit),
    /// Begin another volume and seal the one before.
    Compact(Done),
}

struct Commit {
    records: Vec<Record>,
    done: Done,
}

type Done = oneshot::Sender<Result<(), Error>>;

type Ending = (Journal, Result<(), Error>);

impl Committer {
    /// Takes the journal over; its snapshots are of `F`.
    ///
    /// # Errors
    /// `Closed`, if the operating system gives no thread.
    pub fn start<F: Fold>(journal: Journal) -> Result<Self, Error> {
        let reader = journal.reader();
        let keeper = Arc::new(Keeper::start::<F>(journal.reader())?);
        let keeps = keeper.clone();
        let (jobs, queue) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run(journal, &queue, &keeps))
            .map_err(|e| Error::Closed {
                why: format!("no thread for it: {e}"),
            })?;
        Ok(Self {
            jobs,
            thread,
            keeper,
            reader,
        })
    }

    /// Queues records, to be stored whole and in the order of the calls; never blocks. The answer
    /// comes as [`Journal::append`] gives it, `Busy` if the queue is full, `Closed` if the thread is gone.
    #[must_use]
    pub fn commit(&self, records: Vec<Record>) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answer) = oneshot::channel();
        self.ask(Job::Commit(Commit { records, done }));
        answer
    }

    /// Seals everything that is there. The answer comes when that is done.
    #[must_use]
    pub fn compact(&self) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answer) = oneshot::channel();
        self.ask(Job::Compact(done));
        answer
    }

    /// Removes the volumes that end before this record. The answer comes when that is done.
    #[must_use]
    pub fn trim(&self, below: Seq) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answer) = oneshot::channel();
        self.keeper.ask(Chore {
            what: What::Trim(below.0),
            done: Some(done),
        });
        answer
    }

    fn ask(&self, job: Job) {
        let (job, e) = match self.jobs.try_send(job) {
            Ok(()) => return,
            Err(TrySendError::Full(job)) => (job, Error::Busy),
            Err(TrySendError::Disconnected(job)) => (job, gone()),
        };
        let (Job::Commit(Commit { done, .. }) | Job::Compact(done)) = job;
        // Who asked is still there.
        let _ = done.send(Err(e));
    }

    /// A handle for reading beside it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Stores what is queued and what is held, and gives the journal back. Waits for the disk.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn stop(self) -> Result<Journal, Error> {
        drop(self.jobs);
        let (journal, ended) = self.thread.join().map_err(|_| gone())?;
        if let Some(keeper) = Arc::into_inner(self.keeper) {
            keeper.stop();
        }
        ended.map(|()| journal)
    }
}

fn run(mut journal: Journal, queue: &Receiver<Job>, keeper: &Keeper) -> Ending {
    while let Ok(job) = queue.recv() {
        let mut waiting = Vec::new();
        let mut group = Vec::new();
        let mut next = Some(job);
        while let Some(Job::Commit(Commit { records, done })) = next {
            waiting.push(done);
            group.extend(records);
            next = (group.len() < GROUP)
                .then(|| queue.try_recv().ok())
                .flatten();
        }
        let calm = group.iter().all(|record| record.decision.is_empty());
        // Not while something goes on: the newest volume is well.
        if calm && let Some(why) = keeper.damage() {
            journal.closed.get_or_insert_with(|| why.clone());
        }
        if !waiting.is_empty() {
            let result = guarded(&mut journal, |journal| journal.append(group));
            for done in waiting {
                // Whoever gave up waiting does not want to know.
                let _ = done.send(result.clone());
            }
        }
        match next {
            Some(Job::Compact(done)) => compact(&mut journal, keeper, Some(done)),
            // It takes some milliseconds: not while something goes on.
            _ if calm && journal.is_full() => compact(&mut journal, keeper, None),
            _ => {}
        }
    }
    let ended = journal.flush_quiet();
    (journal, ended)
}

/// Begins another volume, and has the one before sealed.
fn compact(journal: &mut Journal, keeper: &Keeper, done: Option<Done>) {
    match guarded(journal, Journal::rotate) {
        Ok(()) => keeper.ask(Chore {
            what: What::Seal,
            done,
        }),
        Err(error) => {
            tracing::warn!(%error, "another volume of the journal cannot be begun");
            if let Some(done) = done {
                // Who asked may be gone.
                let _ = done.send(Err(error));
            }
        }
    }
}

/// A panic in here would leave the agent without a journal and without a word.
fn guarded(
    journal: &mut Journal,
    call: impl FnOnce(&mut Journal) -> Result<(), Error>,
) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| call(journal))).unwrap_or_else(|panic| {
        let why = format!("the journal's thread panicked: {}", panic_text(&*panic));
        journal.closed = Some(why.clone());
        Err(Error::Closed { why })
    })
}

fn gone() -> Error {
    Error::Closed {
        why: "its thread has ended".to_owned(),
    }
}
