//! `rha history --follow`: what there is, and then what comes.

use std::collections::VecDeque;
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use super::history::HistoryArgs;
use super::render::{self, Growing, ListForm, Problem, Screen};
use super::source::{self, Origin};
use crate::model::record::{Record, Seq};
use crate::views::LastChecks;
use crate::views::history::{Filter, Row};
use crate::views::line::Mark;

/// How often it looks for more.
const LOOK: Duration = Duration::from_millis(300);
/// The agent may be away for so many looks: it is being started again.
const PATIENCE: u32 = 100;
/// A crash loses quiet checks that were held in memory for less than this, in microseconds, and their numbers are given
/// again: what is older stays.
const HELD_US: i64 = 30_000_000;
/// So many of the last records say what each Redis said last.
const BEFORE: usize = 500;

/// Prints what `origin` has, and then what comes, until nobody reads any more.
///
/// # Errors
/// Those of the origin, where they last, and of `out`.
pub fn run(
    args: &HistoryArgs,
    filter: &Filter,
    screen: &Screen,
    origin: &Origin,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    if args.output == ListForm::Json {
        let problem = Problem::usage("--follow has no end, and an array has one");
        return Err(problem.hint("Use --output jsonl.").into());
    }
    if args.output == ListForm::Csv {
        render::history_csv_head(out)?;
    }
    let mut form = Form {
        output: args.output,
        table: Growing::new(screen, args.why),
    };
    // Before the first look, so that what comes meanwhile is not passed over.
    let mut seen = Seen::default();
    let recent = Filter {
        limit: BEFORE,
        quiet: true,
        ..Filter::default()
    };
    // What cannot be read of the past keeps nobody from what comes.
    let mut failed = None;
    let recent = source::readable(source::history(origin, &recent)?, &mut failed);
    seen.begin(&recent.collect::<Vec<_>>());
    let records = source::readable(source::history(origin, filter)?, &mut failed);
    let records: Vec<Record> = records.collect();
    for record in &records {
        seen.is_new(record);
    }
    form.print(&records, out)?;
    if let Some(error) = failed {
        writeln!(err, "{error:#}")?;
    }
    let mut missed = 0;
    loop {
        sleep(LOOK);
        match seen.look(origin) {
            Ok(mut records) => {
                missed = 0;
                records.retain(|(record, is_notable)| {
                    (*is_notable || args.all) && filter.matches_row(&Row::from(record))
                });
                let records: Vec<Record> = records.into_iter().map(|(record, _)| record).collect();
                if !records.is_empty() {
                    form.print(&records, out)?;
                }
            }
            Err(error) if missed < PATIENCE => {
                if missed == 0 {
                    writeln!(err, "waiting for the journal: {error}")?;
                }
                missed += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// How it is printed.
struct Form<'a> {
    output: ListForm,
    table: Growing<'a>,
}

impl Form<'_> {
    fn print(&mut self, records: &[Record], out: &mut dyn Write) -> anyhow::Result<()> {
        match self.output {
            ListForm::Csv => render::history_csv_rows(records.iter().cloned(), out)?,
            ListForm::Table => {
                let rows: Vec<Row> = records.iter().map(Row::from).collect();
                self.table.write(&rows, out)?;
            }
            ListForm::Json | ListForm::Jsonl => {
                render::history_json(false, records.iter().cloned(), out)?;
            }
        }
        Ok(out.flush()?)
    }
}

/// What was told.
#[derive(Default)]
struct Seen {
    /// Nothing up to this comes again.
    settled: Seq,
    /// What was told behind that, oldest first.
    marks: VecDeque<Mark>,
    checks: LastChecks,
}

impl Seen {
    /// The last records that there are; those before them are settled.
    fn begin(&mut self, recent: &[Record]) {
        if let Some(first) = recent.first() {
            self.settled = Seq(first.seq.0.saturating_sub(1));
        }
        for record in recent {
            self.is_new(record);
        }
        self.settle();
    }

    /// The records that have come since the last look, each with whether a reader need see it.
    fn look(&mut self, origin: &Origin) -> anyhow::Result<Vec<(Record, bool)>> {
        let further = Filter {
            after: Some(self.settled),
            quiet: true,
            ..Filter::default()
        };
        let mut found = Vec::new();
        for record in source::history(origin, &further)? {
            let record = record?;
            if let Some(is_notable) = self.is_new(&record) {
                found.push((record, is_notable));
            }
        }
        self.settle();
        Ok(found)
    }

    /// Whether a reader need see it; `None` where it was told before.
    fn is_new(&mut self, record: &Record) -> Option<bool> {
        let mark = Mark::from(record);
        if record.seq <= self.settled || self.marks.contains(&mark) {
            return None;
        }
        self.marks.push_back(mark);
        Some(self.checks.is_notable(record))
    }

    /// What is old enough is on the disk, with its number.
    fn settle(&mut self) {
        let newest = self.marks.iter().map(|mark| mark.at.wall_us).max();
        let old = |mark: &Mark| newest.is_some_and(|us| mark.at.wall_us < us - HELD_US);
        while let Some(mark) = self.marks.front().copied().filter(old) {
            self.marks.pop_front();
            self.settled = self.settled.max(mark.seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fixture;

    #[test]
    fn what_takes_the_number_of_a_lost_check_is_told() {
        let records = fixture::failover();
        let mut seen = Seen::default();
        let told = |seen: &mut Seen, records: &[Record]| {
            let told = records
                .iter()
                .filter(|record| seen.is_new(record).is_some());
            told.count()
        };
        assert_eq!(told(&mut seen, &records), records.len());
        assert_eq!(told(&mut seen, &records), 0, "once");
        // What is older than where it began is settled.
        let mut later = Seen::default();
        later.begin(&records[5..]);
        assert_eq!(told(&mut later, &records), 0);
        // The last three were held in memory, and the agent was killed.
        let mut again: Vec<Record> = records[records.len() - 3..].to_vec();
        for record in &mut again {
            record.at.mono_us += 5_000_000;
            record.at.wall_us += 5_000_000;
        }
        assert_eq!(told(&mut seen, &again), 3);
        // Long after that they are settled.
        let mut later = again[2].clone();
        later.seq = later.seq.next();
        later.at.wall_us += 2 * HELD_US;
        assert_eq!(told(&mut seen, std::slice::from_ref(&later)), 1);
        seen.settle();
        assert_eq!(seen.settled, again[2].seq);
        assert_eq!(seen.marks.len(), 1);
        assert_eq!(told(&mut seen, &again), 0);
    }
}
