//! `rha export --format jsonl` is read by other programs as it is: DuckDB, from PyPI, with the query of the README.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rha::{machine, model};
use serde_json::Value;

#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;
#[path = "common/host.rs"]
mod host;

use host::Host;

/// DuckDB guesses the columns from so many lines: what comes behind them must fit.
const SAMPLE: usize = 20_480;
const DUCKDB: &str = "duckdb==2.0.1";

/// Where Python finds DuckDB.
fn duckdb() -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(DUCKDB);
    if !dir.join("duckdb").is_dir() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
        let installed = pip.arg(&dir).arg(DUCKDB).output().unwrap();
        let why = String::from_utf8_lossy(&installed.stderr);
        assert!(installed.status.success(), "{why}");
    }
    dir.to_str().unwrap().to_owned()
}

/// The rows that a query gives, as JSON.
fn asked(host: &Host, query: &str) -> Vec<Vec<Value>> {
    let script = "import duckdb, json, sys\n\
                  print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str))";
    let mut python = Command::new("python3");
    python
        .args(["-c", script, query])
        .env("PYTHONPATH", duckdb());
    let output = python.current_dir(host.path("")).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{query}: {why}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The query that the README gives as an example.
fn readme_query() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let (_, query) = readme.split_once("`SELECT kind").unwrap();
    let (query, _) = query.split_once('`').unwrap();
    format!("SELECT kind{query}")
}

#[test]
#[ignore = "needs python3, and DuckDB from PyPI"]
fn duckdb_reads_an_export_as_it_is() {
    let mut story = fixture::Story::default();
    story.start(true);
    story.lead();
    while story.records.len() <= SAMPLE {
        story.check(fixture::master(1));
    }
    // What was never seen in the sample.
    story.tell(model::event::Event::RedisExited { pid: 900 });
    story.obey();
    story.notify(model::vrrp::VrrpState::Fault);
    story.tell(model::event::Event::VipChanged { here: false });
    story.check(fixture::failed(model::redis::Grade::Refused, 90));
    story.tell(model::event::Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: fixture::master(0),
    });
    let host = Host::of(&story.records, 2);
    let (exit, _, err) = host.rha(&format!(
        "export --format jsonl --out {}",
        host.path("journal.jsonl").display()
    ));
    assert_eq!(exit, Some(0), "{err}");

    let lines = fs::read_to_string(host.path("journal.jsonl")).unwrap();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut orders = 0;
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let kind = record["kind"].as_str().unwrap().to_owned();
        *kinds.entry(kind).or_default() += 1;
        orders += record["effects"].as_array().unwrap().len();
    }
    let told: BTreeMap<String, u64> = asked(&host, &readme_query())
        .into_iter()
        .map(|row| {
            (
                row[0].as_str().unwrap().to_owned(),
                row[1].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, kinds);
    let all = "sum(len(effects)), typeof(any_value(\"at\")), max(event.observation.\"offset\") > 0";
    let row = &asked(&host, &format!("SELECT {all} FROM 'journal.jsonl'"))[0];
    assert_eq!(row[0], orders);
    assert_eq!(
        row[1..],
        [Value::from("TIMESTAMP WITH TIME ZONE"), Value::from(true)]
    );

    // Columns that come after the sample are there for who asks DuckDB to look at all lines.
    let all = "read_json('journal.jsonl', sample_size = -1)";
    let query = format!("SELECT count(*) FROM {all} WHERE NOT event.here");
    assert_eq!(asked(&host, &query), [[Value::from(1)]]);
}
