//! Reads Rust sources well enough for the rules of the house.

use std::fs;
use std::path::{Path, PathBuf};

/// One file, and its code without comments, strings and inline tests. Lines keep their numbers.
pub struct Source {
    /// From the root, with slashes.
    pub name: String,
    pub text: String,
    code: String,
    /// The code without the tests at its end.
    shipped: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this"))
}

/// The Rust files at or under `path`; none where it is not there.
pub fn sources(path: &str) -> Vec<Source> {
    let root = root();
    let mut found = walk(&root.join(path), "rs");
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .expect("it is under the root")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("a source can be read");
            Source::new(name.replace('\\', "/"), text)
        })
        .collect()
}

pub fn walk(path: &Path, ext: &str) -> Vec<PathBuf> {
    if path.is_file() {
        return if path.extension().is_some_and(|found| found == ext) {
            vec![path.to_owned()]
        } else {
            Vec::new()
        };
    }
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    entries
        .flat_map(|entry| walk(&entry.expect("a folder can be listed").path(), ext))
        .collect()
}

impl Source {
    pub fn new(name: String, text: String) -> Self {
        let code = blank(&text);
        // Tests stand last in a file.
        let tests = code.find("#[cfg(test)]\nmod tests {");
        let shipped = code[..tests.unwrap_or(code.len())].to_owned();
        Self {
            name,
            text,
            code,
            shipped,
        }
    }

    pub fn is_test(&self) -> bool {
        self.name.ends_with("/tests.rs")
            || self.name.contains("/tests/")
            || self.text.starts_with("#![cfg(test)]")
            || self.name.ends_with("/fixture.rs")
    }

    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        lines_with(&self.shipped, word)
    }

    /// The modules of this crate that the file names, each with its line.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut prefixes = vec!["crate::", "rha::"];
        if self.name.ends_with("/mod.rs") && self.name.split('/').count() == 3 {
            prefixes.push("super::");
        }
        for prefix in prefixes {
            for at in positions(&self.shipped, prefix) {
                let line = self.shipped[..at].matches('\n').count() + 1;
                let rest = &self.shipped[at + prefix.len()..];
                let names = match rest.strip_prefix('{') {
                    Some(group) => top_level(group),
                    None => vec![first_word(rest)],
                };
                let modules = names
                    .into_iter()
                    .filter(|name| name.starts_with(char::is_lowercase));
                found.extend(modules.map(|name| (line, name)));
            }
        }
        found
    }

    /// The first words of the `use` declarations.
    pub fn uses(&self) -> Vec<(usize, String)> {
        let lines = (1..).zip(self.shipped.lines());
        lines
            .filter_map(|(number, line)| {
                let line = line.trim_start();
                let line = line.strip_prefix("pub ").unwrap_or(line);
                let name = first_word(line.strip_prefix("use ")?);
                (!name.is_empty()).then_some((number, name))
            })
            .collect()
    }

    pub fn has_module(&self, name: &str) -> bool {
        self.lines_with(&format!("mod {name}")).len() == 1
    }

    /// Every function with a body: line, name, lines.
    pub fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        for at in positions(&self.code, "fn ") {
            let rest = &self.code[at..];
            let Some(open) = rest
                .find(['{', ';'])
                .filter(|&open| rest[open..].starts_with('{'))
            else {
                continue;
            };
            let mut depth = 0_usize;
            let close = rest[open..].find(|c| {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            let Some(close) = close else { continue };
            let lines = rest[..open + close].matches('\n').count() + 1;
            let line = self.code[..at].matches('\n').count() + 1;
            found.push((line, first_word(&rest[3..]), lines));
        }
        found
    }
}

/// The lines where `word` stands by itself.
pub fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| !positions(line, word).is_empty())
        .map(|(number, _)| number)
        .collect()
}

/// Where `word` stands and is no part of a longer one.
fn positions(text: &str, word: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let starts = word.starts_with(is_name);
    let ends = word.ends_with(is_name);
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !(starts && text[..at].ends_with(is_name)))
        .filter(|&at| !(ends && text[at + word.len()..].starts_with(is_name)))
        .collect()
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first words of what a `{a::b, c}` group lists, given what is behind its brace.
fn top_level(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => {
                if let Some(name) = names.last_mut() {
                    name.push(c);
                }
            }
            _ => {}
        }
    }
    names
        .iter()
        .map(|name| first_word(name.trim_start()))
        .filter(|name| !name.is_empty())
        .collect()
}

/// The text with comments and literals replaced by blanks.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = literal(
            rest,
            code.ends_with(|c: char| c.is_alphanumeric() || c == '_'),
        );
        if skip == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(
                rest[..skip]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[skip..];
        }
    }
    code
}

/// How many bytes of comment or literal `text` begins with.
fn literal(text: &str, in_word: bool) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    if text.starts_with("//") {
        return to(text.find('\n'));
    }
    if text.starts_with("/*") {
        return to(text.find("*/").map(|end| end + 2));
    }
    if text.starts_with('"') {
        return quoted(text);
    }
    if !in_word && (text.starts_with("r\"") || text.starts_with("r#")) {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        if text[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return to(text[2 + hashes..]
                .find(&end)
                .map(|at| 2 + hashes + at + end.len()));
        }
    }
    if let Some(character) = text.strip_prefix('\'') {
        // A lifetime has no second quote behind its first letter.
        if character.starts_with('\\') {
            return to(character[2..].find('\'').map(|end| end + 4));
        }
        let first = character.chars().next().map_or(0, char::len_utf8);
        if character[first..].starts_with('\'') {
            return first + 2;
        }
    }
    0
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
