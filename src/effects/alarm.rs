//! Alarms to sinks over HTTP: in order, until each is sent.
//!
//! The queues are in memory; what survives is the journal. An order to send that has no outcome there is
//! given again at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::finished;
use crate::ingest::Incoming;
use crate::model::alarm::Alarm;
use crate::model::effect::{EffectId, Outcome};
use crate::wire::http;

/// How many alarms may wait for one sink.
const WAITING: usize = 256;
/// From one attempt to the next: doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Where alarms go: the `simplealarm` of the scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Name in the configuration.
    pub name: String,
    /// `http://` or `https://`.
    pub url: String,
    /// Put before title and content, with a colon.
    pub local_ip: String,
    /// Passed on as `mailTo`.
    pub mail_to: String,
    /// Passed on as `smsTo`.
    pub sms_to: String,
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
            for job in lane.queue.drain() {
                self.fail(job, no_sink(&name));
            }
        }
    }

    /// Queues an alarm of `instance` for `sink`. Where too many wait, the oldest gives way: news is worth
    /// more than history, which the journal has.
    pub fn send(&self, instance: &str, id: EffectId, sink: &str, alarm: Alarm) {
        let job = Job {
            instance: instance.to_owned(),
            id,
            alarm,
        };
        match lock(&self.0.lanes).get(sink) {
            Some(lane) => {
                if let Some(oldest) = lane.queue.push(job) {
                    let why = "queue full, oldest dropped".to_owned();
                    self.fail(oldest, Outcome::Refused(why));
                }
            }
            None => self.fail(job, no_sink(sink)),
        }
    }

    fn lane(&self, sink: Sink) -> Lane {
        let queue = Arc::new(Queue::new(sink));
        let sender = send_all(Arc::clone(&queue), self.0.events.clone());
        let task = tokio::spawn(sender).abort_handle();
        Lane { queue, task }
    }

    fn fail(&self, job: Job, outcome: Outcome) {
        let events = self.0.events.clone();
        let incoming = finished(&job.instance, job.id, outcome);
        // Without a receiver the agent is ending.
        tokio::spawn(async move { drop(events.send(incoming).await) });
    }
}

fn no_sink(name: &str) -> Outcome {
    Outcome::Failed(format!("there is no [[alarm.sink]] {name}"))
}

#[derive(Debug, Clone)]
struct Job {
    instance: String,
    id: EffectId,
    alarm: Alarm,
}

#[derive(Debug)]
struct Queue {
    sink: Mutex<Sink>,
    jobs: Mutex<Jobs>,
    filled: Notify,
    /// The sink is another: what failed is tried again at once.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Jobs {
    sending: Option<Job>,
    waiting: VecDeque<Job>,
}

impl Queue {
    fn new(sink: Sink) -> Self {
        Self {
            sink: Mutex::new(sink),
            jobs: Mutex::default(),
            filled: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// Returns the job that had to give way.
    fn push(&self, job: Job) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        let oldest = if jobs.waiting.len() < WAITING {
            None
        } else {
            jobs.waiting.pop_front()
        };
        jobs.waiting.push_back(job);
        self.filled.notify_one();
        oldest
    }

    /// The next job; it is kept until the one after it is asked for.
    async fn next(&self) -> Job {
        loop {
            {
                let mut jobs = lock(&self.jobs);
                jobs.sending = jobs.waiting.pop_front();
                if let Some(job) = &jobs.sending {
                    return job.clone();
                }
            }
            self.filled.notified().await;
        }
    }

    fn drain(&self) -> Vec<Job> {
        let mut jobs = lock(&self.jobs);
        let sending = jobs.sending.take();
        sending.into_iter().chain(jobs.waiting.drain(..)).collect()
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
        let job = queue.next().await;
        let outcome = deliver(&queue, &job.alarm).await;
        if events
            .send(finished(&job.instance, job.id, outcome))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn deliver(queue: &Queue, alarm: &Alarm) -> Outcome {
    let mut pause = FIRST_PAUSE;
    loop {
        let sink = queue.sink();
        let why = match http::post_json(&sink.url, &body(&sink, alarm), sink.timeout).await {
            Ok(status @ 200..=299) => return Outcome::Done(format!("HTTP {status}")),
            // Request Timeout, Too Many Requests, and every trouble of the server may pass (RFC 9110).
            Ok(status @ (408 | 429 | 500..)) => format!("HTTP {status}"),
            Ok(status) => {
                return Outcome::Failed(format!("HTTP {status}: check url of {}", sink.name));
            }
            Err(http::Error::Impossible(why)) => return Outcome::Failed(why),
            Err(http::Error::Unanswered(why)) => why,
        };
        if pause == FIRST_PAUSE {
            tracing::warn!(sink = sink.name, alarm = %alarm.kind, why, "alarm not sent, trying on");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
            () = queue.changed.notified() => pause = FIRST_PAUSE,
        }
    }
}

/// What `simplealarm` takes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    title: String,
    content: String,
    mail_to: &'a str,
    sms_to: &'a str,
}

fn body<'a>(sink: &'a Sink, alarm: &Alarm) -> Body<'a> {
    Body {
        title: format!("{}:{}", sink.local_ip, alarm.title),
        content: format!("{}:{}", sink.local_ip, alarm.content),
        mail_to: &sink.mail_to,
        sms_to: &sink.sms_to,
    }
}

#[cfg(test)]
mod tests;
