//! Promote and follow.

use std::io::Read;
use std::time::Duration;

use rha::model::effect::{Effect, Outcome};
use rha::model::redis::{Endpoint, RedisRole};
use rha::wire::redis::Followed;
use tokio::time::Instant;

use crate::world::{Bench, KEYS, PATIENCE, Server, slow_pair, target};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn promote_and_follow_are_confirmed_and_idempotent() {
    let one = Server::start(&[]).await;
    let two = Server::start(&[]).await;
    one.cli(&["SET", "key", "value"]);
    let link = two.link().await;
    let master = target(one.port).endpoint;
    let mut client = std::net::TcpStream::connect(("127.0.0.1", two.port)).unwrap();
    assert_eq!(link.follow(&master).await, Ok(Followed::SteppedDown));
    assert_eq!(link.follow(&master).await, Ok(Followed::Already));
    link.kill_clients().await.unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        client.read(&mut [0; 1]).unwrap(),
        0,
        "other clients are closed"
    );
    link.answers().await.unwrap();
    for _ in 0..250 {
        one.cli(&["SET", "key", "value"]);
        if one.observe().await.replicas_online == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(one.observe().await.replicas_online, 1);
    let replica = two.observe().await;
    assert_eq!(
        (replica.role, replica.master, replica.keys),
        (RedisRole::Replica, Some(master), 1)
    );
    assert!(replica.link_up);
    link.promote().await.unwrap();
    link.promote().await.unwrap();
    let promoted = two.observe().await;
    assert_eq!((promoted.role, promoted.master), (RedisRole::Master, None));
    assert_eq!(
        promoted.replid2, replica.replid,
        "it was promoted out of that history"
    );
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn promote_over_the_warm_link_and_over_none() {
    let server = Server::start(&["--replicaof", "127.0.0.1", "1"]).await;
    let mut bench = Bench::new(server.port, |_| {});
    assert!(
        bench.carry_out(Effect::Promote).await.is_done(),
        "without a warm link"
    );
    assert_eq!(server.observe().await.role, RedisRole::Master);

    let link = server.link().await;
    link.follow(&Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 1,
    })
    .await
    .unwrap();
    bench.link.set(Some(link));
    assert!(
        bench.carry_out(Effect::Promote).await.is_done(),
        "over a warm one"
    );
    assert_eq!(server.observe().await.role, RedisRole::Master);

    // A warm link that Redis has closed is replaced.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(bench.carry_out(Effect::Promote).await.is_done());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_in_mid_first_sync_is_not_promoted() {
    let (master, replica) = slow_pair().await;
    let mut bench = Bench::new(replica.port, |_| {});
    bench.link.set(Some(replica.link().await));
    let mut refused = 0;
    let outcome = loop {
        match bench.carry_out(Effect::Promote).await {
            Outcome::Refused(why) => {
                assert!(why.contains("data set"), "{why}");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => break other,
        }
        assert!(refused < 1000, "the synchronisation never ends");
    };
    assert!(refused > 10, "the data set takes {KEYS} x 20 ms: {refused}");
    assert!(outcome.is_done(), "{outcome}");
    let promoted = replica.observe().await;
    assert_eq!((promoted.role, promoted.keys), (RedisRole::Master, KEYS));
    drop(master);
}

/// A replica that has not yet read what its master sent, as on a busy machine: it stands in the socket. With the
/// order to promote it waits behind that. Returns how many of the writes it has afterwards.
async fn keys_after_a_promotion_of_a_busy_replica(end_of_master: &str) -> u64 {
    let fast = ["--repl-diskless-sync-delay", "0"];
    let (master, replica) = (Server::start(&fast).await, Server::start(&fast).await);
    let mut bench = Bench::new(replica.port, |_| {});
    let link = replica.link().await;
    link.follow(&target(master.port).endpoint).await.unwrap();
    bench.link.set(Some(link));
    master.until_a_replica_is_online().await;
    replica.signal("-STOP");
    master.write(MANY);
    master.signal(end_of_master);
    bench.give(Effect::Promote);
    tokio::time::sleep(Duration::from_millis(50)).await;
    replica.signal("-CONT");
    let (_, outcome) = bench.outcome().await;
    assert!(outcome.is_done(), "{outcome}");
    let promoted = replica.observe().await;
    assert_eq!(promoted.role, RedisRole::Master);
    master.signal("-CONT");
    // One of them is older.
    promoted.keys - 1
}

const MANY: u64 = 10_000;

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_a_killed_master_had_sent_is_read_before_the_promotion() {
    let keys = keys_after_a_promotion_of_a_busy_replica("-KILL").await;
    assert_eq!(keys, MANY, "acknowledged writes are lost");
}

/// As where its host is gone: the connection does not end.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_a_silent_master_had_sent_is_read_before_the_promotion() {
    let keys = keys_after_a_promotion_of_a_busy_replica("-STOP").await;
    assert_eq!(keys, MANY, "acknowledged writes are lost");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_hung_redis_cannot_be_promoted_and_a_dead_one_fails_at_once() {
    let server = Server::start(&[]).await;
    let mut bench = Bench::new(server.port, |_| {});
    bench.link.set(Some(server.link().await));
    server.signal("-STOP");
    let began = Instant::now();
    assert_eq!(bench.carry_out(Effect::Promote).await, Outcome::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(4));
    server.signal("-CONT");
    drop(server);
    let outcome = bench.carry_out(Effect::Promote).await;
    assert_eq!(outcome, Outcome::Failed("connection refused".to_owned()));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn redis_is_not_told_to_follow_itself_but_stops_taking_writes() {
    let old = Server::start(&[]).await;
    let new = Server::start(&[]).await;
    let mut bench = Bench::new(old.port, |_| {});
    let itself = Effect::Follow {
        target: target(old.port).endpoint,
    };
    let first = bench.give(itself.clone());
    for _ in 0..250 {
        if old.observe().await.role == RedisRole::Replica {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(old.cli(&["SET", "key", "value"]).contains("READONLY"));
    // A later order of the same sort ends the waiting.
    let second = bench.give(Effect::Follow {
        target: target(new.port).endpoint,
    });
    assert_eq!(bench.outcome().await, (first, Outcome::Superseded));
    let (id, outcome) = bench.outcome().await;
    assert_eq!(id, second);
    assert!(outcome.is_done(), "{outcome}");
    let again = bench
        .carry_out(Effect::Follow {
            target: target(new.port).endpoint,
        })
        .await;
    assert_eq!(again, Outcome::Done("follows it already".to_owned()));
    assert!(bench.carry_out(Effect::Promote).await.is_done());

    let began = Instant::now();
    let outcome = bench.carry_out(itself).await;
    assert!(
        matches!(&outcome, Outcome::Refused(why) if why.contains("of this host")),
        "{outcome}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "it does not wait for ever"
    );
}

/// Demotion through nobody, as while a drain address stands, must not cost a full resynchronisation.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn stepping_down_first_keeps_the_place_in_the_stream() {
    let old = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
    let new = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
    old.cli(&["SET", "key", "value"]);
    new.link()
        .await
        .follow(&target(old.port).endpoint)
        .await
        .unwrap();
    old.until_a_replica_is_online().await;
    for _ in 0..250 {
        if new.observe().await.offset == old.observe().await.offset {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    new.link().await.promote().await.unwrap();
    let link = old.link().await;
    link.follow(&Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 1,
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    link.follow(&target(new.port).endpoint).await.unwrap();
    new.until_a_replica_is_online().await;
    let stats = new.cli(&["INFO", "stats"]);
    assert!(stats.contains("sync_full:0"), "{stats}");
    assert!(stats.contains("sync_partial_ok:1"), "{stats}");
}

/// An order to follow that was overtaken had made it a replica of nobody, and got no further.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn clients_of_a_former_master_are_dismissed_by_whichever_order_comes_through() {
    let former = Server::start(&["--replicaof", "127.0.0.1", "1"]).await;
    let new = Server::start(&[]).await;
    let mut client = std::net::TcpStream::connect(("127.0.0.1", former.port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bench = Bench::new(former.port, |_| {});
    let target = target(new.port).endpoint;
    let outcome = bench.carry_out(Effect::Follow { target }).await;
    assert!(outcome.is_done(), "{outcome}");
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "it stays connected");
}
