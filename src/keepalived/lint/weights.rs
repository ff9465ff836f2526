//! What trackers do to the priority, and what they were probably meant to do.

use super::uses::{Kind, Use, content, number, uses};
use super::view::{Instance, View};
use crate::keepalived::finding::Finding;

/// Priorities that are elected; keepalived stops at both ends.
const PRIORITY_MIN: i64 = 1;
const PRIORITY_MAX: i64 = 254;
/// keepalived's priority where none is set.
const PRIORITY_DEFAULT: u8 = 100;
/// The priority of the address owner, which ignores all weights.
const OWNER: u8 = 255;
/// Pieces of the names that people give to a file that tells whether the node is well.
const HEALTH: [&str; 10] = [
    "health", "alive", "eligible", "check", "chk", "fail", "fault", "down", "dead", "ready",
];

/// Checks the weights of all instances and sync groups. `read` the track files, if they are here.
pub(super) fn check(view: &View<'_>, read: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let groups = view.blocks("vrrp_sync_group");
    for block in view.blocks("vrrp_instance").chain(groups) {
        let uses = uses(block, view);
        let is_gated = uses.iter().any(Use::is_gate);
        let files = uses.iter().filter(|tracker| tracker.kind == Kind::File);
        files.for_each(|file| polarity(file, is_gated, &mut found));
    }
    for instance in &view.instances {
        let uses = uses(instance.statement, view);
        if instance.nopreempt {
            uses.iter()
                .for_each(|tracker| without_effect(tracker, &mut found));
        }
        if !view.is_grouped(instance) {
            range(instance, &uses, read, &mut found);
        }
    }
    found
}

fn polarity(file: &Use<'_>, is_gated: bool, found: &mut Vec<Finding>) {
    const HEALTHY: &str = "for health: weight 0 reverse, and 1 in the file for healthy";
    // An undeclared one is another rule's.
    let Some(declaration) = file.declaration else {
        return;
    };
    let Some(written) = file.written else {
        found.push(Finding::warning(
            &declaration.place,
            "a track_file without a weight: 1 in it is one more priority, not a failure",
            format!("say what is meant; {HEALTHY}"),
        ));
        return;
    };
    if file.weight == 0 && !file.reverse {
        found.push(Finding::warning(
            &written.place,
            "weight 0 fails open: a missing or empty file means healthy",
            "weight 0 reverse, and 1 in the file for healthy",
        ));
    }
    if file.weight == 0 && file.reverse {
        let init = declaration.last("init_file");
        let init = init.filter(|init| init.argument().is_some_and(|value| value != "0"));
        found.extend(init.map(|init| {
            Finding::warning(
                &init.place,
                "init_file declares the node healthy at every boot, before anybody has looked",
                "remove it",
            )
        }));
    }
    let suspected = file.reverse || !is_gated || looks_like_health(file);
    let moves = file.moves(1).filter(|moves| *moves != 0 && suspected);
    if let Some(moves) = moves {
        let size = moves.abs();
        let what = match moves > 0 {
            true => format!("adds {size} to the priority"),
            false => format!("takes {size} off the priority"),
        };
        let reverse = if file.reverse { " reverse" } else { "" };
        let weight = file.weight;
        found.push(Finding::warning(
            &written.place,
            format!("weight {weight}{reverse}: a 1 in the file {what} and is no failure"),
            HEALTHY,
        ));
    }
}

fn looks_like_health(file: &Use<'_>) -> bool {
    let name = file.name().to_ascii_lowercase();
    HEALTH.iter().any(|piece| name.contains(piece))
}

/// Under nopreempt, a lower priority moves nothing. A track_file's weight may be a bias, which is
/// what counts between two masters, so it is let through.
fn without_effect(tracker: &Use<'_>, found: &mut Vec<Finding>) {
    if tracker.weight != 0 && tracker.kind != Kind::File {
        found.push(Finding::warning(
            &tracker.reference.place,
            format!(
                "the weight of {} has no effect on who is master: nopreempt ignores priorities",
                tracker.name()
            ),
            "weight 0, so that a failure is FAULT",
        ));
    }
}

/// The priority with everything that adds to it, and with everything that takes from it.
fn range(instance: &Instance<'_>, uses: &[Use<'_>], read: bool, found: &mut Vec<Finding>) {
    let priority = instance.priority.unwrap_or(PRIORITY_DEFAULT);
    if priority == OWNER {
        return;
    }
    let place = instance.statement.last("priority");
    let place = place.map_or(&instance.statement.place, |line| &line.place);
    let moves: Vec<_> = uses
        .iter()
        .map(|tracker| (tracker.name(), moves(tracker, read)))
        .collect();
    let added = moves.iter().map(|(name, (_, most))| (*name, *most));
    let (sum, text) = total(priority, added);
    if sum > PRIORITY_MAX {
        found.push(Finding::warning(
            place,
            format!("{text}: keepalived stops at {PRIORITY_MAX}, where nodes that should differ are equal"),
            "a lower priority, or smaller weights",
        ));
    }
    let taken = moves.iter().map(|(name, (least, _))| (*name, *least));
    let (sum, text) = total(priority, taken);
    if sum < PRIORITY_MIN {
        found.push(Finding::warning(
            place,
            format!("{text}: keepalived stops at {PRIORITY_MIN}, where nodes that should differ are equal"),
            "a higher priority, or smaller weights",
        ));
    }
}

/// The least and the most that a tracker adds, with 1 in its file, and with what is said to be or is
/// there.
fn moves(tracker: &Use<'_>, read: bool) -> (i64, i64) {
    let initial = || {
        let init = tracker.declaration?.last("init_file")?;
        number(init.argument()?)
    };
    let present = || number(&content(tracker.file().filter(|_| read)?)?);
    let values = [Some(1), initial(), present()];
    let moves = values.into_iter().flatten();
    let moves = moves.filter_map(|value| tracker.moves(value));
    moves.fold((0, 0), |(least, most), moves| {
        (least.min(moves), most.max(moves))
    })
}

/// The sum, and how it comes about.
fn total<'n>(priority: u8, moves: impl Iterator<Item = (&'n str, i64)>) -> (i64, String) {
    let (mut sum, mut text) = (i64::from(priority), format!("priority {priority}"));
    for (name, moves) in moves.filter(|(_, moves)| *moves != 0) {
        let sign = if moves > 0 { '+' } else { '-' };
        text.push_str(&format!(" {sign} {} ({name})", moves.abs()));
        sum += moves;
    }
    (sum, format!("{text} is {sum}"))
}
