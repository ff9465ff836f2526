//! VIPs, their labels, and the unicast peers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::view::{Instance, View, Vip, is_on};
use crate::keepalived::finding::Finding;

/// Longest address label (`IFNAMSIZ` less the final zero byte).
const LABEL_MAX: usize = 15;

/// Checks the addresses of every instance.
pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for instance in &view.instances {
        let empty = instance.vips.is_empty()
            && instance
                .statement
                .last("virtual_ipaddress")
                .is_none_or(|block| block.children().is_empty());
        if empty && instance.statement.last("no_virtual_ipaddress").is_none() {
            found.push(Finding::error(
                &instance.statement.place,
                "no virtual_ipaddress: nothing to take over",
                "add the VIP",
            ));
        }
        for vip in &instance.vips {
            address(vip, instance, &mut found);
            label(vip, instance, &mut found);
            let Some(address) = vip.address.filter(|_| !vip.statement.conditional) else {
                continue;
            };
            if let Some(other) = seen.insert(address, instance.name) {
                found.push(Finding::error(
                    &vip.statement.place,
                    format!("{address} is a VIP of {other} already"),
                    "each VIP once",
                ));
            }
        }
        unicast(instance, view, &mut found);
    }
    found
}

fn address(vip: &Vip<'_>, instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let word = vip.statement.keyword();
    let place = &vip.statement.place;
    if vip.address.is_none() && !word.contains('$') {
        found.push(Finding::error(
            place,
            format!("\"{word}\" is no address"),
            "ADDRESS/PREFIX",
        ));
    }
    if vip.address.is_some() && vip.address == instance.source {
        found.push(Finding::error(
            place,
            format!("the VIP {word} is this node's own address"),
            "an address that no host has",
        ));
    }
    if vip.statement.words.iter().any(|word| word == "no_track") {
        found.push(Finding::warning(
            place,
            "no_track: a VIP that somebody removes stays away",
            "remove no_track",
        ));
    }
}

fn label(vip: &Vip<'_>, instance: &Instance<'_>, found: &mut Vec<Finding>) {
    let Some(label) = vip.word("label") else {
        return;
    };
    let place = &vip.statement.place;
    if label.len() > LABEL_MAX {
        found.push(Finding::error(
            place,
            format!("the label {label} is longer than {LABEL_MAX} characters: it is ignored"),
            "shorten it, or leave it out",
        ));
    }
    let device = vip.device(instance);
    if let Some(device) = device.filter(|device| !label.starts_with(&format!("{device}:"))) {
        found.push(Finding::warning(
            place,
            format!("the label {label} does not begin with {device}:, so ifconfig shows it as another card"),
            format!("label {device}:NAME"),
        ));
    }
}

fn unicast(instance: &Instance<'_>, view: &View<'_>, found: &mut Vec<Finding>) {
    let words = [
        "unicast_src_ip",
        "unicast_ttl",
        "check_unicast_src",
        "unicast_peer",
    ];
    let mention = words.iter().find_map(|word| instance.statement.last(word));
    let Some(mention) = mention else { return };
    if !instance.is_unicast() {
        let fault = instance.statement.last("unicast_fault_no_peer").is_some();
        let fate = if fault {
            "the instance stays in FAULT"
        } else {
            "adverts go out by multicast"
        };
        found.push(Finding::error(
            &mention.place,
            format!("unicast without a unicast_peer: {fate}"),
            "name the other nodes in unicast_peer",
        ));
        return;
    }
    for (place, peer) in &instance.peers {
        if Some(*peer) == instance.source {
            found.push(Finding::error(
                place,
                format!("the unicast peer {peer} is this node itself"),
                "name the other nodes only",
            ));
        }
        if instance.vips.iter().any(|vip| vip.address == Some(*peer)) {
            found.push(Finding::error(
                place,
                format!("the unicast peer {peer} is the VIP"),
                "name the other node's own address",
            ));
        }
    }
    if instance.statement.last("unicast_src_ip").is_none() {
        found.push(Finding::warning(
            &instance.statement.place,
            "unicast without unicast_src_ip: the first address of the interface is used, whichever that is",
            "add: unicast_src_ip ADDRESS",
        ));
    }
    let checked = is_on(view.global("vrrp_check_unicast_src"))
        || instance.statement.last("check_unicast_src").is_some();
    if !checked {
        found.push(Finding::warning(
            &instance.statement.place,
            "adverts are taken from any address",
            "add vrrp_check_unicast_src to global_defs",
        ));
    }
}
