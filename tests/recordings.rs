//! What real failovers left in the journals of their hosts, recorded in the laboratory
//! (`tools/lab faults --only NAME --record tests/recordings`): it must replay for ever, and be told.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rha::journal::Bundle;
use rha::machine::RULESET;
use rha::model::record::Record;
use rha::replay::{Recovered, rerun};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// Each recording, and the bundles of its hosts.
fn recordings() -> Vec<(String, Vec<PathBuf>)> {
    let sorted = |dir: &Path| {
        let entries = fs::read_dir(dir).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let named = sorted(&root()).into_iter().map(|dir| {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        (name, sorted(&dir))
    });
    let found: Vec<_> = named.collect();
    assert!(found.len() >= 7, "{found:?}");
    found
}

fn rha(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rha"))
        .args(args)
        .env_clear()
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What it prints where it must succeed.
fn printed(args: &[&str]) -> String {
    let output = rha(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that it complains with, and its exit code.
fn refused(args: &[&str]) -> (String, i32) {
    let output = rha(args);
    assert!(output.stdout.is_empty(), "{args:?} wrote something");
    let error = String::from_utf8(output.stderr).unwrap();
    let first = error.lines().next().unwrap_or_default().to_owned();
    (first, output.status.code().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn bundle(recording: &str, host: &str) -> PathBuf {
    root().join(recording).join(format!("{host}.rha"))
}

#[test]
fn each_replays_without_divergence() {
    for (name, files) in recordings() {
        for file in files {
            let bundle = Bundle::open(&file).unwrap();
            let before: Recovered = bundle.before_first().unwrap();
            let records: Vec<Record> = bundle.collect::<Result<_, _>>().unwrap();
            let is_of_today = records.iter().all(|record| record.ruleset == RULESET);
            let report = rerun(before, records.into_iter());
            // Where other rules decided, the logic may have changed since; nothing else may have.
            let fault = report
                .divergence
                .filter(|found| is_of_today || !found.ruleset_changed);
            assert_eq!(fault, None, "{name}: {}", file.display());
            assert!(report.decisions > 0, "{name}: {}", file.display());
        }
    }
}

/// The incidents in a bundle.
fn incidents(file: &Path, option: &str, value: &str) -> Vec<Value> {
    let list = "history incidents --output jsonl --bundle".split(' ');
    let list: Vec<&str> = list.chain([text(file), option, value]).collect();
    let list = printed(&list);
    let list = list.lines();
    list.map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What happened before is known also where it is not asked for.
#[test]
fn an_incident_is_the_same_whatever_is_listed_with_it() {
    for (name, files) in recordings() {
        for file in &files {
            for incident in incidents(file, "-n", "0") {
                let opened = incident["opened"].as_str().unwrap();
                let first = incidents(file, "--since", opened).swap_remove(0);
                assert_eq!(first, incident, "{name}: {}", file.display());
            }
        }
    }
}

/// Each incident of each host, beside the journals of the others.
#[test]
fn each_incident_is_told_in_every_form() {
    let mut told = 0;
    for (name, files) in recordings() {
        for file in &files {
            for incident in incidents(file, "-n", "0") {
                let id = incident["id"].to_string();
                let mut args = vec!["postmortem", &id, "--bundle", text(file), "--output"];
                let others: Vec<&str> = files
                    .iter()
                    .filter(|other| *other != file)
                    .flat_map(|other| ["--with", text(other)])
                    .collect();
                for form in ["text", "md", "html"] {
                    args.push(form);
                    args.extend(&others);
                    let page = printed(&args);
                    let is_whole = page.contains("Where the time went")
                        && page.contains("What these journals cannot tell");
                    assert!(is_whole, "{name} {id} {form}: {page}");
                    assert!(
                        !page.contains("NaN") && !page.contains("inf "),
                        "{name} {id} {form}"
                    );
                    assert_eq!(page.contains("<svg"), form == "html");
                    args.truncate(5);
                }
                told += 1;
            }
        }
    }
    assert!(told >= 10, "{told} incidents");
}

fn told(recording: &str, host: &str, with: &str) -> Value {
    let (own, other) = (bundle(recording, host), bundle(recording, with));
    let args = [
        "postmortem",
        "--bundle",
        text(&own),
        "--with",
        text(&other),
        "--output",
        "json",
    ];
    serde_json::from_str(&printed(&args)).unwrap()
}

#[test]
fn two_primaries_of_a_partition_are_seen_in_both_journals_together_only() {
    let both = told("partition-both-written", "lvs1", "lvs2");
    let double = &both["doubles"][0];
    let us = double["to_us"].as_i64().unwrap() - double["from_us"].as_i64().unwrap();
    assert!(us > 1_000_000, "{double}");
    let clock = &both["nodes"][1]["clock"];
    assert_eq!(clock["agreement"], "agree", "they have one clock: {clock}");
    assert!(
        both["loss"].to_string().contains("were saved"),
        "{}",
        both["loss"]
    );
    let own = bundle("partition-both-written", "lvs1");
    let alone: Value = serde_json::from_str(&printed(&[
        "postmortem",
        "--bundle",
        text(&own),
        "--output",
        "json",
    ]))
    .unwrap();
    assert_eq!(alone["doubles"].as_array().unwrap().len(), 0);
    assert!(alone["unknown"].to_string().contains("--with lvs2.rha"));
    assert!(alone["outages"].is_null(), "the other one may have served");
}

/// keepalived was stopped on one node and then the other, six times.
#[test]
fn each_incident_of_many_has_its_own_cause() {
    let [own, other] = ["lvs1", "lvs2"].map(|host| bundle("keepalived-to-and-fro", host));
    let causes = [
        (103, "lvs2", 85),
        (135, "lvs1", 135),
        (169, "lvs2", 149),
        (200, "lvs1", 200),
        (234, "lvs2", 214),
    ];
    for (incident, node, seq) in causes {
        let (id, files) = (incident.to_string(), [text(&own), "--with", text(&other)]);
        let args = ["postmortem", &id, "--output", "json", "--bundle"];
        let told: Value = serde_json::from_str(&printed(&[&args[..], &files].concat())).unwrap();
        let first = &told["cause"]["evidence"][0];
        let found = (first["node"].as_str(), first["seq"].as_u64());
        assert_eq!(
            found,
            (Some(node), Some(seq)),
            "{incident}: {}",
            told["cause"]
        );
        let text = format!("keepalived on {node} was stopped.");
        assert_eq!(told["cause"]["text"], text, "{incident}");
        // Each saw soon that the other one had stepped down.
        for double in told["doubles"].as_array().unwrap() {
            let us = double["to_us"].as_i64().unwrap() - double["from_us"].as_i64().unwrap();
            assert!(us < 90_000, "{incident}: {us} us");
        }
    }
}

#[test]
fn a_switchover_loses_nothing_and_says_so() {
    for (own, other) in [("lvs1", "lvs2"), ("lvs2", "lvs1")] {
        let told = told("switchover", own, other);
        let loss = ["None: lvs1 held writes back until lvs2 had all of them."];
        assert_eq!(told["loss"], serde_json::json!(loss));
    }
}

#[test]
fn all_outages_of_an_incident_are_told() {
    let [own, other] = ["lvs1", "lvs2"].map(|host| bundle("both-down-ab-back-ba", host));
    let page = printed(&["postmortem", "--bundle", text(&own), "--with", text(&other)]);
    let line = page.lines().find(|line| line.starts_with("nobody served"));
    let line = line.unwrap();
    assert!(line.matches(" at +").count() == 2, "{line}");
    let page = printed(&["postmortem", "--bundle", text(&own)]);
    let unknown = "not known without the other journals (--with)";
    assert_eq!(page.matches(unknown).count(), 2, "served, and two: {page}");
    assert!(
        page.contains("What lvs2 may have lost is in its journal."),
        "{page}"
    );
}

#[test]
fn what_if_a_hung_redis_had_been_waited_for_longer() {
    let hung = [
        bundle("hang-primary-redis", "lvs1"),
        bundle("hang-primary-redis", "lvs2"),
    ];
    let asked = |set: &str| {
        let found = hung.iter().map(|file| {
            let json = printed(&[
                "replay",
                "--bundle",
                text(file),
                "--set",
                set,
                "--output",
                "json",
            ]);
            serde_json::from_str::<Value>(&json).unwrap()
        });
        let found = found.flat_map(|one| one["departures"].as_array().unwrap().clone());
        found
            .filter(|one| one["failover"] == true)
            .collect::<Vec<_>>()
    };
    let later = asked("health.fall=5");
    assert_eq!(later.len(), 1, "{later:?}");
    let us = later[0]["by_us"].as_i64().unwrap();
    assert!(
        later[0]["fate"] == "later" && (1_500_000..2_500_000).contains(&us),
        "two checks later: {later:?}"
    );
    let earlier = asked("health.fall=2");
    assert!(
        earlier.iter().any(|one| one["fate"] == "earlier"),
        "{earlier:?}"
    );
    assert!(asked("health.fall=3").is_empty(), "as it was");
}

#[test]
fn what_would_not_have_happened_in_a_to_and_fro() {
    for host in ["lvs1", "lvs2"] {
        let own = bundle("keepalived-to-and-fro", host);
        let set = "failover.max_promotions=1";
        let said = printed(&["replay", "--bundle", text(&own), "--set", set]);
        assert!(
            said.contains("failover decisions would not have been made"),
            "{said}"
        );
        assert!(said.contains("instead: replica -> held"), "{said}");
        let said = printed(&["replay", "--bundle", text(&own), "--set", "vrrp.advert=1"]);
        assert!(said.contains("followed keepalived"), "{said}");
    }
}

/// A bundle is what was written, or it is refused.
#[test]
fn a_bundle_that_was_altered_or_cut_off_is_not_believed() {
    let whole = fs::read(bundle("switchover", "lvs1")).unwrap();
    let read = |bytes: &[u8]| -> Option<Vec<Record>> {
        let bundle = Bundle::read(Cursor::new(bytes)).ok()?;
        let _: Recovered = bundle.before_first().ok()?;
        bundle.collect::<Result<_, _>>().ok()
    };
    let records = read(&whole).unwrap();
    for index in 0..whole.len() {
        let mut altered = whole.clone();
        altered[index] ^= 1 << (index % 8);
        // In the last bytes stands a sum of what was read already.
        let is_same = read(&altered).is_none_or(|found| found == records);
        assert!(is_same, "byte {index}");
    }
    for length in (0..whole.len() - 16).step_by(7) {
        assert_eq!(read(&whole[..length]), None, "{length} bytes");
    }
}

#[test]
fn bad_bundles_get_one_line_each() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let own = bundle("switchover", "lvs1");
    let whole = fs::read(&own).unwrap();
    let head = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let newer = [b"RHABUNDLE 9 x\n{}\n".as_slice(), &whole[head..]].concat();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    for (path, complaint, code) in [
        (file("cut.rha", &whole[..whole.len() / 2]), "cut off", 3),
        (file("flipped.rha", &flipped), "damaged", 3),
        (file("empty.rha", b""), "this is no bundle", 1),
        (
            file("foreign.rha", b"PK\x03\x04 something else\nand more\n"),
            "this is no bundle",
            1,
        ),
        (file("newer.rha", &newer), "newer than this rha knows", 1),
        (dir.path().join("none.rha"), "No such file", 1),
    ] {
        let (line, found) = refused(&["replay", "--bundle", text(&path)]);
        assert!(
            line.contains(complaint) && line.contains(text(&path)),
            "{line}"
        );
        assert_eq!(found, code, "{line}");
    }
    let other = bundle("partition-both-written", "lvs2");
    for (args, complaint) in [
        (vec!["postmortem", "999999"], "there is no incident 999999"),
        (
            vec!["postmortem", "--with", text(&own)],
            "two journals are of lvs1",
        ),
        (
            vec!["postmortem", "--with", text(&other)],
            "has no records between",
        ),
        (
            vec!["history", "--since", "14:00", "--until", "13:00"],
            "--until is not after --since",
        ),
        (
            vec!["replay", "--set", "health.fal=5"],
            "knows no setting health.fal",
        ),
        (vec!["replay", "--set", "health.fall"], "no value"),
        (
            vec!["history", "--follow", "--bundle"],
            "cannot be used with",
        ),
    ] {
        let mut args = args;
        if args.last() != Some(&"--bundle") {
            args.push("--bundle");
        }
        args.push(text(&own));
        let (line, code) = refused(&args);
        assert!(line.contains(complaint), "{args:?}: {line}");
        assert_eq!(code, 2, "{args:?}: {line}");
    }
}

#[test]
fn each_filter_finds_its_own() {
    let own = bundle("kill-primary-redis", "lvs1");
    let count = |filter: &[&str]| {
        let all = [
            "history",
            "-n",
            "0",
            "--output",
            "jsonl",
            "--bundle",
            text(&own),
        ];
        printed(&[all.as_slice(), filter].concat()).lines().count()
    };
    let all = count(&["--all"]);
    assert!(count(&[]) < all);
    assert_eq!(
        count(&["--all", "--node", "lvs1"]) + count(&["--all", "--node", "lvs2"]),
        all
    );
    assert!(count(&["--role", "primary"]) > 0);
    assert_eq!(count(&["--role", "fenced"]), 0);
    assert!(count(&["--grep", "redis process [0-9]+ exited"]) > 0);
    assert_eq!(count(&["--grep", "REDIS PROCESS"]), 0);
    let list = incidents(&own, "-n", "0");
    let id = list[0]["id"].to_string();
    assert!((1..all).contains(&count(&["--all", "--incident", &id])));
    let seqs = |filter: &[&str]| -> Vec<u64> {
        let all = [
            "history",
            "-n",
            "20",
            "--output",
            "jsonl",
            "--bundle",
            text(&own),
        ];
        let lines = printed(&[all.as_slice(), filter].concat());
        let records = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .map(|record| record["seq"].as_u64().unwrap())
            .collect()
    };
    let mut newest_first = seqs(&["--reverse"]);
    newest_first.reverse();
    assert_eq!(newest_first, seqs(&[]));
}

#[test]
fn each_step_shows_how_it_was_decided() {
    let own = bundle("kill-primary-redis", "lvs1");
    let steps = printed(&["replay", "--step", "--bundle", text(&own)]);
    assert!(
        steps.contains("fired     exit-primary") || steps.contains("fired     promote-on-vip"),
        "{steps}"
    );
    for word in ["before ", "trigger ", "because ", "orders ", "changed "] {
        assert!(steps.contains(word), "{word}");
    }
    assert!(!steps.contains("otherwise, by ruleset"), "{steps}");
}
