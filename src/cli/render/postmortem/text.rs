//! For a terminal.

use std::io::Write;

use anstyle::Style;

use super::document::{Block, Document};
use crate::cli::render::{Cell, Columns, GAP, Screen, plain, wrap};

/// A column takes no more than this where rows may be of any length.
const COLUMN_MOST: usize = 100;
/// And is not made narrower than this.
const COLUMN_LEAST: usize = 12;

pub(super) fn write(
    screen: &Screen,
    document: &Document,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", plain(&document.title))?;
    for block in &document.blocks {
        match block {
            Block::Heading(text) => writeln!(out, "\n{bold}{}{bold:#}", plain(text))?,
            Block::Text(text) => paragraph(screen, "", text, out)?,
            Block::List(items) => {
                for item in items {
                    paragraph(screen, "- ", item, out)?;
                }
            }
            Block::Table { titles, rows } => table(screen, titles, rows, out)?,
            // A page has drawings.
            Block::Drawing { .. } => {}
        }
    }
    Ok(())
}

fn paragraph(screen: &Screen, mark: &str, text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let width = screen.width.saturating_sub(mark.len());
    for (index, line) in wrap(text, width).iter().enumerate() {
        let mark = if index == 0 {
            mark.to_owned()
        } else {
            " ".repeat(mark.len())
        };
        writeln!(out, "{mark}{}", plain(line))?;
    }
    Ok(())
}

fn table(
    screen: &Screen,
    titles: &[&'static str],
    rows: &[Vec<String>],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    let head: Vec<Cell> = titles
        .iter()
        .map(|title| Cell::styled(*title, bold))
        .collect();
    let body: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| Cell::from(cell.as_str())).collect())
        .collect();
    let widths = (0..titles.len()).map(|column| {
        let cells = body.iter().chain([&head]).map(|row| row[column].width());
        cells.max().unwrap_or(0).min(COLUMN_MOST)
    });
    let mut widths: Vec<usize> = widths.collect();
    if let Some(limit) = screen.limit() {
        fit(&mut widths, limit);
    }
    let columns = Columns::of(widths);
    let has_head = titles.iter().any(|title| !title.is_empty());
    for row in has_head.then_some(&head).into_iter().chain(&body) {
        match screen.limit() {
            Some(limit) => {
                let stacks: Vec<Vec<Cell>> = row.iter().map(|cell| vec![cell.clone()]).collect();
                columns.write_within(out, &stacks, limit)?;
            }
            None => {
                columns.write(out, row)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// The widest columns give way first.
fn fit(widths: &mut [usize], limit: usize) {
    let room = limit.saturating_sub(GAP * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths
            .iter_mut()
            .max()
            .filter(|widest| **widest > COLUMN_LEAST)
        else {
            return;
        };
        *widest -= 1;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_widest_gives_way() {
        let mut widths = [5, 80, 60];
        super::fit(&mut widths, 89);
        assert_eq!(widths, [5, 40, 40]);
        super::fit(&mut widths, 1);
        assert_eq!(widths, [5, 12, 12]);
    }
}
