//! `rha history`: what happened, what was decided about it, and why.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::ZonedDateTime;

use super::parse_when;
use super::render::{self, ListForm, Problem, Screen};
use super::source::readable;
use crate::machine::table::TABLE;
use crate::model::event::Event;
use crate::views::history::Filter;
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
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
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

    /// Only what this rule decided; `rha machine` lists the rules
    #[arg(long, value_name = "RULE", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(TABLE.iter().map(|row| row.id)))]
    pub rule: Option<String>,

    /// Only the last N records; 0 for all [default: 50, with --since: all]
    #[arg(short = 'n', value_name = "N")]
    pub limit: Option<usize>,

    /// Show quiet health checks too
    #[arg(long)]
    pub all: bool,

    /// Explain each row of the table: why, what was ordered, and by whom
    #[arg(long)]
    pub why: bool,

    /// Read the black box, not the journal: the files in DIR, or one file [default: blackbox/ in paths.state]
    #[arg(long, value_name = "DIR", conflicts_with = "all")]
    pub blackbox: Option<Option<PathBuf>>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ListForm,
}

/// Rows without `-n` and `--since`.
const DEFAULT_LIMIT: usize = 50;

impl HistoryArgs {
    /// What is asked of the journal, or of the agent.
    ///
    /// # Errors
    /// A [`Problem`] of usage for a time that is none, and for a span that ends before it begins.
    pub fn filter(&self, now: &ZonedDateTime) -> Result<Filter, Problem> {
        let read = |text: &Option<String>| {
            let moment = text
                .as_deref()
                .map(|text| parse_when(text, now))
                .transpose();
            moment.map(|moment| moment.map(|moment| moment.as_microsecond()))
        };
        let (since, until) = (read(&self.since)?, read(&self.until)?);
        if since
            .zip(until)
            .is_some_and(|(since, until)| since >= until)
        {
            return Err(Problem::usage("--until is not after --since"));
        }
        let limit = self.limit.unwrap_or(match since {
            Some(_) => 0,
            None => DEFAULT_LIMIT,
        });
        if limit > Filter::MAX_LIMIT {
            return Err(Problem::usage(format!(
                "-n {limit} is more than the {} that can be collected",
                Filter::MAX_LIMIT
            ))
            .hint("Use -n 0 for all records, or --since and --until for a part of them."));
        }
        Ok(Filter {
            since,
            until,
            kinds: self.kinds.clone(),
            instance: self.instance.clone(),
            rule: self.rule.clone(),
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
