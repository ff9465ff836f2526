//! global_defs, the notify FIFOs and the notify scripts.

use std::collections::BTreeSet;

use super::view::{View, is_on};
use crate::keepalived::finding::Finding;
use crate::keepalived::parse::Statement;

pub(super) const FIFOS: [&str; 3] = ["notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"];
pub(super) const FIFO_SCRIPTS: [&str; 3] = [
    "notify_fifo_script",
    "vrrp_notify_fifo_script",
    "lvs_notify_fifo_script",
];
/// Scripts for one state; `notify_deleted` without an argument is no script.
pub(super) const STATE_SCRIPTS: [&str; 6] = [
    "notify_master",
    "notify_backup",
    "notify_fault",
    "notify_stop",
    "notify_deleted",
    "notify_master_rx_lower_pri",
];

/// Checks the global definitions.
pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    strict(view, &mut found);
    garp_interval(view, &mut found);
    fifos(view, &mut found);
    scripts(view, &mut found);
    found
}

fn strict(view: &View<'_>, found: &mut Vec<Finding>) {
    let strict = view
        .global("vrrp_strict")
        .filter(|strict| is_on(Some(strict)));
    let instances = view.instances.iter().flat_map(|instance| {
        let no_accept = instance.statement.last("no_accept");
        let strict = instance.statement.last("strict_mode");
        [no_accept, strict.filter(|strict| is_on(Some(strict)))]
            .into_iter()
            .flatten()
    });
    for statement in strict.into_iter().chain(instances) {
        found.push(Finding::error(
            &statement.place,
            format!(
                "{}: the firewall drops everything that clients send to the VIP",
                statement.keyword()
            ),
            "remove it",
        ));
    }
}

fn garp_interval(view: &View<'_>, found: &mut Vec<Finding>) {
    let groups = view.blocks("garp_group").flat_map(Statement::children);
    let globals = view.blocks("global_defs").flat_map(Statement::children);
    let words = [
        "vrrp_garp_interval",
        "vrrp_gna_interval",
        "garp_interval",
        "gna_interval",
    ];
    for statement in globals
        .chain(groups)
        .filter(|found| words.contains(&found.keyword()))
    {
        let zero = statement
            .argument()
            .and_then(|word| word.parse::<f64>().ok())
            == Some(0.0);
        if !zero {
            found.push(Finding::warning(
                &statement.place,
                format!(
                    "{}: before 2.3.2 only two announcements of a batch are sent with it",
                    statement.keyword()
                ),
                "remove it",
            ));
        }
    }
}

fn fifos(view: &View<'_>, found: &mut Vec<Finding>) {
    let globals: Vec<_> = view
        .blocks("global_defs")
        .flat_map(Statement::children)
        .collect();
    let mut paths = BTreeSet::new();
    for fifo in globals
        .iter()
        .filter(|fifo| FIFOS.contains(&fifo.keyword()))
    {
        let Some(path) = fifo.argument() else {
            continue;
        };
        if !paths.insert(path) && !fifo.conditional {
            found.push(Finding::error(
                &fifo.place,
                format!("the FIFO {path} is named twice: this one is not used"),
                "keep vrrp_notify_fifo",
            ));
        }
    }
    for script in globals
        .iter()
        .filter(|found| FIFO_SCRIPTS.contains(&found.keyword()))
    {
        found.push(Finding::warning(
            &script.place,
            format!("{}: keepalived does not start it again when it dies, and stops it before STOP is written", script.keyword()),
            "run the reader as a service of its own, such as rha-event",
        ));
    }
}

fn scripts(view: &View<'_>, found: &mut Vec<Finding>) {
    let fifo = ["vrrp_notify_fifo", "notify_fifo"]
        .iter()
        .any(|word| view.global(word).is_some());
    let mut runs_scripts = view.blocks("vrrp_script").next();
    for block in view
        .blocks("vrrp_instance")
        .chain(view.blocks("vrrp_sync_group"))
    {
        let mut states = block
            .children()
            .iter()
            .filter(|line| STATE_SCRIPTS.contains(&line.keyword()) && line.words.len() > 1);
        let (state, every) = (states.next(), block.last("notify"));
        let Some(first) = state.or(every) else {
            continue;
        };
        runs_scripts = runs_scripts.or(Some(first));
        if let (Some(_), Some(every)) = (state, every) {
            found.push(Finding::warning(
                &every.place,
                "notify and notify_<state> scripts run side by side, in no order",
                "keep one of them, better: vrrp_notify_fifo",
            ));
        }
        let (text, todo) = if fifo {
            (
                "notify scripts beside the FIFO: two readers of the same events",
                "remove the scripts",
            )
        } else {
            (
                "notify scripts run side by side and unordered when states change quickly",
                "use vrrp_notify_fifo",
            )
        };
        found.push(Finding::warning(&first.place, text, todo));
    }
    if let Some(script) = runs_scripts.filter(|_| view.global("enable_script_security").is_none()) {
        found.push(Finding::warning(
            &script.place,
            "scripts are run without enable_script_security: whoever can write them is root",
            "add enable_script_security and script_user to global_defs",
        ));
    }
}
