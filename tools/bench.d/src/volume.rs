//! A journal of many records: what it takes on the disk and in memory, and how fast it is read.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rha::agent::lookup;
use rha::journal::Journal;
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::replay::{Recovered, rerun};
use rha::views::history::Filter;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::records::Told;
use crate::report::{Table, talk};
use crate::stats::{Times, round};

/// How many times it is opened, each time by a process of its own: the first writes sled's snapshot.
const OPENS: usize = 4;
const FAILOVERS: u64 = 5;
/// Appends from one look at whether the volume is full to the next.
const LOOK: u64 = 1024;

/// Writes `count` records one by one, as the agent does, and has a child read them.
pub fn measure(dir: &Path, count: u64, table: &Table) -> Result<Value> {
    talk(&format!("{count} records"));
    let state = dir.join(format!("records-{count}"));
    let path = state.join("journal");
    let begun = Instant::now();
    let written = write(&path, count)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut children = Vec::new();
    for _ in 0..OPENS {
        children.push(look_in_child(&path)?);
    }
    let agent_rss_mib = round(Agent::start(&state)?.rss_mib()?);
    let sealed = seal_all(&path)?;
    std::fs::remove_dir_all(&state)?;

    let number = |child: &Value, key: &str| child[key].as_f64().unwrap_or(f64::NAN);
    let median = |key: &str| {
        let mut found: Vec<_> = children[1..]
            .iter()
            .map(|child| number(child, key))
            .collect();
        found.sort_by(f64::total_cmp);
        round(found[found.len() / 2])
    };
    let figures = json!({
        "records": count,
        "notable": written.notable,
        "written_per_second": (count as f64 / seconds).round(),
        "bytes_per_record": round(written.bytes as f64 / count as f64),
        "volumes": written.volumes,
        "seal_ms": written.seal_ms,
        "sealed_bytes_per_record": round(sealed as f64 / count as f64),
        "first_open_ms": number(&children[0], "open_ms"),
        "open_ms": median("open_ms"),
        "rss_mib": median("rss_mib"),
        "agent_rss_mib": agent_rss_mib,
        "replay_per_second": median("replay_per_second"),
        "history_50_ms": median("history_ms"),
        "history_50_quiet_ms": median("history_quiet_ms"),
    });
    table.volume(&figures);
    Ok(figures)
}

/// What was written.
pub struct Written {
    notable: u64,
    bytes: u64,
    volumes: usize,
    /// One volume, sealed; the median.
    seal_ms: f64,
}

/// As [`write`], where this process is to stay small: what it starts counts its memory from there on.
pub fn write_in_child(path: &Path, count: u64) -> Result<()> {
    let mut writer = Command::new(std::env::current_exe()?);
    let status = writer
        .arg("write")
        .arg(path)
        .arg(count.to_string())
        .status()?;
    anyhow::ensure!(status.success(), "the child that writes: {status}");
    Ok(())
}

/// As the agent does: quiet checks are held and packed by the journal itself, full volumes are sealed.
pub fn write(path: &Path, count: u64) -> Result<Written> {
    let mut journal = Journal::open(path)?;
    let mut notable = 0;
    let mut seals = Times::default();
    let take = usize::try_from(count).context("so many records")?;
    for record in Told::new(count / FAILOVERS).take(take) {
        let is_check = matches!(
            record.event,
            Event::RedisProbed(_) | Event::PeerProbed { .. }
        );
        notable += u64::from(!is_check);
        let Seq(seq) = record.seq;
        journal.append(vec![record])?;
        if seq.is_multiple_of(LOOK) && journal.is_full() {
            journal.rotate()?;
            seals.take(|| journal.seal::<Recovered>())?;
        }
    }
    journal.flush_quiet()?;
    Ok(Written {
        notable,
        bytes: journal.stats()?.bytes,
        volumes: journal.volumes()?.len(),
        seal_ms: round(seals.median() / 1e3),
    })
}

/// What it takes when nothing is left open, in bytes.
fn seal_all(path: &Path) -> Result<u64> {
    let mut journal = Journal::open(path)?;
    journal.rotate()?;
    journal.seal::<Recovered>()?;
    let volumes = journal.volumes()?;
    let sealed = volumes.iter().filter(|volume| volume.sealed);
    Ok(sealed.map(|volume| volume.bytes).sum())
}

/// What is in memory is that of a process which did nothing else.
fn look_in_child(path: &Path) -> Result<Value> {
    let output = Command::new(std::env::current_exe()?)
        .arg("look")
        .arg(path)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "the child that reads: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The child: opens the journal, looks at its memory, and reads.
pub fn look(path: &Path) -> Result<Value> {
    let mut open = Times::default();
    let opened = open.take(|| Journal::open_or_salvage::<Recovered>(path, "bench"))?;
    anyhow::ensure!(opened.damage.is_none(), "it is damaged");
    let journal = opened.journal;
    let rss_mib = rss_kib("self")? / 1024.0;
    let mut history = [Times::default(), Times::default()];
    for _ in 0..15 {
        for (quiet, times) in [false, true].into_iter().zip(&mut history) {
            let filter = Filter {
                limit: 50,
                quiet,
                ..Filter::default()
            };
            let found =
                times.take(|| lookup::found(&journal, &filter, || true).map(Iterator::count))?;
            anyhow::ensure!(found == 50, "{found} records instead of 50");
        }
    }
    let mut replay = Times::default();
    let mut failed = None;
    let records = journal
        .records(Seq(1))
        .map_while(|record| record.map_err(|e| failed = Some(e)).ok());
    let report = replay.take(|| rerun(Recovered::default(), records));
    if let Some(e) = failed {
        return Err(e.into());
    }
    anyhow::ensure!(report.divergence.is_none(), "the replay diverged");
    Ok(json!({
        "open_ms": round(open.median() / 1e3),
        "rss_mib": round(rss_mib),
        "history_ms": round(history[0].median() / 1e3),
        "history_quiet_ms": round(history[1].median() / 1e3),
        "replay_per_second": (report.records as f64 * 1e6 / replay.median()).round(),
    }))
}

/// Of a process; "self" for this one.
pub fn rss_kib(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    Ok(digits.context("no VmRSS in /proc")?.parse()?)
}
