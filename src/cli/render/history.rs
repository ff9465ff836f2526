//! Rows of history for programs: as JSON, as CSV. Each writes as it reads.

use std::io::Write;

use crate::views::line::Entry;
use crate::views::rfc3339;

/// JSON objects: one a line, or all in one array.
///
/// # Errors
/// Those of `out`.
pub fn json(
    as_array: bool,
    entries: impl Iterator<Item = impl Entry>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut separator = if as_array { "[\n" } else { "" };
    for entry in entries {
        write!(out, "{separator}{}", entry.json()?)?;
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
pub fn csv(entries: impl Iterator<Item = impl Entry>, out: &mut dyn Write) -> anyhow::Result<()> {
    csv_head(out)?;
    csv_rows(entries, out)
}

/// The header of that.
///
/// # Errors
/// Those of `out`.
pub fn csv_head(out: &mut dyn Write) -> anyhow::Result<()> {
    let header = [
        "seq", "at", "instance", "kind", "summary", "from", "to", "rule", "because", "effects",
        "notes", "incident", "cause", "operator",
    ];
    Ok(super::csv::line(out, &header)?)
}

/// What is below it.
///
/// # Errors
/// Those of `out`.
pub fn csv_rows(
    entries: impl Iterator<Item = impl Entry>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for entry in entries {
        let row = entry.row();
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
                &row.kind,
                &row.what,
                change(|change| change.from),
                change(|change| change.to),
                row.rule.as_deref().unwrap_or(""),
                row.because.as_deref().unwrap_or(""),
                &row.effects.join("; "),
                &row.notes.join("; "),
                &number(row.incident),
                &number(row.cause),
                row.operator.as_deref().unwrap_or(""),
            ],
        )?;
    }
    Ok(())
}
