//! The nodes of an instance, among themselves and against its addresses; fills in the priorities that were left out.

use super::check::{Seen, twice};
use super::document::Source;
use super::read::{RawInstance, RawMember};
use super::types::{Member, Transport};

/// Highest VRRP priority that tracking can reach; 255 is the address owner.
const PRIORITY_MAX: u8 = 254;

/// Names and addresses.
pub(super) fn members(instance: &RawInstance, at: &str, source: &Source) {
    let vip = instance.vip;
    if instance.nodes.is_empty() {
        source.wrong(
            &format!("{at}.node"),
            "there is none; one [[instance.node]] for each node",
        );
    }
    let mut names = Seen::default();
    let mut addresses = Seen::default();
    for (index, node) in instance.nodes.iter().enumerate() {
        let at = |key: &str| format!("{at}.node.{index}.{key}");
        let RawMember { name, address, .. } = node;
        if names.taken(name, name).is_some() {
            source.wrong(&at("name"), twice(name, "a node of this instance"));
        }
        if name == "vip" {
            source.wrong(
                &at("name"),
                "\"vip\" is what failover.follow calls the VIP; another name",
            );
        }
        if *address == vip {
            source.wrong(
                &at("address"),
                format!("{address} is the VIP; the node's own address"),
            );
        }
        if let Some(other) = addresses.taken(address, name) {
            source.wrong(
                &at("address"),
                format!("{address} is the address of node \"{other}\" already"),
            );
        }
    }
}

/// The Redis that is checked and ordered must be this node's.
pub(super) fn local(instance: &RawInstance, at: &str, this: &str, source: &Source) {
    let host = instance.redis.host;
    let owner = instance.nodes.iter().find(|node| node.address == host);
    let what = if host == instance.vip {
        "the VIP, which may be on another node".to_owned()
    } else if let Some(other) = owner.filter(|node| node.name != this) {
        format!(
            "the address of node \"{}\", and this one is \"{this}\"",
            other.name
        )
    } else {
        return;
    };
    source.wrong(
        &format!("{at}.redis.host"),
        format!("{host} is {what}; the local address, such as \"127.0.0.1\""),
    );
}

/// Unicast adverts travel in the address family of the VIP.
pub(super) fn families(instance: &RawInstance, at: &str, transport: Transport, source: &Source) {
    if transport == Transport::Multicast {
        return;
    }
    for (index, node) in instance.nodes.iter().enumerate() {
        if node.address.is_ipv6() != instance.vip.is_ipv6() {
            source.wrong(
                &format!("{at}.node.{index}.address"),
                format!(
                    "{} and the VIP {} are of different address families; the same one, or keepalived.transport = \"multicast\"",
                    node.address, instance.vip
                ),
            );
        }
    }
}

/// Fills the priorities in. Without any: as high as leaves room for a bias that outranks all nodes,
/// descending in the order of the file, since a failover waits (256 - priority) / 256 of an advert
/// interval. With all of them given: checked, taken as they are.
pub(super) fn prioritized(nodes: Vec<RawMember>, index: usize, source: &Source) -> Vec<Member> {
    let count = u8::try_from(nodes.len()).unwrap_or(u8::MAX);
    let given = nodes.iter().filter(|node| node.priority.is_some()).count();
    let automatic = PRIORITY_MAX.saturating_sub(count.saturating_mul(2));
    if given > 0 && given < nodes.len() {
        for (position, node) in nodes.iter().enumerate() {
            if node.priority.is_none() {
                source.wrong(
                    &format!("instance.{index}.node.{position}.priority"),
                    "is missing, and other nodes have one; for all nodes or for none",
                );
            }
        }
    } else if given > 0 {
        explicit(&nodes, index, source);
    }
    let ranked = nodes.into_iter().zip(0..);
    let ranked = ranked.map(|(node, position)| Member {
        name: node.name,
        address: node.address,
        priority: node.priority.unwrap_or(automatic.saturating_sub(position)),
    });
    ranked.collect()
}

fn explicit(nodes: &[RawMember], index: usize, source: &Source) {
    let priorities = || nodes.iter().filter_map(|node| node.priority);
    let highest = priorities().max().unwrap_or_default();
    let spread = u16::from(highest - priorities().min().unwrap_or(highest));
    let bias = 2 * (spread + 1);
    let reach = u16::from(highest) + bias;
    let mut seen = Seen::default();
    for (position, node) in nodes.iter().enumerate() {
        let Some(priority) = node.priority else {
            continue;
        };
        let at = format!("instance.{index}.node.{position}.priority");
        if let Some(other) = seen.taken(&priority, &node.name) {
            source.wrong(
                &at,
                format!("{priority} is the priority of node \"{other}\" already; each its own"),
            );
        } else if priority == highest && reach > u16::from(PRIORITY_MAX) {
            source.wrong(
                &at,
                format!(
                    "{priority} and the bias of {bias} that outranks every node make {reach}; together at most {PRIORITY_MAX}: choose them lower or closer together, or leave them all out"
                ),
            );
        }
    }
}
