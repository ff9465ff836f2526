//! What people write: rha's configuration, keepalived's, and that of the old scripts.

use std::path::Path;

use rha::config::import::{OldConfig, import as translate};
use rha::config::{Config, Error};
use rha::keepalived::finding::Finding;
use rha::keepalived::lint::{lint, lint_pair};
use rha::keepalived::load::Document;
use rha::keepalived::parse::{Statement, parse};

const FILE: &str = "fuzz";

/// rha.toml.
pub fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    for node in ["lvs1", "lvs2"] {
        match Config::parse(text, Path::new(FILE), Some(node), "host") {
            Ok(config) => {
                let shown = config.show();
                assert!(shown.is_ok(), "{shown:?}");
                return true;
            }
            Err(Error::Invalid(problems)) => {
                assert!(!problems.is_empty(), "refused without a reason");
                for problem in problems {
                    let lines = text.matches('\n').count() + 1;
                    assert!((1..=lines).contains(&problem.place.line), "{problem}");
                    one_line(&problem.to_string());
                }
            }
            Err(Error::Unreadable { .. }) => unreachable!("nothing was to be read"),
        }
    }
    false
}

/// keepalived.conf, and what is found wrong with it.
pub fn keepalived(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (statements, findings) = parse(&text, FILE);
    let lines = text.matches('\n').count() + 1;
    statements.iter().for_each(|one| placed(one, lines, 0));
    told(&findings);
    let understood = findings.is_empty() && !statements.is_empty();
    let script = "VIP=192.168.192.161\nPORT=6000\n";
    let old = OldConfig {
        file: FILE,
        statements: &statements,
    };
    let _ = translate(script, "config.sh", &[old, old]);
    let document = Document {
        file: FILE.into(),
        statements,
        findings,
    };
    told(&lint(&document, None));
    told(&lint_pair(&document, &document));
    understood
}

/// The old scripts' config.sh.
pub fn import(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let Ok(imported) = translate(&text, FILE, &[]) else {
        return false;
    };
    // The command makes these safe to print.
    assert!(imported.ignored.iter().all(|line| !line.contains('\n')));
    // It may refuse what is to be filled in, but must be TOML.
    if let Err(Error::Invalid(problems)) =
        Config::parse(&imported.toml, Path::new(FILE), None, "host")
    {
        assert!(
            problems.iter().all(|problem| problem.key != "syntax"),
            "{}",
            imported.toml
        );
    }
    true
}

/// Every statement stands in the text, and the nesting has an end.
fn placed(statement: &Statement, lines: usize, depth: usize) {
    assert!(depth <= 32, "nested without an end");
    assert!((1..=lines).contains(&statement.place.line));
    for child in statement.children() {
        placed(child, lines, depth + 1);
    }
}

fn told(findings: &[Finding]) {
    for finding in findings {
        one_line(&finding.to_string());
    }
}

/// What is told of a file is one line, and moves nobody's cursor.
fn one_line(text: &str) {
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
}
