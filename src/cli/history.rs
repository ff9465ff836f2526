//! `rha history`: what happened, what was decided about it, and why.

use std::io::Write;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::ZonedDateTime;

use super::incidents::IncidentsArgs;
use super::parse_when;
use super::render::{self, ListForm, Problem, Screen};
use super::source::readable;
use crate::machine::table::TABLE;
use crate::model::event::Event;
use crate::model::record::Seq;
use crate::model::role::Role;
use crate::views::history::{Filter, Pattern};
use crate::views::line::Entry;

/// List what happened, what was decided about it, and why
///
/// The last 50 records, oldest first. Health checks that say what the check before them said are left out,
/// unless --all asks for them. Exit status: 3 if the journal is damaged; what can be read of it is shown, and
/// --blackbox shows what was recorded nevertheless.
///
/// Example: `rha history --since "10m ago" --why`
///
/// Example: `rha history --kind redis-exited -n 0 --output jsonl`
///
/// Example: `rha history incidents`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    /// Something else than records.
    #[command(subcommand)]
    pub what: Option<What>,

    /// Records from this time on: `2h ago`, `14:00`, `yesterday 14:00`, `2026-08-03 14:00` or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Records before this time, written as for --since
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Only events of this kind; can be given several times
    #[arg(long = "kind", value_name = "KIND", value_parser = PossibleValuesParser::new(Event::KINDS))]
    pub kinds: Vec<String>,

    /// Only this instance
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,

    /// Only what is told of this node; by the name of the journal's own, all that is told of no other
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,

    /// Only changes from or to this role
    #[arg(long, value_name = "ROLE",
          value_parser = PossibleValuesParser::new(Role::ALL.map(Role::word)))]
    pub role: Option<String>,

    /// Only this incident, by its number: `rha history incidents` lists them
    #[arg(long, value_name = "N")]
    pub incident: Option<u64>,

    /// Only what has this in its words: a regular expression; without capital letters it finds those too
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<Pattern>,

    /// Only what this rule decided; `rha machine` lists the rules
    #[arg(long, value_name = "RULE", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(TABLE.iter().map(|row| row.id)))]
    pub rule: Option<String>,

    /// Only the last N records; 0 for all, with --reverse for the last 100,000 [default: 50, with --since or
    /// --incident: all]
    #[arg(short = 'n', value_name = "N")]
    pub limit: Option<usize>,

    /// The newest first
    #[arg(long, short = 'r', conflicts_with = "follow")]
    pub reverse: bool,

    /// Go on with what comes, until Ctrl-C
    #[arg(long, short = 'f', conflicts_with_all = ["until", "blackbox", "bundle"])]
    pub follow: bool,

    /// Show quiet health checks too, one by one
    #[arg(long)]
    pub all: bool,

    /// Explain each row of the table: why, what was ordered, and by whom
    #[arg(long)]
    pub why: bool,

    /// Read the black box, not the journal: the files in DIR, or one file [default: blackbox/ in paths.state]
    #[arg(long, value_name = "DIR", conflicts_with = "all")]
    pub blackbox: Option<Option<PathBuf>>,

    /// Read this bundle, not the journal: a file that `rha export` made, or the name of one that was imported
    #[arg(long, value_name = "FILE", conflicts_with = "blackbox")]
    pub bundle: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ListForm,
}

/// What is listed instead of records.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// List the incidents: from the first sign of trouble to a settled role
    ///
    /// The last 20, oldest first, as this node saw them. OUTAGE: from its own first sign until it saw a primary serve; for
    /// how long nobody did, `rha postmortem --with` tells from the journals of all nodes. LOSS: what may be lost of
    /// acknowledged writes, as far as this node knows. ALARMS: raised, and kept back because they were said already.
    ///
    /// Example: `rha history incidents --since yesterday`
    Incidents(IncidentsArgs),
}

/// Rows without `-n` and `--since`.
const DEFAULT_LIMIT: usize = 50;

/// The wall times of `--since` and `--until`, in microseconds.
///
/// # Errors
/// A [`Problem`] of usage for a time that is none, and for a span that ends before it begins.
pub fn span(
    since: Option<&str>,
    until: Option<&str>,
    now: &ZonedDateTime,
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let read = |text: Option<&str>| {
        let moment = text.map(|text| parse_when(text, now)).transpose();
        moment.map(|moment| moment.map(|moment| moment.as_microsecond()))
    };
    let (since, until) = (read(since)?, read(until)?);
    let is_backwards = since
        .zip(until)
        .is_some_and(|(since, until)| since >= until);
    if is_backwards {
        return Err(Problem::usage("--until is not after --since"));
    }
    Ok((since, until))
}

impl HistoryArgs {
    /// What is asked of the journal, or of the agent. `own` is the node whose journal it is, where that is known.
    ///
    /// # Errors
    /// Those of [`span`], and too large a limit.
    pub fn filter(&self, now: &ZonedDateTime, own: Option<&str>) -> Result<Filter, Problem> {
        let (since, until) = span(self.since.as_deref(), self.until.as_deref(), now)?;
        let is_part = since.is_some() || self.incident.is_some();
        let limit = match self.limit {
            None if !is_part => DEFAULT_LIMIT,
            // From the end on, no more can be turned round.
            None | Some(0) if self.reverse => Filter::MAX_LIMIT,
            None => 0,
            Some(limit) => limit,
        };
        if limit > Filter::MAX_LIMIT {
            return Err(Problem::usage(format!(
                "-n {limit} is more than the {} that can be collected",
                Filter::MAX_LIMIT
            ))
            .hint("Use -n 0 for all records, or --since and --until for a part of them."));
        }
        let is_own = self.node.is_some() && self.node.as_deref() == own;
        Ok(Filter {
            since,
            until,
            after: None,
            kinds: self.kinds.clone(),
            instance: self.instance.clone(),
            node: self.node.clone().filter(|_| !is_own),
            own: is_own,
            role: self.role.clone(),
            rule: self.rule.clone(),
            incident: self.incident.map(Seq),
            grep: self.grep.clone(),
            limit,
            quiet: self.all,
        })
    }
}

/// Prints what `source` yields: the records that the filter selects
/// ([`latest`](crate::views::history::latest), or [`all`](crate::views::history::all) where its limit
/// is 0), oldest first. What was read before an error is printed.
///
/// # Errors
/// Those of the source and of `out`.
pub fn run<R: Entry, E: Into<anyhow::Error>>(
    args: &HistoryArgs,
    screen: &Screen,
    source: impl Iterator<Item = Result<R, E>>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut failed = None;
    let records = readable(source, &mut failed);
    let records: Box<dyn Iterator<Item = R>> = if args.reverse {
        let mut newest_first: Vec<R> = records.collect();
        newest_first.reverse();
        Box::new(newest_first.into_iter())
    } else {
        Box::new(records)
    };
    match args.output {
        ListForm::Table => {
            let is_empty = !render::history_table(screen, args.why, records, out)?;
            if is_empty && failed.is_none() {
                match &args.instance {
                    Some(name) => writeln!(out, "no records of instance {name:?}")?,
                    None => writeln!(out, "no records")?,
                }
            }
        }
        ListForm::Jsonl => render::history_json(false, records, out)?,
        ListForm::Json => render::history_json(true, records, out)?,
        ListForm::Csv => render::history_csv(records, out)?,
    }
    out.flush()?;
    failed.map_or(Ok(0), Err)
}
