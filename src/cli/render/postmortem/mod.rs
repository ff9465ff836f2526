//! A postmortem on paper: what is in it stands in `document`, and each shape is drawn from that.

mod document;
mod html;
mod markdown;
mod summary;
mod svg;
mod text;

use std::io::Write;

use super::Screen;
use crate::postmortem::Postmortem;

/// What it is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// For a terminal.
    Text,
    /// Markdown.
    Markdown,
    /// One HTML page, with drawings.
    Html,
}

/// Writes it.
///
/// # Errors
/// Those of `out`.
pub fn write(
    shape: Shape,
    screen: &Screen,
    told: &Postmortem,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let document = document::of(screen, told);
    match shape {
        Shape::Text => text::write(screen, &document, out),
        Shape::Markdown => markdown::write(&document, out),
        Shape::Html => html::write(told, &document, out),
    }
}
