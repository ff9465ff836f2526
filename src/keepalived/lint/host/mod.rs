//! What a file needs of the host that it is for: addresses, directories, FIFOs, scripts, accounts, rights.
//!
//! Only looked at on that very host, as far as its addresses tell: of another node's file it is said that
//! this was left out.

mod accounts;
mod addresses;
mod files;
mod scripts;

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use super::view::{View, address, is_on, sources};
use crate::keepalived::finding::Finding;
use crate::keepalived::host::Host;
use crate::keepalived::load::Document;
use crate::keepalived::parse::Statement;

/// What keepalived reads unless it is told otherwise: it is for this host, whatever stands in it.
const IN_FORCE: &str = "/etc/keepalived/keepalived.conf";
/// Real-time scheduling of keepalived's processes.
const REAL_TIME: [&str; 3] = ["vrrp_rt_priority", "checker_rt_priority", "bfd_rt_priority"];

/// The host that a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This one.
    Here,
    /// Another one: its own addresses are not here.
    Elsewhere,
    /// It names no address of its own.
    Unknown,
}

/// Whose file it is. The VIP is nobody's own: it may be here or not.
pub(super) fn whose(document: &Document, view: &View<'_>, host: &Host) -> Whose {
    let sources = || view.instances.iter().flat_map(|one| sources(one.statement));
    let own = || sources().filter_map(|source| address(source.argument()?));
    let is_peer = || {
        let peers = view.instances.iter().flat_map(|instance| &instance.peers);
        peers.into_iter().any(|(_, peer)| host.has(*peer))
    };
    if is_in_force(&document.file) || own().any(|ip| host.has(ip)) {
        Whose::Here
    } else if own().next().is_some() || is_peer() {
        Whose::Elsewhere
    } else {
        Whose::Unknown
    }
}

fn is_in_force(file: &Path) -> bool {
    let same = || Some(fs::canonicalize(file).ok()? == fs::canonicalize(IN_FORCE).ok()?);
    same() == Some(true)
}

/// Checks what the file needs of its host.
pub(super) fn check(document: &Document, view: &View<'_>, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    addresses::check(view, host, &mut found);
    accounts::check(view, &mut found);
    files::check(view, host, &mut found);
    scripts::check(view, &mut found);
    real_time(view, host, &mut found);
    if host.keepaliveds > 1 {
        found.push(Finding::warning(
            &super::whole(document),
            format!(
                "{} keepalived run on this host: two with the same VIP take it from each other",
                host.keepaliveds
            ),
            "stop all but one",
        ));
    }
    found
}

/// What is said of a file that is for another host.
pub(super) fn left_out(view: &View<'_>) -> Option<Finding> {
    let mut instances = view.instances.iter();
    let source = instances.find_map(|instance| sources(instance.statement).last());
    let (place, why) = match source {
        Some(source) => {
            let word = source.argument().unwrap_or_default();
            (&source.place, format!("{word} is no address of this host"))
        }
        None => (
            &view.instances.first()?.statement.place,
            "this host is one of the unicast peers".to_owned(),
        ),
    };
    Some(Finding::warning(
        place,
        format!("{why}: what another node's file needs of its host was not looked at"),
        "lint it there too; if it is for this host, correct the address",
    ))
}

fn real_time(view: &View<'_>, host: &Host, found: &mut Vec<Finding>) {
    let set = REAL_TIME.iter().filter_map(|word| view.global(word));
    for line in set.filter(|line| host.kills_real_time && line.argument() != Some("0")) {
        found.push(Finding::warning(
            &line.place,
            format!(
                "{}: this host withholds CAP_SYS_RESOURCE, so that a reload kills keepalived's process",
                line.keyword()
            ),
            "give it to the container or the unit; until then restart instead of reload, or remove the line",
        ));
    }
}

fn list(addresses: &[(IpAddr, u8)]) -> String {
    let words: Vec<_> = addresses
        .iter()
        .map(|(ip, prefix)| format!("{ip}/{prefix}"))
        .collect();
    words.join(", ")
}

/// All statements of the global definitions.
fn globals<'d>(view: &View<'d>) -> impl Iterator<Item = &'d Statement> {
    let globals: Vec<_> = view.blocks("global_defs").collect();
    let lines = globals.into_iter().flat_map(Statement::children);
    lines.filter(|line| !line.conditional)
}

/// Scripts that others can write are not run.
fn is_secured(view: &View<'_>) -> bool {
    is_on(view.global("enable_script_security"))
}
