//! The heart of the loop: queued events in, decisions recorded, effects out. Decides nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::board::{Shared, lock};
use super::clock::Clock;
use super::hands::Hands;
use super::unrecorded::Unrecorded;
use crate::ingest::Incoming;
use crate::journal::{Committer, Error};
use crate::machine::{self, State};
use crate::model::effect::EffectId;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::time::At;

/// Something that somebody waits for.
pub enum Ask {
    /// The record of an event.
    Record {
        /// The event.
        incoming: Box<Incoming>,
        /// Where the record goes once it is on the disk.
        reply: oneshot::Sender<Record>,
    },
    /// That all of the journal is sealed.
    Compact {
        /// Where it is said; dropped while the journal cannot be written.
        reply: oneshot::Sender<oneshot::Receiver<Result<(), Error>>>,
    },
}

/// How long one group commit may take before the journal counts as failing.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);

/// Owns the machine's states and the order of things: step, record, flush, then hands.
///
/// While the journal cannot be written, the states go on as if it could, so that every event is
/// decided about once, and what is decided is carried out, for who serves cannot wait for a disk; an
/// operator's wish is not. These decisions have numbers of their own ([`Seq::UNRECORDED`]). When the
/// journal is back, the states are what it holds, and what happened meanwhile is recorded.
pub struct Pilot {
    clock: Clock,
    board: Shared,
    next: Seq,
    /// What is on the disk from here on was not acknowledged when the journal failed last.
    acknowledged: Seq,
    unrecorded: Unrecorded,
    /// `None` from a failure to the next opening.
    committer: Option<Committer>,
    hands: Hands,
    committed: broadcast::Sender<Arc<Record>>,
}

/// The journal could not be written.
pub struct Failure {
    /// Why.
    pub why: String,
    /// To be ended.
    pub committer: Committer,
}

/// What became of a batch.
pub struct Taken {
    /// What was decided; recorded, unless the journal fails.
    pub records: Vec<Record>,
    /// The journal failed just here.
    pub failure: Option<Failure>,
}

impl Pilot {
    /// The board's states are the fold of the committer's journal; without one, nothing is recorded before
    /// [`Self::resume`].
    pub fn new(clock: Clock, board: Shared, committer: Option<Committer>, hands: Hands) -> Self {
        let (committed, _) = broadcast::channel(1024);
        let next = committer
            .as_ref()
            .map_or(Seq(0), |committer| committer.reader().next_seq());
        Self {
            clock,
            board,
            next,
            acknowledged: next,
            unrecorded: Unrecorded::new(clock.now()),
            committer,
            hands,
            committed,
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

    /// The first place that was not acknowledged when the journal failed last: effects of records from there
    /// on were never handed out.
    pub fn acknowledged(&self) -> Seq {
        self.acknowledged
    }

    /// Decisions are recorded: the journal does not fail.
    pub fn is_recording(&self) -> bool {
        self.committer.is_some()
    }

    /// The first timer due over all instances, as an event, with its time.
    pub fn next_deadline(&self) -> Option<(u64, Incoming)> {
        let board = lock(&self.board);
        let (name, (deadline, armed)) = board
            .states
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
    pub async fn take(&mut self, mut batch: Vec<Incoming>) -> Taken {
        debug_assert!(!batch.is_empty(), "there is nothing to record");
        let at = self.clock.now();
        let failure = match self.record(at, &mut batch).await {
            Ok(records) => {
                return Taken {
                    records,
                    failure: None,
                };
            }
            Err(failure) => failure,
        };
        if failure.is_some() {
            self.acknowledged = self.next;
        }
        let why = failure
            .as_ref()
            .map_or("it is being opened anew", |failure| &failure.why);
        let records = self.go_on_unrecorded(at, batch, why);
        Taken { records, failure }
    }

    /// As [`Self::take`], for an event that is not to happen unless it is recorded.
    pub async fn take_ask(&mut self, incoming: Incoming) -> Taken {
        let at = self.clock.now();
        match self.record(at, &mut vec![incoming]).await {
            Ok(records) => Taken {
                records,
                failure: None,
            },
            Err(failure) => {
                if failure.is_some() {
                    self.acknowledged = self.next;
                }
                Taken {
                    records: Vec::new(),
                    failure,
                }
            }
        }
    }

    /// What happened while the journal could not be written, and what was done about it.
    pub fn waiting(&self) -> impl Iterator<Item = &Incoming> {
        self.unrecorded.waiting()
    }

    /// Goes on with a journal that was opened anew and folds to `states`. `batch` holds what is to be
    /// recorded first, what was [`Self::waiting`] in it; if that fails, all is as before.
    pub async fn resume(
        &mut self,
        committer: Committer,
        states: BTreeMap<String, State>,
        mut batch: Vec<Incoming>,
    ) -> Taken {
        let unrecorded = std::mem::replace(&mut lock(&self.board).states, states);
        let next = std::mem::replace(&mut self.next, committer.reader().next_seq());
        self.committer = Some(committer);
        let at = self.clock.now();
        match self.record(at, &mut batch).await {
            Ok(records) => {
                for (instance, id, effect) in self.unrecorded.caught_up() {
                    self.hands.start(&instance, id, at.wall_us, &effect);
                }
                Taken {
                    records,
                    failure: None,
                }
            }
            Err(failure) => {
                lock(&self.board).states = unrecorded;
                self.next = next;
                Taken {
                    records: Vec::new(),
                    failure,
                }
            }
        }
    }

    /// The journal's thread; `None` while the journal cannot be written.
    pub fn committer(&self) -> Option<&Committer> {
        self.committer.as_ref()
    }

    /// Takes the journal's thread out, at the end.
    pub fn close_journal(&mut self) -> Option<Committer> {
        self.committer.take()
    }

    /// Decides about a batch and records it. Where that fails, the states are as before, and the
    /// journal is of no further use; `None` if it was not before.
    async fn record(
        &mut self,
        at: At,
        batch: &mut Vec<Incoming>,
    ) -> Result<Vec<Record>, Option<Failure>> {
        loop {
            let Some(committer) = &self.committer else {
                return Err(None);
            };
            let before = self.snapshot(batch);
            let records: Vec<Record> = (self.next.0..)
                .zip(batch.iter())
                .map(|(seq, incoming)| self.decide(Seq(seq), at, incoming))
                .collect();
            let commit = committer.commit(records.clone());
            let why = match tokio::time::timeout(COMMIT_PATIENCE, commit).await {
                Ok(Ok(Ok(()))) => {
                    self.acknowledge(&records);
                    return Ok(records);
                }
                Ok(Ok(Err(Error::TooLarge { seq, bytes, .. }))) => {
                    lock(&self.board).states.extend(before);
                    let kind = drop_one(batch, seq, self.next);
                    tracing::error!(
                        kind,
                        bytes,
                        "an event is dropped: it is too long for the journal"
                    );
                    continue;
                }
                Ok(Ok(Err(error))) => error.to_string(),
                Ok(Err(_)) => "its thread has ended".to_owned(),
                Err(_) => format!(
                    "no answer from the disk for {} s",
                    COMMIT_PATIENCE.as_secs()
                ),
            };
            lock(&self.board).states.extend(before);
            return Err(self
                .committer
                .take()
                .map(|committer| Failure { why, committer }));
        }
    }

    fn acknowledge(&mut self, records: &[Record]) {
        self.next = Seq(self.next.0 + records.len() as u64);
        for record in records {
            self.hand_out(record);
            // Nobody may be listening.
            let _ = self.committed.send(Arc::new(record.clone()));
        }
    }

    fn hand_out(&self, record: &Record) {
        for (index, effect) in (0..).zip(&record.decision.effects) {
            let seq = record.seq;
            let id = EffectId { seq, index };
            self.hands
                .start(&record.instance, id, record.at.wall_us, effect);
        }
    }

    fn decide(&self, seq: Seq, at: At, incoming: &Incoming) -> Record {
        let mut board = lock(&self.board);
        let state = board.states.entry(incoming.instance.clone()).or_default();
        let (event, cause) = (incoming.event.clone(), incoming.cause);
        machine::decide(state, seq, at, &incoming.instance, cause, event)
    }

    fn snapshot(&self, batch: &[Incoming]) -> BTreeMap<String, State> {
        let board = lock(&self.board);
        // Once each: a state may be large, and a batch long.
        let names: BTreeSet<_> = batch.iter().map(|incoming| &incoming.instance).collect();
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), board.states.get(name)?.clone())))
            .collect()
    }

    /// The one exception to "nothing acts on an unrecorded decision": waiting for a dead disk would leave the
    /// clients with nobody, or with two.
    fn go_on_unrecorded(&mut self, at: At, batch: Vec<Incoming>, why: &str) -> Vec<Record> {
        let mut records = Vec::new();
        for incoming in batch {
            let seq = self.unrecorded.number();
            let record = self.decide(seq, at, &incoming);
            self.hand_out(&record);
            self.unrecorded.note(incoming, &record, why);
            records.push(record);
        }
        records
    }
}

/// Takes out the event that would have been record `seq`, in a batch that begins with `first`.
fn drop_one(batch: &mut Vec<Incoming>, seq: Seq, first: Seq) -> &'static str {
    let index = usize::try_from(seq.0 - first.0).unwrap_or(usize::MAX);
    if index < batch.len() {
        batch.remove(index).event.kind()
    } else {
        // A batch that cannot be shortened would be tried for ever.
        batch.clear();
        "unknown"
    }
}
