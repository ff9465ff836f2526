//! For a terminal.

use std::io::Write;

use anstyle::Style;

use super::document::{Block, Document};
use crate::cli::render::{Cell, Screen, fitted, plain, wrap};

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
            Block::Table { titles, rows } => {
                let cells =
                    |row: &Vec<String>| row.iter().map(|cell| Cell::from(cell.as_str())).collect();
                let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
                fitted(screen, titles, None, &rows, out)?;
            }
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
