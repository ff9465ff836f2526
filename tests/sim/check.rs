//! What must hold of every world, whatever happened to it.

use std::collections::BTreeMap;

use rha::model::alarm::AlarmStatus;
use rha::model::redis::RedisRole;
use rha::model::role::Role;
use rha::model::vrrp::VrrpState;

use super::{Part, SECOND, World};

/// How long two nodes that hear each other may both be primary with the VIP: until a dead keepalived is
/// believed to be gone, the VIP is taken away, and the role follows.
const TWO_PRIMARIES_US: u64 = 3 * SECOND;

/// What is watched while time passes.
#[derive(Debug, Default)]
pub struct Watch {
    since: Option<u64>,
    longest_us: u64,
    /// When two Redis first took writes at once.
    two_writable: Option<u64>,
}

impl World {
    pub(super) fn watch_primaries(&mut self) {
        let now = self.now;
        let writable = (0..self.nodes.len()).filter(|&node| self.takes_writes(node));
        if writable.count() > 1 {
            self.watch.two_writable.get_or_insert(now);
        }
        if self.has_two_primaries() {
            let since = *self.watch.since.get_or_insert(now);
            self.watch.longest_us = self.watch.longest_us.max(now - since);
        } else {
            self.watch.since = None;
        }
    }

    /// Two nodes that could know of each other are both primary with the VIP.
    fn has_two_primaries(&self) -> bool {
        let leads = |node: &usize| {
            let host = &self.nodes[*node];
            let awake =
                !self.is_stalled(*node, Part::Agent) && !self.is_stalled(*node, Part::Keepalived);
            host.vip && awake && host.agent.ready && host.agent.state.role == Role::Primary
        };
        let leaders: Vec<usize> = (0..self.nodes.len()).filter(leads).collect();
        leaders.iter().any(|&one| {
            leaders.iter().any(|&other| {
                let cut = self.nodes[one].vrrp_cut || self.nodes[other].vrrp_cut;
                one < other && !cut && self.reaches(one, other)
            })
        })
    }

    fn takes_writes(&self, node: usize) -> bool {
        let redis = &self.nodes[node].redis;
        redis.running && redis.role == RedisRole::Master && self.now >= redis.held_until
    }

    /// What is wrong at any time where the right to lead is needed, and every agent does what it should.
    pub fn always_with_quorum(&self) -> Vec<String> {
        let mut wrong = self.always();
        if let Some(at) = self.watch.two_writable {
            wrong.push(format!("two Redis take writes at {} ms", at / 1000));
        }
        wrong
    }

    /// Everything that is wrong at any time.
    pub fn always(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.watch.longest_us > TWO_PRIMARIES_US {
            wrong.push(format!(
                "two primaries for {} ms",
                self.watch.longest_us / 1000
            ));
        }
        for (node, host) in self.nodes.iter().enumerate() {
            match self.refold(node) {
                Err(difference) => {
                    wrong.push(format!("{} does not replay:\n{difference}", host.name));
                }
                Ok(state) if host.agent.ready && state != host.agent.state => {
                    wrong.push(format!("{}: the records fold to another state", host.name));
                }
                Ok(_) => {}
            }
        }
        for ((node, incident, kind), counts) in self.alarm_counts() {
            if counts.raised > counts.resolved + 1 || counts.resolved > counts.raised {
                let name = &self.nodes[node].name;
                wrong.push(format!(
                    "{name}: alarm {kind} of incident {incident}: {counts:?}"
                ));
            }
        }
        wrong
    }

    /// What is wrong when nothing is broken any more and time has passed.
    pub fn when_healed(&self) -> Vec<String> {
        let mut wrong = self.always();
        let primaries = self
            .nodes
            .iter()
            .filter(|host| host.agent.state.role == Role::Primary);
        if primaries.count() != 1 {
            wrong.push("not exactly one primary".to_owned());
        }
        for (node, host) in self.nodes.iter().enumerate() {
            let (role, redis, name) = (host.agent.state.role, host.redis.role, &host.name);
            let vrrp = host.keepalived.state;
            let fits = match role {
                Role::Primary => host.vip && redis == RedisRole::Master,
                Role::Replica => redis == RedisRole::Replica && vrrp == Some(VrrpState::Backup),
                _ => false,
            };
            if !fits {
                wrong.push(format!(
                    "{name} is {role}, its Redis {redis}, its keepalived {vrrp:?}"
                ));
            }
            if let Some(incident) = &host.agent.state.incident {
                wrong.push(format!("{name}: incident {} is open", incident.id));
            }
            for (id, effect) in self.unfinished(node) {
                wrong.push(format!("{name}: {id} {effect} has no outcome"));
            }
        }
        for ((node, incident, kind), counts) in self.alarm_counts() {
            if counts.resolved != counts.raised {
                let name = &self.nodes[node].name;
                wrong.push(format!(
                    "{name}: alarm {kind} of incident {incident} is unresolved"
                ));
            }
        }
        wrong
    }

    fn alarm_counts(&self) -> BTreeMap<(usize, u64, &'static str), Counts> {
        let mut counts: BTreeMap<_, Counts> = BTreeMap::new();
        for delivered in &self.alarms {
            let alarm = &delivered.alarm;
            let key = (delivered.node, alarm.incident.0, alarm.kind.word());
            let count = counts.entry(key).or_default();
            match alarm.status {
                AlarmStatus::Raised => count.raised += 1,
                AlarmStatus::Resolved => count.resolved += 1,
                AlarmStatus::Repeated => {}
            }
        }
        counts
    }
}

#[derive(Debug, Default)]
struct Counts {
    raised: u32,
    resolved: u32,
}
