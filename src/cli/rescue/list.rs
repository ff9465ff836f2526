//! `rha rescue list`.

use std::io::Write;

use serde::Serialize;

use super::super::exit;
use super::super::render::{Cell, Columns, ListForm, csv_line, thousands};
use super::lacks;
use crate::rescue::{Entry, Note};
use crate::views::json::SCHEMA;

const TITLES: [&str; 8] = [
    "no", "saved", "instance", "epoch", "lacks", "keys", "bytes", "file",
];

#[derive(Serialize)]
struct Row<'a> {
    schema: u16,
    number: usize,
    path: String,
    bytes: u64,
    note: Option<&'a Note>,
}

/// Prints what is there.
///
/// # Errors
/// Those of `out`.
pub fn list(form: ListForm, entries: &[Entry], out: &mut dyn Write) -> anyhow::Result<u8> {
    match form {
        ListForm::Table => table(entries, out)?,
        ListForm::Csv => {
            csv_line(out, &TITLES)?;
            for cells in (1..).zip(entries).map(cells) {
                let fields: Vec<&str> = cells.iter().map(String::as_str).collect();
                csv_line(out, &fields)?;
            }
        }
        ListForm::Jsonl => {
            for row in (1..).zip(entries).map(row) {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
            }
        }
        ListForm::Json => {
            let rows: Vec<Row<'_>> = (1..).zip(entries).map(row).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        }
    }
    Ok(exit::OK)
}

fn row((number, entry): (usize, &Entry)) -> Row<'_> {
    Row {
        schema: SCHEMA,
        number,
        path: entry.path.display().to_string(),
        bytes: entry.bytes,
        note: entry.note.as_ref(),
    }
}

fn cells((number, entry): (usize, &Entry)) -> [String; 8] {
    let of_note = |tell: fn(&Note) -> String| entry.note.as_ref().map_or_else(String::new, tell);
    [
        number.to_string(),
        of_note(|note| note.at.clone()),
        of_note(|note| note.instance.clone()),
        of_note(|note| note.epoch.to_string()),
        of_note(lacks),
        of_note(|note| note.keys.to_string()),
        thousands(entry.bytes),
        entry.path.display().to_string(),
    ]
}

fn table(entries: &[Entry], out: &mut dyn Write) -> anyhow::Result<()> {
    if entries.is_empty() {
        writeln!(out, "nothing was saved: nothing had to be")?;
        return Ok(());
    }
    let titles = TITLES.map(Cell::from).to_vec();
    let rows = (1..)
        .zip(entries)
        .map(|entry| cells(entry).map(Cell::from).to_vec());
    let rows: Vec<Vec<Cell>> = std::iter::once(titles).chain(rows).collect();
    let mut columns = Columns::new(&TITLES, 120);
    columns.fit(&rows);
    for row in &rows {
        columns.write(out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn entries() -> Vec<Entry> {
        let note = Note::sample();
        let entry = |name: &str, note| Entry {
            path: std::path::Path::new("/var/lib/rha/rescue").join(name),
            bytes: 1_187,
            written: SystemTime::UNIX_EPOCH,
            note,
        };
        vec![entry("a.rdb", Some(note)), entry("b.rdb", None)]
    }

    fn printed(form: ListForm, entries: &[Entry]) -> String {
        let mut out = Vec::new();
        list(form, entries, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_form_lists_also_what_has_no_note() {
        insta::assert_snapshot!(printed(ListForm::Table, &entries()));
        let csv = printed(ListForm::Csv, &entries());
        assert_eq!(
            csv.lines().nth(1).unwrap(),
            "1,2026-08-03T06:00:01.000123Z,redis,3,\"1,450 bytes\",12,\"1,187\",/var/lib/rha/rescue/a.rdb"
        );
        let rows: serde_json::Value =
            serde_json::from_str(&printed(ListForm::Json, &entries())).unwrap();
        assert_eq!(rows[0]["note"]["diverged_bytes"], 1_450);
        assert_eq!(rows[1]["note"], serde_json::Value::Null);
        assert_eq!(printed(ListForm::Jsonl, &entries()).lines().count(), 2);
        assert_eq!(printed(ListForm::Jsonl, &[]), "");
        assert!(printed(ListForm::Table, &[]).starts_with("nothing was saved"));
    }

    #[test]
    fn what_is_known_is_shown_with_the_commands_to_use_it() {
        let mut out = Vec::new();
        let entries = entries();
        let form = super::super::super::render::ReportForm::Table;
        super::super::show::show(&entries[0], form, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
