//! A journal that failed, and how it comes back: opened anew, folded, and gone on with as after a restart.

use tokio::task::JoinHandle;

use super::intake::Intake;
use super::library::Mended;
use super::pilot::Failure;
use super::start::{names, of};
use super::{Agent, doorstep};
use crate::ingest::Incoming;
use crate::journal::{Committer, Error};

/// Between two tries, in ticks: doubles up to this.
const LAST_PAUSE: u32 = 4;

/// A journal that is being opened anew.
#[derive(Default)]
pub(super) struct Mending {
    task: Option<JoinHandle<Result<Mended, Error>>>,
    /// Ticks until the next look.
    rest: u32,
    pause: u32,
    /// What was said last.
    said: String,
}

impl Mending {
    fn failed(&mut self, why: String) {
        self.pause = (self.pause * 2).clamp(1, LAST_PAUSE);
        self.rest = self.pause;
        if why != self.said {
            tracing::error!(why, "the journal is still out of use");
            self.said = why;
        }
    }
}

impl Agent {
    /// The journal could not be written: it is closed and opened anew, on another thread.
    pub(super) fn journal_failed(&mut self, failure: Failure) {
        let Failure { why, committer } = failure;
        tracing::error!(
            why,
            "the journal cannot be written: nothing is done without a record but what decides who serves"
        );
        self.mending = Some(Mending {
            task: Some(self.library.mend(Some(committer))),
            said: why,
            ..Mending::default()
        });
    }

    /// Goes on with the journal if it has been opened.
    pub(super) async fn mend(&mut self) {
        let Some(mending) = &mut self.mending else {
            return;
        };
        if mending.rest > 0 {
            mending.rest -= 1;
            return;
        }
        let task = match mending.task.take() {
            Some(task) if task.is_finished() => task,
            unfinished => {
                mending.task = unfinished.or_else(|| Some(self.library.mend(None)));
                return;
            }
        };
        let resumed = match task.await {
            Ok(Ok(mended)) => self.resume(mended).await,
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match resumed {
            Ok(next) => {
                self.mending = None;
                tracing::warn!("the journal can be written again");
                self.take(next).await;
            }
            Err(why) => {
                if let Some(mending) = &mut self.mending {
                    mending.failed(why);
                }
            }
        }
    }

    /// As after a restart: what is on the disk counts, whether it was acknowledged or not. The spool is
    /// read again from there; what else has happened follows the settings. Returns what follows from it.
    async fn resume(&mut self, mended: Mended) -> Result<Vec<Incoming>, String> {
        let Mended { journal, recovered } = mended;
        let spool = doorstep::spool(&self.config, recovered.spool);
        let spool = spool.map_err(|error| error.to_string())?;
        let mut batch = self.beginning(&recovered.states);
        for (name, seen) in &self.seen {
            let events = [&seen.attached, &seen.probed].into_iter().flatten();
            batch.extend(events.map(|event| of(name, event.clone())));
        }
        let (facts, acted) = self.pilot.waiting();
        batch.extend(facts);
        let committer = Committer::start(journal).map_err(|error| error.to_string())?;
        let reader = committer.reader();
        let mut taken = self.pilot.resume(committer, recovered.states, batch).await;
        if let Some(Failure { why, committer }) = taken.failure.take() {
            drop(reader);
            if let Some(mending) = &mut self.mending {
                mending.task = Some(self.library.mend(Some(committer)));
            }
            return Err(why);
        }
        self.library.reopened(reader);
        self.intake = Intake::new(spool);
        self.set_names();
        for (id, order) in &recovered.alarms {
            // The others are on their way.
            if id.seq >= self.pilot.acknowledged() {
                self.pilot
                    .hands()
                    .start(&order.instance, *id, order.decided_us, &order.effect);
            }
        }
        for incoming in acted {
            let events = self.once_ready.entry(incoming.instance).or_default();
            events.push(incoming.event);
        }
        self.unready = names(&self.config);
        Ok(self.taken(taken))
    }
}
