//! The executors of all instances, made from the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::senses::Nerve;
use crate::config::{Config, Instance, Member, Prefer, SecretError, SinkKind};
use crate::effects::alarm::{Alarms, Dialect, Letter, Sink};
use crate::effects::{Executor, InstanceConfig, RescueConfig, Tools};
use crate::ingest::Incoming;
use crate::model::effect::{Effect, EffectId};
use crate::model::redis::Endpoint;
use crate::wire::netlink::Netlink;
use crate::wire::redis::{Secret, Target};

/// How long an alarm that is said once stands at an Alertmanager: until it is resolved, that is.
const UNREPEATED: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The executors by instance.
pub struct Hands {
    instances: BTreeMap<String, Hand>,
    alarms: Alarms,
}

/// One instance's.
#[derive(Clone)]
struct Hand {
    config: InstanceConfig,
    nerve: Nerve,
    executor: Arc<Executor>,
}

impl Hands {
    /// An executor for each instance of `config`. Those of `former` go on where they would be the same, and
    /// so does what waits for a sink, once [`Self::set_sinks`] was called.
    ///
    /// # Errors
    /// Netlink cannot be used, or a password file cannot be read.
    pub fn new(
        config: &Config,
        events: &mpsc::Sender<Incoming>,
        former: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let alarms = former.map_or_else(
            || Alarms::start(sinks(config), events.clone()),
            |former| former.alarms.clone(),
        );
        let netlink = Netlink::open()?;
        let mut instances = BTreeMap::new();
        for instance in &config.instances {
            let wanted = instance_config(config, instance)?;
            let same = former
                .and_then(|former| former.instances.get(&instance.name))
                .filter(|hand| hand.config == wanted);
            let hand = match same {
                Some(hand) => hand.clone(),
                None => Hand::new(wanted, netlink.clone(), &alarms, events),
            };
            instances.insert(instance.name.clone(), hand);
        }
        Ok(Self { instances, alarms })
    }

    /// The sinks of `config` from here on.
    pub fn set_sinks(&self, config: &Config) {
        self.alarms.reconfigure(sinks(config));
    }

    /// What an instance's prober shares with its executor.
    pub fn nerves(&self) -> BTreeMap<String, Nerve> {
        let nerve = |(name, hand): (&String, &Hand)| (name.clone(), hand.nerve.clone());
        self.instances.iter().map(nerve).collect()
    }

    /// Makes the host fit for drain addresses, and removes those that a dead agent left behind.
    /// `former`: its drain addresses may be in use.
    pub async fn prepare(&self, config: &Config, former: Option<&Self>) {
        for (name, Hand { executor, .. }) in &self.instances {
            if !config.failover.drain.is_zero()
                && let Err(why) = executor.prepare_drain()
            {
                tracing::warn!(
                    instance = name,
                    "a failover will cost clients a second: {why}"
                );
            }
            if former.is_some_and(|former| former.instances.contains_key(name)) {
                continue;
            }
            match executor.remove_stale_drain().await {
                Ok(true) => tracing::warn!(
                    instance = name,
                    "removed a drain address that was left behind"
                ),
                Ok(false) => {}
                Err(why) => tracing::warn!(instance = name, "{why}"),
            }
        }
    }

    /// Gives an order that was decided at `decided_us`, wall time in microseconds. One for an instance that is
    /// configured no more is dropped with a warning.
    pub fn start(&self, instance: &str, id: EffectId, decided_us: i64, effect: &Effect) {
        if let Effect::SendAlarm { sink, alarm } = effect {
            // Also of an instance that was removed: what it raised is to be heard, and to be resolved.
            let letter = Letter::new(instance, id, decided_us, sink, alarm.clone());
            self.alarms.send(sink, letter);
            return;
        }
        match self.instances.get(instance) {
            Some(hand) => hand.executor.start(id, decided_us, effect.clone()),
            None => tracing::warn!(instance, %effect, "no such instance: order dropped"),
        }
    }

    /// Has the local Redis checked at once: keepalived has said something, and the last check may be a second
    /// old.
    pub fn look(&self, instance: &str) {
        if let Some(hand) = self.instances.get(instance) {
            hand.executor.look();
        }
    }

    /// The clean end: drain addresses go, Redis and the VIP stay.
    pub async fn stop(&self) {
        for hand in self.instances.values() {
            hand.executor.stop().await;
        }
    }
}

impl Hand {
    fn new(
        config: InstanceConfig,
        netlink: Netlink,
        alarms: &Alarms,
        events: &mpsc::Sender<Incoming>,
    ) -> Self {
        let nerve = Nerve::default();
        let tools = Tools {
            netlink,
            link: nerve.link.clone(),
            nudge: nerve.nudge.clone(),
            wish: nerve.wish.clone(),
            alarms: alarms.clone(),
            events: events.clone(),
        };
        let executor = Arc::new(Executor::new(config.clone(), tools));
        Self {
            config,
            nerve,
            executor,
        }
    }
}

/// The local Redis, and how to log in to it.
///
/// # Errors
/// The password file cannot be read.
pub fn own_target(instance: &Instance) -> Result<Target, SecretError> {
    target(instance, instance.local_endpoint())
}

/// Another node's Redis, at that node's own address.
///
/// # Errors
/// The password file cannot be read.
pub fn peer_target(instance: &Instance, peer: &Member) -> Result<Target, SecretError> {
    target(instance, instance.endpoint_of(peer))
}

/// Whoever answers behind the VIP.
///
/// # Errors
/// The password file cannot be read.
pub fn vip_target(instance: &Instance) -> Result<Target, SecretError> {
    target(instance, instance.vip_endpoint())
}

fn target(instance: &Instance, endpoint: Endpoint) -> Result<Target, SecretError> {
    let redis = &instance.redis;
    let password = redis
        .password()?
        .map(|secret| Secret(secret.expose().to_owned()));
    let username = Some(redis.username.clone()).filter(|name| !name.is_empty());
    Ok(Target {
        endpoint,
        username,
        password,
    })
}

/// What the effects of an instance must know.
///
/// # Errors
/// The password file cannot be read.
pub fn instance_config(
    config: &Config,
    instance: &Instance,
) -> Result<InstanceConfig, SecretError> {
    let redis = &instance.redis;
    let others = instance.others(&config.node.name);
    let peers = others.map(|node| Ok((node.name.clone(), peer_target(instance, node)?)));
    Ok(InstanceConfig {
        name: instance.name.clone(),
        vip: instance.vip,
        interface: instance.interface.clone(),
        redis: own_target(instance)?,
        peers: peers.collect::<Result<_, _>>()?,
        start: redis.start.clone(),
        start_as_replica: redis.start_as_replica.clone(),
        unit: Some(redis.unit.clone()).filter(|unit| !unit.is_empty()),
        start_timeout: redis.start_timeout,
        stop_timeout: redis.stop_timeout,
        replica_lag: Some(config.failover.replica_lag)
            .filter(|_| config.failover.replicated_writes),
        drain: config.failover.drain,
        eligible_file: config.paths.eligible(&instance.name),
        bias_file: config.paths.bias(&instance.name),
        rescue: RescueConfig {
            dir: config.paths.rescue(),
            node: config.node.name.clone(),
            keep: config.rescue.keep,
            size: config.rescue.size,
            timeout: config.rescue.timeout,
            waits: config.failover.prefer == Prefer::Consistency,
        },
    })
}

fn sinks(config: &Config) -> Vec<Sink> {
    let this = config
        .instances
        .first()
        .and_then(|first| first.member(&config.node.name));
    let local_ip = config.alarm.local_ip.or(this.map(|member| member.address));
    let local_ip = local_ip.map_or_else(String::new, |ip| ip.to_string());
    // One that is said again may be late by as much again.
    let stands = match config.alarm.repeat {
        Duration::ZERO => UNREPEATED,
        repeat => repeat.saturating_mul(2),
    };
    let dialect = |sink: &crate::config::Sink| match sink.kind {
        SinkKind::Simplealarm => Dialect::Simplealarm {
            local_ip: local_ip.clone(),
            mail_to: sink.mail_to.clone(),
            sms_to: sink.sms_to.clone(),
        },
        SinkKind::Alertmanager => Dialect::Alertmanager { stands },
        SinkKind::Webhook => Dialect::Webhook,
    };
    let sink = |sink: &crate::config::Sink| Sink {
        name: sink.name.clone(),
        url: sink.url.to_string(),
        dialect: dialect(sink),
        node: config.node.name.clone(),
        timeout: sink.timeout,
    };
    config.alarm.sinks.iter().map(sink).collect()
}
