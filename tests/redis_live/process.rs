//! Start and stop, and the track files.

use std::path::PathBuf;
use std::time::Duration;

use rha::model::effect::{Effect, Outcome};
use rha::model::redis::{Grade, RedisRole};
use rha::wire::redis::probe;

use crate::port::free_port;
use crate::world::{Bench, SLOW, TIMEOUT, target};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn start_and_stop_by_command() {
    let port = free_port();
    let place = tempfile::tempdir().unwrap();
    let pidfile: PathBuf = place.path().join("redis.pid");
    // Left behind by a crash: this kept the old scripts from ever starting Redis again.
    std::fs::write(&pidfile, std::process::id().to_string()).unwrap();
    let command = [
        "redis-server",
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "yes",
        "--dir",
        place.path().to_str().unwrap(),
        "--pidfile",
        pidfile.to_str().unwrap(),
    ]
    .map(str::to_owned);
    let mut bench = Bench::new(port, |config| {
        config.start = command.to_vec();
        config.start_as_replica = ["--replicaof", "127.0.0.1", "1"]
            .map(str::to_owned)
            .to_vec();
    });
    let done = |text: &str| Outcome::Done(text.to_owned());
    assert_eq!(
        bench.carry_out(Effect::StopRedis).await,
        done("already stopped")
    );
    assert_eq!(bench.carry_out(Effect::StartRedis).await, done(""));
    let mut link = None;
    let seen = probe(&mut link, &target(port), TIMEOUT, SLOW)
        .await
        .observation
        .unwrap();
    assert_eq!(
        (seen.role, seen.master.unwrap().port),
        (RedisRole::Replica, 1)
    );
    assert_eq!(
        bench.carry_out(Effect::StartRedis).await,
        done("already running")
    );
    // In a row, in order.
    let stop = bench.give(Effect::StopRedis);
    let start = bench.give(Effect::StartRedis);
    assert_eq!(bench.outcome().await, (stop, done("")));
    assert_eq!(bench.outcome().await, (start, done("")));
    assert_eq!(bench.carry_out(Effect::StopRedis).await, done(""));
    let gone = probe(&mut None, &target(port), TIMEOUT, SLOW).await;
    assert_eq!(gone.grade, Grade::Refused);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_start_that_cannot_work_says_why() {
    let port = free_port();
    let fails = |outcome: Outcome, text: &str| match outcome {
        Outcome::Failed(why) | Outcome::Refused(why) => assert!(why.contains(text), "{why}"),
        other => panic!("{other}"),
    };
    let mut bench = Bench::new(port, |_| {});
    fails(
        bench.carry_out(Effect::StartRedis).await,
        "neither start nor unit",
    );
    let mut bench = Bench::new(port, |config| {
        config.start = vec!["/nonexistent/redis".to_owned()];
    });
    fails(
        bench.carry_out(Effect::StartRedis).await,
        "/nonexistent/redis",
    );
    let mut bench = Bench::new(port, |config| {
        config.start = ["redis-server", "/nonexistent/redis.conf"]
            .map(str::to_owned)
            .to_vec();
    });
    fails(bench.carry_out(Effect::StartRedis).await, "exit status: 1");
    let mut bench = Bench::new(port, |config| {
        config.start = ["sleep", "60"].map(str::to_owned).to_vec();
        config.start_timeout = Duration::from_millis(300);
    });
    assert_eq!(bench.carry_out(Effect::StartRedis).await, Outcome::TimedOut);
}

#[tokio::test]
async fn track_files_are_written_one_after_the_other() {
    let mut bench = Bench::new(free_port(), |_| {});
    for round in 0..50_u8 {
        bench.give(Effect::SetEligible {
            eligible: round % 2 == 0,
        });
        bench.give(Effect::SetBias { bias: round });
        assert!(bench.outcome().await.1.is_done());
        assert!(bench.outcome().await.1.is_done());
        let read = |name: &str| std::fs::read_to_string(bench.dir.path().join(name)).unwrap();
        assert_eq!(read("eligible"), format!("{}\n", 1 - round % 2));
        assert_eq!(read("bias"), format!("{round}\n"));
    }
}
