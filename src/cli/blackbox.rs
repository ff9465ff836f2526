//! `rha history --blackbox`: lines of the black box instead of records of the journal.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::iter;
use std::path::Path;
use std::vec;

use anyhow::Context;

use super::render::{Problem, counted};
use crate::agent::blackbox::files::{LINE_MAX, open_all};
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
        files: files.into_iter(),
        current: None,
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
    files: vec::IntoIter<File>,
    current: Option<BufReader<File>>,
    /// Lines that could not be read.
    bad: u64,
}

impl Source {
    /// The next line that is asked for.
    fn find(&mut self, filter: &Filter) -> anyhow::Result<Option<Line>> {
        while let Some(text) = self.text().context("cannot read the black box")? {
            match String::from_utf8(text).ok().and_then(Line::read) {
                Some(line) if filter.matches_row(line.words()) => return Ok(Some(line)),
                Some(_) => {}
                None => self.bad += 1,
            }
        }
        Ok(None)
    }

    /// The next line of text, or nothing of a line that is longer than any of ours.
    fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(reader) = &mut self.current else {
                let Some(file) = self.files.next() else {
                    return Ok(None);
                };
                self.current = Some(BufReader::new(file));
                continue;
            };
            let mut text = Vec::new();
            reader.take(LINE_MAX).read_until(b'\n', &mut text)?;
            if text.last() == Some(&b'\n') {
                text.pop();
                return Ok(Some(text));
            }
            if text.len() as u64 == LINE_MAX {
                reader.skip_until(b'\n')?;
                return Ok(Some(Vec::new()));
            }
            self.current = None;
            let is_being_written = self.files.as_slice().is_empty();
            if !text.is_empty() && !is_being_written {
                return Ok(Some(text));
            }
        }
    }

    fn trouble(&self) -> Option<anyhow::Error> {
        (self.bad > 0).then(|| {
            let lines = counted(self.bad, "line");
            Problem::trouble(format!("{lines} of the black box cannot be read")).into()
        })
    }
}
