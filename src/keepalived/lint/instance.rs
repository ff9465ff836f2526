//! The settings of one vrrp_instance, and what must be unique among them.

use std::collections::BTreeMap;

use super::view::{Instance, View};
use crate::keepalived::finding::Finding;
use crate::keepalived::parse::Statement;

/// Checks every instance by itself and against the others.
pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for instance in &view.instances {
        state(instance, &mut found);
        priority(instance, &mut found);
        router(instance, &mut found);
        adverts(instance, &mut found);
        authentication(instance, &mut found);
        preempt_delay(instance, &mut found);
        if let Some(primary) = instance.statement.last("dont_track_primary") {
            found.push(Finding::warning(
                &primary.place,
                "dont_track_primary: a dead network card does not give the VIP away",
                "remove it",
            ));
        }
    }
    unique(view, &mut found);
    found
}

fn state(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let Some(state) = instance.statement.last("state") else {
        found.push(Finding::warning(
            &instance.statement.place,
            "no state: BACKUP is assumed",
            "add: state BACKUP",
        ));
        return;
    };
    match instance.state {
        Some("MASTER") if instance.nopreempt => found.push(Finding::error(
            &state.place,
            "state MASTER switches nopreempt off: a node that returns takes the VIP back",
            "state BACKUP on all nodes",
        )),
        Some("MASTER") => found.push(Finding::warning(
            &state.place,
            "state MASTER: a node that returns takes the VIP back",
            "state BACKUP and nopreempt on all nodes",
        )),
        Some("BACKUP") if !instance.nopreempt => found.push(Finding::warning(
            &state.place,
            "without nopreempt a node of higher priority takes the VIP back when it returns",
            "add: nopreempt",
        )),
        Some("BACKUP") | None => {}
        Some(word) => found.push(Finding::error(
            &state.place,
            format!("\"{word}\" is no state: BACKUP is assumed"),
            "state BACKUP",
        )),
    }
}

fn priority(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let Some(priority) = instance.statement.last("priority") else {
        let (text, todo) = ("no priority", "add a priority, each node its own");
        let place = &instance.statement.place;
        found.push(if instance.state == Some("MASTER") {
            Finding::error(place, format!("{text}: with state MASTER that is 255, the address owner, which ignores every check"), todo)
        } else {
            Finding::warning(place, format!("{text}: 100 is assumed, on every node"), todo)
        });
        return;
    };
    match instance.priority {
        Some(255) => found.push(Finding::error(
            &priority.place,
            "priority 255 is the address owner: it always takes the VIP and ignores every check",
            "1 to 254",
        )),
        None if priority.argument().is_some() => found.push(Finding::error(
            &priority.place,
            format!(
                "\"{}\" is no priority: 100 is assumed",
                priority.words[1..].join(" ")
            ),
            "1 to 254",
        )),
        _ => {}
    }
}

fn router(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    match instance.statement.last("virtual_router_id") {
        None => found.push(Finding::error(
            &instance.statement.place,
            "no virtual_router_id",
            "1 to 255, the same on all nodes, each once on the segment",
        )),
        Some(id) if instance.router.is_none() && id.argument().is_some() => {
            found.push(Finding::error(
                &id.place,
                format!("\"{}\" is no virtual_router_id", id.words[1..].join(" ")),
                "1 to 255",
            ));
        }
        Some(_) => {}
    }
    if instance.statement.last("interface").is_none() && !instance.is_unicast() {
        found.push(Finding::error(
            &instance.statement.place,
            "no interface",
            "name the one that the VIP lives on",
        ));
    }
}

fn adverts(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let Some(advert) = instance.statement.last("advert_int") else {
        return;
    };
    let Some(word) = advert.argument() else {
        return;
    };
    let (wrong, todo) = match (word.parse::<f64>(), instance.version) {
        (Err(_), _) => (true, "a number of seconds"),
        (Ok(seconds), 2) => (
            seconds.fract() != 0.0 || !(1.0..=255.0).contains(&seconds),
            "VRRP version 2 has whole seconds, 1 to 255; for less: vrrp_version 3",
        ),
        (Ok(seconds), _) => {
            let hundredths = seconds * 100.0;
            let steps = (hundredths - hundredths.round()).abs() < 1e-6;
            (
                !steps || !(0.01..=40.95).contains(&seconds),
                "0.01 to 40.95 in steps of 0.01",
            )
        }
    };
    if wrong {
        found.push(Finding::error(
            &advert.place,
            format!("advert_int {word} is not used as written"),
            todo,
        ));
    }
}

fn authentication(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let Some(block) = instance.statement.last("authentication") else {
        return;
    };
    if instance.version == 3 {
        found.push(Finding::error(
            &block.place,
            "VRRP version 3 has no authentication: the block is ignored",
            "remove it; use unicast and vrrp_check_unicast_src",
        ));
        return;
    }
    match block.last("auth_type") {
        Some(kind) if !matches!(kind.argument(), Some("PASS" | "AH") | None) => {
            found.push(Finding::error(&kind.place, "no such auth_type", "PASS"));
        }
        None => found.push(Finding::error(
            &block.place,
            "an authentication without auth_type",
            "add: auth_type PASS",
        )),
        Some(_) => {}
    }
    match block.last("auth_pass") {
        Some(pass) if pass.argument().is_some_and(|word| word.len() > 8) => {
            found.push(Finding::error(
                &pass.place,
                "auth_pass is longer than 8 characters: the rest is cut off",
                "8 characters, and do not take it for a secret: it is sent in clear",
            ));
        }
        None => found.push(Finding::error(
            &block.place,
            "an authentication without auth_pass",
            "add it, or remove the block",
        )),
        Some(_) => {}
    }
}

fn preempt_delay(instance: &Instance<'_>, found: &mut Vec<Finding>) {
    if let Some(delay) = instance
        .statement
        .last("preempt_delay")
        .filter(|_| instance.nopreempt)
    {
        found.push(Finding::error(
            &delay.place,
            "preempt_delay does nothing together with nopreempt",
            "remove it",
        ));
    }
}

fn unique(view: &View<'_>, found: &mut Vec<Finding>) {
    let mut names: BTreeMap<&str, &Statement> = BTreeMap::new();
    let mut routers: BTreeMap<_, &str> = BTreeMap::new();
    for instance in view
        .instances
        .iter()
        .filter(|instance| !instance.statement.conditional)
    {
        let statement = instance.statement;
        if names.insert(instance.name, statement).is_some() {
            found.push(Finding::error(
                &statement.place,
                format!("a second vrrp_instance {}", instance.name),
                "each its own name",
            ));
        }
        let (Some(router), Some(interface)) = (instance.router, instance.interface) else {
            continue;
        };
        if let Some(other) = routers.insert((interface, instance.is_v6(), router), instance.name) {
            let place = statement
                .last("virtual_router_id")
                .map_or(&statement.place, |id| &id.place);
            found.push(Finding::error(
                place,
                format!("virtual_router_id {router} on {interface} is that of {other} already"),
                "1 to 255, each once",
            ));
        }
    }
}
