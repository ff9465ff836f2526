//! The other nodes, as far as they can be seen from here.

use tokio::runtime::Runtime;

use super::agent::Agent;
use super::finding::Findings;
use super::redis::Local;
use crate::agent::api;
use crate::agent::clock::Clock;
use crate::agent::hands::peer_target;
use crate::config::{Config, Instance};
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Grade, RedisRole};
use crate::views::status::InstanceStatus;
use crate::wire::redis::probe;

/// Clocks that are farther apart make two nodes' histories hard to read side by side. In microseconds.
const CLOCKS_APART: i64 = 1_000_000;

/// Everything about the other nodes of an instance.
pub fn check(
    config: &Config,
    instance: &Instance,
    local: &Local,
    agent: &Agent,
    runtime: &Runtime,
    found: &mut Findings,
) {
    let mut masters = Vec::new();
    for peer in instance.others(&config.node.name) {
        let name = &peer.name;
        let target = match peer_target(instance, peer) {
            Ok(target) => target,
            Err(error) => {
                found.trouble("reach", error.to_string(), "correct password_file");
                return;
            }
        };
        let endpoint = target.endpoint.to_string();
        let mut link = None;
        let health = &config.health;
        let answer = runtime.block_on(probe(&mut link, &target, health.timeout, health.slow));
        if answer
            .observation
            .as_ref()
            .is_some_and(|seen| seen.role == RedisRole::Master)
        {
            masters.push(name.clone());
        }
        reach(name, &endpoint, answer.grade, found);
        let Some(link) = link else { continue };
        let (server, clock) = runtime.block_on(async {
            (
                link.facts("server").await.unwrap_or_default(),
                link.clock().await.ok(),
            )
        });
        let told = Local {
            version: server.get("redis_version").cloned(),
            run_id: server.get("run_id").cloned(),
        };
        same(name, local, &told, found);
        if let (Some(there), Ok(here)) = (clock, Clock::new()) {
            clocks(name, here.now().wall_us - there, found);
        }
    }
    if let Some(status) = agent.instance(&instance.name) {
        led(status, &masters, found);
        adverts(
            status,
            &masters,
            |peer| last_heard(agent, &instance.name, peer),
            found,
        );
    }
}

fn reach(name: &str, endpoint: &str, grade: Grade, found: &mut Findings) {
    if grade.is_ready() {
        found.ok("reach", format!("{name}'s Redis answers at {endpoint}"));
        return;
    }
    let todo = match grade {
        Grade::Refused => {
            "start it there (rha redis start), or let it listen at that address (bind)"
        }
        Grade::Unreachable | Grade::Timeout => "see the network, and a firewall between the nodes",
        Grade::Auth => "the same password on every node, and protected-mode no",
        _ => "rha doctor on that node",
    };
    found.trouble(
        "reach",
        format!("{name}'s Redis at {endpoint}: {grade}"),
        todo,
    );
}

/// One is not the other, and speaks the same version.
fn same(name: &str, here: &Local, there: &Local, found: &mut Findings) {
    if here.run_id.is_some() && here.run_id == there.run_id {
        let text = format!("{name}'s address leads to the Redis of this node");
        found.trouble(
            "itself",
            text,
            "correct [[instance.node]]: each its own address",
        );
    }
    match (&here.version, &there.version) {
        (Some(own), Some(other)) if own != other => {
            let text = format!(
                "{name}'s Redis is {other}, this one {own}: an older one may not read a newer one's copy"
            );
            found.warning(
                "versions",
                text,
                "the same version on every node; upgrade replicas first",
            );
        }
        (Some(_), Some(_)) => {
            found.ok("versions", format!("{name}'s Redis is of the same version"));
        }
        _ => {}
    }
}

fn clocks(name: &str, apart_us: i64, found: &mut Findings) {
    let apart_ms = apart_us / 1000;
    if apart_us.abs() > CLOCKS_APART {
        let text =
            format!("{name}'s clock is {apart_ms} ms apart: histories cannot be read side by side");
        found.warning(
            "clocks",
            text,
            "NTP on every node (rha itself does not depend on it)",
        );
    } else {
        found.ok("clocks", format!("{name}'s clock is within a second"));
    }
}

/// One of them leads, and only one.
fn led(status: &InstanceStatus, masters: &[String], found: &mut Findings) {
    match (status.role.as_str(), masters) {
        ("primary", []) => found.ok("led", "this node leads, and no other"),
        ("primary", many) => {
            let text = format!(
                "this node leads, and {} is a master as well",
                many.join(", ")
            );
            found.trouble(
                "led",
                text,
                "rha status on every node: two that serve lose writes",
            );
        }
        (_, [one]) => found.ok("led", format!("{one} leads")),
        (_, []) => found.trouble("led", "no node leads", "rha status on every node"),
        (_, many) => {
            let text = format!("more than one master: {}", many.join(", "));
            found.trouble(
                "led",
                text,
                "rha status on every node: two that serve lose writes",
            );
        }
    }
}

/// A replica must hear its primary's adverts: else its keepalived would take the VIP as well.
fn adverts(
    status: &InstanceStatus,
    masters: &[String],
    last_heard: impl Fn(&str) -> Option<bool>,
    found: &mut Findings,
) {
    let (false, [primary]) = (status.role == "primary", masters) else {
        return;
    };
    match last_heard(primary) {
        Some(true) => found.ok("adverts", format!("{primary}'s adverts are heard")),
        Some(false) => {
            let text = format!(
                "{primary}'s adverts are heard no more: keepalived here would take the VIP as well"
            );
            found.trouble("adverts", text, "let protocol 112 pass between the nodes");
        }
        None => {
            let text = format!("it is not known whether {primary}'s adverts arrive");
            found.warning("adverts", text, "the agent needs CAP_NET_RAW to hear them");
        }
    }
}

/// What the agent's journal last said of it.
fn last_heard(agent: &Agent, instance: &str, peer: &str) -> Option<bool> {
    let path = format!(
        "{}?kinds=peer-advertised&instance={instance}&limit=50",
        api::HISTORY
    );
    let text = agent.text(&path)?;
    let records = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Record>(line).ok());
    let mut heard = records.filter_map(|record| match record.event {
        Event::PeerAdvertised { peer: of, heard } if of == peer => Some(heard),
        _ => None,
    });
    heard.next_back()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    fn of(look: impl FnOnce(&mut Findings)) -> Vec<(&'static str, State)> {
        let mut found = Findings::of("nodes");
        look(&mut found);
        unwell(&found)
    }

    #[test]
    fn each_can_be_wrong() {
        use State::{Trouble, Warning};
        let grades = [Grade::Refused, Grade::Timeout, Grade::Auth, Grade::Misconf];
        for grade in grades {
            assert_eq!(
                of(|found| reach("b", "x", grade, found)),
                [("reach", Trouble)]
            );
        }
        assert_eq!(of(|found| reach("b", "x", Grade::Ok, found)), []);
        let local = |version: &str, run_id: &str| Local {
            version: Some(version.to_owned()),
            run_id: Some(run_id.to_owned()),
        };
        let own = local("7.0.15", "1");
        assert_eq!(
            of(|found| same("b", &own, &local("7.0.15", "2"), found)),
            []
        );
        assert_eq!(
            of(|found| same("b", &own, &own, found)),
            [("itself", Trouble)]
        );
        assert_eq!(
            of(|found| same("b", &own, &local("6.2.1", "2"), found)),
            [("versions", Warning)]
        );
        assert_eq!(of(|found| clocks("b", 5_000, found)), []);
        assert_eq!(
            of(|found| clocks("b", -5_000_000, found)),
            [("clocks", Warning)]
        );
    }

    #[test]
    fn one_leads_and_is_heard() {
        use State::{Trouble, Warning};
        let status = |role: &str| InstanceStatus {
            role: role.to_owned(),
            ..InstanceStatus::default()
        };
        let b = ["b".to_owned()];
        let both = ["b".to_owned(), "c".to_owned()];
        assert_eq!(of(|found| led(&status("primary"), &[], found)), []);
        assert_eq!(
            of(|found| led(&status("primary"), &b, found)),
            [("led", Trouble)]
        );
        assert_eq!(of(|found| led(&status("replica"), &b, found)), []);
        assert_eq!(
            of(|found| led(&status("replica"), &[], found)),
            [("led", Trouble)]
        );
        assert_eq!(
            of(|found| led(&status("replica"), &both, found)),
            [("led", Trouble)]
        );
        let heard = |heard| {
            of(move |found| adverts(&status("replica"), &["b".to_owned()], |_| heard, found))
        };
        assert_eq!(heard(Some(true)), []);
        assert_eq!(heard(Some(false)), [("adverts", Trouble)]);
        assert_eq!(heard(None), [("adverts", Warning)]);
        assert_eq!(
            of(|found| adverts(&status("primary"), &[], |_| None, found)),
            []
        );
    }
}
