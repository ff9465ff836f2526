//! A TOML document as tables that know their lines and collect every problem.
//!
//! serde stops at the first error and forgets where a value stood; an operator wants all mistakes at
//! once, each with its line. So the tables are read by hand, key by key, and what no key asked for
//! is reported as unknown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};
use super::suggest::closest;

/// What is collected while a document is read: problems, and the line of each key.
pub(super) struct Source {
    file: PathBuf,
    /// Byte offset of each line's first byte.
    line_starts: Vec<usize>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    problems: Vec<Problem>,
    lines: BTreeMap<String, usize>,
}

impl Source {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            file: file.to_owned(),
            line_starts,
            state: RefCell::default(),
        }
    }

    /// The line, from 1, in which the byte at `offset` stands.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// Reports that the value of `key` (such as `instance.0.vip`) is wrong. A key that is not in the
    /// file is reported at the line of its table.
    pub(super) fn wrong(&self, key: &str, text: impl Into<String>) {
        let place = self.place(key);
        self.wrong_at(place.line, key, text);
    }

    pub(super) fn wrong_at(&self, line: usize, key: &str, text: impl Into<String>) {
        self.state.borrow_mut().problems.push(Problem {
            fatal: true,
            place: self.on(line),
            key: without_indices(key),
            text: text.into(),
        });
    }

    /// What there is to be said about a key that may be as it is.
    pub(super) fn unwise(&self, key: &str, text: String) -> Problem {
        Problem {
            fatal: false,
            place: self.place(key),
            key: without_indices(key),
            text,
        }
    }

    /// Where `key` stands, or else its table.
    pub(super) fn place(&self, key: &str) -> Place {
        let mut known = key;
        loop {
            if let Some(&line) = self.state.borrow().lines.get(known) {
                return self.on(line);
            }
            match known.rsplit_once('.') {
                Some((table, _)) => known = table,
                None => return self.on(1),
            }
        }
    }

    fn on(&self, line: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
        }
    }

    /// Every problem so far, in the order of the lines.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.state.borrow().problems.clone();
        problems.sort_by_key(|problem| problem.place.line);
        problems
    }

    fn remember(&self, key: &str, line: usize) {
        self.state.borrow_mut().lines.insert(key.to_owned(), line);
    }
}

/// One table of the document, or the place where it would be.
pub(super) struct Table<'d> {
    source: &'d Source,
    path: String,
    entries: Option<&'d DeTable<'d>>,
    known: Vec<&'static str>,
}

impl<'d> Table<'d> {
    pub(super) fn root(source: &'d Source, entries: &'d DeTable<'d>) -> Self {
        Self {
            source,
            path: String::new(),
            entries: Some(entries),
            known: Vec::new(),
        }
    }

    /// The value of `key`, or `default` where the key is missing; `None` if it was wrong.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        match self.find(key) {
            None => Some(default),
            Some(value) => self.parsed(key, value, parse),
        }
    }

    /// The value of a key that has no default; `None` if it was missing or wrong.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = self.find(key) else {
            let path = self.path_of(key);
            self.source.wrong(&path, "is missing and has no default");
            return None;
        };
        self.parsed(key, value, parse)
    }

    /// The table `[key]`; an empty one where it is missing.
    pub(super) fn table(&mut self, key: &'static str) -> Self {
        let path = self.path_of(key);
        let entries = match self.find(key) {
            None => None,
            Some(DeValue::Table(entries)) => Some(entries),
            Some(_) => {
                self.source
                    .wrong(&path, format!("must be a table: [{key}]"));
                None
            }
        };
        self.child(path, entries)
    }

    /// The tables `[[key]]`, at most `limit` of them.
    pub(super) fn tables(&mut self, key: &'static str, limit: usize) -> Vec<Self> {
        let path = self.path_of(key);
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value else {
            self.source
                .wrong(&path, format!("must be a list of tables: [[{key}]]"));
            return Vec::new();
        };
        if array.len() > limit {
            self.source
                .wrong(&path, format!("there are {}; at most {limit}", array.len()));
            return Vec::new();
        }
        let mut tables = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let path = format!("{path}.{index}");
            self.source
                .remember(&path, self.source.line(item.span().start));
            match item.get_ref() {
                DeValue::Table(entries) => tables.push(self.child(path, Some(entries))),
                _ => self
                    .source
                    .wrong(&path, format!("must be a table: [[{key}]]")),
            }
        }
        tables
    }

    /// It stands in the file.
    pub(super) fn is_there(&self) -> bool {
        self.entries.is_some()
    }

    /// Where `key` stands, or else this table.
    pub(super) fn place(&self, key: &str) -> Place {
        self.source.place(&self.path_of(key))
    }

    /// Reports every key that nothing asked for.
    pub(super) fn close(self) {
        let Some(entries) = self.entries else { return };
        for (key, _) in entries {
            let word = key.get_ref().as_ref();
            if self.known.contains(&word) {
                continue;
            }
            let text = match closest(word, self.known.iter().copied()) {
                Some(near) => format!("unknown key; did you mean \"{near}\"?"),
                None => format!("unknown key; allowed here: {}", self.known.join(", ")),
            };
            let line = self.source.line(key.span().start);
            self.source.wrong_at(line, &self.path_of(word), text);
        }
    }

    fn find(&mut self, key: &'static str) -> Option<&'d DeValue<'d>> {
        self.known.push(key);
        let (name, value) = self.entries?.get_key_value(key)?;
        let line = self.source.line(name.span().start);
        self.source.remember(&self.path_of(key), line);
        Some(value.get_ref())
    }

    fn parsed<T>(
        &self,
        key: &str,
        value: &DeValue<'d>,
        parse: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        parse(value)
            .map_err(|text| self.source.wrong(&self.path_of(key), text))
            .ok()
    }

    fn child(&self, path: String, entries: Option<&'d DeTable<'d>>) -> Self {
        Self {
            source: self.source,
            path,
            entries,
            known: Vec::new(),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// `instance.0.vip` as people write it: `instance.vip`.
fn without_indices(key: &str) -> String {
    key.split('.')
        .filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(".")
}
