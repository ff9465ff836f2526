//! Alarms to sinks over HTTP: in order, until each is sent.
//!
//! The queues are in memory; what survives is the journal. An order to send that has no outcome there is
//! given again at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

mod body;

pub use body::Dialect;

use super::{cut, finished};
use crate::ingest::Incoming;
use crate::model::alarm::Alarm;
use crate::model::effect::{Effect, EffectId, Outcome};
use crate::model::event::Event;
use crate::wire::http;

/// How many alarms may wait for one sink.
const WAITING: usize = 256;
/// From one attempt to the next: doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// An alarm that a sink answers with an error of its own for so long is given up: it may be about this one alone,
/// and others wait behind it. One that is not answered at all is never given up.
const BAD_ANSWERS: Duration = Duration::from_secs(3600);

/// Where alarms go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Name in the configuration.
    pub name: String,
    /// `http://` or `https://`.
    pub url: String,
    /// What it understands.
    pub dialect: Dialect,
    /// Name of this node, for the sinks that ask for it.
    pub node: String,
    /// Deadline of one attempt.
    pub timeout: Duration,
}

/// The queues of all sinks of the node. Cheap to clone; with the last clone, what waits is forgotten.
#[derive(Debug, Clone)]
pub struct Alarms(Arc<Senders>);

#[derive(Debug)]
struct Senders {
    lanes: Mutex<BTreeMap<String, Lane>>,
    events: mpsc::Sender<Incoming>,
}

/// A sink's queue and the task that empties it, which ends with the lane.
#[derive(Debug)]
struct Lane {
    queue: Arc<Queue>,
    task: AbortHandle,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Alarms {
    /// Starts a sender for each sink; outcomes go to `events`.
    #[must_use]
    pub fn start(sinks: Vec<Sink>, events: mpsc::Sender<Incoming>) -> Self {
        let lanes = Mutex::default();
        let alarms = Self(Arc::new(Senders { lanes, events }));
        alarms.reconfigure(sinks);
        alarms
    }

    /// Goes on with other sinks. What waits for a sink of the same name is sent as the new one says,
    /// beginning at once; what waits for a sink that is gone ends in failure.
    pub fn reconfigure(&self, sinks: Vec<Sink>) {
        let mut lanes = lock(&self.0.lanes);
        let mut former = std::mem::take(&mut *lanes);
        for sink in sinks {
            let name = sink.name.clone();
            let lane = match former.remove(&name) {
                Some(lane) => {
                    lane.queue.change(sink);
                    lane
                }
                None => self.lane(sink),
            };
            lanes.insert(name, lane);
        }
        for (name, lane) in former {
            for letter in lane.queue.drain() {
                self.fail(letter, no_sink(&name));
            }
        }
    }

    /// Queues an alarm for `sink`. Where too many wait, the oldest gives way: news is worth more than history,
    /// which the journal has.
    pub fn send(&self, sink: &str, letter: Letter) {
        match lock(&self.0.lanes).get(sink) {
            Some(lane) => {
                if let Some(oldest) = lane.queue.push(letter) {
                    let why = "queue full, oldest dropped".to_owned();
                    self.fail(oldest, Outcome::Refused(why));
                }
            }
            None => self.fail(letter, no_sink(sink)),
        }
    }

    fn lane(&self, sink: Sink) -> Lane {
        let queue = Arc::new(Queue::new(sink));
        let sender = send_all(Arc::clone(&queue), self.0.events.clone());
        let task = tokio::spawn(sender).abort_handle();
        Lane { queue, task }
    }

    fn fail(&self, letter: Letter, outcome: Outcome) {
        let events = self.0.events.clone();
        let incoming = finished(&letter.instance, letter.id, letter.order, outcome);
        // Without a receiver the agent is ending.
        tokio::spawn(async move { drop(events.send(incoming).await) });
    }
}

fn no_sink(name: &str) -> Outcome {
    Outcome::Failed(format!("there is no [[alarm.sink]] {name}"))
}

/// An alarm on its way to a sink.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Whose it is.
    pub instance: String,
    /// The order to send it.
    pub id: EffectId,
    /// When it was decided: wall time in microseconds.
    pub decided_us: i64,
    /// The order in words.
    pub order: String,
    /// What it says.
    pub alarm: Alarm,
}

impl Letter {
    /// An alarm of `instance` for `sink`, ordered by `id`.
    #[must_use]
    pub fn new(instance: &str, id: EffectId, decided_us: i64, sink: &str, alarm: Alarm) -> Self {
        let order = Effect::SendAlarm {
            sink: sink.to_owned(),
            alarm: alarm.clone(),
        };
        Self {
            instance: instance.to_owned(),
            id,
            decided_us,
            order: order.to_string(),
            alarm,
        }
    }

    /// An attempt failed.
    fn tried(&self, why: String) -> Incoming {
        Incoming {
            instance: self.instance.clone(),
            event: Event::EffectTried {
                effect: self.id,
                order: self.order.clone(),
                why: cut(why),
            },
            cause: Some(self.id.seq),
        }
    }
}

#[derive(Debug)]
struct Queue {
    sink: Mutex<Sink>,
    letters: Mutex<Letters>,
    filled: Notify,
    /// The sink is another: what failed is tried again at once.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    sending: Option<Letter>,
    waiting: VecDeque<Letter>,
}

impl Queue {
    fn new(sink: Sink) -> Self {
        Self {
            sink: Mutex::new(sink),
            letters: Mutex::default(),
            filled: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// Returns the letter that had to give way.
    fn push(&self, letter: Letter) -> Option<Letter> {
        let mut letters = lock(&self.letters);
        let oldest = if letters.waiting.len() < WAITING {
            None
        } else {
            letters.waiting.pop_front()
        };
        letters.waiting.push_back(letter);
        self.filled.notify_one();
        oldest
    }

    /// The next letter; it is kept until the one after it is asked for.
    async fn next(&self) -> Letter {
        loop {
            {
                let mut letters = lock(&self.letters);
                letters.sending = letters.waiting.pop_front();
                if let Some(letter) = &letters.sending {
                    return letter.clone();
                }
            }
            self.filled.notified().await;
        }
    }

    fn drain(&self) -> Vec<Letter> {
        let mut letters = lock(&self.letters);
        let sending = letters.sending.take();
        sending
            .into_iter()
            .chain(letters.waiting.drain(..))
            .collect()
    }

    fn sink(&self) -> Sink {
        lock(&self.sink).clone()
    }

    fn change(&self, sink: Sink) {
        let before = std::mem::replace(&mut *lock(&self.sink), sink.clone());
        if before != sink {
            self.changed.notify_one();
        }
    }
}

/// What is behind these locks is whole after a panic too: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn send_all(queue: Arc<Queue>, events: mpsc::Sender<Incoming>) {
    loop {
        let letter = queue.next().await;
        let outcome = deliver(&queue, &letter, &events).await;
        let finished = finished(&letter.instance, letter.id, letter.order, outcome);
        if events.send(finished).await.is_err() {
            return;
        }
    }
}

async fn deliver(queue: &Queue, letter: &Letter, events: &mpsc::Sender<Incoming>) -> Outcome {
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    let mut answered_badly = Duration::ZERO;
    loop {
        let sink = queue.sink();
        let why = match http::post_json(
            &sink.url,
            &body::body(&sink.dialect, &sink.node, letter),
            sink.timeout,
        )
        .await
        {
            Ok(status @ 200..=299) => return Outcome::Done(format!("HTTP {status}")),
            // Request Timeout, Too Many Requests, Bad Gateway, Service Unavailable, Gateway Timeout (RFC 9110).
            Ok(status @ (408 | 429 | 502..=504)) => format!("HTTP {status}"),
            Ok(status @ 500..) if answered_badly >= BAD_ANSWERS => {
                return Outcome::Failed(format!("HTTP {status} for an hour"));
            }
            Ok(status @ 500..) => {
                answered_badly += pause;
                format!("HTTP {status}")
            }
            Ok(status) => {
                return Outcome::Failed(format!("HTTP {status}: check url of {}", sink.name));
            }
            Err(http::Error::Impossible(why)) => return Outcome::Failed(why),
            Err(http::Error::Unanswered(why)) => why,
        };
        if why != told {
            tracing::warn!(sink = sink.name, alarm = %letter.alarm.kind, why, "alarm not sent, trying on");
            told.clone_from(&why);
            // Without a receiver the agent is ending.
            let _ = events.send(letter.tried(why)).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
            () = queue.changed.notified() => pause = FIRST_PAUSE,
        }
    }
}

#[cfg(test)]
mod tests;
