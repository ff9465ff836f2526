//! What one key says about another; fills in the names that were left out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::document::Source;
use super::failover::Follow;
use super::nodes;
use super::quorum;
use super::read::{RawConfig, RawInstance};
use super::size::show_size;
use super::types::{
    Alarms, BlackBox, Config, Health, Instance, Keepalived, SinkKind, ThisNode, VrrpVersion,
};
use super::value::show_duration;

/// Makes the typed configuration and reports to `source` whatever does not hold.
pub(super) fn config(
    raw: RawConfig,
    source: &Source,
    file: &Path,
    node: Option<&str>,
    host: &str,
) -> Config {
    keepalived(&raw.keepalived, source);
    health(&raw.health, source);
    if !whole_seconds(raw.failover.replica_lag) {
        source.wrong(
            "failover.replica_lag",
            "Redis counts it in whole seconds; \"2s\" or more",
        );
    }
    if raw.paths.state == raw.paths.runtime {
        source.wrong(
            "paths.state",
            "is the same directory as paths.runtime; each its own",
        );
    }
    black_box(raw.black_box, source);
    sinks(&raw.alarm, source);
    quorum::check(raw.quorum.as_ref(), &raw.instances, source);
    if raw.instances.is_empty() {
        source.wrong("instance", "there is none; one [[instance]] for each VIP");
    }
    let this = ThisNode {
        name: this_node(&raw, node, host),
    };
    across(&raw.instances, source);
    vips(&raw.instances, source);
    let origin = match node {
        Some(_) => ", of the command line,",
        None if raw.node.name.is_empty() => ", the host name,",
        None => "",
    };
    for (index, instance) in raw.instances.iter().enumerate() {
        let at = format!("instance.{index}");
        nodes::members(instance, &at, source);
        nodes::local(instance, &at, &this.name, source);
        nodes::families(instance, &at, raw.keepalived.transport, source);
        listed(instance, &this.name, origin, source);
        follow(&raw.failover.follow, instance, &this.name, source);
    }
    let instances = raw.instances.into_iter().enumerate();
    let instances = instances.map(|(index, instance)| finished(instance, index, source));
    Config {
        file: file.to_owned(),
        node: this,
        paths: raw.paths,
        journal: raw.journal,
        black_box: raw.black_box,
        rescue: raw.rescue,
        keepalived: raw.keepalived,
        health: raw.health,
        failover: raw.failover,
        quorum: raw.quorum,
        alarm: raw.alarm,
        instances: instances.collect(),
        remarks: Vec::new(),
    }
}

fn this_node(raw: &RawConfig, node: Option<&str>, host: &str) -> String {
    match node {
        Some(name) => name.to_owned(),
        None if raw.node.name.is_empty() => host.split('.').next().unwrap_or_default().to_owned(),
        None => raw.node.name.clone(),
    }
}

fn keepalived(keepalived: &Keepalived, source: &Source) {
    let advert = keepalived.advert_interval;
    let found = show_duration(advert);
    match keepalived.vrrp_version {
        VrrpVersion::V3 => {
            let steps = advert.as_millis().is_multiple_of(10);
            if !steps || advert > Duration::from_millis(40_950) {
                source.wrong(
                    "keepalived.advert_interval",
                    format!("VRRP version 3 cannot say \"{found}\"; \"10ms\" to \"40950ms\" in steps of 10ms"),
                );
            }
        }
        VrrpVersion::V2 if !whole_seconds(advert) || advert.is_zero() => source.wrong(
            "keepalived.advert_interval",
            format!("VRRP version 2 cannot say \"{found}\"; whole seconds, \"1s\" to \"255s\""),
        ),
        VrrpVersion::V2 => {}
    }
    if !whole_seconds(keepalived.check_interval) {
        source.wrong(
            "keepalived.check_interval",
            "keepalived runs scripts in whole seconds; \"1s\" or more, or \"0s\" for never",
        );
    }
}

fn whole_seconds(duration: Duration) -> bool {
    duration.subsec_nanos() == 0
}

fn health(health: &Health, source: &Source) {
    let Health {
        interval,
        timeout,
        slow,
        ..
    } = *health;
    if timeout > interval {
        let (timeout, interval) = (show_duration(timeout), show_duration(interval));
        source.wrong(
            "health.timeout",
            format!("\"{timeout}\" is longer than health.interval; at most \"{interval}\""),
        );
    }
    if slow > timeout {
        let (slow, timeout) = (show_duration(slow), show_duration(timeout));
        source.wrong(
            "health.slow",
            format!("\"{slow}\" is longer than health.timeout; at most \"{timeout}\""),
        );
    }
}

/// Files enough that the oldest can go, and not more than a reader can have open.
fn black_box(BlackBox { keep, file }: BlackBox, source: &Source) {
    const FILES_MAX: u64 = 256;
    const KIB: u64 = 1 << 10;
    if keep > 0 && !(2 * file..=FILES_MAX * file).contains(&keep) {
        let most = show_size(keep / 2 / KIB * KIB);
        let least = show_size(keep.div_ceil(FILES_MAX).next_multiple_of(KIB));
        source.wrong(
            "blackbox.file",
            format!(
                "\"{}\" is out of range for blackbox.keep; \"{least}\" to \"{most}\"",
                show_size(file)
            ),
        );
    }
}

fn sinks(alarm: &Alarms, source: &Source) {
    let mut names = Seen::default();
    for (index, sink) in alarm.sinks.iter().enumerate() {
        let at = format!("alarm.sink.{index}");
        if names.taken(&sink.name, &sink.name).is_some() {
            source.wrong(&format!("{at}.name"), twice(&sink.name, "a sink"));
        }
        let addressed = [("mail_to", &sink.mail_to), ("sms_to", &sink.sms_to)];
        for (key, value) in addressed {
            if !value.is_empty() && sink.kind != SinkKind::Simplealarm {
                source.wrong(
                    &format!("{at}.{key}"),
                    "only a simplealarm sink has recipients; leave it out",
                );
            }
        }
    }
}

/// What must be unique over all instances of the node.
fn across(instances: &[RawInstance], source: &Source) {
    let mut names = Seen::default();
    let mut vips = Seen::default();
    let mut vrrp_names = Seen::default();
    let mut routers = Seen::default();
    let mut servers = Seen::default();
    for (index, instance) in instances.iter().enumerate() {
        let RawInstance {
            name,
            vip,
            port,
            interface,
            ..
        } = instance;
        let at = |key: &str| format!("instance.{index}.{key}");
        let vrrp = vrrp_name(instance);
        if names.taken(name, name).is_some() {
            source.wrong(&at("name"), twice(name, "an instance"));
        } else if let Some(other) = vrrp_names.taken(&vrrp, name) {
            source.wrong(
                &at("vrrp_instance"),
                format!(
                    "\"{vrrp}\" is the name of instance \"{other}\" in keepalived.conf already"
                ),
            );
        }
        if let Some(other) = vips.taken(vip, name) {
            source.wrong(
                &at("vip"),
                format!("{vip} is the VIP of instance \"{other}\" already"),
            );
        }
        let router = (interface.clone(), vip.is_ipv6(), instance.virtual_router_id);
        if let Some(other) = routers.taken(&router, name) {
            let id = instance.virtual_router_id;
            source.wrong(
                &at("virtual_router_id"),
                format!("{id} is used on {interface} by instance \"{other}\" already; 1 to 255, each once"),
            );
        }
        for (position, node) in instance.nodes.iter().enumerate() {
            let address = node.address;
            if let Some(other) = servers
                .taken(&(address, *port), name)
                .filter(|other| other != name)
            {
                source.wrong(
                    &at(&format!("node.{position}.address")),
                    format!(
                        "the Redis at {address} port {port} belongs to instance \"{other}\" already"
                    ),
                );
            }
        }
    }
}

/// No VIP is a node's own address in another instance.
fn vips(instances: &[RawInstance], source: &Source) {
    for (index, instance) in instances.iter().enumerate() {
        let others = instances.iter().filter(|other| other.name != instance.name);
        let mut nodes = others.flat_map(|other| other.nodes.iter().map(move |node| (other, node)));
        let owner = nodes.find(|(_, node)| node.address == instance.vip);
        if let Some((other, node)) = owner {
            source.wrong(
                &format!("instance.{index}.vip"),
                format!(
                    "{} is the address of node \"{}\" in instance \"{}\"; an address of its own",
                    instance.vip, node.name, other.name
                ),
            );
        }
    }
}

fn listed(instance: &RawInstance, this: &str, origin: &str, source: &Source) {
    let names: Vec<_> = instance
        .nodes
        .iter()
        .map(|node| format!("\"{}\"", node.name))
        .collect();
    if names.is_empty() || instance.nodes.iter().any(|node| node.name == this) {
        return;
    }
    source.wrong(
        "node.name",
        format!(
            "\"{this}\"{origin} is not a node of instance \"{}\"; {}",
            instance.name,
            names.join(" or ")
        ),
    );
}

fn follow(follow: &Follow, instance: &RawInstance, this: &str, source: &Source) {
    let Follow::Node(name) = follow else { return };
    if !instance.nodes.iter().any(|node| node.name == *name) {
        source.wrong(
            "failover.follow",
            format!(
                "\"{name}\" is not a node of instance \"{}\"; \"vip\" or one of its nodes",
                instance.name
            ),
        );
    } else if name == this {
        source.wrong(
            "failover.follow",
            format!("this node is \"{name}\" and cannot follow itself; \"vip\" or another node"),
        );
    }
}

fn finished(raw: RawInstance, index: usize, source: &Source) -> Instance {
    let vrrp_instance = vrrp_name(&raw);
    let nodes = nodes::prioritized(raw.nodes, index, source);
    Instance {
        name: raw.name,
        vip: raw.vip,
        port: raw.port,
        interface: raw.interface,
        virtual_router_id: raw.virtual_router_id,
        vrrp_instance,
        redis: raw.redis,
        nodes,
    }
}

fn vrrp_name(instance: &RawInstance) -> String {
    if instance.vrrp_instance.is_empty() {
        format!("RHA_{}", instance.name.to_ascii_uppercase())
    } else {
        instance.vrrp_instance.clone()
    }
}

/// Who used a value first.
pub(super) struct Seen<K>(BTreeMap<K, String>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Seen<K> {
    /// The first owner of `key`, if it is taken; else `owner` takes it.
    pub(super) fn taken(&mut self, key: &K, owner: &str) -> Option<String> {
        if let Some(first) = self.0.get(key) {
            return Some(first.clone());
        }
        self.0.insert(key.clone(), owner.to_owned());
        None
    }
}

pub(super) fn twice(name: &str, what: &str) -> String {
    format!("\"{name}\" is the name of {what} already; each its own")
}
