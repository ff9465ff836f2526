//! The heart of the loop: queued events in, decisions recorded, effects out. Decides nothing itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::clock::Clock;
use super::hands::Hands;
use crate::ingest::Incoming;
use crate::journal::Committer;
use crate::machine::{self, State};
use crate::model::effect::EffectId;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::role::Role;
use crate::model::time::At;

/// The states of all instances by name; `""` is the node itself. Shared with those who only look.
pub type States = Arc<Mutex<BTreeMap<String, State>>>;

/// An event from somebody who waits for its record.
pub struct Ask {
    /// The event.
    pub incoming: Incoming,
    /// Where the record goes once it is on the disk.
    pub reply: oneshot::Sender<Record>,
}

/// How long one group commit may take before the journal counts as failing.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);

/// Events that wait for a journal that cannot be written. Health checks do not wait; nothing else is
/// dropped before that many.
const WAITING_MAX: usize = 4096;

/// Owns the machine's states and the order of things: step, record, flush, then hands.
pub struct Pilot {
    clock: Clock,
    states: States,
    next: Seq,
    /// `None` between a failure and the next opening.
    committer: Option<Committer>,
    hands: Hands,
    committed: broadcast::Sender<Arc<Record>>,
    waiting: VecDeque<Incoming>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Taken {
    /// Recorded, and the effects are under way.
    Recorded,
    /// The journal could not be written: the states are as before, the events wait.
    JournalFailed(String),
}

impl Pilot {
    /// `next` is the first free place in the journal, `states` the fold of all before it.
    pub fn new(
        clock: Clock,
        states: States,
        next: Seq,
        committer: Committer,
        hands: Hands,
    ) -> Self {
        let (committed, _) = broadcast::channel(1024);
        Self {
            clock,
            states,
            next,
            committer: Some(committer),
            hands,
            committed,
            waiting: VecDeque::new(),
        }
    }

    /// Every record, once it is on the disk. A slow listener loses the oldest.
    pub fn committed(&self) -> broadcast::Sender<Arc<Record>> {
        self.committed.clone()
    }

    /// The effects' executors.
    pub fn hands(&self) -> &Hands {
        &self.hands
    }

    /// The effects' executors, to be replaced.
    pub fn hands_mut(&mut self) -> &mut Hands {
        &mut self.hands
    }

    /// The first timer due over all instances, as an event, with its time.
    pub fn next_deadline(&self) -> Option<(u64, Incoming)> {
        let states = lock(&self.states);
        let (name, (deadline, armed)) = states
            .iter()
            .filter(|(_, state)| state.live)
            .filter_map(|(name, state)| Some((name, state.next_deadline()?)))
            .min_by_key(|(_, (_, armed))| armed.due_us)?;
        let event = Event::DeadlinePassed { deadline };
        Some((
            armed.due_us,
            Incoming {
                instance: name.clone(),
                event,
                cause: Some(armed.by),
            },
        ))
    }

    /// Takes a batch: stamp, step, append all, flush once, and only then hand out the effects.
    pub async fn take(&mut self, batch: Vec<Incoming>) -> (Taken, Vec<Record>) {
        if batch.is_empty() {
            return (Taken::Recorded, Vec::new());
        }
        let at = self.clock.now();
        let before = self.snapshot(&batch);
        let records = self.decide(at, &batch);
        match self.commit(records.clone()).await {
            Ok(()) => {
                self.next = Seq(self.next.0 + records.len() as u64);
                for record in &records {
                    self.hand_out(record, record.seq);
                    // Nobody may be listening.
                    let _ = self.committed.send(Arc::new(record.clone()));
                }
                (Taken::Recorded, records)
            }
            Err(error) => {
                lock(&self.states).extend(before);
                self.act_unrecorded(&records, &error);
                self.keep_waiting(batch);
                (Taken::JournalFailed(error), Vec::new())
            }
        }
    }

    /// Events that wait for the journal, taken out to be tried again.
    pub fn take_waiting(&mut self) -> Vec<Incoming> {
        self.waiting.drain(..).collect()
    }

    /// Takes the journal's thread out: nothing is recorded until [`Self::resume`].
    pub fn close_journal(&mut self) -> Option<Committer> {
        self.committer.take()
    }

    /// Goes on with a journal that was opened anew.
    pub fn resume(&mut self, committer: Committer) {
        self.next = committer.reader().next_seq();
        self.committer = Some(committer);
    }

    fn decide(&self, at: At, batch: &[Incoming]) -> Vec<Record> {
        let mut states = lock(&self.states);
        let mut seq = self.next;
        batch
            .iter()
            .map(|incoming| {
                let state = states.entry(incoming.instance.clone()).or_default();
                let (event, cause) = (incoming.event.clone(), incoming.cause);
                let record = machine::decide(state, seq, at, &incoming.instance, cause, event);
                seq = seq.next();
                record
            })
            .collect()
    }

    fn snapshot(&self, batch: &[Incoming]) -> BTreeMap<String, State> {
        let states = lock(&self.states);
        batch
            .iter()
            .map(|incoming| &incoming.instance)
            .filter_map(|name| Some((name.clone(), states.get(name)?.clone())))
            .collect()
    }

    async fn commit(&self, records: Vec<Record>) -> Result<(), String> {
        let committer = self
            .committer
            .as_ref()
            .ok_or("it is closed after a failure")?;
        match tokio::time::timeout(COMMIT_PATIENCE, committer.commit(records)).await {
            Ok(Ok(result)) => result.map_err(|error| error.to_string()),
            Ok(Err(_)) => Err("its thread has ended".to_owned()),
            Err(_) => Err(format!(
                "no answer from the disk for {} s",
                COMMIT_PATIENCE.as_secs()
            )),
        }
    }

    fn hand_out(&self, record: &Record, seq: Seq) {
        for (index, effect) in record.decision.effects.iter().enumerate() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            self.hands.start(
                &record.instance,
                EffectId { seq, index },
                record.at.wall_us,
                effect,
            );
        }
    }

    /// The one exception to "nothing acts on an unrecorded decision": the VIP has arrived here, or
    /// Redis is gone here, and waiting for a dead disk would leave the clients with nobody.
    fn act_unrecorded(&mut self, records: &[Record], error: &str) {
        for record in records {
            let serves = matches!(
                record.decision.transition.map(|change| change.to),
                Some(Role::Promoting)
            );
            let gone = matches!(record.event, Event::RedisExited { .. });
            if !(serves || gone) {
                continue;
            }
            tracing::error!(instance = record.instance, error, "acting without a record");
            // Outcomes of place 0 belong to no record: the place of this one will be another's.
            self.hand_out(record, Seq(0));
            let what: Vec<String> = record
                .decision
                .effects
                .iter()
                .map(ToString::to_string)
                .collect();
            let event = Event::ActedUnrecorded {
                at: record.at,
                why: error.to_owned(),
                what: what.join(", "),
            };
            self.wait_with(Incoming {
                instance: record.instance.clone(),
                event,
                cause: None,
            });
        }
    }

    fn keep_waiting(&mut self, batch: Vec<Incoming>) {
        for incoming in batch {
            let again = matches!(
                incoming.event,
                Event::RedisProbed(_) | Event::PeerProbed { .. } | Event::DeadlinePassed { .. }
            );
            // A check comes again by itself, and a timer is still armed in the restored state.
            if !again {
                self.wait_with(incoming);
            }
        }
    }

    fn wait_with(&mut self, incoming: Incoming) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            tracing::error!("an event is lost: the journal has been failing for too long");
        }
        self.waiting.push_back(incoming);
    }
}

/// Looks at the states. A panic of another holder leaves them as they were: plain values.
pub fn lock(states: &States) -> MutexGuard<'_, BTreeMap<String, State>> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long until `due_us`, from `now`.
#[must_use]
pub fn until(due_us: u64, now: &At) -> Duration {
    Duration::from_micros(due_us.saturating_sub(now.mono_us))
}
