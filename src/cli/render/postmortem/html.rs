//! One page, with everything in it: it can be sent, printed, and read on a phone.

use std::borrow::Cow;
use std::io::Write;

use super::document::{Block, Document};
use super::svg;
use crate::cli::render::plain;
use crate::postmortem::Postmortem;

const STYLE: &str = include_str!("style.css");

pub(super) fn write(
    told: &Postmortem,
    document: &Document,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let title = escaped(&document.title);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n"
    )?;
    for block in &document.blocks {
        match block {
            Block::Heading(text) => writeln!(out, "<h2>{}</h2>", escaped(text))?,
            Block::Text(text) => writeln!(out, "<p>{}</p>", escaped(text))?,
            Block::List(items) => list(items, out)?,
            Block::Table { titles, rows } => table(titles, rows, out)?,
            Block::Drawing {
                from_us,
                to_us,
                caption,
            } => {
                writeln!(
                    out,
                    "<figure><figcaption>{}</figcaption><div class=\"wide\">",
                    escaped(caption)
                )?;
                svg::write(told, *from_us, *to_us, out)?;
                writeln!(out, "</div></figure>")?;
            }
        }
    }
    writeln!(out, "</main>\n</body>\n</html>")?;
    Ok(())
}

fn list(items: &[String], out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "<ul>")?;
    for item in items {
        writeln!(out, "<li>{}</li>", escaped(item))?;
    }
    writeln!(out, "</ul>")?;
    Ok(())
}

fn table(titles: &[&'static str], rows: &[Vec<String>], out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "<div class=\"wide\"><table>")?;
    let is_headed = titles.iter().any(|title| !title.is_empty());
    let class = |index: usize| match titles.get(index) {
        Some(&("time" | "at" | "took" | "seq")) => " class=\"number\"",
        Some(&("what" | "why" | "")) if is_headed => " class=\"sentence\"",
        _ => "",
    };
    if is_headed {
        let cells = titles.iter().enumerate();
        let cells = cells.map(|(index, title)| format!("<th{}>{title}</th>", class(index)));
        writeln!(out, "<thead><tr>{}</tr></thead>", String::from_iter(cells))?;
    }
    writeln!(out, "<tbody>")?;
    for row in rows {
        let cells = row.iter().enumerate();
        let cells =
            cells.map(|(index, cell)| format!("<td{}>{}</td>", class(index), escaped(cell)));
        writeln!(out, "<tr>{}</tr>", String::from_iter(cells))?;
    }
    writeln!(out, "</tbody></table></div>")?;
    Ok(())
}

/// As text of a page, or in quotes.
pub(super) fn escaped(text: &str) -> String {
    let text: Cow<'_, str> = plain(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_that_was_recorded_is_markup() {
        let text = super::escaped("<script>alert(\"x\")</script> & 'y'");
        assert_eq!(
            text,
            "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;"
        );
    }
}
