//! What the machine is told of the configuration.

use std::time::Duration;

use super::types::{Config, Follow, Instance};
use crate::model::redis::Endpoint;
use crate::model::settings::Settings;

impl Config {
    /// The settings of `instance` on this node, as they are journaled. `instance` must be one of
    /// this configuration: it lists this node.
    #[must_use]
    pub fn settings(&self, instance: &Instance) -> Settings {
        let own = instance.member(&self.node.name);
        let above = |priority| {
            instance
                .nodes
                .iter()
                .filter(|node| node.priority > priority)
                .count()
        };
        let peers = instance
            .nodes
            .iter()
            .filter(|node| node.name != self.node.name);
        Settings {
            node: self.node.name.clone(),
            rank: own.map_or(0, |own| {
                u16::try_from(above(own.priority)).unwrap_or(u16::MAX)
            }),
            peers: peers.map(|node| node.name.clone()).collect(),
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
