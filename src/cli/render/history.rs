//! Rows of history as a table, as JSON, as CSV. Each writes as it reads and holds a bounded amount.

use std::io::Write;

use anstyle::Style;
use jiff::tz::Offset;
use unicode_width::UnicodeWidthStr;

use super::screen::{Screen, clock_offset, local};
use super::{Cell, Columns, role_style, wrap};
use crate::model::record::Record;
use crate::views::history::{Reader, Row};
use crate::views::rfc3339;

/// So many rows are aligned to each other.
const PAGE: usize = 1_000;

/// What stands beside the event takes about so many columns.
const BESIDE: usize = 68;

/// A line that came later than this says when it happened.
const LATE_US: u64 = 1_000_000;

/// Columns for people; `why` adds below each row why it was decided, what was ordered and by whom. False if there are
/// no records.
///
/// # Errors
/// Those of `out`.
pub fn table(
    screen: &Screen,
    why: bool,
    records: impl Iterator<Item = Record>,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let mut reader = Reader::default();
    let mut table = None;
    let mut page = Vec::new();
    for record in records {
        page.push(reader.row(&record));
        if page.len() == PAGE {
            write_page(screen, why, &mut table, &page, out)?;
            page.clear();
        }
    }
    write_page(screen, why, &mut table, &page, out)?;
    Ok(table.is_some())
}

/// JSON objects: one a line, or all in one array.
///
/// # Errors
/// Those of `out`.
pub fn json(
    as_array: bool,
    records: impl Iterator<Item = Record>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut reader = Reader::default();
    let mut separator = if as_array { "[\n" } else { "" };
    for record in records {
        let line = reader.json(&record)?;
        write!(out, "{separator}{line}")?;
        separator = if as_array { ",\n" } else { "\n" };
    }
    match (as_array, separator) {
        (true, "[\n") => writeln!(out, "[]")?,
        (true, _) => writeln!(out, "\n]")?,
        (false, "") => {}
        (false, _) => writeln!(out)?,
    }
    Ok(())
}

/// Comma-separated values with a header.
///
/// # Errors
/// Those of `out`.
pub fn csv(records: impl Iterator<Item = Record>, out: &mut dyn Write) -> anyhow::Result<()> {
    let header = [
        "seq", "at", "instance", "kind", "summary", "from", "to", "rule", "because", "effects",
        "notes", "incident", "cause", "operator",
    ];
    super::csv::line(out, &header)?;
    let mut reader = Reader::default();
    for record in records {
        let row = reader.row(&record);
        let change = |pick: fn(&crate::model::decision::Transition) -> crate::model::role::Role| {
            row.change.as_ref().map_or("", |change| pick(change).word())
        };
        let number = |seq: Option<crate::model::record::Seq>| {
            seq.map_or_else(String::new, |seq| seq.to_string())
        };
        super::csv::line(
            out,
            &[
                &row.seq.to_string(),
                &rfc3339(row.at.wall_us),
                &row.instance,
                row.kind,
                &row.what,
                change(|change| change.from),
                change(|change| change.to),
                row.rule.as_deref().unwrap_or(""),
                row.because.unwrap_or(""),
                &row.effects.join("; "),
                &row.notes.join("; "),
                &number(row.incident),
                &number(record.cause),
                row.operator.as_deref().unwrap_or(""),
            ],
        )?;
    }
    Ok(())
}

struct Table {
    columns: Columns,
    max_width: usize,
    /// One offset for all rows, though daylight saving may begin among them.
    offset: Offset,
    first_instance: String,
    with_instance: bool,
}

fn write_page(
    screen: &Screen,
    why: bool,
    table: &mut Option<Table>,
    page: &[Row],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Some(first) = page.first() else {
        return Ok(());
    };
    let mut is_new = table.is_none();
    let table = table.get_or_insert_with(|| Table::new(screen, first));
    is_new |= table.name_instances(page);
    let cells: Vec<Vec<Cell>> = page.iter().map(|row| table.cells(row)).collect();
    table.columns.fit(&cells);
    if is_new {
        let bold = Style::new().bold();
        let titles = table.titles().into_iter().map(|t| Cell::styled(t, bold));
        table.columns.write(out, &titles.collect::<Vec<_>>())?;
        writeln!(out)?;
    }
    for (row, cells) in page.iter().zip(&cells) {
        let width = table.columns.write(out, cells)?;
        match row.because {
            Some(because) if !why && width + 2 + because.width() <= screen.width => {
                writeln!(out, "  {because}")?;
            }
            _ => writeln!(out)?,
        }
        if why {
            write_why(screen, row, out)?;
        }
    }
    Ok(())
}

impl Table {
    fn new(screen: &Screen, first: &Row) -> Self {
        let mut table = Self {
            columns: Columns::new(&[], 0),
            max_width: screen.width.saturating_sub(BESIDE).clamp(36, 60),
            offset: screen.offset(first.at.wall_us),
            first_instance: first.instance.clone(),
            with_instance: false,
        };
        table.lay_out();
        table
    }

    /// Adds the column of instances with the first page that needs it; true if it did.
    fn name_instances(&mut self, page: &[Row]) -> bool {
        let is_new =
            !self.with_instance && page.iter().any(|row| row.instance != self.first_instance);
        if is_new {
            self.with_instance = true;
            self.lay_out();
        }
        is_new
    }

    fn lay_out(&mut self) {
        let titles = self.titles();
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        self.columns = Columns::new(&titles, self.max_width).right(1);
    }

    fn titles(&self) -> Vec<String> {
        let mut titles = vec![
            format!("time ({})", clock_offset(self.offset)),
            "seq".to_owned(),
        ];
        if self.with_instance {
            titles.push("instance".to_owned());
        }
        titles.extend(["event", "role", "rule"].map(str::to_owned));
        titles
    }

    fn cells(&self, row: &Row) -> Vec<Cell> {
        let mut cells = vec![
            Cell::from(local(row.at.wall_us, self.offset)),
            Cell::from(row.seq.to_string()),
        ];
        if self.with_instance {
            cells.push(Cell::from(row.instance.as_str()));
        }
        let late = row.original.filter(|original| {
            row.at
                .since(original)
                .is_none_or(|late_us| late_us >= LATE_US)
        });
        let what = match late {
            Some(at) => format!("{} [at {}]", row.what, local(at.wall_us, self.offset)),
            None => row.what.clone(),
        };
        cells.push(Cell::from(what));
        cells.push(row.change.map_or_else(Cell::default, |change| {
            let style = role_style(change.to.word());
            Cell::styled(format!("{} -> {}", change.from, change.to), style)
        }));
        cells.push(Cell::from(row.rule.as_deref().unwrap_or("")));
        cells
    }
}

fn write_why(screen: &Screen, row: &Row, out: &mut dyn Write) -> anyhow::Result<()> {
    let incident = row.incident.map(|id| id.to_string());
    let effects = row.effects.join("; ");
    let notes = row.notes.join("; ");
    let lines = [
        ("because", row.because.unwrap_or("")),
        ("orders", &effects),
        ("notes", &notes),
        ("incident", incident.as_deref().unwrap_or("")),
        ("by", row.operator.as_deref().unwrap_or("")),
    ];
    for (word, text) in lines {
        for (index, line) in wrap(text, screen.width.saturating_sub(14))
            .iter()
            .enumerate()
        {
            let word = if index == 0 { word } else { "" };
            writeln!(out, "    {word:8}  {}", super::plain(line))?;
        }
    }
    Ok(())
}
