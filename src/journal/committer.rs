//! The thread that writes. What queues up while it waits for the disk goes to the disk together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::model::record::Record;

use super::Journal;
use super::error::{Error, panic_text};
use super::reader::Reader;

/// Commits that may wait. The agent waits for one before it offers the next of the same instance.
const QUEUE: usize = 4096;
/// Records that go to the disk together at most, so that nobody waits long behind a flood.
const GROUP: usize = 1024;

/// A journal and the thread that owns it.
#[derive(Debug)]
pub struct Committer {
    jobs: SyncSender<Job>,
    thread: JoinHandle<Ending>,
    reader: Reader,
}

struct Job {
    records: Vec<Record>,
    done: oneshot::Sender<Result<(), Error>>,
}

type Ending = (Journal, Result<(), Error>);

impl Committer {
    /// Takes the journal over.
    ///
    /// # Errors
    /// `Closed`, if the operating system gives no thread.
    pub fn start(journal: Journal) -> Result<Self, Error> {
        let reader = journal.reader();
        let (jobs, queue) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run(journal, &queue))
            .map_err(|e| Error::Closed {
                why: format!("no thread for it: {e}"),
            })?;
        Ok(Self {
            jobs,
            thread,
            reader,
        })
    }

    /// Queues records, to be stored whole and in the order of the calls; never blocks. The answer
    /// comes as [`Journal::append`] gives it, `Busy` if the queue is full, `Closed` if the thread is gone.
    #[must_use]
    pub fn commit(&self, records: Vec<Record>) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answer) = oneshot::channel();
        let (job, e) = match self.jobs.try_send(Job { records, done }) {
            Ok(()) => return answer,
            Err(TrySendError::Full(job)) => (job, Error::Busy),
            Err(TrySendError::Disconnected(job)) => (job, gone()),
        };
        // The receiver is still here.
        let _ = job.done.send(Err(e));
        answer
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
        ended.map(|()| journal)
    }
}

fn run(mut journal: Journal, queue: &Receiver<Job>) -> Ending {
    while let Ok(job) = queue.recv() {
        let mut waiting = vec![job.done];
        let mut group = job.records;
        while group.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            waiting.push(job.done);
            group.extend(job.records);
        }
        let result = append(&mut journal, group);
        for done in waiting {
            // Whoever gave up waiting does not want to know.
            let _ = done.send(result.clone());
        }
    }
    let ended = journal.flush_quiet();
    (journal, ended)
}

/// A panic in here would leave the agent without a journal and without a word.
fn append(journal: &mut Journal, group: Vec<Record>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| journal.append(group))).unwrap_or_else(|panic| {
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
