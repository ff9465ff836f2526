//! Many who wait for the disk at once: the committer stores together what has queued up.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};
use rha::journal::{Committer, Journal};
use rha::model::record::Record;
use rha::replay::Recovered;
use serde_json::{Map, Value};

use crate::records::notable;
use crate::report::Table;
use crate::stats::Times;

const WRITERS: [usize; 4] = [1, 4, 16, 64];
const ROUNDS: usize = 3;
/// Records of each number of writers in a round.
const APPENDS: usize = 1_600;

/// Each number of writers on one journal, in turns.
pub fn measure(dir: &Path, table: &Table) -> Result<Value> {
    let mut journal = Journal::open(&dir.join("committer"))?;
    let mut all: [Times; WRITERS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (writers, times) in WRITERS.into_iter().zip(&mut all) {
            let (back, taken) = run(journal, writers)?;
            journal = back;
            times.join(taken);
        }
    }
    let mut found = Map::new();
    for (writers, times) in WRITERS.into_iter().zip(&all) {
        table.times(&format!("committer, {writers} waiting"), times);
        found.insert(writers.to_string(), times.json());
    }
    Ok(Value::Object(found))
}

/// The numbers are given under the lock under which the records are queued: the order is the same.
fn run(journal: Journal, writers: usize) -> Result<(Journal, Times)> {
    let records: Mutex<Vec<Record>> = {
        let mut records: Vec<_> = notable(journal.next_seq()).take(APPENDS).collect();
        records.reverse();
        Mutex::new(records)
    };
    let committer = Committer::start::<Recovered>(journal)?;
    let begun = Instant::now();
    let taken: Result<Vec<Times>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|_| scope.spawn(|| write(&committer, &records)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a writer panicked"))?)
            .collect()
    });
    let span = begun.elapsed();
    Ok((committer.stop()?, Times::together(taken?, span)))
}

/// Until there are none left, each when the one before is on the disk.
fn write(committer: &Committer, records: &Mutex<Vec<Record>>) -> Result<Times> {
    let mut times = Times::default();
    loop {
        let begun = Instant::now();
        let answer = {
            let mut left = records.lock().map_err(|_| anyhow!("a writer panicked"))?;
            let Some(record) = left.pop() else {
                return Ok(times);
            };
            committer.commit(vec![record])
        };
        answer.blocking_recv()??;
        times.add(begun.elapsed());
    }
}
