//! The journal under fire: some rounds of `tools/crash`, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test: what fails is shown, and waits are bounded

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The tool with these arguments.
fn tool(arguments: &[&str]) -> Command {
    // The tool bounds every wait of its own; this is for a tool that hangs.
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", "400"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/crash"))
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null());
    command
}

/// Runs the tool, and returns the JSON object in the last line of stdout.
fn run(arguments: &[&str], is_good: bool) -> Value {
    let output = tool(arguments).output().unwrap();
    let [out, err] =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(out.starts_with("seed "), "{out}{err}");
    let figures: Value =
        serde_json::from_str(out.lines().last().unwrap_or_default()).expect("JSON at the end");
    assert_eq!(figures["ok"], is_good, "{out}{err}");
    assert_eq!(output.status.success(), is_good, "{}", output.status);
    let kept = err
        .lines()
        .find_map(|line| line.split_once("kept for a look: "));
    assert_eq!(kept.is_some(), !is_good, "{err}");
    if let Some((_, kept)) = kept {
        fs::remove_dir_all(kept).unwrap();
    }
    figures
}

/// Runs the tool, which must end well.
fn crash(arguments: &[&str]) -> Value {
    run(arguments, true)
}

#[test]
#[ignore = "needs redis-server"]
fn killed_processes_lose_nothing() {
    let figures = crash(&["--rounds", "25"]);
    assert_eq!(figures["rounds"], 25, "{figures}");
    assert_eq!(figures["lost"], 0, "{figures}");
    assert_eq!(figures["doubled"], 0, "{figures}");
    assert!(figures["acknowledged"].as_u64().unwrap() > 100, "{figures}");
    assert!(figures["records"].as_u64().unwrap() > 100, "{figures}");
}

#[test]
#[ignore = "needs redis-server"]
fn torn_files_are_told() {
    let figures = crash(&["--rounds", "5", "--only", "torn-journal"]);
    assert_eq!(figures["rounds"], 5, "{figures}");
    assert_eq!(figures["faults"]["torn-journal"], 5, "{figures}");
    let figures = crash(&["--rounds", "5", "--only", "torn-spool"]);
    assert_eq!(figures["lost"], 0, "{figures}");
    assert_eq!(figures["faults"]["torn-spool"], 5, "{figures}");
}

/// What the books would find is told in `tools/crash.d/ledger/tests.rs`; this is the whole way to the exit status.
#[test]
#[ignore = "needs redis-server"]
fn a_lost_record_is_found() {
    let figures = run(&["--rounds", "1", "--only", "kill-agent", "--spoil"], false);
    assert!(figures["lost"].as_u64().unwrap() > 0, "{figures}");
}

/// The processes with this in their environment, and the directories that they were told to use.
fn of_run(mark: &str) -> (usize, BTreeSet<PathBuf>) {
    let mut processes = 0;
    let mut places = BTreeSet::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        if !environment.split('\0').any(|one| one == mark) {
            continue;
        }
        processes += 1;
        let values = environment.split('\0').filter_map(|one| {
            let (name, value) = one.split_once('=')?;
            ["RHA_CRASH_DISK", "RHA_CRASH_RUN"]
                .contains(&name)
                .then_some(value)
        });
        places.extend(values.map(PathBuf::from));
    }
    (processes, places)
}

#[test]
#[ignore = "needs redis-server"]
fn a_signal_ends_it_and_nothing_stays() {
    let ends = [("TERM", 143, None), ("INT", 130, Some("full-disk"))];
    for (signal, code, only) in ends {
        let mark = format!("RHA_CRASH_TEST={signal}-{}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let mut arguments = vec!["--rounds", "10000"];
        arguments.extend(only.into_iter().flat_map(|kind| ["--only", kind]));
        let mut child = tool(&arguments)
            .env(name, value)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        assert!(first.starts_with("seed "), "{first}");
        // timeout, the tool twice, Redis, agent and follower.
        let until = Instant::now() + Duration::from_secs(20);
        let (mut processes, mut places) = (0, BTreeSet::new());
        while processes < 6 && Instant::now() < until {
            (processes, places) = of_run(&mark);
        }
        let began = Instant::now();
        // timeout(1) hands it on.
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        let status = child.wait().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{signal}");
        assert!(processes >= 6, "{processes}");
        assert_eq!(places.len(), 2, "{places:?}");
        assert_eq!(status.code(), Some(code), "{signal}");
        assert_eq!(of_run(&mark).0, 0, "{signal}");
        assert!(!places.iter().any(|place| place.exists()), "{places:?}");
    }
}
