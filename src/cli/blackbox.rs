//! `rha history --blackbox`: lines of the black box instead of records of the journal.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::iter;
use std::path::Path;

use anyhow::Context;

use super::render::{Problem, counted};
use crate::agent::blackbox::files::open_all;
use crate::agent::blackbox::texts::Texts;
use crate::views::history::Filter;
use crate::views::line::Line;

/// Lines as they come.
pub type Lines = Box<dyn Iterator<Item = anyhow::Result<Line>>>;

/// The lines that a query asks for, oldest first, from a directory of files or from one file; that some could
/// not be read is the last item. The line that is being written is left out.
///
/// # Errors
/// There is none at this place, or it may not be read.
pub fn history(place: &Path, filter: &Filter) -> anyhow::Result<Lines> {
    let files = open_all(place).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Problem::failed(format!("there is no black box at {}", place.display()))
                .hint(
                    "`--blackbox DIR` reads another one; [blackbox] keep = \"0\" switches it off.",
                )
                .into()
        }
        _ => anyhow::Error::new(error).context(format!("cannot read {}", place.display())),
    })?;
    let mut source = Source {
        texts: Texts::new(files),
        bad: 0,
    };
    if filter.limit == 0 {
        let filter = filter.clone();
        let mut is_over = false;
        return Ok(Box::new(iter::from_fn(move || {
            if is_over {
                return None;
            }
            let next = source.find(&filter).transpose();
            is_over = next.as_ref().is_none_or(Result::is_err);
            next.or_else(|| source.trouble().map(Err))
        })));
    }
    let mut last = VecDeque::new();
    while let Some(line) = source.find(filter)? {
        if last.len() == filter.limit {
            last.pop_front();
        }
        last.push_back(line);
    }
    let trouble = source.trouble().map(Err);
    Ok(Box::new(last.into_iter().map(Ok).chain(trouble)))
}

struct Source {
    texts: Texts,
    /// Lines that could not be read.
    bad: u64,
}

impl Source {
    /// The next line that is asked for.
    fn find(&mut self, filter: &Filter) -> anyhow::Result<Option<Line>> {
        while let Some(text) = self.texts.line().context("cannot read the black box")? {
            match String::from_utf8(text).ok().and_then(Line::read) {
                Some(line) if filter.matches_row(line.words()) => return Ok(Some(line)),
                Some(_) => {}
                None => self.bad += 1,
            }
        }
        Ok(None)
    }

    fn trouble(&self) -> Option<anyhow::Error> {
        (self.bad > 0).then(|| {
            let lines = counted(self.bad, "line");
            Problem::trouble(format!("{lines} of the black box cannot be read")).into()
        })
    }
}
