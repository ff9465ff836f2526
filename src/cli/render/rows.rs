//! Rows of history for people: a table that fits the screen. Writes as it reads, and holds a page of it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use jiff::civil::Date;
use jiff::tz::Offset;
use unicode_width::UnicodeWidthStr;

use super::screen::{Screen, clock, clock_offset, day, local};
use super::{Cell, Columns, GAP, role_style, wrap};
use crate::model::decision::Transition;
use crate::views::history::Row;
use crate::views::line::Entry;

/// So many rows are aligned to each other.
const PAGE: usize = 1_000;

/// A line that came later than this says when it happened.
const LATE_US: u64 = 1_000_000;

/// Where lines may be of any length, events are aligned up to this.
const EVENT_MOST: usize = 60;
/// With less room for the event than this, the rule stands below the role and not beside it.
const EVENT_LEAST: usize = 40;
/// A column of role and rule is not wider: a rule with a longer name is broken.
const DECISION_MOST: usize = 26;
/// With less room than this, the rule's sentence is left to `--why`.
const BECAUSE_LEAST: usize = 40;

/// Columns for people; `why` adds below each row why it was decided, what was ordered and by whom. False if there are
/// none.
///
/// # Errors
/// Those of `out`.
pub fn table(
    screen: &Screen,
    why: bool,
    entries: impl Iterator<Item = impl Entry>,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let mut table = Growing::new(screen, why);
    let mut page = Vec::new();
    for entry in entries {
        page.push(entry.row());
        if page.len() == PAGE {
            table.write(&page, out)?;
            page.clear();
        }
    }
    table.write(&page, out)?;
    Ok(table.table.is_some())
}

/// Such a table of which not all rows are there yet.
pub struct Growing<'a> {
    screen: &'a Screen,
    why: bool,
    table: Option<Table>,
}

impl<'a> Growing<'a> {
    /// Without any rows.
    #[must_use]
    pub fn new(screen: &'a Screen, why: bool) -> Self {
        Self {
            screen,
            why,
            table: None,
        }
    }

    /// Writes further rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, rows: &[Row], out: &mut dyn Write) -> anyhow::Result<()> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let (screen, why) = (self.screen, self.why);
        let table = self
            .table
            .get_or_insert_with(|| Table::new(screen, why, first));
        table.take_in(rows);
        let (shown, widths): (Vec<Column>, Vec<usize>) = table.layout().into_iter().unzip();
        let columns = Columns::of(widths).right(1);
        if shown != table.shown {
            let bold = Style::new().bold();
            let titles = shown.iter().map(|column| table.title(*column));
            let titles = titles.map(|title| vec![Cell::styled(title, bold)]);
            table.write(&columns, &titles.collect::<Vec<_>>(), out)?;
        }
        for row in rows {
            table.write_day(row, out)?;
            let cells = shown.iter().map(|column| table.cells(*column, row));
            table.write(&columns, &cells.collect::<Vec<_>>(), out)?;
            if why {
                write_why(screen, row, out)?;
            }
        }
        table.shown = shown;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Time,
    Seq,
    Instance,
    Event,
    Role,
    Rule,
    /// Role and rule, one below the other.
    Decision,
    Because,
}

struct Table {
    /// The widest that a line may be.
    limit: Option<usize>,
    why: bool,
    /// One offset for all rows, though daylight saving may begin among them.
    offset: Offset,
    first_instance: String,
    with_instance: bool,
    /// The widest cell of each column so far. Of events, those of rows with something behind them.
    widest: BTreeMap<Column, usize>,
    /// The columns whose titles were written last.
    shown: Vec<Column>,
    /// The day that was written last.
    day: Option<Date>,
}

impl Table {
    fn new(screen: &Screen, why: bool, first: &Row) -> Self {
        Self {
            limit: screen.limit(),
            why,
            offset: screen.offset(first.at.wall_us),
            first_instance: first.instance.clone(),
            with_instance: false,
            widest: BTreeMap::new(),
            shown: Vec::new(),
            day: None,
        }
    }

    /// The column of instances comes with the first page that needs it.
    fn take_in(&mut self, page: &[Row]) {
        use Column::{Event, Instance, Role, Rule, Seq, Time};
        for row in page {
            self.with_instance |= row.instance != self.first_instance;
            for column in [Time, Seq, Instance, Event, Role, Rule] {
                if column == Event && row.change.is_none() && row.rule.is_none() {
                    continue;
                }
                let title = self.title(column).width();
                let needed = self.cells(column, row).iter().map(Cell::width).max();
                let widest = self.widest.entry(column).or_insert(title);
                *widest = (*widest).max(needed.unwrap_or(0));
            }
        }
    }

    /// The columns that are shown, and their widths.
    fn layout(&self) -> Vec<(Column, usize)> {
        use Column::{Because, Decision, Event, Instance, Role, Rule, Seq, Time};
        let widest = |column| self.widest.get(&column).copied().unwrap_or(0);
        let mut columns = vec![Time, Seq];
        columns.extend(self.with_instance.then_some(Instance));
        let mut columns: Vec<_> = columns.into_iter().map(|one| (one, widest(one))).collect();
        let taken: usize = columns.iter().map(|(_, width)| width + GAP).sum();
        let [event, role, rule] = [Event, Role, Rule].map(widest);
        let Some(limit) = self.limit else {
            columns.extend([(Event, event.min(EVENT_MOST)), (Role, role), (Rule, rule)]);
            return columns;
        };
        let rest = limit.saturating_sub(taken);
        let beside = GAP + role + GAP + rule;
        if rest < event.min(EVENT_LEAST) + beside {
            let decision = role.max(rule).min(DECISION_MOST);
            let room = rest.saturating_sub(GAP + decision);
            columns.extend([(Event, event.min(room)), (Decision, decision)]);
            return columns;
        }
        let event = event.min(rest - beside);
        columns.extend([(Event, event), (Role, role), (Rule, rule)]);
        let left = rest - event - beside;
        if !self.why && left >= GAP + BECAUSE_LEAST {
            columns.push((Because, left - GAP));
        }
        columns
    }

    fn title(&self, column: Column) -> String {
        match column {
            Column::Time => format!("time ({})", clock_offset(self.offset)),
            Column::Seq => "seq".to_owned(),
            Column::Instance => "instance".to_owned(),
            Column::Event => "event".to_owned(),
            Column::Role => "role".to_owned(),
            Column::Rule => "rule".to_owned(),
            Column::Decision => "role, rule".to_owned(),
            Column::Because => "because".to_owned(),
        }
    }

    fn cells(&self, column: Column, row: &Row) -> Vec<Cell> {
        match column {
            // The day stands above.
            Column::Time if self.limit.is_some() => {
                vec![Cell::from(clock(row.at.wall_us, self.offset))]
            }
            Column::Time => vec![Cell::from(local(row.at.wall_us, self.offset))],
            Column::Seq => vec![Cell::from(row.seq.to_string())],
            Column::Instance => vec![Cell::from(row.instance.as_str())],
            Column::Event => vec![Cell::from(self.event(row))],
            Column::Role => row.change.iter().map(role).collect(),
            Column::Rule => row
                .rule
                .iter()
                .map(|rule| Cell::from(rule.as_str()))
                .collect(),
            Column::Decision => {
                let mut cells = self.cells(Column::Role, row);
                cells.extend(self.cells(Column::Rule, row));
                cells
            }
            Column::Because => row.because.as_deref().map(Cell::from).into_iter().collect(),
        }
    }

    fn event(&self, row: &Row) -> String {
        let late = row.original.filter(|original| {
            row.at
                .since(original)
                .is_none_or(|late_us| late_us >= LATE_US)
        });
        match late {
            Some(at) => format!("{} [at {}]", row.what, local(at.wall_us, self.offset)),
            None => row.what.clone(),
        }
    }

    fn write(&self, columns: &Columns, cells: &[Vec<Cell>], out: &mut dyn Write) -> io::Result<()> {
        match self.limit {
            Some(limit) => columns.write_within(out, cells, limit),
            None => {
                let first = |stack: &Vec<Cell>| stack.first().cloned().unwrap_or_default();
                columns.write(out, &cells.iter().map(first).collect::<Vec<_>>())?;
                writeln!(out)
            }
        }
    }

    /// Where rows show the time of day only: the day, whenever it is another one.
    fn write_day(&mut self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        let day = day(row.at.wall_us, self.offset);
        if self.limit.is_none() || self.day == Some(day) {
            return Ok(());
        }
        self.day = Some(day);
        let bold = Style::new().bold();
        writeln!(out, "{bold}{day}{bold:#}")
    }
}

fn role(change: &Transition) -> Cell {
    let style = role_style(change.to.word());
    Cell::styled(format!("{} -> {}", change.from, change.to), style)
}

fn write_why(screen: &Screen, row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let incident = row.incident.map(|id| id.to_string());
    let effects = row.effects.join("; ");
    let notes = row.notes.join("; ");
    let lines = [
        ("because", row.because.as_deref().unwrap_or("")),
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
