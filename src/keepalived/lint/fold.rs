//! keepalived's own words beside ours: what both say is said once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::keywords::unknown_blocks;
use crate::keepalived::finding::Finding;
use crate::keepalived::load::Document;
use crate::keepalived::parse::Statement;

/// What `keepalived -t` says of `document` that is not among our own findings. A line that we have
/// judged at least as hard needs no second sentence, and the inside of a block that keepalived does not
/// know needs none at all.
#[must_use]
pub fn fold(document: &Document, ours: &[Finding], said: Vec<Finding>) -> Vec<Finding> {
    let mut files = BTreeSet::from([document.file.to_string_lossy().into()]);
    collect(&document.statements, &mut files);
    let blocks = unknown_blocks(&document.statements);
    let is_inside = |finding: &Finding| {
        let mut around = blocks.iter().filter(|block| {
            let lines = block.place.line..=block.end;
            block.place.file == finding.place.file && lines.contains(&finding.place.line)
        });
        finding.text.contains("Unknown keyword") && around.next().is_some()
    };
    let is_said = |finding: &Finding| {
        // A missing include makes no run fail, but every line of one that failed is an error.
        let is_minor = finding.text.contains("onfig files missing");
        let mut same = ours.iter().filter(|own| {
            own.place == finding.place && (own.severity <= finding.severity || is_minor)
        });
        finding.place.line > 0 && same.next().is_some()
    };
    let named = said.into_iter().map(|mut finding| {
        finding.place.file = full(&finding.place.file, &files);
        finding
    });
    named
        .filter(|finding| !is_inside(finding) && !is_said(finding))
        .collect()
}

fn collect(statements: &[Statement], files: &mut BTreeSet<Arc<str>>) {
    for statement in statements {
        if !files.contains(&statement.place.file) {
            files.insert(statement.place.file.clone());
        }
        collect(statement.children(), files);
    }
}

/// keepalived names an included file as its directory sees it.
fn full(name: &Arc<str>, files: &BTreeSet<Arc<str>>) -> Arc<str> {
    let mut full = files
        .iter()
        .filter(|file| Path::new(file.as_ref()).ends_with(name.as_ref()));
    match (full.next(), full.next()) {
        (Some(only), None) => only.clone(),
        _ => name.clone(),
    }
}
