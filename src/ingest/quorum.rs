//! The right to lead, as the voters give it: asks each of them in its turn, keeps what was given, and tells what changed.
//!
//! What is given counts for two thirds of its time, from before it was asked for, by a clock that goes on through a suspend.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc, watch};

use super::Incoming;
use crate::model::event::Event;
use crate::model::quorum::Vote;

mod ballot;

pub use ballot::{Ballot, Voter};

/// What is asked of the voters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Nothing was decided yet: what is held is kept.
    #[default]
    AsItIs,
    /// The right to lead.
    Lead,
    /// Nothing any more: what they gave runs out.
    Nothing,
    /// That they take it back.
    Release,
}

/// From one try to the next, of who wants to lead: while the last primary is expected to give way, and later.
const SOON: Duration = Duration::from_millis(10);
const LATER: Duration = Duration::from_millis(100);
/// How long it is expected to.
const EXPECTED: Duration = Duration::from_secs(1);
/// After a suspend the sleep of a task goes on, and the right to lead may be over.
const SUSPEND_LOOK: Duration = Duration::from_millis(100);

/// Asks one voter for one instance.
#[derive(Debug)]
pub struct Canvasser {
    /// Name of the instance.
    pub instance: String,
    /// Name of the voter.
    pub voter: String,
    /// What stands there for this instance.
    pub ballot: Ballot,
    /// How long a vote is given for.
    pub ttl: Duration,
    /// What is asked.
    pub wish: Arc<watch::Sender<Wish>>,
    /// Where changes are told.
    pub events: mpsc::Sender<Incoming>,
}

impl Canvasser {
    /// Asks, the first time at once, until the receiver of the events is gone.
    pub async fn run(mut self) {
        let mut wishes = self.wish.subscribe();
        let mut told: Option<Vote> = None;
        let mut counts_until = boottime() + self.ttl / 2;
        let mut wished = boottime();
        loop {
            let wish = *wishes.borrow_and_update();
            let sent = boottime();
            let vote = tokio::select! {
                biased;
                vote = self.ballot.ask(wish) => vote,
                // It goes on being asked, by a new request; until then nothing counts.
                () = until(counts_until), if sent < counts_until => Err("no answer in time".to_owned()),
            };
            let vote = match vote {
                Ok(vote) => {
                    counts_until = sent + self.ttl / 3 * 2;
                    (boottime() < counts_until).then_some(vote)
                }
                Err(why) => (boottime() >= counts_until).then_some(Vote::Silent { why }),
            };
            if let Some(vote) = vote
                && is_news(told.as_ref(), &vote)
            {
                told = Some(vote.clone());
                if self.events.send(self.incoming(vote)).await.is_err() {
                    return;
                }
            }
            let wait = self.pause(wish, told.as_ref(), boottime() - wished);
            tokio::select! {
                changed = wishes.changed() => match changed {
                    Ok(()) => wished = boottime(),
                    Err(_) => return,
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn pause(&self, wish: Wish, told: Option<&Vote>, since: Duration) -> Duration {
        let is_ours = matches!(told, Some(Vote::Ours { .. }));
        match wish {
            Wish::Lead if !is_ours && since < EXPECTED => SOON,
            Wish::Lead if !is_ours => LATER,
            _ => self.ttl / 6,
        }
    }

    fn incoming(&self, vote: Vote) -> Incoming {
        Incoming {
            instance: self.instance.clone(),
            event: Event::QuorumChanged {
                voter: self.voter.clone(),
                vote,
            },
            cause: None,
        }
    }
}

/// How it came to be ours is told once; why a voter does not answer, too.
fn is_news(told: Option<&Vote>, vote: &Vote) -> bool {
    match (told, vote) {
        (Some(Vote::Ours { .. }), Vote::Ours { .. }) => false,
        (Some(Vote::Silent { .. }), Vote::Silent { .. }) => false,
        (told, vote) => told != Some(vote),
    }
}

/// This moment, on a clock that goes on through a suspend.
fn boottime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}

async fn until(moment: Duration) {
    while let Some(left) = moment
        .checked_sub(boottime())
        .filter(|left| !left.is_zero())
    {
        tokio::time::sleep(left.min(SUSPEND_LOOK)).await;
    }
}
