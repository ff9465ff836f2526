//! What can happen to a journal's files, one damage after the other: `rha verify` names it, the agent keeps what is
//! good, says what is not, and goes on; what nothing depends on may be lost without a word.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rha::{machine, model};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::Instant;

// The stories that the unit tests are told; this file needs some of them only.
#[allow(dead_code)]
#[path = "../../src/views/fixture.rs"]
mod fixture;
#[path = "../common/host.rs"]
mod host;
#[path = "../common/hours.rs"]
mod hours;

mod cases;

use cases::{BESIDE, Case, DAMAGED, Files, OPEN, QUARANTINED, SEALED, SOUND};
use host::Host;
use hours::hours;

/// Longest wait for what takes milliseconds on a machine at rest.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn what_happens_to_the_open_volume_is_named_and_gone_on_from() {
    OPEN.iter().for_each(Case::try_out);
}

#[test]
fn what_happens_to_a_sealed_volume_is_named_and_gone_on_from() {
    SEALED.iter().for_each(Case::try_out);
}

#[test]
fn what_happens_beside_the_volumes_is_named_and_gone_on_from() {
    BESIDE.iter().for_each(Case::try_out);
}

impl Case {
    fn try_out(&self) {
        let host = Host::of(&hours(), 3);
        let lines = host.rha("history -n 0 --output jsonl").1;
        fs::create_dir(host.path("state/blackbox")).unwrap();
        fs::write(host.path("state/blackbox/records.jsonl"), lines).unwrap();
        let before = records(&host.rha("history -n 0 --all --output jsonl").1);
        let files = Files::of(&host);
        (self.damage)(&files);
        let (exit, out, err) = host.rha("verify");
        let due = if self.verify == SOUND { 0 } else { 3 };
        assert_eq!(exit, Some(due), "{}: {out}{err}", self.what);
        assert!(out.contains(self.verify), "{}: {out}", self.what);

        let agent = Agent::start(&host);
        assert_eq!(agent.told(), self.recorded, "{}: {}", self.what, log(&host));
        agent.stop();
        let after = records(&host.rha("history -n 0 --all --output jsonl").1);
        for (seq, record) in before {
            if self.kept.has(seq, &files) {
                assert_eq!(after.get(&seq), Some(&record), "{}", self.what);
            }
        }
        // What was told is not told again.
        let agent = Agent::start(&host);
        assert_eq!(agent.told(), "", "{}: {}", self.what, log(&host));
        agent.stop();
    }
}

/// Lines of records, by number.
fn records(lines: &str) -> BTreeMap<u64, Value> {
    let records = lines.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        (record["seq"].as_u64().unwrap(), record)
    });
    records.collect()
}

fn log(host: &Host) -> String {
    fs::read_to_string(host.path("log")).unwrap_or_default()
}

/// A running agent, killed in the end.
struct Agent<'host> {
    host: &'host Host,
    child: Child,
}

impl<'host> Agent<'host> {
    fn start(host: &'host Host) -> Self {
        let mut log = fs::File::options();
        let log = log.create(true).append(true).open(host.path("log"));
        let mut command = host.command("run");
        let child = command
            .stdin(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        Self { host, child }
    }

    /// The kind of the record in which it tells of damage, and alarms; empty if there is none by the time that it
    /// decides.
    fn told(&self) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if UnixStream::connect(self.host.path("run/agent.sock")).is_ok() {
                // The newest: what is old may be damaged.
                let newest = self.host.rha("history -n 40 --output jsonl").1;
                let newest: Vec<_> = records(&newest).into_values().collect();
                let began = newest.iter().position(|record| {
                    record["kind"] == "agent-started" && record["event"]["pid"] == self.child.id()
                });
                let told = began.map_or(&[][..], |began| &newest[began..]);
                if told.iter().any(|record| record["kind"] == "agent-ready") {
                    return damage(told);
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not get ready: {}", log(self.host));
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", log(self.host));
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn damage(told: &[Value]) -> String {
    let of_damage =
        |record: &&Value| [QUARANTINED, DAMAGED].contains(&record["kind"].as_str().unwrap());
    let mut kinds = Vec::new();
    for record in told.iter().filter(of_damage) {
        let effects = record["effects"].as_array().unwrap();
        assert!(
            effects
                .iter()
                .any(|effect| effect["alarm"] == "journal-trouble"),
            "{record}"
        );
        kinds.push(record["kind"].as_str().unwrap().to_owned());
    }
    kinds.join(", ")
}
