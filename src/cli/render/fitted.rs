//! A small table that fits the screen: all of its rows are there, and the widest columns give way.

use std::io::Write;

use anstyle::Style;

use super::{Cell, Columns, GAP, Screen};

/// A column takes no more than this where rows may be of any length.
const MOST: usize = 100;
/// And is not made narrower than this.
const LEAST: usize = 12;

/// Writes the rows below their titles, where there are any; numbers stand to the right in column `right`.
///
/// # Errors
/// Those of `out`.
pub fn fitted(
    screen: &Screen,
    titles: &[&str],
    right: Option<usize>,
    rows: &[Vec<Cell>],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    let head = titles.iter().map(|title| Cell::styled(*title, bold));
    let head: Vec<Cell> = head.collect();
    let widths = (0..titles.len()).map(|column| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].width());
        cells.max().unwrap_or(0).min(MOST)
    });
    let mut widths: Vec<usize> = widths.collect();
    if let Some(limit) = screen.limit() {
        fit(&mut widths, limit);
    }
    let mut columns = Columns::of(widths);
    if let Some(right) = right {
        columns = columns.right(right);
    }
    let has_head = titles.iter().any(|title| !title.is_empty());
    for row in has_head.then_some(&head).into_iter().chain(rows) {
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
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > LEAST) else {
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
