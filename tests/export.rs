//! `rha export` on a host whose agent does not run: what is written, where, and what is not.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rha::{machine, model};

#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;
#[path = "common/host.rs"]
mod host;

use host::Host;

/// A failover, and hours of checks behind it.
fn failover() -> Host {
    let mut records = fixture::failover();
    let last = records.last().cloned().unwrap();
    for _ in 0..5_000 {
        let mut next = last.clone();
        next.seq = records.last().unwrap().seq.next();
        next.at.wall_us = records.last().unwrap().at.wall_us + 1_000_000;
        records.push(next);
    }
    Host::of(&records, 3)
}

#[test]
fn a_bundle_knows_how_often_keepalived_advertises() {
    let host = Host::of(&fixture::failover(), 1);
    let toml = fs::read_to_string(host.path("rha.toml")).unwrap();
    let toml = toml.replace(
        "[keepalived]\n",
        "[keepalived]\nadvert_interval = '500ms'\n",
    );
    fs::write(host.path("rha.toml"), toml).unwrap();
    let bundle = host.path("x.rha").display().to_string();
    let (exit, _, err) = host.rha(&format!("export --out {bundle}"));
    assert_eq!(exit, Some(0), "{err}");
    let asked = format!("replay --set vrrp.advert=0.1 --bundle {bundle}");
    let (exit, out, err) = host.rha(&asked);
    assert_eq!(exit, Some(0), "{err}");
    assert!(
        out.contains("every 100 ms, not 500 ms: of 1 promotion"),
        "{out}"
    );
    assert!(out.contains("1.200 s earlier"), "{out}");
}

#[test]
fn lines_are_the_same_in_a_file_and_in_a_pipe() {
    let host = failover();
    let file = host.path("all.jsonl");
    let to_file = format!("export --format jsonl --out {}", file.display());
    let (exit, out, err) = host.rha(&to_file);
    assert_eq!((exit, out.as_str(), err.as_str()), (Some(0), "", ""));
    let (exit, piped, _) = host.rha("export --format jsonl");
    assert_eq!(exit, Some(0));
    assert_eq!(fs::read_to_string(file).unwrap(), piped);
    assert_eq!(piped, host.rha("history --all -n 0 --output jsonl").1);
}

#[test]
fn who_reads_no_further_is_no_trouble() {
    let host = failover();
    for line in ["export --format jsonl", "history --all -n 0", "export"] {
        let mut command = host.command(line);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = Vec::new();
        let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
        out.read_until(b'\n', &mut first).unwrap();
        assert!(!first.is_empty(), "{line}");
        drop(out);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        assert!(!said.contains("error"), "{line}: {said}");
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let host = failover();
    let dir = host.path("");
    let before = fs::read_dir(&dir).unwrap().count();
    for (line, exit, told) in [
        (
            "export --since 2030-01-01 --out x.rha",
            1,
            "no records of that time",
        ),
        (
            "export --since 2020-01-02 --until 2020-01-01 --out x.rha",
            2,
            "--until is not after --since",
        ),
        (
            "export --incident 4711 --out x.rha",
            2,
            "there is no incident 4711",
        ),
        (
            "export --format jsonl --out no/such/x",
            1,
            "cannot write no/such/x",
        ),
        ("export --out no/such/x", 1, "cannot write no/such/x"),
    ] {
        let output = host.command(line).current_dir(&dir).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{line}: {said}");
        assert!(said.contains(told), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), before, "{line}");
    }
}
