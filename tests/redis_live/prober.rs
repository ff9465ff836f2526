//! The checker of a Redis, and the watch of its process.

use std::sync::Arc;
use std::time::Duration;

use rha::ingest::Incoming;
use rha::ingest::probe::{Pace, Prober, Subject};
use rha::model::event::Event;
use rha::model::redis::{Grade, Probe, Sign};
use rha::wire::redis::{Error, Link, Secret, SharedLink, SignPost, Target};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use crate::world::{KEYS, PATIENCE, SLOW, Server, TIMEOUT, slow_pair, target};

/// Everything that a prober says, one at a time.
async fn next(events: &mut mpsc::Receiver<Incoming>) -> Event {
    timeout(PATIENCE, events.recv())
        .await
        .unwrap()
        .unwrap()
        .event
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_prober_attaches_reports_and_sees_the_exit_at_once() {
    let mut server = Server::start(&[]).await;
    let (port, pid) = (server.port, server.child.id());
    let shared = SharedLink::default();
    let nudge = Arc::new(Notify::new());
    let (sender, mut events) = mpsc::channel(64);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(port),
        subject: Subject::Own(shared.clone()),
        // Only the first check and those asked for: what is seen in between is no probe.
        pace: Pace {
            interval: Duration::from_secs(3600),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::clone(&nudge),
        events: sender,
    };
    let task = tokio::spawn(prober.run());
    let Event::RedisAttached {
        pid: told,
        watched,
        run_id: first,
        ..
    } = next(&mut events).await
    else {
        panic!("a new process is announced first");
    };
    assert_eq!((told, watched), (pid, true));
    assert!(matches!(
        next(&mut events).await,
        Event::RedisProbed(Probe {
            paced: true,
            grade: Grade::Ok,
            ..
        })
    ));
    assert!(shared.get().is_some(), "the warm connection is shared");

    let killed = Instant::now();
    server.child.kill().unwrap();
    assert_eq!(next(&mut events).await, Event::RedisExited { pid });
    let took = killed.elapsed();
    eprintln!("exit seen after {} us", took.as_micros());
    server.child.wait().unwrap();

    nudge.notify_one();
    let refused = next(&mut events).await;
    assert!(matches!(
        refused,
        Event::RedisProbed(Probe {
            paced: false,
            grade: Grade::Refused,
            ..
        })
    ));
    assert!(shared.get().is_none());

    let second = Server::launch(port, &[]);
    second.until(Grade::is_ready).await;
    nudge.notify_one();
    let Event::RedisAttached { run_id, pid, .. } = next(&mut events).await else {
        panic!("a restarted process is announced");
    };
    assert_eq!(pid, second.child.id());
    assert_ne!(run_id, first);
    task.abort();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_peer_is_probed_under_its_name() {
    let server = Server::start(&[]).await;
    let (sender, mut events) = mpsc::channel(64);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(server.port),
        subject: Subject::Peer("lvs2".to_owned()),
        pace: Pace {
            interval: Duration::from_millis(20),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::new(Notify::new()),
        events: sender,
    };
    let task = tokio::spawn(prober.run());
    // What its agent shows is told before the check, and again only when it is something else.
    let mut sign = async |wanted: Option<Sign>| {
        loop {
            match next(&mut events).await {
                Event::PeerProbed { peer, probe } => {
                    assert_eq!((peer.as_str(), probe.grade), ("lvs2", Grade::Ok));
                }
                Event::PeerSigned { peer, sign } => {
                    assert_eq!((peer.as_str(), sign), ("lvs2", wanted));
                    let Event::PeerProbed { .. } = next(&mut events).await else {
                        panic!("a check follows");
                    };
                    return;
                }
                other => panic!("only checks and signs are expected: {other:?}"),
            }
        }
    };
    sign(None).await;
    let mut post = SignPost::raise(&target(server.port), Sign::Stands, TIMEOUT)
        .await
        .unwrap();
    sign(Some(Sign::Stands)).await;
    post.change(Sign::Leads, TIMEOUT).await.unwrap();
    sign(Some(Sign::Leads)).await;
    // It goes with its connection, whoever ends it.
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    post.gone().await;
    sign(None).await;
    task.abort();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_without_the_right_to_channels_shows_and_sees_nothing() {
    let server = Server::start(&[]).await;
    let rights = [
        "ACL",
        "SETUSER",
        "rha",
        "on",
        ">secret",
        "resetchannels",
        "+@all",
        "-pubsub",
        "~*",
    ];
    server.cli(&rights);
    let user = Target {
        username: Some("rha".to_owned()),
        password: Some(Secret("secret".to_owned())),
        ..target(server.port)
    };
    let refused = SignPost::raise(&user, Sign::Leads, TIMEOUT).await;
    assert!(matches!(refused, Err(Error::Reply { ref code, .. }) if code == "NOPERM"));
    let _post = SignPost::raise(&target(server.port), Sign::Leads, TIMEOUT)
        .await
        .unwrap();
    let mut link = Link::connect(&user, TIMEOUT).await.unwrap();
    for _ in 0..3 {
        assert_eq!(link.sign().await.unwrap(), None);
    }
    // It is not asked again and again for what it may not do.
    let refusals = server.cli(&["ACL", "LOG"]);
    assert_eq!(refusals.matches("command").count(), 1, "{refusals}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_that_receives_a_data_set_is_looked_at_often() {
    let (_master, replica) = slow_pair().await;
    let (events, mut facts) = mpsc::channel(1024);
    let prober = Prober {
        instance: "cache".to_owned(),
        target: target(replica.port),
        subject: Subject::Own(SharedLink::default()),
        pace: Pace {
            interval: Duration::from_secs(60),
            timeout: TIMEOUT,
            slow: SLOW,
        },
        nudge: Arc::new(Notify::new()),
        events,
    };
    tokio::spawn(prober.run());
    let mut checks = 0;
    let last = loop {
        if let Event::RedisProbed(probe) = next(&mut facts).await {
            checks += 1;
            let seen = probe.observation.unwrap();
            if !(seen.sync_in_progress || seen.loading) {
                break seen;
            }
        }
    };
    assert!(checks > 5, "{checks}");
    assert_eq!(last.keys, KEYS);
    let idle = timeout(Duration::from_millis(300), facts.recv()).await;
    assert!(idle.is_err(), "back to the steady pace: {idle:?}");
}
