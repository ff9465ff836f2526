//! A sink that is down, refuses, changes or goes away.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::model::alarm::{AlarmKind, AlarmStatus};
use crate::model::event::Event;
use crate::model::record::Seq;

fn alarm(title: &str) -> Alarm {
    Alarm {
        incident: Seq(1),
        kind: AlarmKind::TookOver,
        status: AlarmStatus::Raised,
        title: title.to_owned(),
        content: "line\nnext".to_owned(),
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
        node: "a".to_owned(),
        timeout: Duration::from_secs(2),
    }
}

fn id(seq: u64) -> EffectId {
    EffectId {
        seq: Seq(seq),
        index: 0,
    }
}

fn letter(id: EffectId, alarm: Alarm) -> Letter {
    Letter::new("cache", id, 0, "ops", alarm)
}

async fn next(events: &mut mpsc::Receiver<Incoming>) -> Event {
    let incoming = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
    incoming.unwrap().unwrap().event
}

/// The next attempt that failed.
async fn tried(events: &mut mpsc::Receiver<Incoming>) -> (u64, String) {
    match next(events).await {
        Event::EffectTried { effect, order, why } => {
            assert_eq!(order, "send-alarm took-over raised to ops");
            (effect.seq.0, why)
        }
        other => panic!("{other:?}"),
    }
}

async fn outcome(outcomes: &mut mpsc::Receiver<Incoming>) -> (u64, Outcome) {
    match next(outcomes).await {
        Event::EffectFinished {
            effect, outcome, ..
        } => (effect.seq.0, outcome),
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
    alarms.send("ops", letter(id(1), alarm("it\"s \\ down")));
    alarms.send("ops", letter(id(2), alarm("second")));
    let (first, why) = tried(&mut outcomes).await;
    assert!(
        first == 1 && why.contains("refused"),
        "nobody listens yet: {why}"
    );
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(outcomes.try_recv().is_err(), "the same is not told again");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    // Both a server in trouble and one that is asked too often are tried again.
    let server = tokio::spawn(async move { receive(listener, &[503, 429, 200, 204]).await });
    let done = |text: &str| Outcome::Done(text.to_owned());
    assert_eq!(tried(&mut outcomes).await, (1, "HTTP 503".to_owned()));
    assert_eq!(tried(&mut outcomes).await, (1, "HTTP 429".to_owned()));
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
    alarms.send("ops", letter(id(1), alarm("lost")));
    let (_, failed) = outcome(&mut outcomes).await;
    assert_eq!(
        failed,
        Outcome::Failed("HTTP 404: check url of ops".to_owned())
    );
    assert_eq!(server.await.unwrap().len(), 1);
    for name in ["bad", "unknown"] {
        alarms.send(name, letter(id(2), alarm("lost")));
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
        alarms.send("ops", letter(id(seq), alarm("x")));
        // Lets the sender take the first one out of the queue.
        tokio::task::yield_now().await;
    }
    // The attempt at the first one may fail before, between or behind.
    let mut refusals = Vec::new();
    while refusals.len() < 2 {
        match next(&mut outcomes).await {
            Event::EffectFinished {
                effect, outcome, ..
            } => refusals.push((effect.seq.0, outcome)),
            other => assert!(matches!(other, Event::EffectTried { .. }), "{other:?}"),
        }
    }
    let [(first, refused), (second, _)] = &refusals[..] else {
        panic!("{refusals:?}");
    };
    assert_eq!((*first, *second), (1, 2), "0 is being sent");
    assert_eq!(
        *refused,
        Outcome::Refused("queue full, oldest dropped".to_owned())
    );
}

#[tokio::test]
async fn what_waits_survives_a_change_of_its_sink() {
    let (events, mut outcomes) = mpsc::channel(8);
    // Port 1: nobody listens.
    let alarms = Alarms::start(vec![sink(1)], events);
    alarms.send("ops", letter(id(1), alarm("first")));
    alarms.send("ops", letter(id(2), alarm("second")));
    // The first one is on its way when the sink changes.
    tried(&mut outcomes).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { receive(listener, &[200, 200]).await });
    alarms.reconfigure(vec![sink(port)]);
    assert_eq!(outcome(&mut outcomes).await.0, 1);
    assert_eq!(outcome(&mut outcomes).await.0, 2);
    let titles: Vec<_> = server
        .await
        .unwrap()
        .iter()
        .map(|b| b["title"].clone())
        .collect();
    assert_eq!(titles, ["10.0.0.1:first", "10.0.0.1:second"]);
}

#[tokio::test]
async fn what_waits_for_a_sink_that_is_removed_fails() {
    let (events, mut outcomes) = mpsc::channel(8);
    let alarms = Alarms::start(vec![sink(1)], events);
    alarms.send("ops", letter(id(1), alarm("first")));
    tried(&mut outcomes).await;
    alarms.send("ops", letter(id(2), alarm("second")));
    alarms.reconfigure(Vec::new());
    let gone = Outcome::Failed("there is no [[alarm.sink]] ops".to_owned());
    assert_eq!(outcome(&mut outcomes).await, (1, gone.clone()));
    assert_eq!(outcome(&mut outcomes).await, (2, gone));
}
