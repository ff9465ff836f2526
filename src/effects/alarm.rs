//! Alarms to sinks over HTTP: in order, until each is sent.
//!
//! The queues are in memory; what survives is the journal. An order to send that has no outcome there is
//! given again at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

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
    queues: BTreeMap<String, Arc<Queue>>,
    events: mpsc::Sender<Incoming>,
    /// One for each sink; they end with this set.
    _tasks: JoinSet<()>,
}

impl Alarms {
    /// Starts a sender for each sink; outcomes go to `events`.
    #[must_use]
    pub fn start(sinks: Vec<Sink>, events: mpsc::Sender<Incoming>) -> Self {
        let mut queues = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for sink in sinks {
            let queue = Arc::new(Queue::default());
            queues.insert(sink.name.clone(), Arc::clone(&queue));
            tasks.spawn(send_all(queue, sink, events.clone()));
        }
        Self(Arc::new(Senders {
            queues,
            events,
            _tasks: tasks,
        }))
    }

    /// Queues an alarm of `instance` for `sink`. Where too many wait, the oldest gives way: news is worth
    /// more than history, which the journal has.
    pub(super) fn send(&self, instance: &str, id: EffectId, sink: &str, alarm: Alarm) {
        let job = Job {
            instance: instance.to_owned(),
            id,
            alarm,
        };
        let refused = match self.0.queues.get(sink) {
            Some(queue) => queue.push(job).map(|oldest| {
                (
                    oldest,
                    Outcome::Refused("queue full, oldest dropped".to_owned()),
                )
            }),
            None => Some((
                job,
                Outcome::Failed(format!("there is no [[alarm.sink]] {sink}")),
            )),
        };
        if let Some((job, outcome)) = refused {
            let events = self.0.events.clone();
            let incoming = finished(&job.instance, job.id, outcome);
            // Without a receiver the agent is ending.
            tokio::spawn(async move { drop(events.send(incoming).await) });
        }
    }
}

#[derive(Debug)]
struct Job {
    instance: String,
    id: EffectId,
    alarm: Alarm,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Job>>,
    filled: Notify,
}

impl Queue {
    /// Returns the job that had to give way.
    fn push(&self, job: Job) -> Option<Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if waiting.len() < WAITING {
            None
        } else {
            waiting.pop_front()
        };
        waiting.push_back(job);
        self.filled.notify_one();
        oldest
    }

    async fn pop(&self) -> Job {
        loop {
            let job = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match job {
                Some(job) => return job,
                None => self.filled.notified().await,
            }
        }
    }
}

async fn send_all(queue: Arc<Queue>, sink: Sink, events: mpsc::Sender<Incoming>) {
    loop {
        let job = queue.pop().await;
        let outcome = deliver(&sink, &job.alarm).await;
        if events
            .send(finished(&job.instance, job.id, outcome))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn deliver(sink: &Sink, alarm: &Alarm) -> Outcome {
    let body = body(sink, alarm);
    let mut pause = FIRST_PAUSE;
    loop {
        let why = match http::post_json(&sink.url, &body, sink.timeout).await {
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
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
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
