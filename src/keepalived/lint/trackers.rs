//! track_file, vrrp_script and vrrp_track_process: declared, used, in order.

use std::collections::BTreeMap;

use super::uses::{Kind, uses};
use super::view::View;
use crate::keepalived::finding::Finding;
use crate::keepalived::parse::Statement;

/// What declares a tracker, and the block that uses it.
const KINDS: [(&[&str], &str); 3] = [
    (&["track_file", "vrrp_track_file"], "track_file"),
    (&["vrrp_script"], "track_script"),
    (&["vrrp_track_process"], "track_process"),
];

/// Checks every tracker and every use of one.
pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (declares, uses) in KINDS {
        references(view, declares, uses, &mut found);
    }
    let files = view
        .blocks("track_file")
        .chain(view.blocks("vrrp_track_file"));
    files.for_each(|file| track_file(file, &mut found));
    view.blocks("vrrp_script")
        .for_each(|script| vrrp_script(script, &mut found));
    groups(view, &mut found);
    found
}

fn references(view: &View<'_>, declares: &[&str], uses: &str, found: &mut Vec<Finding>) {
    let mut declared: BTreeMap<&str, (usize, &Statement)> = BTreeMap::new();
    let mut used = Vec::new();
    for (order, block) in view.statements.iter().enumerate() {
        if declares.contains(&block.keyword()) {
            let Some(name) = block.argument() else {
                continue;
            };
            if !block.conditional && declared.contains_key(name) {
                found.push(Finding::error(
                    &block.place,
                    format!("{} {name} is declared twice", block.keyword()),
                    "remove one",
                ));
            }
            declared.entry(name).or_insert((order, block));
        } else if matches!(block.keyword(), "vrrp_instance" | "vrrp_sync_group") {
            let names = block.all(uses).flat_map(Statement::children);
            used.extend(
                names
                    .filter(|name| !name.is_macro())
                    .map(|name| (order, block, name)),
            );
        }
    }
    for (order, block, reference) in &used {
        let name = reference.keyword();
        match declared.get(name) {
            None => {
                let fate = if uses == "track_file" {
                    "; keepalived -t of 2.2.7 crashes on it"
                } else {
                    ""
                };
                found.push(Finding::error(
                    &reference.place,
                    format!(
                        "{uses} {name} is not declared: {} runs without it{fate}",
                        block.words.join(" ")
                    ),
                    "declare it above, or correct the name",
                ));
            }
            Some((declared, statement)) if declared > order => found.push(Finding::error(
                &reference.place,
                format!(
                    "{} {name} is declared after {}, which runs without it",
                    statement.keyword(),
                    block.words.join(" ")
                ),
                "move the declaration up",
            )),
            Some(_) => {}
        }
    }
    for (name, (_, block)) in declared {
        if !used
            .iter()
            .any(|(_, _, reference)| reference.keyword() == name)
        {
            found.push(Finding::warning(
                &block.place,
                format!("{} {name} is not used by any instance", block.keyword()),
                format!("name it in a {uses} block, or remove it"),
            ));
        }
    }
}

fn track_file(block: &Statement, found: &mut Vec<Finding>) {
    if block.last("file").is_none() {
        found.push(Finding::error(
            &block.place,
            "a track_file without a file",
            "add: file PATH",
        ));
    }
    if let Some(weight) = block.last("weight") {
        range(weight, 254, found);
    }
}

fn vrrp_script(block: &Statement, found: &mut Vec<Finding>) {
    if block.last("script").is_none() {
        found.push(Finding::error(
            &block.place,
            "a vrrp_script without a script",
            "add: script \"COMMAND\"",
        ));
    }
    if let Some(weight) = block.last("weight") {
        range(weight, 253, found);
    }
    let Some(interval) = block.last("interval") else {
        return;
    };
    let seconds = interval
        .argument()
        .and_then(|word| word.parse::<f64>().ok());
    if seconds.is_some_and(|seconds| seconds < 1.0 || seconds.fract() != 0.0) {
        found.push(Finding::error(
            &interval.place,
            "before 2.3.2 a script runs in whole seconds only",
            "interval 1 or more",
        ));
    }
}

/// A weight must be a number from -`limit` to `limit`.
fn range(weight: &Statement, limit: i64, found: &mut Vec<Finding>) {
    let Some(word) = weight.argument() else {
        return;
    };
    if !word.parse::<i64>().is_ok_and(|value| value.abs() <= limit) {
        found.push(Finding::error(
            &weight.place,
            format!("the weight {word} is out of range"),
            format!("-{limit} to {limit}"),
        ));
    }
}

/// Sync groups drop the weights of their members, and need members that exist.
fn groups(view: &View<'_>, found: &mut Vec<Finding>) {
    for group in view.blocks("vrrp_sync_group") {
        for member in group
            .all("group")
            .flat_map(Statement::children)
            .filter(|member| !member.is_macro())
        {
            let instance = view
                .instances
                .iter()
                .find(|instance| instance.name == member.keyword());
            let Some(instance) = instance else {
                found.push(Finding::error(
                    &member.place,
                    format!("there is no vrrp_instance {}", member.keyword()),
                    "correct the name",
                ));
                continue;
            };
            if group.last("sync_group_tracking_weight").is_some() {
                continue;
            }
            let trackers = uses(instance.statement, view);
            for tracker in trackers.iter().filter(|tracker| tracker.weight != 0) {
                // What keepalived takes for its own default (vrrp_complete_instance in 2.2.7).
                let fate = match (tracker.kind, tracker.weight) {
                    (Kind::File, 1) => "is taken for 0, so that a 1 in the file is FAULT",
                    _ => "is dropped",
                };
                found.push(Finding::warning(
                    &tracker.reference.place,
                    format!(
                        "the weight of {} {fate}: {} is in a sync group",
                        tracker.name(),
                        instance.name
                    ),
                    "track it in the group, without a weight",
                ));
            }
        }
    }
}
