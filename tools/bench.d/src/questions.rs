//! What an operator asks of a journal of many records: whole processes of `rha`, from their start to the first row and
//! to their end, and the most memory each took.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rha::journal::{Fold as _, Journal};
use rha::model::record::{Record, Seq};
use rha::replay::Recovered;
use rha::views::rfc3339;
use serde_json::{Value, json};
use wait4::Wait4 as _;

use crate::agent::{self, Agent};
use crate::report::{Table, talk};
use crate::stats::{Times, round};
use crate::volume;

/// How often what takes milliseconds is asked, and what takes seconds.
const QUICK: usize = 15;
const LONG: usize = 3;
/// Records that are folded where no disk and no decoder is in the way.
const FOLDED: usize = 1_000_000;
/// Of the span that is asked for, in the journal's middle.
const SPAN_US: i64 = 600_000_000;

/// One question, and how often it is asked.
struct Question {
    what: &'static str,
    words: Vec<String>,
    times: usize,
    /// It reads every record, so that its time is one of records a second.
    reads_all: bool,
}

impl Question {
    fn quick(what: &'static str, words: &str) -> Self {
        Self {
            what,
            words: words.split_whitespace().map(str::to_owned).collect(),
            times: QUICK,
            reads_all: false,
        }
    }

    fn long(what: &'static str, words: &str) -> Self {
        Self {
            times: LONG,
            reads_all: true,
            ..Self::quick(what, words)
        }
    }
}

/// Writes `count` records one by one, as the agent does, and asks `rha` about them: without an agent, and of one.
pub fn measure(rha: &Path, dir: &Path, count: u64, table: &Table) -> Result<Value> {
    talk(&format!("{count} records"));
    let state = dir.join("questions");
    let path = state.join("journal");
    volume::write_in_child(&path, count)?;
    let config = agent::configure(&state)?;
    let span = middle(&path, count)?;
    let asked = Asked { rha, config, count };
    table.head(&format!(
        "{:48}{:>13} {:>13} {:>12}",
        format!("{count} records, without an agent"),
        "first row",
        "whole",
        "memory"
    ));
    let without = asked.all(quick(&span).into_iter().chain(long(dir)), table)?;
    let agent = Agent::start(&state)?;
    table.head("the same, asked of an agent");
    let with = asked.all(quick(&span), table)?;
    let agent_rss_mib = round(agent.rss_mib()?);
    drop(agent);
    // Behind the questions: what a child takes counts from the memory of the process that started it.
    let folded = folded_per_second(&path)?;
    table.head("in all");
    table.row("folded in memory", &format!("{folded} /s"));
    table.row(
        "the agent's memory, after it",
        &format!("{agent_rss_mib} MiB"),
    );
    std::fs::remove_dir_all(&state)?;
    Ok(json!({
        "ok": true,
        "records": count,
        "folded_per_second": folded,
        "without_agent": without,
        "of_agent": with,
        "agent_rss_mib": agent_rss_mib,
    }))
}

/// `--since` and `--until` around the record in the middle.
fn middle(journal: &Path, count: u64) -> Result<String> {
    let record = Journal::open(journal)?.records(Seq(count / 2)).next();
    let record = record.context("no record in the middle")??;
    let [since, until] = [0, SPAN_US].map(|us| rfc3339(record.at.wall_us + us));
    Ok(format!("--since {since} --until {until}"))
}

/// The first records, folded again out of memory: the machine alone.
fn folded_per_second(journal: &Path) -> Result<f64> {
    let journal = Journal::open(journal)?;
    let records: Result<Vec<Record>, _> = journal.records(Seq(1)).take(FOLDED).collect();
    let records = records?;
    let mut time = Times::default();
    for _ in 0..QUICK {
        let mut folded = Recovered::default();
        time.take(|| records.iter().for_each(|record| folded.fold(record)));
        let is_all = folded.next.0 == records.len() as u64 + 1;
        anyhow::ensure!(is_all, "not all of them were folded");
    }
    Ok((records.len() as f64 * 1e6 / time.median()).round())
}

/// What is answered at once.
fn quick(span: &str) -> Vec<Question> {
    let span = Question::quick("history of ten minutes", &format!("history {span}"));
    vec![
        Question::quick("history -n 50", "history -n 50"),
        Question::quick("history -n 50 --all", "history -n 50 --all"),
        span,
        Question::quick(
            "history --kind redis-exited -n 0",
            "history --kind redis-exited -n 0",
        ),
        Question::quick("history --rule NAME", "history --rule promoted"),
        Question::quick("history incidents", "history incidents"),
        Question::quick("postmortem", "postmortem"),
    ]
}

/// What reads all of it.
fn long(dir: &Path) -> Vec<Question> {
    let bundle = dir.join("all.rha");
    vec![
        Question::long("replay", "replay"),
        Question::long("replay --set health.fall=5", "replay --set health.fall=5"),
        Question::long("verify", "verify"),
        Question {
            times: 1,
            ..Question::long("export --format jsonl", "export --format jsonl")
        },
        Question::long(
            "export --out FILE",
            &format!("export --out {}", bundle.display()),
        ),
    ]
}

struct Asked<'a> {
    rha: &'a Path,
    config: PathBuf,
    count: u64,
}

impl Asked<'_> {
    fn all(
        &self,
        questions: impl IntoIterator<Item = Question>,
        table: &Table,
    ) -> Result<Vec<Value>> {
        let ask = |question: Question| {
            let figures = self.ask(&question)?;
            table.question(&figures);
            Ok(figures)
        };
        questions.into_iter().map(ask).collect()
    }

    fn ask(&self, question: &Question) -> Result<Value> {
        let (mut first, mut whole, mut peak) = (Times::default(), Times::default(), 0);
        for _ in 0..question.times {
            let answer = self.once(question)?;
            first.add(answer.first);
            whole.add(answer.whole);
            peak = peak.max(answer.peak_bytes);
        }
        let mut figures = json!({
            "what": question.what,
            "times": question.times,
            "first_row_ms": round(first.median() / 1e3),
            "ms": round(whole.median() / 1e3),
            "longest_ms": round(whole.quantile(1.0) / 1e3),
            "peak_mib": round(peak as f64 / f64::from(1 << 20)),
        });
        if question.reads_all {
            figures["records_per_second"] =
                json!((self.count as f64 * 1e6 / whole.median()).round());
        }
        Ok(figures)
    }

    fn once(&self, question: &Question) -> Result<Answer> {
        let begun = Instant::now();
        let mut child = Command::new(self.rha)
            .arg("--config")
            .arg(&self.config)
            .args(&question.words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = Vec::new();
        out.read_until(b'\n', &mut line)?;
        let is_table = line.starts_with(b"time ");
        if is_table {
            line.clear();
            out.read_until(b'\n', &mut line)?;
        }
        let first = begun.elapsed();
        std::io::copy(&mut out, &mut std::io::sink())?;
        let mut complaint = String::new();
        if let Some(mut err) = child.stderr.take() {
            err.read_to_string(&mut complaint)?;
        }
        let used = child.wait4()?;
        anyhow::ensure!(
            used.status.success(),
            "rha {}: {} {}",
            question.words.join(" "),
            used.status,
            complaint.trim()
        );
        Ok(Answer {
            first,
            whole: begun.elapsed(),
            peak_bytes: used.rusage.maxrss,
        })
    }
}

struct Answer {
    first: Duration,
    whole: Duration,
    peak_bytes: u64,
}
