//! What is wrong with a keepalived.conf, whoever wrote it.
//!
//! `keepalived -t` misses a good part of what makes a pair fail (and crashes on some of the rest); the
//! rules here are what the files themselves can tell, and the host that they are for. Each is one
//! sentence with what to do.

mod addresses;
mod fold;
mod globals;
mod host;
mod instance;
mod keywords;
mod pair;
mod trackers;
mod uses;
mod view;
mod weights;

use super::finding::{Finding, Place};
use super::host::Host;
use super::load::Document;
pub use fold::fold;
pub use host::Whose;
use view::View;

/// Everything that is wrong with one node's file, in the order of the lines. What the file needs of its
/// host is looked at on `host`, if there is one.
#[must_use]
pub fn lint(document: &Document, host: Option<&Host>) -> Vec<Finding> {
    let view = View::new(&document.statements);
    let whose = host.map(|host| host::whose(document, &view, host));
    let is_here = matches!(whose, Some(Whose::Here | Whose::Unknown));
    let mut found = document.findings.clone();
    found.extend(keywords::unknown(&document.statements));
    found.extend(globals::check(&view));
    found.extend(trackers::check(&view));
    found.extend(weights::check(&view, is_here));
    found.extend(instance::check(&view));
    found.extend(addresses::check(&view));
    if let Some(host) = host.filter(|_| is_here) {
        found.extend(host::check(document, &view, host));
    }
    if whose == Some(Whose::Elsewhere) {
        found.extend(host::left_out(&view));
    }
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

/// Whose file `document` is, as seen from `host`.
#[must_use]
pub fn whose(document: &Document, host: &Host) -> Whose {
    host::whose(document, &View::new(&document.statements), host)
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
