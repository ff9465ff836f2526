//! What `rha history`, `replay`, `verify`, `machine` and `completions` print, form by form.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::io::{self, Write};

use clap::{Args, Command, FromArgMatches};
use jiff::ZonedDateTime;
use jiff::tz::{Offset, TimeZone};
use rha::agent::api;
use rha::cli::render::{self, Screen};
use rha::cli::{completions, history, machine as cli_machine, replay, verify};
use rha::model::event::Event;
use rha::model::record::{Record, Seq};
use rha::replay::Recovered;
use rha::views::history::{Filter, all};
use rha::{machine, model};

// The stories that the unit tests are told; each test file needs some of them only.
#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;

/// Parses a command line as clap would.
fn parse<A: Args + FromArgMatches>(line: &str) -> Result<A, clap::Error> {
    let command = A::augment_args(Command::new("rha"));
    let words = std::iter::once("rha").chain(line.split_whitespace());
    A::from_arg_matches(&command.try_get_matches_from(words)?)
}

fn screen(width: usize) -> Screen {
    Screen {
        width,
        is_terminal: true,
        zone: TimeZone::fixed(Offset::constant(8)),
    }
}

fn now() -> ZonedDateTime {
    "2026-08-03T15:00:00+08:00[+08:00]".parse().unwrap()
}

fn ok(records: &[Record]) -> impl Iterator<Item = Result<Record, Infallible>> {
    records.iter().cloned().map(Ok)
}

/// What the command writes, without colours, and its exit code.
fn print(command: impl FnOnce(&mut dyn Write) -> anyhow::Result<u8>) -> (String, u8) {
    let mut out = anstream::StripStream::new(Vec::new());
    let exit = command(&mut out).unwrap();
    (String::from_utf8(out.into_inner()).unwrap(), exit)
}

fn history_of(records: &[Record], width: usize, line: &str) -> String {
    let args: history::HistoryArgs = parse(line).unwrap();
    let filter = args.filter(&now(), None).unwrap();
    let selected = all(filter.clone(), ok(records));
    print(|out| history::run(&args, &screen(width), selected, out)).0
}

/// An operator, two instances, a late line: what the failover has not.
fn busy_night() -> Vec<Record> {
    let mut records = fixture::failover();
    let mut story = fixture::Story {
        instance: "cache",
        seq: Seq(u64::try_from(records.len()).unwrap() + 1),
        ..fixture::Story::default()
    };
    story.wait_ms(60_000);
    story.start(true);
    story.lead();
    let operator = model::event::Operator {
        uid: 1000,
        user: "alice".to_owned(),
        command: "rha pause --for 1h disk change".to_owned(),
    };
    story.tell(Event::OperatorPaused {
        until_us: Some(story.now.wall_us + 3_600_000_000),
        reason: "disk change\u{1b}[2J".to_owned(),
        operator,
    });
    story.notify(model::vrrp::VrrpState::Backup);
    let late = story.records.last_mut().unwrap();
    late.at.mono_us += 2_000_000;
    late.at.wall_us += 2_000_000;
    records.append(&mut story.records);
    records
}

#[test]
fn history_table() {
    let records = fixture::failover();
    insta::assert_snapshot!("history_table_80", history_of(&records, 80, ""));
    insta::assert_snapshot!("history_table_100", history_of(&records, 100, ""));
    insta::assert_snapshot!("history_table_120", history_of(&records, 120, ""));
    insta::assert_snapshot!("history_table_200", history_of(&records, 200, "-n 0 --all"));
    insta::assert_snapshot!("history_why", history_of(&records, 100, "--why"));
    insta::assert_snapshot!(
        "history_instances_80",
        history_of(&busy_night(), 80, "-n 0")
    );
    insta::assert_snapshot!("history_instances", history_of(&busy_night(), 120, "-n 0"));
    assert_eq!(history_of(&[], 100, ""), "no records\n");
}

#[test]
fn history_is_never_wider_than_the_terminal() {
    for (records, narrowest) in [(fixture::failover(), 60), (busy_night(), 72)] {
        for width in narrowest..250 {
            for line in ["-n 0 --all", "-n 0 --why"] {
                let text = history_of(&records, width, line);
                let wide = text.lines().find(|line| line.chars().count() > width);
                assert_eq!(wide, None, "{width} columns, {line}");
            }
        }
    }
}

/// For grep and its kind: a line for each record, with the whole time, however narrow the terminal beside it may be.
#[test]
fn history_in_a_pipe_is_a_line_for_each_record() {
    let records = busy_night();
    let args: history::HistoryArgs = parse("-n 0 --all").unwrap();
    let pipe = Screen {
        is_terminal: false,
        ..screen(80)
    };
    let (text, _) = print(|out| history::run(&args, &pipe, ok(&records), out));
    assert_eq!(text.lines().count(), records.len() + 1);
    insta::assert_snapshot!("history_in_a_pipe", text);
}

/// Roles are coloured on a terminal; nothing that comes from elsewhere can command it.
#[test]
fn only_rha_writes_escapes() {
    let records = busy_night();
    let args: history::HistoryArgs = parse("-n 0 --why").unwrap();
    let mut coloured = Vec::new();
    history::run(&args, &screen(100), ok(&records), &mut coloured).unwrap();
    let coloured = String::from_utf8(coloured).unwrap();
    assert!(coloured.contains("\u{1b}[1m\u{1b}[32mpromoting -> primary\u{1b}[0m"));
    assert!(!coloured.contains("\u{1b}[2J") && coloured.contains("disk change\\u{1b}[2J"));
    for line in ["--output json", "--output csv"] {
        let args: history::HistoryArgs = parse(line).unwrap();
        let mut plain = Vec::new();
        history::run(&args, &screen(100), ok(&fixture::failover()), &mut plain).unwrap();
        assert!(!plain.contains(&0x1b), "{line}");
    }
}

#[test]
fn history_for_programs() {
    let records = fixture::failover();
    let jsonl = history_of(&records, 100, "--output jsonl");
    insta::assert_snapshot!("history_jsonl", jsonl);
    let json = history_of(&records, 100, "--output json");
    let array: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let lines: Vec<serde_json::Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(array, lines);
    let schema = |value: &serde_json::Value| value["schema"] == 1;
    assert!(lines.iter().all(schema) && lines.len() > 10);
    assert_eq!(history_of(&[], 100, "--output json"), "[]\n");
    assert_eq!(history_of(&[], 100, "--output jsonl"), "");
    insta::assert_snapshot!("history_csv", history_of(&records, 100, "--output csv"));
}

#[test]
fn history_prints_what_it_read_before_an_error() {
    let records = fixture::failover();
    let source = ok(&records[..2])
        .map(|record| record.map_err(io::Error::other))
        .chain([Err(io::Error::other("block 7: bad checksum"))]);
    let args: history::HistoryArgs = parse("").unwrap();
    let mut out = Vec::new();
    let error = history::run(&args, &screen(100), source, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "block 7: bad checksum");
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("rha 0.1.0 started"), "{out}");
}

#[test]
fn history_asks_the_journal_for_what_was_typed() {
    let filter = |line: &str| {
        parse::<history::HistoryArgs>(line)
            .unwrap()
            .filter(&now(), None)
    };
    assert_eq!(
        filter("").unwrap(),
        Filter {
            limit: 50,
            ..Filter::default()
        }
    );
    assert_eq!(
        filter("--since 2h --until 14:00 --kind redis-exited --kind vip-changed --instance redis")
            .unwrap(),
        Filter {
            since: Some(fixture::START_US - 3_600_000_000),
            until: Some(fixture::START_US),
            kinds: vec!["redis-exited".to_owned(), "vip-changed".to_owned()],
            instance: Some("redis".to_owned()),
            ..Filter::default()
        }
    );
    let narrow = filter("--since 2h -n 7 --all --rule promoted").unwrap();
    assert_eq!((narrow.limit, narrow.quiet), (7, true));
    assert_eq!(narrow.rule.as_deref(), Some("promoted"));
    for (line, complaint) in [
        ("--since 14:00 --until 2h", "--until is not after --since"),
        ("--since soon", "`soon` is not a time"),
        (
            "-n 100001",
            "-n 100001 is more than the 100000 that can be collected",
        ),
    ] {
        assert_eq!(filter(line).unwrap_err().to_string(), complaint);
    }
    for (line, tip) in [
        (
            "--kind redis-exit",
            "a similar value exists: 'redis-exited'",
        ),
        (
            "--rule promoted-frist",
            "a similar value exists: 'promoted-first'",
        ),
    ] {
        let error = parse::<history::HistoryArgs>(line).unwrap_err().to_string();
        assert!(error.contains(tip), "{error}");
    }
}

/// The agent reads the same filter out of a query string.
#[test]
fn a_filter_fits_in_a_query() {
    let read = |query: &str| {
        let uri: axum::http::Uri = format!("/v1/history?{query}").parse().unwrap();
        axum::extract::Query::<Filter>::try_from_uri(&uri).map(|query| query.0)
    };
    let query = "since=2026-08-03T06:00:00Z&kinds=redis-exited,vip-changed&limit=5&quiet=true";
    assert_eq!(
        read(query).unwrap(),
        Filter {
            since: Some(fixture::START_US),
            kinds: vec!["redis-exited".to_owned(), "vip-changed".to_owned()],
            limit: 5,
            quiet: true,
            ..Filter::default()
        }
    );
    assert_eq!(read("").unwrap(), Filter::default());
    assert!(read("kind=redis-exited").is_err());
    assert!(read("kinds=redis-exit").is_err());
}

fn replay_of(records: &[Record], line: &str) -> (String, u8) {
    let args: replay::ReplayArgs = parse(line).unwrap();
    print(|out| replay::run(&args, Recovered::default(), ok(records), None, out))
}

#[test]
fn replay_agrees_with_a_clean_failover() {
    let records = fixture::failover();
    let (text, exit) = replay_of(&records, "--rules");
    assert_eq!(exit, 0);
    insta::assert_snapshot!("replay_rules", text);
    insta::assert_snapshot!("replay_json", replay_of(&records, "--output json").0);
    let (text, exit) = replay_of(&records, "--until 9");
    assert_eq!(exit, 0);
    assert!(text.starts_with("replayed 9 records"), "{text}");
    let (text, exit) = replay_of(&records[3..], "");
    assert_eq!(exit, 3);
    insta::assert_snapshot!("replay_without_its_beginning", text);
}

#[test]
fn replay_shows_the_first_divergence_side_by_side() {
    let mut records = fixture::failover();
    let by = |record: &Record, id: &str| {
        let rule = record.decision.rule.as_ref();
        rule.is_some_and(|rule| rule.as_str() == id)
    };
    let index = records
        .iter()
        .position(|r| by(r, "promote-on-vip"))
        .unwrap();
    records[index].decision.effects = vec![model::effect::Effect::StopRedis];
    let (text, exit) = replay_of(&records, "");
    assert_eq!(exit, 3);
    insta::assert_snapshot!("replay_divergence", text);
    let (text, exit) = replay_of(&records, "--output json");
    assert_eq!(exit, 3);
    insta::assert_snapshot!("replay_divergence_json", text);
    let before = format!("--until {}", records[index].seq.0 - 1);
    assert_eq!(replay_of(&records, &before).1, 0);

    let mut records = fixture::failover();
    records.remove(index);
    let (text, exit) = replay_of(&records, "");
    assert_eq!(exit, 3);
    insta::assert_snapshot!("replay_removed", text);
}

#[test]
fn verify_names_the_first_bad_record() {
    let good = api::Verified {
        records: 1_234,
        blocks: 56,
        first: Some(Seq(1)),
        last: Some(Seq(1_234)),
        first_bad: None,
        more_bad: Vec::new(),
    };
    let print = |line: &str, verified: &api::Verified| {
        let args: verify::VerifyArgs = parse(line).unwrap();
        print(|out| verify::run(&args, verified, out))
    };
    let (text, exit) = print("", &good);
    assert_eq!(exit, 0);
    insta::assert_snapshot!(text, @"verified 1,234 records, 1 to 1234 in 56 packed blocks: every hash holds");
    let bad = api::Verified {
        first_bad: Some(api::Bad {
            seq: Seq(1_235),
            why: "checksum".to_owned(),
        }),
        more_bad: vec![api::Bad {
            seq: Seq(9_000),
            why: "it is missing, up to 9100".to_owned(),
        }],
        ..good.clone()
    };
    let (text, exit) = print("", &bad);
    assert_eq!(exit, 3);
    insta::assert_snapshot!(text, @r"
    record 1235 is bad: checksum
    good before it: 1,234 records, 1 to 1234 in 56 packed blocks
    record 9000 is bad, too: it is missing, up to 9100
    hint: When the agent starts, it sets aside what is damaged and goes on behind what is good.
    ");
    let (json, exit) = print("--output json", &bad);
    assert_eq!(exit, 3);
    insta::assert_snapshot!(json, @r#"{"schema":1,"ok":false,"records":1234,"blocks":56,"first":1,"last":1234,"first_bad":{"seq":1235,"why":"checksum"},"more_bad":[{"seq":9000,"why":"it is missing, up to 9100"}]}"#);
}

#[test]
fn machine_prints_the_table_that_decides() {
    let print = |line: &str| {
        let args: cli_machine::MachineArgs = parse(line).unwrap();
        print(|out| cli_machine::run(&args, &screen(100), out)).0
    };
    insta::assert_snapshot!("machine_table", print(""));
    assert_eq!(print("--table"), print(""));
    insta::assert_snapshot!("machine_mermaid", print("--mermaid"));
    insta::assert_snapshot!("machine_dot", print("--dot"));
    let json: serde_json::Value = serde_json::from_str(&print("--json")).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), machine::table::TABLE.len());
    let row = rows.iter().find(|row| row["rule"] == "demote-on-backup");
    insta::assert_snapshot!("machine_json_row", format!("{:#}", row.unwrap()));
    assert!(parse::<cli_machine::MachineArgs>("--dot --json").is_err());
}

#[test]
fn completions_know_the_kinds() {
    let command = || {
        let history = history::HistoryArgs::augment_args(Command::new("history"));
        Command::new("rha").subcommand(history)
    };
    for shell in ["bash", "zsh", "fish"] {
        let args: completions::CompletionsArgs = parse(shell).unwrap();
        let (script, exit) = print(|out| completions::run(&args, command(), out));
        assert_eq!(exit, 0);
        assert!(script.contains("redis-exited"), "{shell}");
    }
}

/// `rha history | head -1` ends well.
#[test]
fn a_closed_pipe_is_no_failure() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let records = fixture::failover();
    for line in ["", "--output json", "--output csv"] {
        let args: history::HistoryArgs = parse(line).unwrap();
        let result = history::run(&args, &screen(100), ok(&records), &mut Closed);
        assert_eq!(render::ignore_broken_pipe(result).unwrap(), 0, "{line}");
    }
    let args: replay::ReplayArgs = parse("").unwrap();
    let result = replay::run(&args, Recovered::default(), ok(&records), None, &mut Closed);
    assert_eq!(render::ignore_broken_pipe(result).unwrap(), 0);
}
