//! What the files of two nodes must agree on, and what they must not.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::view::{Instance, View, address, sources};
use crate::keepalived::finding::{Finding, Place};
use crate::keepalived::parse::Statement;

/// Compares the second node's view with the first one's. Instances belong together by their name, or
/// by their virtual_router_id and address family.
pub(super) fn check(first: &View<'_>, second: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut matched = BTreeSet::new();
    for one in &first.instances {
        let position = second
            .instances
            .iter()
            .position(|other| other.name == one.name)
            .or_else(|| {
                let id = |found: &Instance<'_>| (found.router, found.is_v6());
                second
                    .instances
                    .iter()
                    .position(|other| id(other) == id(one))
            });
        let Some(position) = position else {
            found.push(alone(one));
            continue;
        };
        matched.insert(position);
        compare(one, &second.instances[position], first, second, &mut found);
    }
    let others = second.instances.iter().enumerate();
    found.extend(
        others
            .filter(|(position, _)| !matched.contains(position))
            .map(|(_, other)| alone(other)),
    );
    found
}

fn alone(instance: &Instance<'_>) -> Finding {
    Finding::error(
        &instance.statement.place,
        format!(
            "the other node has no vrrp_instance {}: nothing can take over",
            instance.name
        ),
        "the same instances on both nodes",
    )
}

fn compare(
    one: &Instance<'_>,
    other: &Instance<'_>,
    first: &View<'_>,
    second: &View<'_>,
    found: &mut Vec<Finding>,
) {
    let mut differ = |keyword: &str, differs: bool, what: &str, todo: &str| {
        if differs {
            let text = format!("{what}: both nodes become master");
            found.push(Finding::error(&place(other, keyword), text, todo));
        }
    };
    if let (Some(here), Some(there)) = (other.router, one.router) {
        let what = format!("virtual_router_id {here}, the other node has {there}");
        differ(
            "virtual_router_id",
            here != there,
            &what,
            "the same on both",
        );
    }
    let (here, there) = (other.version, one.version);
    let what = format!("VRRP version {here}, the other node has {there}");
    differ("version", here != there, &what, "the same on both");
    differ(
        "virtual_ipaddress",
        addresses(one) != addresses(other),
        "another list of VIPs than on the other node",
        "the same list on both",
    );
    differ(
        "authentication",
        secret(one) != secret(other),
        "another authentication than on the other node",
        "the same on both, or none",
    );
    differ(
        "unicast_peer",
        one.is_unicast() != other.is_unicast(),
        "unicast on one node, multicast on the other",
        "the same on both",
    );
    let are_multicast = !one.is_unicast() && !other.is_unicast();
    differ(
        "mcast_dst_ip",
        are_multicast && group(one, first) != group(other, second),
        "another multicast group than on the other node",
        "the same on both",
    );
    differ(
        "down_timer_adverts",
        down_timer(one, first) != down_timer(other, second),
        "another down_timer_adverts than on the other node",
        "the same on both",
    );
    peers(one, other, found);
    advert_int(one, other, found);
    election(one, other, found);
    if excluded(one) != excluded(other) {
        found.push(Finding::warning(
            &place(other, "virtual_ipaddress_excluded"),
            "another virtual_ipaddress_excluded than on the other node",
            "the same list on both",
        ));
    }
}

/// Where the adverts of multicast go.
fn group(instance: &Instance<'_>, view: &View<'_>) -> String {
    let (global, default) = match instance.is_v6() {
        true => ("vrrp_mcast_group6", "ff02::12"),
        false => ("vrrp_mcast_group4", "224.0.0.18"),
    };
    let of_all = || view.global(global)?.argument().map(str::to_owned);
    let own = argument(instance, "mcast_dst_ip").or_else(of_all);
    own.unwrap_or_else(|| default.to_owned())
}

/// The VIPs that no advert tells of.
fn excluded(instance: &Instance<'_>) -> BTreeSet<IpAddr> {
    let lines = instance.statement.all("virtual_ipaddress_excluded");
    let lines = lines.flat_map(Statement::children);
    lines.filter_map(|line| address(line.keyword())).collect()
}

fn down_timer(instance: &Instance<'_>, view: &View<'_>) -> Option<String> {
    let own = argument(instance, "down_timer_adverts");
    own.or_else(|| {
        view.global("vrrp_down_timer_adverts")?
            .argument()
            .map(str::to_owned)
    })
}

/// Each node's unicast_peer must name the other one's unicast_src_ip.
fn peers(one: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Finding>) {
    if let (Some(here), Some(there)) = (other.source, one.source)
        && here == there
    {
        found.push(Finding::error(
            &sources(other.statement)
                .last()
                .unwrap_or(other.statement)
                .place,
            format!("{here} is the address of both nodes"),
            "each node its own",
        ));
        return;
    }
    for (from, to) in [(one, other), (other, one)] {
        let Some(source) = to.source.filter(|_| from.is_unicast() && to.is_unicast()) else {
            continue;
        };
        if !from.peers.iter().any(|(_, peer)| *peer == source) {
            found.push(Finding::error(
                &place(from, "unicast_peer"),
                format!("the other node ({source}) is not among the unicast peers: it does not hear this one"),
                format!("add {source} to unicast_peer"),
            ));
        }
    }
}

fn advert_int(one: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Finding>) {
    let (here, there) = (seconds(other), seconds(one));
    if here == there || one.version != other.version {
        return;
    }
    let text = format!("advert_int {here}, the other node has {there}");
    let at = place(other, "advert_int");
    found.push(if other.version == 2 {
        Finding::error(
            &at,
            format!("{text}: version 2 drops such adverts, and both nodes become master"),
            "the same on both",
        )
    } else {
        Finding::warning(
            &at,
            format!("{text}: the backup waits by the master's"),
            "the same on both",
        )
    });
}

fn election(one: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Finding>) {
    let priority = |instance: &Instance<'_>| instance.priority.unwrap_or(100);
    if priority(one) == priority(other) {
        found.push(Finding::warning(
            &place(other, "priority"),
            format!(
                "priority {} on both nodes: the higher address decides",
                priority(other)
            ),
            "each node its own",
        ));
    }
    if one.nopreempt != other.nopreempt {
        let without = if one.nopreempt { other } else { one };
        found.push(Finding::error(
            &without.statement.place,
            "nopreempt on the other node only: this one still takes the VIP back",
            "nopreempt on both",
        ));
    }
    if one.state == Some("MASTER") && other.state == Some("MASTER") {
        found.push(Finding::error(
            &place(other, "state"),
            "state MASTER on both nodes",
            "state BACKUP on both",
        ));
    }
}

fn addresses(instance: &Instance<'_>) -> BTreeSet<IpAddr> {
    instance.vips.iter().filter_map(|vip| vip.address).collect()
}

fn argument(instance: &Instance<'_>, keyword: &str) -> Option<String> {
    instance
        .statement
        .last(keyword)?
        .argument()
        .map(str::to_owned)
}

fn seconds(instance: &Instance<'_>) -> f64 {
    argument(instance, "advert_int")
        .and_then(|word| word.parse().ok())
        .unwrap_or(1.0)
}

/// The authentication, to be compared and never shown. Version 3 has none.
fn secret<'d>(instance: &Instance<'d>) -> Option<Vec<&'d [String]>> {
    let block = instance
        .statement
        .last("authentication")
        .filter(|_| instance.version == 2)?;
    let mut lines: Vec<_> = block
        .children()
        .iter()
        .map(|line| line.words.as_slice())
        .collect();
    lines.sort_unstable();
    Some(lines)
}

fn place(instance: &Instance<'_>, keyword: &str) -> Place {
    let statement: Option<&Statement> = instance.statement.last(keyword);
    statement.unwrap_or(instance.statement).place.clone()
}
