//! One record after the other, each on the disk before the next: the journal beside a plain file and SQLite.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rha::journal::Journal;
use rha::model::record::{Record, Seq};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::records::notable;
use crate::report::Table;
use crate::stats::{Times, ratio};

/// Turns that each of the three has, and appends in a turn.
const ROUNDS: usize = 30;
const APPENDS: usize = 100;

/// All three take the same records in the same order; who begins a round changes.
pub fn measure(dir: &Path, table: &Table) -> Result<Value> {
    let records: Vec<_> = notable(Seq(1)).take(ROUNDS * APPENDS).collect();
    let values = encoded(&dir.join("encoded"), &records)?;
    let mut journal = Journal::open(&dir.join("journal"))?;
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(dir.join("plain"))?;
    let sqlite = open_sqlite(&dir.join("sqlite"))?;
    let mut all: [Times; 3] = Default::default();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut now: [Times; 3] = Default::default();
        let turn = round * APPENDS..(round + 1) * APPENDS;
        for step in 0..3 {
            let which = (round + step) % 3;
            let times = &mut now[which];
            for (record, value) in records[turn.clone()].iter().zip(&values[turn.clone()]) {
                match which {
                    0 => {
                        let one = vec![record.clone()];
                        times.take(|| journal.append(one))?;
                    }
                    1 => times.take(|| file.write_all(value).and_then(|()| file.sync_data()))?,
                    _ => times.take(|| insert(&sqlite, record.seq, value))?,
                }
            }
        }
        rounds.push([now[0].median(), now[1].median(), now[2].median()]);
        all.iter_mut().zip(now).for_each(|(all, now)| all.join(now));
    }
    let against =
        |other: usize| ratio(&rounds.iter().map(|r| (r[0], r[other])).collect::<Vec<_>>());
    let (file, sqlite) = (against(1), against(2));
    table.times("rha's journal", &all[0]);
    table.times("plain file, write + fdatasync", &all[1]);
    table.times("SQLite, WAL, synchronous=FULL", &all[2]);
    table.row(
        "journal / plain file, median of the rounds",
        &format!("{file}"),
    );
    table.row(
        "journal / SQLite, median of the rounds",
        &format!("{sqlite}"),
    );
    let bytes = values.iter().map(Vec::len).sum::<usize>() / values.len();
    Ok(json!({
        "journal": all[0].json(),
        "file": all[1].json(),
        "sqlite": all[2].json(),
        "append_vs_file": file,
        "append_vs_sqlite": sqlite,
        "value_bytes": bytes,
    }))
}

/// The bytes that the journal stores for each, made by itself.
fn encoded(dir: &Path, records: &[Record]) -> Result<Vec<Vec<u8>>> {
    let mut journal = Journal::open(dir)?;
    journal.append(records.to_vec())?;
    let values: Result<Vec<_>, _> = journal
        .frames(Seq(1))?
        .map(|frame| frame.map(|(_, value)| value))
        .collect();
    let values = values?;
    anyhow::ensure!(values.len() == records.len(), "an entry for each record");
    Ok(values)
}

fn open_sqlite(path: &Path) -> Result<Connection> {
    let sqlite = Connection::open(path).context("SQLite")?;
    sqlite.pragma_update(None, "journal_mode", "WAL")?;
    sqlite.pragma_update(None, "synchronous", "FULL")?;
    sqlite.execute_batch("CREATE TABLE records (seq INTEGER PRIMARY KEY, value BLOB NOT NULL)")?;
    Ok(sqlite)
}

/// A statement by itself is a transaction.
fn insert(sqlite: &Connection, Seq(seq): Seq, value: &[u8]) -> rusqlite::Result<()> {
    sqlite
        .prepare_cached("INSERT INTO records VALUES (?1, ?2)")?
        .execute((seq.cast_signed(), value))
        .map(drop)
}
