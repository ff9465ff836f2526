//! The heart of the loop: queued events in, decisions recorded, effects out. Decides nothing itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::board::{Shared, lock};
use super::clock::Clock;
use super::hands::Hands;
use crate::ingest::Incoming;
use crate::journal::{Committer, Error};
use crate::machine::{self, State};
use crate::model::effect::{Effect, EffectId};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::time::At;

/// An event from somebody who waits for its record.
pub struct Ask {
    /// The event.
    pub incoming: Incoming,
    /// Where the record goes once it is on the disk.
    pub reply: oneshot::Sender<Record>,
}

/// How long one group commit may take before the journal counts as failing.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);

/// Events that wait for a journal that cannot be written.
const WAITING_MAX: usize = 4096;

/// Owns the machine's states and the order of things: step, record, flush, then hands.
///
/// While the journal cannot be written, the states go on as if it could, so that every event is
/// decided about once; of those decisions only the ones that change the role are carried out, for who
/// serves cannot wait for a disk. When the journal is back, the states are what it holds, and what
/// happened meanwhile is decided about again, on the record.
pub struct Pilot {
    clock: Clock,
    board: Shared,
    next: Seq,
    /// What is on the disk from here on was not acknowledged when the journal failed last.
    acknowledged: Seq,
    /// `None` from a failure to the next opening.
    committer: Option<Committer>,
    hands: Hands,
    committed: broadcast::Sender<Arc<Record>>,
    waiting: VecDeque<Incoming>,
    lost: u64,
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
    /// `next` is the first free place in the journal, the board's states the fold of all before it.
    pub fn new(clock: Clock, board: Shared, next: Seq, committer: Committer, hands: Hands) -> Self {
        let (committed, _) = broadcast::channel(1024);
        Self {
            clock,
            board,
            next,
            acknowledged: next,
            committer: Some(committer),
            hands,
            committed,
            waiting: VecDeque::new(),
            lost: 0,
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

    /// What happened while the journal could not be written: the facts, and then what was done.
    pub fn waiting(&self) -> (Vec<Incoming>, Vec<Incoming>) {
        let is_fact = |one: &&Incoming| !matches!(one.event, Event::ActedUnrecorded { .. });
        let events = || self.waiting.iter();
        (
            events().filter(is_fact).cloned().collect(),
            events().filter(|one| !is_fact(one)).cloned().collect(),
        )
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
                self.waiting.clear();
                if self.lost > 0 {
                    tracing::error!(
                        events = self.lost,
                        "lost while the journal could not be written"
                    );
                    self.lost = 0;
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
            for (index, effect) in (0..).zip(&record.decision.effects) {
                let seq = record.seq;
                let id = EffectId { seq, index };
                self.hands
                    .start(&record.instance, id, record.at.wall_us, effect);
            }
            // Nobody may be listening.
            let _ = self.committed.send(Arc::new(record.clone()));
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
        batch
            .iter()
            .map(|incoming| &incoming.instance)
            .filter_map(|name| Some((name.clone(), board.states.get(name)?.clone())))
            .collect()
    }

    fn go_on_unrecorded(&mut self, at: At, batch: Vec<Incoming>, why: &str) -> Vec<Record> {
        let mut records = Vec::new();
        for incoming in batch {
            let record = self.decide(self.next, at, &incoming);
            self.next = self.next.next();
            if waits(&incoming.event) {
                self.wait_with(incoming);
            }
            if record.decision.transition.is_some() {
                self.act_unrecorded(&record, why);
            }
            records.push(record);
        }
        records
    }

    /// The one exception to "nothing acts on an unrecorded decision": the role changes, and waiting for a
    /// dead disk would leave the clients with nobody, or with two.
    fn act_unrecorded(&mut self, record: &Record, why: &str) {
        // Its alarms are sent when the decision is taken again, on the record.
        let is_alarm = |effect: &&Effect| matches!(effect, Effect::SendAlarm { .. });
        let effects = record.decision.effects.iter();
        let effects: Vec<&Effect> = effects.filter(|effect| !is_alarm(effect)).collect();
        let what: Vec<String> = effects.iter().map(ToString::to_string).collect();
        let what = what.join(", ");
        tracing::error!(
            instance = record.instance,
            why,
            what,
            "acting without a record"
        );
        self.hand_out_unrecorded(record, &effects);
        let acted = Incoming {
            instance: record.instance.clone(),
            event: Event::ActedUnrecorded {
                at: record.at,
                why: why.to_owned(),
                what,
            },
            cause: None,
        };
        // The loudest alarm does not wait: once for all that happens until the journal is back.
        let alarm = self.decide(self.next, record.at, &acted);
        self.next = self.next.next();
        self.hand_out_unrecorded(&alarm, &Vec::from_iter(&alarm.decision.effects));
        self.wait_with(acted);
    }

    /// Outcomes of place 0 belong to no record: the places of these decisions will be others'.
    fn hand_out_unrecorded(&self, record: &Record, effects: &[&Effect]) {
        let seq = Seq(0);
        for (index, effect) in (0..).zip(effects) {
            let id = EffectId { seq, index };
            self.hands
                .start(&record.instance, id, record.at.wall_us, effect);
        }
    }

    fn wait_with(&mut self, incoming: Incoming) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(incoming);
    }
}

/// What is not known by itself when the journal is back. Checks come again, timers are armed again, the
/// spool is read again, and each opening of the journal begins with the settings.
fn waits(event: &Event) -> bool {
    !matches!(
        event,
        Event::RedisProbed(_)
            | Event::PeerProbed { .. }
            | Event::DeadlinePassed { .. }
            | Event::VrrpNotified(_)
            | Event::NotifyUnparsed { .. }
            | Event::SpoolDamaged { .. }
            | Event::AgentStarted { .. }
            | Event::Configured(_)
            | Event::AgentReady { .. }
    )
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
