//! What the machine is told of the configuration.

use std::time::Duration;

use super::failover::{Follow, Prefer};
use super::quorum::Quorum;
use super::types::{Config, Instance, Member};
use crate::model::redis::Endpoint;
use crate::model::settings::Settings;

impl Config {
    /// The settings of `instance` on this node, as they are journaled. `instance` must be one of
    /// this configuration: it lists this node.
    #[must_use]
    pub fn settings(&self, instance: &Instance) -> Settings {
        let own = instance.member(&self.node.name);
        let above = |node: &&Member| own.is_some_and(|own| node.priority > own.priority);
        let mut peers: Vec<&Member> = instance.others(&self.node.name).collect();
        peers.sort_by_key(|node| std::cmp::Reverse(node.priority));
        Settings {
            node: self.node.name.clone(),
            above: names(instance.nodes.iter().filter(above)),
            peers: names(peers.into_iter()),
            own: own.map_or_else(
                || instance.local_endpoint(),
                |own| instance.endpoint_of(own),
            ),
            vip: instance.vip_endpoint(),
            follow: self.follow(instance),
            fall: self.health.fall,
            rise: self.health.rise,
            fall_on: self.health.fall_on.clone(),
            bias: instance.bias(),
            prefer_availability: self.failover.prefer == Prefer::Availability,
            last_primary_ms: millis(self.failover.last_primary_wait),
            replicated_writes: self.failover.replicated_writes,
            kill_hung: self.failover.kill_hung,
            drain_ms: millis(self.failover.drain),
            negotiation_ms: millis(self.failover.negotiation_wait),
            retry_ms: millis(self.failover.retry),
            reconcile_ms: millis(self.failover.reconcile_wait),
            keepalived_gone_ms: millis(self.failover.keepalived_gone_wait),
            unserved_ms: millis(self.alarm.unserved_wait),
            redundancy_ms: millis(self.alarm.redundancy_wait),
            repeat_ms: millis(self.alarm.repeat),
            sinks: self
                .alarm
                .sinks
                .iter()
                .map(|sink| sink.name.clone())
                .collect(),
            tilt_ms: millis(self.failover.tilt),
            max_promotions: self.failover.max_promotions,
            promotions_window_ms: millis(self.failover.promotions_window),
            quorum: self.quorum.as_ref().map(Quorum::needed),
        }
    }

    fn follow(&self, instance: &Instance) -> Endpoint {
        match &self.failover.follow {
            Follow::Vip => None,
            Follow::Node(name) => instance.member(name),
        }
        .map_or_else(
            || instance.vip_endpoint(),
            |node| instance.endpoint_of(node),
        )
    }
}

fn names<'a>(nodes: impl Iterator<Item = &'a Member>) -> Vec<String> {
    nodes.map(|node| node.name.clone()).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
