//! How answers look: the only place that knows colour, columns and the terminal.
//!
//! Everything is written to the stream that is handed in, with colours in it; [`stdout`] takes them
//! out where nobody sees them (no terminal, `NO_COLOR`). No meaning is carried by colour alone.

mod columns;
mod csv;
mod error;
mod fitted;
mod history;
pub mod machine;
pub mod postmortem;
mod progress;
mod rows;
mod screen;
mod status;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

pub use columns::{Cell, Columns, GAP, wrap};
pub use csv::findings as findings_csv;
pub use csv::line as csv_line;
pub use error::{Problem, ignore_broken_pipe, report, warn};
pub use fitted::fitted;
pub use history::{
    csv as history_csv, csv_head as history_csv_head, csv_rows as history_csv_rows,
    json as history_json,
};
pub use progress::{Progress, waiting};
pub use rows::{Growing, table as history_table};
pub use screen::{Screen, stdout};
pub use status::status;

pub use crate::text::plain;

/// Forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListForm {
    /// Columns, for people
    #[default]
    Table,
    /// One JSON object a line
    Jsonl,
    /// One JSON array
    Json,
    /// Comma-separated values (RFC 4180), with a header
    Csv,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportForm {
    /// Sentences and columns, for people
    #[default]
    Table,
    /// One JSON object
    Json,
}

/// The colour of a role, by its word.
#[must_use]
pub fn role_style(word: &str) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match word {
        "primary" => colour(AnsiColor::Green).bold(),
        "replica" => colour(AnsiColor::Cyan),
        "promoting" | "demoting" => colour(AnsiColor::Yellow),
        "held" | "fenced" | "fault" => colour(AnsiColor::Red).bold(),
        _ => Style::new().dimmed(),
    }
}

/// A number with its thousands apart: `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `2 records`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(2_000, "record"), "2,000 records");
    }

    #[test]
    fn every_role_has_a_colour_or_is_dimmed() {
        for role in crate::model::role::Role::ALL {
            assert_ne!(role_style(role.word()), Style::new(), "{role}");
        }
    }
}
