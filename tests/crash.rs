//! The journal under fire: some rounds of `tools/crash`, and that it leaves nothing behind.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs the tool, which must end well, and returns the JSON object in the last line of stdout.
fn crash(arguments: &[&str]) -> Value {
    // The tool bounds every wait of its own; this is for a tool that hangs.
    let output = Command::new("timeout")
        .args(["--kill-after=10", "400"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/crash"))
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [out, err] =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(out.starts_with("seed "), "{out}{err}");
    let figures: Value =
        serde_json::from_str(out.lines().last().unwrap_or_default()).expect("JSON at the end");
    assert_eq!(figures["ok"], true, "{out}{err}");
    assert!(output.status.success(), "{}", output.status);
    figures
}

#[test]
#[ignore = "needs redis-server"]
fn killed_processes_lose_nothing() {
    let figures = crash(&["--rounds", "25"]);
    assert_eq!(figures["rounds"], 25, "{figures}");
    assert_eq!(figures["lost"], 0, "{figures}");
    assert_eq!(figures["doubled"], 0, "{figures}");
    assert!(figures["acknowledged"].as_u64().unwrap() > 100, "{figures}");
}

#[test]
#[ignore = "needs redis-server"]
fn torn_files_are_told() {
    let figures = crash(&["--rounds", "5", "--only", "torn-journal"]);
    assert_eq!(figures["rounds"], 5, "{figures}");
    let figures = crash(&["--rounds", "5", "--only", "torn-spool"]);
    assert_eq!(figures["lost"], 0, "{figures}");
}
