//! The VIP: where it is, where it should be, and what the kernel does with it.

use std::fs;
use std::net::IpAddr;

use super::finding::Findings;
use crate::config::{Config, Instance};
use crate::keepalived::host::Host;
use crate::views::status::InstanceStatus;

/// Values below `/proc/sys/net/ipv4/conf/`.
pub type Sysctl<'look> = &'look dyn Fn(&str, &str) -> Option<u8>;

/// As the kernel says.
pub fn sysctl(interface: &str, key: &str) -> Option<u8> {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/{key}");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Everything about an instance's VIP.
pub fn check(
    config: &Config,
    instance: &Instance,
    status: Option<&InstanceStatus>,
    host: &Host,
    sysctl: Sysctl<'_>,
    found: &mut Findings,
) {
    let interface = &instance.interface;
    if !host.interfaces.contains_key(interface) {
        let text = format!("there is no interface {interface}");
        found.trouble(
            "interface",
            text,
            "correct instance.interface; ip link lists those that are",
        );
        return;
    }
    if host.down.contains(interface) {
        let text = format!("{interface} is down");
        found.trouble(
            "interface",
            text,
            format!("ip link set {interface} up; see its cable"),
        );
    } else {
        found.ok("interface", format!("{interface} is up"));
    }
    own_address(config, instance, host, found);
    place(instance, status, host, found);
    kernel(config, instance, sysctl, found);
}

/// The other nodes and keepalived know this one by its address.
fn own_address(config: &Config, instance: &Instance, host: &Host, found: &mut Findings) {
    let Some(member) = instance.member(&config.node.name) else {
        return;
    };
    let address = member.address;
    if host.has(address) {
        found.ok("address", format!("{address} is this node's"));
    } else {
        let text =
            format!("{address} is not an address of this host, and rha.toml says that it is");
        found.trouble("address", text, "correct [[instance.node]], or [node] name");
    }
}

/// On which interfaces it is.
fn place(instance: &Instance, status: Option<&InstanceStatus>, host: &Host, found: &mut Findings) {
    let vip: IpAddr = instance.vip;
    let holders = host
        .interfaces
        .iter()
        .filter(|(_, all)| all.iter().any(|(ip, _)| *ip == vip));
    // Of an address with a label (`eth0:rha`), that is told as the interface.
    let on: Vec<&str> = holders
        .filter_map(|(name, _)| name.split(':').next())
        .collect();
    let here = on.contains(&instance.interface.as_str());
    let drained = on.contains(&"lo");
    let known = [instance.interface.as_str(), "lo"];
    let mut elsewhere = on.clone();
    elsewhere.retain(|name| !known.contains(name));
    if !elsewhere.is_empty() {
        let text = format!(
            "{vip} is on {}, where keepalived does not put it",
            elsewhere.join(", ")
        );
        found.trouble(
            "place",
            text,
            format!("ip addr del {vip} dev {}", elsewhere[0]),
        );
    }
    if drained {
        let text = format!(
            "{vip} is on lo: the drain address of a failover some seconds ago, or left behind"
        );
        found.warning(
            "drain",
            text,
            "look again in 10 s; then: ip addr del it dev lo",
        );
    }
    match status {
        Some(status) if status.vip_here != here => {
            let text = format!(
                "{vip} is {} here, and the agent believes otherwise",
                if here { "" } else { "not" }
            );
            found.trouble("place", text.replace("  ", " "), "systemctl restart rha");
        }
        Some(status) if status.role == "primary" && !here => {
            let text = format!("this node leads, and {vip} is not here: clients do not reach it");
            found.trouble("place", text, "see keepalived's log");
        }
        Some(_) | None if here => {
            found.ok("place", format!("{vip} is here, on {}", instance.interface));
        }
        Some(_) | None => found.ok("place", format!("{vip} is not here")),
    }
}

/// What the drain address and replies from the VIP need.
fn kernel(config: &Config, instance: &Instance, sysctl: Sysctl<'_>, found: &mut Findings) {
    let interface = &instance.interface;
    let in_force = |key| sysctl("all", key).max(sysctl(interface, key)).unwrap_or(0);
    if config.failover.drain.is_zero() || !instance.vip.is_ipv4() {
        return;
    }
    let (ignore, announce) = (in_force("arp_ignore"), in_force("arp_announce"));
    if ignore == 0 || announce < 2 {
        let text = format!(
            "arp_ignore {ignore}, arp_announce {announce}: the agent may not put the VIP on lo, and a failover costs clients a second"
        );
        let todo = "sysctl --load=/etc/sysctl.d/60-rha.conf (rha keepalived install makes it), or drain = \"0s\"";
        found.warning("arp", text, todo);
    } else {
        found.ok("arp", "the drain address is not announced");
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    fn config() -> Config {
        let text = include_str!("../../../config/rha.toml");
        Config::parse(text, "rha.toml".as_ref(), Some("lvs1"), "lvs1").unwrap()
    }

    fn host(addresses: &[(&str, &str)]) -> Host {
        let mut host = Host::default();
        for (interface, ip) in [("eth0", "192.168.192.37"), ("lo", "127.0.0.1")]
            .iter()
            .chain(addresses)
        {
            let all = host.interfaces.entry((*interface).to_owned()).or_default();
            all.push((ip.parse().unwrap(), 24));
        }
        host
    }

    fn status(role: &str, vip_here: bool) -> InstanceStatus {
        InstanceStatus {
            role: role.to_owned(),
            vip_here,
            ..InstanceStatus::default()
        }
    }

    fn of(host: &Host, status: &InstanceStatus, arp: u8) -> Vec<(&'static str, State)> {
        let config = config();
        let mut found = Findings::of("vip");
        let instance = &config.instances[0];
        check(
            &config,
            instance,
            Some(status),
            host,
            &|_, _| Some(arp),
            &mut found,
        );
        unwell(&found)
    }

    const VIP: &str = "192.168.192.161";

    #[test]
    fn where_it_should_be() {
        use State::{Trouble, Warning};
        assert_eq!(of(&host(&[("eth0", VIP)]), &status("primary", true), 2), []);
        assert_eq!(
            of(&host(&[("eth0:rha", VIP)]), &status("primary", true), 2),
            []
        );
        assert_eq!(of(&host(&[]), &status("replica", false), 2), []);
        assert_eq!(
            of(&host(&[]), &status("replica", false), 0),
            [("arp", Warning)]
        );
        assert_eq!(
            of(&host(&[]), &status("primary", false), 2),
            [("place", Trouble)]
        );
        assert_eq!(
            of(&host(&[]), &status("replica", true), 2),
            [("place", Trouble)]
        );
        assert_eq!(
            of(&host(&[("eth1", VIP)]), &status("replica", false), 2),
            [("place", Trouble)]
        );
        assert_eq!(
            of(&host(&[("lo", VIP)]), &status("replica", false), 2),
            [("drain", Warning)]
        );
    }

    #[test]
    fn the_interface_and_the_address() {
        use State::Trouble;
        let mut down = host(&[]);
        down.down.insert("eth0".to_owned());
        assert_eq!(
            of(&down, &status("replica", false), 2),
            [("interface", Trouble)]
        );
        assert_eq!(
            of(&Host::default(), &status("replica", false), 2),
            [("interface", Trouble)]
        );
        let mut other = host(&[]);
        other.interfaces.insert("eth0".to_owned(), Vec::new());
        assert_eq!(
            of(&other, &status("replica", false), 2),
            [("address", Trouble)]
        );
    }
}
