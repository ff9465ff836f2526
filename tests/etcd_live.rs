//! Against a real etcd on a loopback port: its gateway, and the right to lead that is lent there.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

#[path = "common/port.rs"]
mod port;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rha::ingest::Incoming;
use rha::ingest::quorum::{Ballot, Canvasser, Voter, Wish};
use rha::model::event::Event;
use rha::model::quorum::Vote;
use rha::wire::etcd::{Entry, Error, Etcd};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

const TTL: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(30);

/// A member that ends with the test.
struct Member {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Member {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (clients, peers) = (url(port::free_port()), url(port::free_port()));
        let child = Command::new("etcd")
            .args(["--name", "one", "--data-dir"])
            .arg(dir.path().join("data"))
            .args([
                "--listen-client-urls",
                &clients,
                "--advertise-client-urls",
                &clients,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("one={peers}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is there (etcd-server)");
        let member = Self {
            child,
            url: clients,
            _dir: dir,
        };
        let etcd = member.etcd();
        let ready = async {
            while etcd.get("/rha/any").await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LIMIT, ready).await.expect("etcd answers");
        member
    }

    fn etcd(&self) -> Etcd {
        // The first one is not there: the second one answers.
        let members = ["http://127.0.0.1:1", &self.url];
        let members = members.iter().map(|url| url.parse().unwrap()).collect();
        Etcd::new(members, None, Duration::from_secs(1)).unwrap()
    }
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn a_key_is_written_by_one_and_goes_with_its_lease() {
    let member = Member::start().await;
    let etcd = member.etcd();
    assert_eq!(etcd.get("key").await.unwrap(), None);
    let lease = etcd.grant(TTL).await.unwrap();
    assert!(etcd.put_if("key", None, "one", Some(lease)).await.unwrap());
    assert!(!etcd.put_if("key", None, "two", None).await.unwrap());
    let entry = etcd.get("key").await.unwrap().unwrap();
    assert_eq!((entry.value.as_str(), entry.lease), ("one", lease));
    let stale = Entry {
        revision: entry.revision - 1,
        ..entry.clone()
    };
    assert!(!etcd.put_if("key", Some(&stale), "two", None).await.unwrap());
    assert!(etcd.keep_alive(lease).await.unwrap());
    etcd.revoke(lease).await.unwrap();
    assert_eq!(etcd.get("key").await.unwrap(), None);
    assert!(!etcd.keep_alive(lease).await.unwrap());
    let refused = etcd.put_if("key", None, "one", Some(lease)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    // Left alone, a lease ends too.
    let lease = etcd.grant(TTL).await.unwrap();
    assert!(etcd.put_if("key", None, "one", Some(lease)).await.unwrap());
    let over = async {
        while etcd.get("key").await.unwrap().is_some() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LIMIT, over).await.expect("the lease runs out");
}

/// One node's sense.
struct Node {
    wish: Arc<watch::Sender<Wish>>,
    events: mpsc::Receiver<Incoming>,
}

impl Node {
    fn new(etcd: Etcd, name: &str) -> Self {
        let (sender, events) = mpsc::channel(64);
        let wish = Arc::new(watch::Sender::new(Wish::AsItIs));
        let voter = Voter::Etcd(Arc::new(etcd));
        let canvasser = Canvasser {
            instance: "redis".to_owned(),
            voter: "etcd".to_owned(),
            ballot: Ballot::new(voter, "/rha/redis/leader".to_owned(), name.to_owned(), TTL),
            ttl: TTL,
            wish: Arc::clone(&wish),
            events: sender,
        };
        tokio::spawn(canvasser.run());
        Self { wish, events }
    }

    async fn hears(&mut self, wanted: &Vote) {
        let heard = async {
            loop {
                let incoming = self.events.recv().await.expect("it is asked on");
                let Event::QuorumChanged { vote, .. } = incoming.event else {
                    panic!("{incoming:?}");
                };
                let both_silent =
                    matches!((&vote, wanted), (Vote::Silent { .. }, Vote::Silent { .. }));
                if vote == *wanted || both_silent {
                    return;
                }
            }
        };
        let told = timeout(LIMIT, heard).await;
        told.unwrap_or_else(|_| panic!("never told: {wanted}"));
    }
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn the_right_to_lead_is_handed_over_runs_out_and_falls_silent() {
    let mut member = Member::start().await;
    let mut a = Node::new(member.etcd(), "a");
    let mut b = Node::new(member.etcd(), "b");
    a.hears(&Vote::Free).await;
    a.wish.send_replace(Wish::Lead);
    a.hears(&Vote::Ours { handed: false }).await;
    let of_a = Vote::Theirs {
        holder: "a".to_owned(),
    };
    b.hears(&of_a).await;
    // Kept for longer than it was lent for.
    b.wish.send_replace(Wish::Lead);
    sleep(2 * TTL).await;
    assert!(b.events.try_recv().is_err(), "b was told something");
    a.wish.send_replace(Wish::Release);
    b.hears(&Vote::Ours { handed: true }).await;
    // Not given back, it runs out.
    b.wish.send_replace(Wish::Nothing);
    a.wish.send_replace(Wish::Lead);
    a.hears(&Vote::Ours { handed: false }).await;
    // An agent that is started anew takes on what it has.
    let mut again = Node::new(member.etcd(), "a");
    again.hears(&Vote::Ours { handed: false }).await;
    member.child.kill().unwrap();
    a.hears(&Vote::Silent { why: String::new() }).await;
}
