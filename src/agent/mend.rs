//! A journal that failed, and how it comes back: opened anew, folded, and gone on with as after a restart.

use tokio::task::JoinHandle;

use super::intake::Intake;
use super::library::Opened;
use super::pilot::Failure;
use super::start::{names, of};
use super::{Agent, doorstep};
use crate::ingest::Incoming;
use crate::journal::{Committer, Error};
use crate::model::event::Event;
use crate::model::time::At;
use crate::replay::Recovered;

/// Between two tries, in ticks: doubles up to this.
const LAST_PAUSE: u32 = 4;

/// A journal that is being opened anew.
pub(super) struct Mending {
    task: Option<JoinHandle<Result<Opened, Error>>>,
    /// Ticks until the next look.
    rest: u32,
    pause: u32,
    /// Since when it cannot be written, and why.
    began: At,
    why: String,
    /// What was said last.
    said: String,
}

impl Mending {
    pub(super) fn new(began: At, why: String) -> Self {
        Self {
            task: None,
            rest: 0,
            pause: 0,
            began,
            said: why.clone(),
            why,
        }
    }

    /// To be decided about at once, and recorded when it is over.
    pub(super) fn event(&self, over: bool) -> Event {
        Event::JournalFailed {
            at: self.began,
            why: self.why.clone(),
            over,
        }
    }

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
    /// The journal could not be written: it is closed and opened anew, on another thread. Returns what is to be
    /// decided about that.
    pub(super) fn journal_failed(&mut self, failure: Failure) -> Option<Incoming> {
        let Failure { why, committer } = failure;
        tracing::error!(
            why,
            "the journal cannot be written: what decides who serves is done without it"
        );
        let mut mending = Mending::new(self.clock.now(), why);
        mending.task = Some(self.lender.mend(Some(committer), self.suffix()));
        let event = mending.event(false);
        self.mending = Some(mending);
        self.spokesman().map(|name| of(&name, event))
    }

    /// The instance that speaks for the node: what concerns all of them is told once.
    pub(super) fn spokesman(&self) -> Option<String> {
        names(&self.config).first().cloned()
    }

    /// What a damaged journal is set aside under.
    pub(super) fn suffix(&self) -> String {
        self.clock.now().wall_us.to_string()
    }

    /// Goes on with the journal if it has been opened.
    pub(super) async fn mend(&mut self) {
        let suffix = self.suffix();
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
                mending.task = unfinished.or_else(|| Some(self.lender.mend(None, suffix)));
                return;
            }
        };
        let resumed = match task.await {
            Ok(Ok(opened)) => self.resume(opened).await,
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
    async fn resume(&mut self, opened: Opened) -> Result<Vec<Incoming>, String> {
        let Opened {
            journal,
            recovered,
            damage,
        } = opened;
        let spool = doorstep::spool(&self.config, recovered.spool);
        let spool = spool.map_err(|error| error.to_string())?;
        let mut batch = self.beginning(&recovered.states);
        batch.extend(
            self.mending
                .iter()
                .map(|mending| of("", mending.event(true))),
        );
        for (name, seen) in &self.seen {
            let events = [&seen.attached, &seen.probed].into_iter().flatten();
            batch.extend(events.map(|event| of(name, event.clone())));
        }
        batch.extend(self.pilot.waiting().cloned());
        let committer =
            Committer::start::<Recovered>(journal).map_err(|error| error.to_string())?;
        let reader = committer.reader();
        let Recovered { ref states, .. } = recovered;
        let mut taken = self.pilot.resume(committer, states.clone(), batch).await;
        if let Some(Failure { why, committer }) = taken.failure.take() {
            drop(reader);
            let suffix = self.suffix();
            if let Some(mending) = &mut self.mending {
                mending.task = Some(self.lender.mend(Some(committer), suffix));
            }
            return Err(why);
        }
        self.lender.opened(reader);
        self.intake = Intake::new(spool);
        self.set_names();
        for (id, order) in recovered.alarms() {
            // The others are on their way.
            if id.seq >= self.pilot.acknowledged() {
                self.pilot
                    .hands()
                    .start(&order.instance, id, order.decided_us, &order.effect);
            }
        }
        self.note_damage(damage);
        self.unready = names(&self.config);
        Ok(self.taken(taken))
    }
}
