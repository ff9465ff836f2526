//! `rha replay`: does the machine still decide what it decided?

use std::io::Write;
use std::path::PathBuf;

mod step;
mod whatif;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;

use super::render::{Cell, Columns, ReportForm, Screen, counted, plain, thousands};
use super::source::readable;
use crate::machine::RULESET;
use crate::model::record::{Record, Seq};
use crate::replay::whatif::what_if;
use crate::replay::{Difference, Divergence, Recovered, Report, Verdict, rerun};
use crate::views::Sentence;
use crate::views::json::{DecisionJson, SCHEMA};
use whatif::Asked;

/// Decide every record of the journal again, and compare
///
/// The machine runs over the recorded events and must come to the recorded decisions. Only reads: Redis,
/// keepalived and the journal are not touched. Exit status: 3 if a decision differs; the first is shown,
/// recorded and computed side by side. 3, too, if the journal is damaged; what can be read of it is replayed.
///
/// With --set it tells what would have been decided otherwise with other settings.
///
/// Example: `rha replay --set health.fall=5`
///
/// Example: `rha replay --step --from 57 --until 70`
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Show each record: what was known, which rows were tried with which guards, what was decided
    ///
    /// On a terminal it waits for Enter behind each.
    #[arg(long, conflicts_with_all = ["set", "output", "rules"])]
    pub step: bool,

    /// Show quiet health checks with --step, too
    #[arg(long, requires = "step")]
    pub all: bool,

    /// Begin with --step at this record
    #[arg(long, value_name = "SEQ", requires = "step", conflicts_with = "set")]
    pub from: Option<u64>,

    /// What if this setting had been another? As in the configuration: health.fall=5; can be given several times
    ///
    /// health.fall, health.rise, health.fall_on, failover.prefer, failover.last_primary_wait, failover.replicated_writes,
    /// failover.kill_hung, failover.drain, failover.negotiation_wait, failover.retry, failover.reconcile_wait,
    /// failover.keepalived_gone_wait, failover.tilt, failover.max_promotions, failover.promotions_window,
    /// alarm.unserved_wait, alarm.redundancy_wait, alarm.repeat; and vrrp.advert, the interval of keepalived's adverts. What
    /// began on another node shows in a replay of its journal.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Stop after the record of this number
    #[arg(long, value_name = "SEQ")]
    pub until: Option<u64>,

    /// Count how often each rule decided, too
    #[arg(long, conflicts_with = "set")]
    pub rules: bool,

    /// Replay this bundle, not the journal: a file that `rha export` made, or the name of one that was imported
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ReportForm,
}

/// Replays `source`, the whole journal, oldest first, behind `before`; 0 if nothing diverges, else 3. What was read before an error is
/// replayed. `advert` is the interval between keepalived's adverts, in milliseconds, where that is known.
///
/// # Errors
/// Those of the source and of `out`.
pub fn run<E: Into<anyhow::Error>>(
    args: &ReplayArgs,
    before: Recovered,
    source: impl Iterator<Item = Result<Record, E>>,
    advert: Option<u64>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let last = Seq(args.until.unwrap_or(u64::MAX));
    let mut failed = None;
    if args.step || !args.set.is_empty() {
        let asked = Asked::read(&args.set)?;
        let screen = Screen::detect();
        let records = readable(source, &mut failed).take_while(|record| record.seq <= last);
        if args.step {
            let first = Seq(args.from.unwrap_or(1));
            let is_same = step::run(&screen, before, (first, last), args.all, records, out)?;
            if !is_same && failed.is_none() {
                return Ok(3);
            }
        } else {
            let found = what_if(before, &asked.knobs, records);
            whatif::print(args.output, &screen, &asked, advert, &found, out)?;
        }
        out.flush()?;
        return failed.map_or(Ok(0), Err);
    }
    let report = rerun(
        before,
        readable(source, &mut failed).take_while(|record| record.seq <= last),
    );
    match args.output {
        ReportForm::Table => table(args, &report, failed.is_none(), out)?,
        ReportForm::Json => {
            let json = serde_json::to_string(&ReportJson::new(&report, failed.as_ref()))?;
            writeln!(out, "{json}")?;
        }
    }
    out.flush()?;
    match failed {
        Some(error) => Err(error),
        None if report.divergence.is_some() => Ok(3),
        None => Ok(0),
    }
}

fn table(
    args: &ReplayArgs,
    report: &Report,
    is_whole: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let verdict = match &report.divergence {
        Some(divergence) => format!("record {} diverges", divergence.seq),
        None if is_whole => "no divergence".to_owned(),
        None => "no divergence, as far as it can be read".to_owned(),
    };
    writeln!(
        out,
        "replayed {} ({}, {}): {verdict}",
        counted(report.records, "record"),
        counted(report.decisions, "decision"),
        counted(u64::try_from(report.rules.len())?, "rule"),
    )?;
    if report.other_ruleset > 0 {
        writeln!(
            out,
            "{} decided by other rules than this program's (ruleset {RULESET})",
            counted(report.other_ruleset, "record")
        )?;
    }
    if let Some(divergence) = &report.divergence {
        writeln!(out)?;
        side_by_side(divergence, out)?;
    }
    if args.rules {
        writeln!(out)?;
        rules(report, out)?;
    }
    Ok(())
}

fn side_by_side(divergence: &Divergence, out: &mut dyn Write) -> anyhow::Result<()> {
    let event = Sentence::new(&divergence.instance, &divergence.event).to_string();
    let instance = match divergence.instance.as_str() {
        "" => "of the node",
        name => name,
    };
    writeln!(
        out,
        "record {} ({}): {}",
        divergence.seq,
        plain(instance),
        plain(&event)
    )?;
    let Divergence {
        seq, difference, ..
    } = divergence;
    match difference {
        Difference::Missing => writeln!(
            out,
            "the machine decides something, the journal has nothing"
        )?,
        Difference::Extra => writeln!(
            out,
            "the journal has a decision that the machine does not make"
        )?,
        Difference::Different => writeln!(out, "the machine decides something else")?,
        Difference::OutOfSequence { expected } if expected < seq => {
            let missing = seq.0 - expected.0;
            writeln!(
                out,
                "{} missing: {expected} should be here",
                counted(missing, "record")
            )?;
            return Ok(());
        }
        Difference::OutOfSequence { expected } => {
            writeln!(
                out,
                "it stands twice, or too late: {expected} should be here"
            )?;
            return Ok(());
        }
    }
    writeln!(out)?;
    let mut columns = Columns::new(&["", "", "recorded", "computed"], 72);
    let rows = comparison(&divergence.recorded, &divergence.computed);
    let bold = Style::new().bold();
    let titles = ["", "", "recorded", "computed"].map(|title| Cell::styled(title, bold));
    columns.fit(&rows);
    for row in [titles.to_vec()].iter().chain(&rows) {
        columns.write(out, row)?;
        writeln!(out)?;
    }
    writeln!(out)?;
    let hint = if divergence.ruleset_changed {
        "Other rules decided this record: the logic has changed since, replay it with the rha of its time."
    } else {
        "The same rules decided this record: the journal was altered, or the machine is not deterministic. `rha verify` tells which."
    };
    writeln!(out, "hint: {hint}")?;
    Ok(())
}

/// One row for each part of the verdicts; `!=` marks those that differ.
fn comparison(recorded: &Verdict, computed: &Verdict) -> Vec<Vec<Cell>> {
    let (left, right) = (parts(recorded), parts(computed));
    let mut rows = Vec::new();
    for ((word, left), (_, right)) in left.iter().zip(&right) {
        for index in 0..left.len().max(right.len()).max(1) {
            let word = if index == 0 { *word } else { "" };
            let (left, right) = (left.get(index), right.get(index));
            let style = match left == right {
                true => Style::new(),
                false => Style::new().fg_color(Some(AnsiColor::Red.into())),
            };
            let text = |side: Option<&String>| side.map_or("-", String::as_str).to_owned();
            rows.push(vec![
                Cell::from(if left == right { "  " } else { "!=" }),
                Cell::from(word),
                Cell::styled(text(left), style),
                Cell::styled(text(right), style),
            ]);
        }
    }
    rows
}

fn parts(verdict: &Verdict) -> [(&'static str, Vec<String>); 5] {
    let Verdict { decision, incident } = verdict;
    let change = decision.transition.iter();
    [
        (
            "role",
            change
                .map(|change| format!("{} -> {}", change.from, change.to))
                .collect(),
        ),
        (
            "rule",
            decision.rule.iter().map(ToString::to_string).collect(),
        ),
        (
            "orders",
            decision.effects.iter().map(ToString::to_string).collect(),
        ),
        (
            "notes",
            decision.notes.iter().map(ToString::to_string).collect(),
        ),
        (
            "incident",
            incident.iter().map(ToString::to_string).collect(),
        ),
    ]
}

fn rules(report: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut counts: Vec<_> = report.rules.iter().collect();
    counts.sort_by_key(|(rule, count)| (std::cmp::Reverse(**count), *rule));
    let rows = counts.iter().map(|(rule, count)| {
        let because = crate::machine::table::row(rule).map_or("", |row| row.because);
        vec![
            Cell::from(thousands(**count)),
            Cell::from(rule.as_str()),
            Cell::from(because),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let mut columns = Columns::new(&["times", "rule", ""], 60).right(0);
    columns.fit(&rows);
    let titles = ["times", "rule", ""].map(|title| Cell::styled(title, Style::new().bold()));
    for row in [titles.to_vec()].iter().chain(&rows) {
        columns.write(out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: u16,
    ok: bool,
    ruleset: u16,
    records: u64,
    first: Option<Seq>,
    last: Option<Seq>,
    decisions: u64,
    other_ruleset: u64,
    rules: &'a std::collections::BTreeMap<String, u64>,
    divergence: Option<DivergenceJson<'a>>,
    /// Why the rest was not read.
    unread: Option<String>,
}

impl<'a> ReportJson<'a> {
    fn new(report: &'a Report, unread: Option<&anyhow::Error>) -> Self {
        Self {
            schema: SCHEMA,
            ok: report.divergence.is_none() && unread.is_none(),
            ruleset: RULESET,
            records: report.records,
            first: report.first,
            last: report.last,
            decisions: report.decisions,
            other_ruleset: report.other_ruleset,
            rules: &report.rules,
            divergence: report.divergence.as_ref().map(DivergenceJson::from),
            unread: unread.map(ToString::to_string),
        }
    }
}

#[derive(Serialize)]
struct DivergenceJson<'a> {
    seq: Seq,
    instance: &'a str,
    difference: &'static str,
    expected: Option<Seq>,
    ruleset_changed: bool,
    kind: &'static str,
    summary: String,
    recorded: VerdictJson<'a>,
    computed: VerdictJson<'a>,
}

#[derive(Serialize)]
struct VerdictJson<'a> {
    #[serde(flatten)]
    decision: DecisionJson<'a>,
    incident: Option<Seq>,
}

impl<'a> From<&'a Divergence> for DivergenceJson<'a> {
    fn from(divergence: &'a Divergence) -> Self {
        let verdict = |verdict: &'a Verdict| VerdictJson {
            decision: DecisionJson::new(divergence.seq, &verdict.decision),
            incident: verdict.incident,
        };
        let (difference, expected) = match divergence.difference {
            Difference::Missing => ("missing", None),
            Difference::Extra => ("extra", None),
            Difference::Different => ("different", None),
            Difference::OutOfSequence { expected } => ("out-of-sequence", Some(expected)),
        };
        Self {
            seq: divergence.seq,
            instance: &divergence.instance,
            difference,
            expected,
            ruleset_changed: divergence.ruleset_changed,
            kind: divergence.event.kind(),
            summary: Sentence::new(&divergence.instance, &divergence.event).to_string(),
            recorded: verdict(&divergence.recorded),
            computed: verdict(&divergence.computed),
        }
    }
}
