//! Markdown, for a ticket or a wiki.

use std::io::Write;

use super::document::{Block, Document};
use crate::cli::render::plain;

pub(super) fn write(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "# {}", escaped(&document.title))?;
    for block in &document.blocks {
        match block {
            Block::Heading(text) => writeln!(out, "\n## {}\n", escaped(text))?,
            Block::Text(text) => writeln!(out, "\n{}\n", escaped(text))?,
            Block::List(items) => {
                for item in items {
                    writeln!(out, "- {}", escaped(item))?;
                }
            }
            Block::Table { titles, rows } => {
                writeln!(out)?;
                row(titles.iter().map(|title| (*title).to_owned()), out)?;
                row(titles.iter().map(|_| "---".to_owned()), out)?;
                for cells in rows {
                    row(cells.iter().map(|cell| escaped(cell)), out)?;
                }
                writeln!(out)?;
            }
            Block::Drawing { .. } => {}
        }
    }
    Ok(())
}

fn row(cells: impl Iterator<Item = String>, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
    Ok(())
}

/// What would be taken for markup is shown as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if "\\`*_[]<>|#".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_is_shown_as_it_is() {
        assert_eq!(super::escaped("a|b <b>_x_</b>"), r"a\|b \<b\>\_x\_\</b\>");
    }
}
