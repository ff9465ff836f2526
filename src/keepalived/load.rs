//! A keepalived.conf from the disk, with the files that it includes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::finding::{Finding, Place};
use super::parse::{Statement, parse};
use super::pattern::matching;
use super::token::INCLUDES;

/// Largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most files, and deepest nesting of includes.
const FILES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// A configuration with its includes in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The file that it began with, as it was named.
    pub file: PathBuf,
    /// Its statements.
    pub statements: Vec<Statement>,
    /// What did not fit the grammar.
    pub findings: Vec<Finding>,
}

/// Reads `file` and what it includes.
///
/// # Errors
/// `file` itself cannot be read. A missing include is a finding.
pub fn load(file: &Path) -> io::Result<Document> {
    let text = read(file)?;
    let (statements, findings) = parse(&text, &file.to_string_lossy());
    let mut loader = Loader { findings, files: 1 };
    let statements = loader.resolved(statements, file, 0);
    Ok(Document {
        file: file.to_owned(),
        statements,
        findings: loader.findings,
    })
}

struct Loader {
    findings: Vec<Finding>,
    files: usize,
}

impl Loader {
    /// `statements` of `file` with each include replaced by what it names.
    fn resolved(
        &mut self,
        statements: Vec<Statement>,
        file: &Path,
        depth: usize,
    ) -> Vec<Statement> {
        let mut resolved = Vec::new();
        for mut statement in statements {
            if INCLUDES.contains(&statement.keyword()) {
                resolved.extend(self.included(&statement, file, depth));
                continue;
            }
            if let Some(body) = statement.body.take() {
                statement.body = Some(self.resolved(body, file, depth));
            }
            resolved.push(statement);
        }
        resolved
    }

    fn included(&mut self, include: &Statement, file: &Path, depth: usize) -> Vec<Statement> {
        let Some(pattern) = include.argument() else {
            return Vec::new();
        };
        // keepalived reads relative names from the directory of the including file.
        let directory = file.parent().unwrap_or(Path::new(""));
        let files = match matching(directory, pattern) {
            Ok(files) if files.is_empty() => {
                self.lost(&include.place, format!("nothing matches {pattern}"));
                return Vec::new();
            }
            Ok(files) => files,
            Err(why) => {
                self.lost(&include.place, format!("{pattern} is no pattern: {why}"));
                return Vec::new();
            }
        };
        let mut statements = Vec::new();
        for file in files {
            if self.files >= FILES_MAX || depth >= DEPTH_MAX {
                self.findings.push(Finding::warning(
                    &include.place,
                    format!("{} is one include too many for rha", file.display()),
                    format!(
                        "at most {FILES_MAX} files, {DEPTH_MAX} deep: the rest was not looked at"
                    ),
                ));
                break;
            }
            self.files += 1;
            match read(&file) {
                Ok(text) => {
                    let (found, findings) = parse(&text, &file.to_string_lossy());
                    self.findings.extend(findings);
                    statements.extend(self.resolved(found, &file, depth + 1));
                }
                Err(why) => self.lost(
                    &include.place,
                    format!("cannot read {}: {why}", file.display()),
                ),
            }
        }
        statements
    }

    fn lost(&mut self, place: &Place, text: String) {
        let todo = "keepalived goes on without it; correct the include";
        self.findings.push(Finding::warning(place, text, todo));
    }
}

fn read(file: &Path) -> io::Result<String> {
    // Opening a FIFO would wait for its writer otherwise.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = File::from(rustix::fs::open(file, flags, Mode::empty())?);
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other(
            "it is no regular file; keepalived reads nothing else",
        ));
    }
    let mut bytes = Vec::new();
    opened.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!(
            "larger than {FILE_MAX} bytes: this is no keepalived.conf"
        )));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn includes_are_read_in_place_and_loops_end() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(
            at("main.conf"),
            "a {\ninclude part-*.inc\n}\ninclude missing.conf\n",
        )
        .unwrap();
        fs::write(at("part-1.inc"), "b\n").unwrap();
        fs::write(at("part-2.inc"), "c\ninclude part-2.inc\n").unwrap();
        let document = load(&at("main.conf")).unwrap();
        let words: Vec<_> = document.statements[0]
            .children()
            .iter()
            .map(Statement::keyword)
            .collect();
        assert_eq!(words[..2], ["b", "c"]);
        assert!(words.len() <= DEPTH_MAX + 1);
        assert_eq!(document.statements[0].children()[0].place.line, 1);
        let texts: Vec<_> = document
            .findings
            .iter()
            .map(|found| found.text.clone())
            .collect();
        assert!(
            texts
                .iter()
                .any(|text| text.contains("one include too many")),
            "{texts:?}"
        );
        assert!(
            texts.iter().any(|text| text.contains("nothing matches")),
            "{texts:?}"
        );
    }

    #[test]
    fn only_regular_files_of_a_sensible_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let refusal = |file: &Path| load(file).unwrap_err().to_string();
        let fifo = at("fifo");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for file in [&fifo, Path::new("/dev/zero"), directory.path()] {
            assert!(
                refusal(file).contains("no regular file"),
                "{}",
                file.display()
            );
        }
        fs::write(at("large"), "a\n".repeat(1 << 20)).unwrap();
        assert!(refusal(&at("large")).contains("larger than"));
    }
}
