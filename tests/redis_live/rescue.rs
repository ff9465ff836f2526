//! What an old primary has and the new one lacks, saved before it follows.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rha::effects::InstanceConfig;
use rha::model::effect::{Effect, Outcome};
use rha::model::event::Event;
use rha::rescue::{Note, list};

use crate::world::{Bench, Server, target};

/// A pair that was one, and then was not: `old` has gone on for itself since `new` was promoted.
struct Parted {
    old: Server,
    new: Server,
}

impl Parted {
    async fn after(before: &[&[&str]]) -> Self {
        let old = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
        let new = Server::start(&["--repl-diskless-sync-delay", "0"]).await;
        for words in before {
            old.cli(words);
        }
        let link = new.link().await;
        link.follow(&target(old.port).endpoint).await.unwrap();
        old.until_a_replica_is_online().await;
        for _ in 0..250 {
            if new.observe().await.offset == old.observe().await.offset {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        link.promote().await.unwrap();
        Self { old, new }
    }

    /// How many bytes of its writes the new one lacks, by what the two say.
    async fn bytes(&self) -> u64 {
        let promoted = self.new.observe().await.second_offset - 1;
        u64::try_from(self.old.observe().await.offset - promoted).unwrap()
    }

    fn rejoin(&self) -> Effect {
        Effect::Rejoin {
            target: target(self.new.port).endpoint,
            epoch: 3,
        }
    }
}

fn bench(parted: &Parted, change: impl FnOnce(&mut InstanceConfig)) -> Bench {
    Bench::new(parted.old.port, change)
}

/// The events before the outcome, and that.
async fn carried_out(bench: &mut Bench, effect: Effect) -> (Vec<Event>, Outcome) {
    bench.give(effect);
    let mut told = Vec::new();
    loop {
        match bench.outcomes.recv().await.unwrap().event {
            Event::EffectFinished { outcome, .. } => return (told, outcome),
            event => told.push(event),
        }
    }
}

fn diff(config: &Path, rdb: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rha"))
        .arg("--config")
        .arg(config)
        .args(["rescue", "diff"])
        .arg(rdb)
        .args(more)
        .output()
        .unwrap()
}

/// A configuration of this node; what is compared with is named.
fn config(dir: &Path, port: u16) -> std::path::PathBuf {
    let file = dir.join("rha.toml");
    let text = format!(
        "[node]\nname = \"a\"\n[paths]\nstate = '{0}/state'\nruntime = '{0}/run'\n[[instance]]\nname = \"cache\"\n\
         vip = \"192.0.2.9\"\nport = {port}\ninterface = \"lo\"\nvirtual_router_id = 51\n\
         [[instance.node]]\nname = \"a\"\naddress = \"192.0.2.1\"\n\
         [[instance.node]]\nname = \"b\"\naddress = \"192.0.2.2\"\n",
        dir.display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_the_new_primary_lacks_is_saved_before_it_is_overwritten() {
    let parted = Parted::after(&[&["SET", "both", "same"], &["SADD", "set", "1", "2", "x"]]).await;
    parted.old.cli(&["SET", "only", "here", "EX", "900"]);
    parted.old.cli(&["SET", "both", "changed"]);
    parted
        .old
        .cli(&["-n", "3", "HSET", "odd key\n", "field", "1"]);
    let bytes = parted.bytes().await;
    assert!(bytes > 0);
    let mut bench = bench(&parted, |_| {});
    let (told, outcome) = carried_out(&mut bench, parted.rejoin()).await;
    assert!(outcome.is_done(), "{outcome}");
    let [
        Event::Rescued {
            diverged,
            path,
            bytes: size,
        },
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((diverged.lacks, diverged.keys), (Some(bytes), 5));
    let path = Path::new(path);
    let name = path.file_name().unwrap().to_str().unwrap();
    let begins = format!("cache-e3-o{}-", diverged.offset);
    assert!(name.starts_with(&begins), "{name}");
    let about = std::fs::metadata(path).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(about.len(), *size);
    let note = Note::beside(path).unwrap();
    assert_eq!(note.diverged_bytes, Some(bytes));
    // It follows, and nothing of that is in its data set any more.
    parted.new.until_a_replica_is_online().await;
    for _ in 0..250 {
        if parted.old.cli(&["GET", "both"]) == "same" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(parted.old.cli(&["EXISTS", "only"]), "0");
    assert!(
        Command::new("redis-check-rdb")
            .arg(path)
            .output()
            .unwrap()
            .status
            .success()
    );

    let config = config(bench.dir.path(), parted.new.port);
    let against = format!("127.0.0.1:{}", parted.new.port);
    let against = ["--against", &against, "--output", "csv"];
    let found = diff(&config, path, &against);
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(3), "{said}");
    let text = String::from_utf8(found.stdout).unwrap();
    let rows: BTreeSet<(String, String)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[0].to_owned(), format!("{} {}", fields[1], fields[4]))
        })
        .collect();
    let row = |what: &str, key: &str| (what.to_owned(), key.to_owned());
    let expected = BTreeSet::from([
        row("missing", "0 only"),
        row("otherwise", "0 both"),
        row("missing", "3 odd key\\x0a"),
    ]);
    assert_eq!(rows, expected, "{said}");

    // What is cut short is told in one line.
    let cut = bench.dir.path().join("cut.rdb");
    let whole = std::fs::read(path).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let refused = diff(&config, &cut, &against);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("is damaged or cut short"), "{said}");
    let newer = bench.dir.path().join("newer.rdb");
    std::fs::write(&newer, b"REDIS9999\xff12345678").unwrap();
    let refused = diff(&config, &newer, &against);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("has RDB format 9999, which is newer than"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn nothing_is_saved_where_the_new_primary_has_everything() {
    let parted = Parted::after(&[&["SET", "both", "same"]]).await;
    parted.new.cli(&["SET", "both", "newer"]);
    let mut bench = bench(&parted, |_| {});
    let (told, outcome) = carried_out(&mut bench, parted.rejoin()).await;
    assert!(outcome.is_done(), "{outcome}");
    assert_eq!(told, []);
    assert_eq!(list(&bench.dir.path().join("rescue")).unwrap(), []);
}

/// As after a restart from an append-only file, which begins a new stream.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_data_set_of_another_stream_is_saved_only_where_redis_has_led() {
    for has_led in [true, false] {
        let old = Server::start(&[]).await;
        old.cli(&["SET", "own", "value"]);
        old.cli(&["REPLICAOF", "127.0.0.1", "1"]);
        let new = Server::start(&[]).await;
        let parted = Parted { old, new };
        let target = target(parted.new.port).endpoint;
        let order = match has_led {
            true => parted.rejoin(),
            false => Effect::Follow { target },
        };
        let mut bench = bench(&parted, |_| {});
        let (told, outcome) = carried_out(&mut bench, order).await;
        assert!(outcome.is_done(), "{outcome}");
        let unknown = |event: &Event| matches!(event, Event::Rescued { diverged, .. } if diverged.lacks.is_none());
        assert_eq!(
            told.iter().filter(|event| unknown(event)).count(),
            usize::from(has_led)
        );
        assert_eq!(told.len(), usize::from(has_led), "{told:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_cannot_be_saved_is_told_and_overwritten_only_for_availability() {
    for waits in [true, false] {
        let parted = Parted::after(&[&["SET", "both", "same"]]).await;
        parted.old.cli(&["SET", "only", "here"]);
        let mut bench = bench(&parted, |config| {
            config.rescue.size = 10;
            config.rescue.waits = waits;
        });
        let (told, outcome) = carried_out(&mut bench, parted.rejoin()).await;
        let [
            Event::NotRescued {
                why, waits: said, ..
            },
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
        assert!(why.contains("[rescue] size is 10"), "{why}");
        assert_eq!((*said, outcome.is_done()), (waits, !waits), "{outcome}");
        if waits {
            assert_eq!(parted.old.cli(&["GET", "only"]), "here");
        }
    }
}

/// `BGSAVE` and `CONFIG GET` are refused: one record, and no hanging.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_without_the_right_to_save_is_told_of() {
    let parted = Parted::after(&[&["SET", "both", "same"]]).await;
    parted.old.cli(&["SET", "only", "here"]);
    parted.old.cli(&["ACL", "SETUSER", "default", "-bgsave"]);
    let mut bench = bench(&parted, |_| {});
    let (told, outcome) = carried_out(&mut bench, parted.rejoin()).await;
    assert!(outcome.is_done(), "{outcome}");
    assert!(
        matches!(&told[..], [Event::NotRescued { why, .. }] if why.contains("NOPERM")),
        "{told:?}"
    );
}
