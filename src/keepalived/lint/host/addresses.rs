//! The addresses of this host against those of the file.

use std::net::IpAddr;

use super::list;
use crate::keepalived::finding::Finding;
use crate::keepalived::host::Host;
use crate::keepalived::lint::view::{Instance, View, Vip, address, sources};

pub(super) fn check(view: &View<'_>, host: &Host, found: &mut Vec<Finding>) {
    let instances = view.instances.iter();
    for instance in instances.filter(|instance| !instance.statement.conditional) {
        own(instance, view, host, found);
        peers(instance, host, found);
        for vip in instance
            .vips
            .iter()
            .filter(|vip| !vip.statement.conditional)
        {
            taken(vip, instance, host, found);
            subnet(vip, instance, view, host, found);
        }
    }
}

fn own(instance: &Instance<'_>, view: &View<'_>, host: &Host, found: &mut Vec<Finding>) {
    let mut named = sources(instance.statement).peekable();
    if named.peek().is_none() {
        let interface = instance.interface.unwrap_or_default();
        let addresses = addresses(interface, instance.is_v6(), view, host);
        if addresses.is_some_and(|found| found.is_empty()) {
            let family = if instance.is_v6() { "IPv6" } else { "IPv4" };
            found.push(Finding::error(
                &instance.statement.place,
                format!(
                    "{interface} has no {family} address on this host: the instance stays in FAULT"
                ),
                "give the interface an address",
            ));
        }
    }
    for line in named.filter(|line| !line.conditional) {
        let ip = line.argument().and_then(address);
        if let Some(ip) = ip.filter(|ip| !host.has(*ip)) {
            found.push(Finding::error(
                &line.place,
                format!("{ip} is no address of this host: no advert leaves it"),
                "an address of the interface",
            ));
        }
    }
}

fn peers(instance: &Instance<'_>, host: &Host, found: &mut Vec<Finding>) {
    let others = instance.peers.iter();
    for (place, peer) in others.filter(|(_, peer)| Some(*peer) != instance.source) {
        if host.has(*peer) && !instance.vips.iter().any(|vip| vip.address == Some(*peer)) {
            found.push(Finding::error(
                place,
                format!("the unicast peer {peer} is an address of this host"),
                "name the other nodes only",
            ));
        }
    }
}

/// keepalived adds a VIP with the prefix that is written: with another one, it is somebody else's.
fn taken(vip: &Vip<'_>, instance: &Instance<'_>, host: &Host, found: &mut Vec<Finding>) {
    let (Some(ip), Some(prefix)) = (vip.address, vip.prefix()) else {
        return;
    };
    if instance.source == Some(ip) {
        // Said already, on any host.
        return;
    }
    let own = host.addresses().find(|(own, _)| *own == ip);
    if let Some((_, other)) = own.filter(|(_, other)| *other != prefix) {
        found.push(Finding::error(
            &vip.statement.place,
            format!("the VIP {ip} is an address of this host itself, with /{other}"),
            "an address that no host has",
        ));
    }
}

fn subnet(
    vip: &Vip<'_>,
    instance: &Instance<'_>,
    view: &View<'_>,
    host: &Host,
    found: &mut Vec<Finding>,
) {
    // What is put on lo is routed here, not asked for.
    let device = vip.device(instance).filter(|device| *device != "lo");
    let (Some(ip), Some(device)) = (vip.address, device) else {
        return;
    };
    let addresses = addresses(device, ip.is_ipv6(), view, host).unwrap_or_default();
    let covers = |(own, prefix): &(IpAddr, u8)| is_in(ip, *own, *prefix);
    if !addresses.is_empty() && !addresses.iter().any(covers) {
        found.push(Finding::warning(
            &vip.statement.place,
            format!(
                "the VIP {ip} is in no subnet of {device} ({}): neighbours find it by a route only",
                list(&addresses)
            ),
            "an address of the subnet, or a route to it",
        ));
    }
}

/// The addresses of an interface, without the VIPs that may be there; `None` if there is no such
/// interface, which keepalived -t tells.
fn addresses(
    interface: &str,
    is_v6: bool,
    view: &View<'_>,
    host: &Host,
) -> Option<Vec<(IpAddr, u8)>> {
    let all = host.interfaces.get(interface)?.iter().copied();
    let own = all.filter(|(ip, _)| ip.is_ipv6() == is_v6 && !view.vips().any(|vip| vip == *ip));
    Some(own.collect())
}

fn is_in(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let common = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            (u32::from(ip) ^ u32::from(network)).leading_zeros()
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            (u128::from(ip) ^ u128::from(network)).leading_zeros()
        }
        _ => return false,
    };
    common >= u32::from(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_its_leading_bits() {
        for (ip, network, prefix, expected) in [
            ("10.0.0.100", "10.0.0.1", 24, true),
            ("10.0.1.100", "10.0.0.1", 24, false),
            ("10.0.1.100", "10.0.0.1", 0, true),
            ("10.0.0.1", "10.0.0.1", 32, true),
            ("10.0.0.2", "10.0.0.1", 32, false),
            ("fd00::9", "fd00::1", 64, true),
            ("fd00::9", "fd01::1", 64, false),
            ("fd00::9", "10.0.0.1", 0, false),
        ] {
            let said = is_in(ip.parse().unwrap(), network.parse().unwrap(), prefix);
            assert_eq!(said, expected, "{ip} {network}/{prefix}");
        }
    }
}
