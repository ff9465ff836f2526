//! Aligned columns without borders, with colours, a row at a time.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::plain;

/// Space between columns.
const GAP: usize = 2;

/// A text in a colour.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// `text` in `style`.
    #[must_use]
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        Self {
            text: plain(&text).into_owned(),
            style,
        }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// Widths of columns. A cell that is wider than its column takes from the empty ones beside it, or
/// pushes the rest of its row aside.
#[derive(Debug)]
pub struct Columns {
    widths: Vec<usize>,
    max_width: usize,
    /// Numbers stand at the right side of their column.
    right: Option<usize>,
}

impl Columns {
    /// As many columns as there are titles, none wider than `max_width` characters.
    #[must_use]
    pub fn new(titles: &[&str], max_width: usize) -> Self {
        Self {
            widths: titles.iter().map(|title| title.width()).collect(),
            max_width,
            right: None,
        }
    }

    /// Aligns one column to the right.
    #[must_use]
    pub fn right(self, column: usize) -> Self {
        Self {
            right: Some(column),
            ..self
        }
    }

    /// Widens the columns to what `rows` need.
    pub fn fit<'a>(&mut self, rows: impl IntoIterator<Item = &'a Vec<Cell>>) {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(self.max_width));
            }
        }
    }

    /// Writes one row without a line break, and says how wide it became.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, row: &[Cell]) -> io::Result<usize> {
        let (mut at, mut start) = (0, 0);
        for (column, (cell, column_width)) in row.iter().zip(&self.widths).enumerate() {
            if !cell.text.is_empty() {
                let indent = match self.right == Some(column) {
                    true => column_width.saturating_sub(cell.width()),
                    false => 0,
                };
                let least = if at > 0 { GAP } else { 0 };
                let space = (start + indent).saturating_sub(at).max(least);
                let (on, off) = (cell.style, cell.style.render_reset());
                write!(out, "{:space$}{on}{}{off}", "", cell.text)?;
                at += space + cell.width();
            }
            start += column_width + GAP;
        }
        Ok(at)
    }
}

/// `text` in lines of at most `width` columns, broken between words; a longer word stands alone.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_last_one_ends_where_its_text_does() {
        let rows = [
            vec![Cell::from("a"), Cell::from("1"), Cell::from("x")],
            vec![Cell::from("世界"), Cell::from("1234"), Cell::default()],
            vec![
                Cell::from("too long for it"),
                Cell::from("7"),
                Cell::from("z"),
            ],
            vec![Cell::from("too long"), Cell::default(), Cell::from("z")],
        ];
        let mut columns = Columns::new(&["name", "no", "what"], 6).right(1);
        columns.fit(&rows);
        let mut lines = Vec::new();
        for row in &rows {
            let mut out = Vec::new();
            let width = columns.write(&mut out, row).unwrap();
            let line = String::from_utf8(out).unwrap();
            assert_eq!(line.width(), width);
            lines.push(line);
        }
        assert_eq!(
            lines,
            [
                "a          1  x",
                "世界    1234",
                "too long for it  7  z",
                "too long      z"
            ]
        );
    }

    #[test]
    fn wraps_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable a b", 4), ["unbreakable", "a b"]);
        assert!(wrap("", 7).is_empty());
    }
}
