//! Measures rha's journal beside a plain file and SQLite, on the same disk and in the same run.
//!
//! Started by `tools/bench`, which builds it and gives it a directory that goes when it ends.

mod agent;
mod append;
// The stories that the library's own tests are told; this needs some of them only.
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../../src/views/fixture.rs"]
mod fixture;
mod questions;
mod records;
mod report;
mod stats;
mod volume;
mod writers;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

// The stories name them as the library does.
use rha::{machine, model};

use report::{Table, say, talk};

/// Measure rha beside what else could be used
#[derive(Parser)]
#[command(name = "bench", bin_name = "tools/bench")]
struct Cli {
    /// Where to write: on the disk that is to be measured
    #[arg(long, default_value = ".", hide = true)]
    dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// The journal: durable appends beside a plain file and SQLite, then journals of many records
    Journal {
        /// How many records, as often as sizes are to be measured; ten million take some minutes
        #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [100_000, 1_000_000],
              value_parser = clap::value_parser!(u64).range(100_000..=100_000_000))]
        records: Vec<u64>,
        /// Print all figures as one JSON object on the last line
        #[arg(long)]
        json: bool,
    },
    /// What is asked of a journal of many records: history, replay, export, as whole processes
    History {
        /// How many records; ten million take ten minutes
        #[arg(long, value_name = "N", default_value_t = 10_000_000,
              value_parser = clap::value_parser!(u64).range(100_000..=100_000_000))]
        records: u64,
        /// The program that is asked
        #[arg(long, hide = true)]
        rha: PathBuf,
        /// Print all figures as one JSON object on the last line
        #[arg(long)]
        json: bool,
    },
    /// A journal of so many records, for `history`
    #[command(hide = true)]
    Write { path: PathBuf, count: u64 },
    /// A journal that is there: started by `journal`, for the memory of a process of its own
    #[command(hide = true)]
    Look { path: PathBuf },
    /// An agent, started by `journal` for its memory
    #[command(hide = true)]
    Agent { state: PathBuf },
}

fn main() -> Result<()> {
    let Cli { dir, verb } = Cli::parse();
    match verb {
        Verb::Journal { records, json } => {
            let memory = warned_of_memory(&dir)?;
            report(&journal(&dir, &records, memory)?, json);
        }
        Verb::History { records, rha, json } => {
            warned_of_memory(&dir)?;
            report(&questions::measure(&rha, &dir, records, &Table)?, json);
        }
        Verb::Write { path, count } => drop(volume::write(&path, count)?),
        Verb::Look { path } => say(&volume::look(&path)?.to_string()),
        Verb::Agent { state } => agent::run(&state)?,
    }
    Ok(())
}

fn report(figures: &Value, json: bool) {
    if json {
        say(&figures.to_string());
    }
}

fn journal(dir: &Path, sizes: &[u64], memory: bool) -> Result<Value> {
    let table = Table;
    table.head(
        "durable appends, one by one                         median          p99   throughput",
    );
    let append = append::measure(dir, &table)?;
    let committer = writers::measure(dir, &table)?;
    let volumes: Result<Vec<_>> = sizes
        .iter()
        .map(|count| volume::measure(dir, *count, &table))
        .collect();
    Ok(json!({
        "ok": true,
        "in_memory": memory,
        "append_vs_file": append["append_vs_file"],
        "append_vs_sqlite": append["append_vs_sqlite"],
        "append": append,
        "committer": committer,
        "volumes": volumes?,
    }))
}

/// Says so where `dir` is in memory.
fn warned_of_memory(dir: &Path) -> Result<bool> {
    let memory = is_in_memory(dir).with_context(|| dir.display().to_string())?;
    if memory {
        talk(
            "this directory is in memory: what is durable costs nothing here. Set TMPDIR to one on a disk",
        );
    }
    Ok(memory)
}

/// tmpfs(5): a sync has nothing to do there.
fn is_in_memory(dir: &Path) -> Result<bool> {
    const TMPFS_MAGIC: i128 = 0x0102_1994;
    Ok(i128::from(rustix::fs::statfs(dir)?.f_type) == TMPFS_MAGIC)
}
