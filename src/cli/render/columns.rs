//! Aligned columns without borders, with colours, a row at a time.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::plain;

/// Space between columns.
pub const GAP: usize = 2;
/// A cell is not broken into less than this, however narrow the screen.
const LEAST: usize = 8;

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

    /// How wide it is.
    #[must_use]
    pub fn width(&self) -> usize {
        self.text.width()
    }

    /// In pieces of at most `width` columns; none of nothing.
    fn broken(&self, width: usize) -> Vec<Self> {
        let lines = wrap(&self.text, width);
        let pieces = lines.iter().flat_map(|line| chop(line, width));
        let style = self.style;
        pieces
            .map(|text| Self {
                text: text.to_owned(),
                style,
            })
            .collect()
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
            max_width,
            ..Self::of(titles.iter().map(|title| title.width()).collect())
        }
    }

    /// Columns of these widths.
    #[must_use]
    pub fn of(widths: Vec<usize>) -> Self {
        Self {
            widths,
            max_width: usize::MAX,
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

    /// Writes one row in as many lines as it takes to stay within `limit`: what is wider than the room up to the next
    /// cell that is not empty is broken between words. The cells of a stack stand one below the other.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_within(
        &self,
        out: &mut dyn Write,
        row: &[Vec<Cell>],
        limit: usize,
    ) -> io::Result<()> {
        let mut lines = vec![vec![Cell::default(); row.len()]];
        let mut start: usize = self.widths.iter().map(|width| width + GAP).sum();
        let mut end = limit;
        for (column, (stack, width)) in row.iter().zip(&self.widths).enumerate().rev() {
            start -= width + GAP;
            let room = end.saturating_sub(start).max(LEAST);
            let pieces = stack.iter().flat_map(|cell| cell.broken(room));
            for (index, piece) in pieces.enumerate() {
                end = start.saturating_sub(GAP);
                if index == lines.len() {
                    lines.push(vec![Cell::default(); row.len()]);
                }
                lines[index][column] = piece;
            }
        }
        for line in &lines {
            self.write(out, line)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The pieces of a text without a blank that is wider than `width`, broken behind punctuation where that is possible.
fn chop(mut word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while word.width() > width {
        let mut taken = 0;
        let fitting = word.char_indices().take_while(|(_, c)| {
            taken += c.width().unwrap_or(0);
            taken <= width
        });
        let ends: Vec<(usize, char)> = fitting.map(|(at, c)| (at + c.len_utf8(), c)).collect();
        let soft = ends.iter().rev().find(|(_, c)| "-,;:/.".contains(*c));
        let Some((end, _)) = soft.or(ends.last()) else {
            break;
        };
        let (piece, rest) = word.split_at(*end);
        pieces.push(piece);
        word = rest;
    }
    pieces.push(word);
    pieces
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

    fn within(limit: usize, row: &[Vec<Cell>]) -> Vec<String> {
        let mut out = Vec::new();
        let columns = Columns::of(vec![4, 20, 14]);
        columns.write_within(&mut out, row, limit).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_row_is_broken_to_stay_within_the_screen() {
        let cell = |text: &str| vec![Cell::from(text)];
        let long = "the wait for another node to serve is over";
        let decision = vec![Cell::from("fault -> held"), Cell::from("hold-on-review")];
        assert_eq!(
            within(42, &[cell("17"), cell(long), decision]),
            [
                "17    the wait for another  fault -> held",
                "      node to serve is      hold-on-review",
                "      over"
            ]
        );
        let spilling = ["17    the wait for another node to", "      serve is over"];
        assert_eq!(within(36, &[cell("17"), cell(long), vec![]]), spilling);
        assert_eq!(within(99, &[cell("17"), cell(long), vec![]]).len(), 1);
        assert_eq!(
            within(3, &[cell("17"), cell("no room"), vec![]]),
            ["17    no room"]
        );
    }

    #[test]
    fn a_word_that_is_too_long_is_chopped() {
        let chopped = chop("orphaned-vip-at-run-without-redis", 16);
        assert_eq!(chopped, ["orphaned-vip-at-", "run-without-", "redis"]);
        assert_eq!(chop("世界世界", 5), ["世界", "世界"]);
        assert_eq!(chop("unbreakable", 4), ["unbr", "eaka", "ble"]);
        assert_eq!(chop("世", 1), ["世"]);
        assert_eq!(chop("fits", 4), ["fits"]);
    }

    #[test]
    fn wraps_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable a b", 4), ["unbreakable", "a b"]);
        assert!(wrap("", 7).is_empty());
    }
}
