//! `rha history`, `replay` and `verify` of a journal that has lost something, while no agent runs: what is readable is
//! printed, what is missing is said, and the exit status is 3.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use std::fs;

use rha::{machine, model};

// The stories that the unit tests are told; each test file needs some of them only.
#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;
#[path = "common/host.rs"]
mod host;
#[path = "common/hours.rs"]
mod hours;

use host::Host;
use hours::hours;

impl Host {
    /// Changes the bytes of sled's log.
    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let log = self.path("state/journal/00000000000000000001/db");
        let mut bytes = fs::read(&log).unwrap();
        change(&mut bytes);
        fs::write(log, bytes).unwrap();
    }

    /// stdout of a command that finds damage, says so in one line and where to look.
    fn damaged(&self, line: &str) -> String {
        let (exit, out, err) = self.rha(line);
        assert_eq!(exit, Some(3), "{line}: {out}{err}");
        let told = err.starts_with("error: the journal is damaged") && err.contains("`rha verify`");
        assert!(told && err.lines().count() == 1, "{line}: {err:?}");
        out
    }
}

const HISTORIES: [&str; 6] = [
    "history",
    "history -n 0",
    "history -n 0 --all",
    "history --output jsonl",
    "history -n 0 --output json",
    "history --output csv",
];

#[test]
fn a_whole_journal_is_told_without_a_word() {
    let host = Host::of(&hours(), 1);
    for line in HISTORIES.iter().chain(&["replay", "verify"]) {
        let (exit, out, err) = host.rha(line);
        assert_eq!((exit, err.as_str()), (Some(0), ""), "{line}: {out}");
    }
}

/// sled goes back before damage at the end of its log without a word; the mark beside it knows better.
#[test]
fn a_journal_that_has_lost_its_end() {
    let host = Host::of(&hours(), 1);
    host.damage(|log| log.truncate(log.len() / 2));
    assert_eq!(host.rha("verify").0, Some(3));
    for line in HISTORIES {
        let out = host.damaged(line);
        assert!(out.contains("promote"), "{line}: {out}");
    }
    let array = host.damaged("history --output json");
    let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
    assert!(!array.is_empty());
    let out = host.damaged("replay");
    assert!(
        out.starts_with("replayed ") && out.ends_with("no divergence, as far as it can be read\n"),
        "{out}"
    );
    let report: serde_json::Value =
        serde_json::from_str(&host.damaged("replay --output json")).unwrap();
    assert_eq!(
        (&report["ok"], &report["divergence"]),
        (&false.into(), &().into())
    );
    assert!(
        report["unread"].as_str().unwrap().contains("is gone"),
        "{report}"
    );
    // What was asked for was read.
    assert_eq!(host.rha("replay --until 5").0, Some(0));
}

/// The volumes before and behind it are whole.
#[test]
fn a_journal_that_has_lost_a_volume() {
    let host = Host::of(&hours(), 4);
    let volumes = fs::read_dir(host.path("state/journal")).unwrap();
    let mut sealed: Vec<_> = volumes.map(|entry| entry.unwrap().path()).collect();
    sealed.retain(|path| path.extension().is_some_and(|end| end == "vol"));
    sealed.sort();
    assert_eq!(sealed.len(), 3);
    fs::remove_file(&sealed[1]).unwrap();
    for line in [
        "history -n 0 --kind redis-probed",
        "history -n 0 --all",
        "history incidents",
        "history -n 3 --kind agent-started",
    ] {
        let out = host.damaged(line);
        assert!(!out.is_empty(), "{line}");
    }
    let (exit, ..) = host.rha("history -n 1");
    assert_eq!(exit, Some(0), "what is asked for was read");
}

#[test]
fn a_journal_of_random_bytes() {
    let host = Host::of(&hours(), 1);
    host.damage(|log| {
        let mut state = 1u32;
        log.fill_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
    });
    for line in ["history", "history -n 0 --all", "history --output jsonl"] {
        assert_eq!(host.damaged(line), "", "{line}");
    }
    assert_eq!(host.damaged("history --output json"), "[]\n");
    host.damaged("replay");
    let (exit, out, _) = host.rha("verify");
    assert!(
        exit == Some(3) && out.starts_with("record 1 is bad"),
        "{out}"
    );
}

/// Damage in the middle: the records before it, or behind it, are told.
#[test]
fn a_journal_with_a_hole() {
    let host = Host::of(&hours(), 1);
    host.damage(|log| {
        let middle = log.len() / 2;
        log[middle..middle + 64].fill(0xa5);
    });
    assert_eq!(host.rha("verify").0, Some(3));
    for line in ["history -n 0 --all", "replay"] {
        assert!(!host.damaged(line).is_empty(), "{line}");
    }
}

/// What the journal has lost is in the black box, in every form that history has.
#[test]
fn the_black_box_of_a_journal_that_is_gone() {
    let host = Host::of(&hours(), 1);
    let forms = ["jsonl", "json", "csv", "table"];
    let narrowed = [
        " -n 0",
        " -n 3",
        " -n 0 --kind redis-probed",
        " -n 0 --rule promoted",
        " --since 2026-08-03T06:00:10Z --until 2026-08-03T07:00:00Z",
        " --instance nobody",
    ];
    let lines: Vec<String> = forms
        .iter()
        .flat_map(|form| {
            narrowed
                .iter()
                .map(move |which| format!("history --output {form}{which}"))
        })
        .collect();
    let told: Vec<_> = lines.iter().map(|line| host.rha(line)).collect();
    assert!(told.iter().all(|(exit, ..)| *exit == Some(0)), "{told:?}");
    let jsonl = &told[0].1;
    // Two files, and a line that is being written.
    let middle = jsonl.match_indices('\n').nth(10).unwrap().0 + 1;
    fs::create_dir(host.path("state/blackbox")).unwrap();
    fs::write(
        host.path("state/blackbox/records.3.jsonl"),
        &jsonl[..middle],
    )
    .unwrap();
    let rest = format!("{}{{\"schema\":1,", &jsonl[middle..]);
    fs::write(host.path("state/blackbox/records.jsonl"), &rest).unwrap();
    host.damage(|log| log.fill(0xa5));
    let (exit, _, err) = host.rha("history");
    let hint = "hint: `rha history --blackbox` shows";
    assert!(exit == Some(3) && err.contains(hint), "{err}");

    fs::remove_dir_all(host.path("state/journal")).unwrap();
    for (line, told) in lines.iter().zip(&told) {
        assert_eq!(host.rha(&format!("{line} --blackbox")), *told, "{line}");
    }
    let place = host.path("state/blackbox");
    let line = format!("history -n 0 --output jsonl --blackbox {}", place.display());
    // Without a configuration, and of one file.
    fs::write(host.path("rha.toml"), "").unwrap();
    assert_eq!(host.rha(&line).1, *jsonl);
    assert_eq!(
        host.rha(&format!("{line}/records.3.jsonl")).1,
        jsonl[..middle]
    );
    // What is damaged is passed over, and counted.
    fs::write(place.join("records.3.jsonl"), &jsonl[..middle - 9]).unwrap();
    fs::write(place.join("records.4.jsonl"), [0xff, b'\n']).unwrap();
    let (exit, out, err) = host.rha(&line);
    let before = jsonl.match_indices('\n').nth(9).unwrap().0 + 1;
    assert_eq!(out, format!("{}{}", &jsonl[..before], &jsonl[middle..]));
    assert_eq!(exit, Some(3), "{err}");
    assert!(
        err.contains("2 lines of the black box cannot be read"),
        "{err}"
    );
    let (exit, _, err) = host.rha("history --blackbox /nowhere");
    assert!(
        exit == Some(1) && err.contains("there is no black box at /nowhere"),
        "{err}"
    );
}
