//! What is wrong with a keepalived.conf, whoever wrote it.
//!
//! `keepalived -t` misses a good part of what makes a pair fail (and crashes on some of the rest); the
//! rules here are what the files themselves can tell. Each is one sentence with what to do.

mod addresses;
mod fold;
mod globals;
mod instance;
mod keywords;
mod pair;
mod trackers;
mod uses;
mod view;
mod weights;

use std::collections::BTreeSet;

use super::finding::{Finding, Place};
use super::load::Document;
pub use fold::fold;
use view::View;

/// Everything that is wrong with one node's file, in the order of the lines. `users` are the accounts
/// of the host that it is for, or `None` where they are unknown.
#[must_use]
pub fn lint(document: &Document, users: Option<&BTreeSet<String>>) -> Vec<Finding> {
    let view = View::new(&document.statements);
    let mut found = document.findings.clone();
    found.extend(keywords::unknown(&document.statements));
    found.extend(globals::check(&view, users));
    found.extend(trackers::check(&view));
    found.extend(weights::check(&view, users.is_some()));
    found.extend(instance::check(&view));
    found.extend(addresses::check(&view));
    if view.instances.is_empty() {
        found.push(Finding::warning(
            &whole(document),
            "there is no vrrp_instance: nothing is taken over here",
            "for a virtual_server alone that is right; lint looks at VRRP only",
        ));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What two nodes' files say against each other.
#[must_use]
pub fn lint_pair(one: &Document, other: &Document) -> Vec<Finding> {
    let mut found = pair::check(&View::new(&one.statements), &View::new(&other.statements));
    found.sort_unstable();
    found
}

fn whole(document: &Document) -> Place {
    Place {
        file: document.file.to_string_lossy().into(),
        line: 0,
    }
}
