//! Alarms to sinks over HTTP: in order, until each is sent.
//!
//! The queues are in memory; what survives is the journal. An order to send that has no outcome there is
//! given again at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

mod body;

pub use body::Dialect;

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

    /// Queues an alarm for `sink`. Where too many wait, the oldest gives way: news is worth more than history,
    /// which the journal has.
    pub(super) fn send(&self, sink: &str, letter: Letter) {
        let refused = match self.0.queues.get(sink) {
            Some(queue) => queue.push(letter).map(|oldest| {
                (
                    oldest,
                    Outcome::Refused("queue full, oldest dropped".to_owned()),
                )
            }),
            None => Some((
                letter,
                Outcome::Failed(format!("there is no [[alarm.sink]] {sink}")),
            )),
        };
        if let Some((letter, outcome)) = refused {
            let events = self.0.events.clone();
            let incoming = finished(&letter.instance, letter.id, outcome);
            // Without a receiver the agent is ending.
            tokio::spawn(async move { drop(events.send(incoming).await) });
        }
    }
}

/// An alarm on its way to a sink.
#[derive(Debug)]
pub(super) struct Letter {
    /// Whose it is.
    pub instance: String,
    /// The order to send it.
    pub id: EffectId,
    /// When it was decided: wall time in microseconds.
    pub decided_us: i64,
    /// What it says.
    pub alarm: Alarm,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Letter>>,
    filled: Notify,
}

impl Queue {
    /// Returns the letter that had to give way.
    fn push(&self, letter: Letter) -> Option<Letter> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if waiting.len() < WAITING {
            None
        } else {
            waiting.pop_front()
        };
        waiting.push_back(letter);
        self.filled.notify_one();
        oldest
    }

    async fn pop(&self) -> Letter {
        loop {
            let letter = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match letter {
                Some(letter) => return letter,
                None => self.filled.notified().await,
            }
        }
    }
}

async fn send_all(queue: Arc<Queue>, sink: Sink, events: mpsc::Sender<Incoming>) {
    loop {
        let letter = queue.pop().await;
        let outcome = deliver(&sink, &letter).await;
        if events
            .send(finished(&letter.instance, letter.id, outcome))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn deliver(sink: &Sink, letter: &Letter) -> Outcome {
    let body = body::body(&sink.dialect, &sink.node, letter);
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
            tracing::warn!(sink = sink.name, alarm = %letter.alarm.kind, why, "alarm not sent, trying on");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::alarm::{AlarmKind, AlarmStatus};
    use crate::model::event::Event;
    use crate::model::record::Seq;

    fn letter(seq: u64, title: &str) -> Letter {
        Letter {
            instance: "cache".to_owned(),
            id: EffectId {
                seq: Seq(seq),
                index: 0,
            },
            decided_us: 0,
            alarm: Alarm {
                incident: Seq(1),
                kind: AlarmKind::TookOver,
                status: AlarmStatus::Raised,
                title: title.to_owned(),
                content: "line\nnext".to_owned(),
            },
        }
    }

    fn sink(port: u16) -> Sink {
        Sink {
            name: "ops".to_owned(),
            url: format!("http://127.0.0.1:{port}/simplealarm"),
            dialect: Dialect::Simplealarm {
                local_ip: "10.0.0.1".to_owned(),
                mail_to: "ops@example.org".to_owned(),
                sms_to: "+49".to_owned(),
            },
            node: "lvs1".to_owned(),
            timeout: Duration::from_secs(2),
        }
    }

    async fn outcome(outcomes: &mut mpsc::Receiver<Incoming>) -> (u64, Outcome) {
        let incoming = tokio::time::timeout(Duration::from_secs(20), outcomes.recv()).await;
        match incoming.unwrap().unwrap().event {
            Event::EffectFinished { effect, outcome } => (effect.seq.0, outcome),
            other => panic!("{other:?}"),
        }
    }

    /// Answers each request with the next of `answers`, and returns the bodies.
    async fn receive(listener: TcpListener, answers: &[u16]) -> Vec<serde_json::Value> {
        let mut bodies = Vec::new();
        for status in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                assert!(head.starts_with("POST /simplealarm HTTP/1.1"), "{head}");
                assert!(
                    head.to_lowercase()
                        .contains("content-type: application/json"),
                    "{head}"
                );
                if let Ok(body) = serde_json::from_str(body) {
                    bodies.push(body);
                    break;
                }
            }
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        bodies
    }

    #[tokio::test]
    async fn sent_once_and_in_order_when_the_sink_comes_up() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (events, mut outcomes) = mpsc::channel(8);
        let alarms = Alarms::start(vec![sink(port)], events);
        alarms.send("ops", letter(1, "it\"s \\ down"));
        alarms.send("ops", letter(2, "second"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(outcomes.try_recv().is_err(), "nobody listens yet");
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        // Both a server in trouble and one that is asked too often are tried again.
        let server = tokio::spawn(async move { receive(listener, &[503, 429, 200, 204]).await });
        let done = |text: &str| Outcome::Done(text.to_owned());
        assert_eq!(outcome(&mut outcomes).await, (1, done("HTTP 200")));
        assert_eq!(outcome(&mut outcomes).await, (2, done("HTTP 204")));
        let bodies = server.await.unwrap();
        let expected = serde_json::json!({
            "title": "10.0.0.1:it\"s \\ down",
            "content": "10.0.0.1:line\nnext",
            "mailTo": "ops@example.org",
            "smsTo": "+49",
        });
        assert_eq!(bodies[2], expected);
        assert_eq!(bodies[3]["title"], "10.0.0.1:second");
        assert!(outcomes.try_recv().is_err(), "one outcome each");
    }

    #[tokio::test]
    async fn what_cannot_work_is_not_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { receive(listener, &[404]).await });
        let (events, mut outcomes) = mpsc::channel(8);
        let nonsense = Sink {
            name: "bad".to_owned(),
            url: "no url".to_owned(),
            ..sink(port)
        };
        let alarms = Alarms::start(vec![sink(port), nonsense], events);
        alarms.send("ops", letter(1, "lost"));
        let (_, failed) = outcome(&mut outcomes).await;
        assert_eq!(
            failed,
            Outcome::Failed("HTTP 404: check url of ops".to_owned())
        );
        assert_eq!(server.await.unwrap().len(), 1);
        for name in ["bad", "unknown"] {
            alarms.send(name, letter(2, "lost"));
            let (_, failed) = outcome(&mut outcomes).await;
            assert!(matches!(failed, Outcome::Failed(_)), "{name}: {failed}");
        }
    }

    #[tokio::test]
    async fn the_oldest_gives_way_when_too_many_wait() {
        let (events, mut outcomes) = mpsc::channel(8);
        // Port 1: nobody listens.
        let alarms = Alarms::start(vec![sink(1)], events);
        let many = u64::try_from(WAITING).unwrap() + 3;
        for seq in 0..many {
            alarms.send("ops", letter(seq, "x"));
            // Lets the sender take the first one out of the queue.
            tokio::task::yield_now().await;
        }
        let (first, refused) = outcome(&mut outcomes).await;
        let (second, _) = outcome(&mut outcomes).await;
        assert_eq!((first, second), (1, 2), "0 is being sent");
        assert_eq!(
            refused,
            Outcome::Refused("queue full, oldest dropped".to_owned())
        );
        assert!(outcomes.try_recv().is_err());
    }
}
