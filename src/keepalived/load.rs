//! A keepalived.conf from the disk, with the files that it includes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Place};
use super::parse::{Statement, parse};

/// Largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most files, and deepest nesting of includes.
const FILES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// The keywords that include files; the letters behind say what is an error.
const INCLUDES: [&str; 5] = ["include", "includer", "includem", "includew", "includeb"];

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
pub fn load(file: &Path) -> std::io::Result<Document> {
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
        let pattern = file.parent().unwrap_or(Path::new("")).join(pattern);
        let files = matching(&pattern);
        if files.is_empty() {
            self.warn(
                &include.place,
                format!("nothing matches {}", pattern.display()),
            );
        }
        let mut statements = Vec::new();
        for file in files {
            if self.files >= FILES_MAX || depth >= DEPTH_MAX {
                self.warn(
                    &include.place,
                    format!("{} is one include too many", file.display()),
                );
                break;
            }
            self.files += 1;
            match read(&file) {
                Ok(text) => {
                    let (found, findings) = parse(&text, &file.to_string_lossy());
                    self.findings.extend(findings);
                    statements.extend(self.resolved(found, &file, depth + 1));
                }
                Err(why) => self.warn(
                    &include.place,
                    format!("cannot read {}: {why}", file.display()),
                ),
            }
        }
        statements
    }

    fn warn(&mut self, place: &Place, text: String) {
        let todo = "keepalived goes on without it; correct the include";
        self.findings.push(Finding::warning(place, text, todo));
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(FILE_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(std::io::Error::other(format!(
            "larger than {FILE_MAX} bytes: this is no keepalived.conf"
        )));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files that `pattern` names, sorted; `*` and `?` only in the last component.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains(['*', '?']) {
        return pattern
            .is_file()
            .then(|| pattern.to_owned())
            .into_iter()
            .collect();
    }
    let directory = pattern.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| {
            let found = entry.file_name();
            let found = found.to_string_lossy();
            !found.starts_with('.') && wildcard(name.as_bytes(), found.as_bytes())
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    files
}

/// `*` matches any run of bytes, `?` one. Steps back to the last `*` only: linear in the pattern.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((starred, matched)) = star else {
                    return false;
                };
                star = Some((starred, matched + 1));
                at = starred + 1;
                from = matched + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a?c*", "abc", true),
            ("a*b*c", "axxbyybzc", true),
            ("", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(
                wildcard(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

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
}
