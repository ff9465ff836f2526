//! The hands, in the lanes of `src/effects`: track files in order, the last role order counts, alarms until
//! they are delivered.

use std::collections::BTreeMap;

use rha::ingest::quorum::Wish;
use rha::model::alarm::Alarm;
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::{Endpoint, RedisRole};

use super::{Action, Boot, Delivered, MS, Part, SECOND, VIP, World};

/// How long an exchange with a Redis that does not answer takes.
const PATIENCE_US: u64 = 2 * SECOND;
/// How long a replica-to-be waits until its target is elsewhere, and how often it looks.
const ELSEWHERE_US: u64 = 67 * SECOND;
const LOOK_US: u64 = 50 * MS;

/// What is under way on a node.
#[derive(Debug, Default)]
pub struct Lanes {
    /// When the last record with effects was on the disk.
    pub(super) flushed: u64,
    fast_free: u64,
    process_free: u64,
    role: Option<EffectId>,
    role_order: u64,
    /// Alarms on their way: on the disk.
    pub(super) mail: BTreeMap<EffectId, Alarm>,
}

/// The steps of carrying an order out.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// The record is on the disk.
    Start(u64, Seq),
    /// An order of the fast or the process lane is carried out.
    Do(u64, EffectId),
    /// A role order reaches Redis: also when the agent has ended since.
    Lands {
        life: u64,
        order: u64,
        id: EffectId,
        waited: u64,
    },
    /// Its confirmation reaches the agent.
    Ends {
        life: u64,
        order: u64,
        id: EffectId,
        outcome: Outcome,
    },
    Mail(u64),
    DrainOver(u64),
}

impl World {
    pub(super) fn effect_acts(&mut self, node: usize, act: Act) {
        let agent = &self.nodes[node].agent;
        let (present, alive) = (agent.life, agent.running);
        match act {
            Act::Start(life, seq) if life == present && alive => self.start_effects(node, seq),
            Act::Do(life, id) if life == present && alive => {
                let outcome = self.carry_out(node, id);
                self.report(node, id, outcome);
            }
            Act::Lands {
                life,
                order,
                id,
                waited,
            } if order == self.nodes[node].lanes.role_order => {
                self.role_order_lands(node, life, id, waited);
            }
            Act::Ends {
                life,
                order,
                id,
                outcome,
            } if life == present && order == self.nodes[node].lanes.role_order => {
                self.nodes[node].lanes.role = None;
                self.report(node, id, outcome);
            }
            Act::Mail(life) if life == present && alive => self.send_mail(node),
            Act::DrainOver(life) if life == present => self.take_drain_down(node),
            Act::Start(..)
            | Act::Do(..)
            | Act::Lands { .. }
            | Act::Ends { .. }
            | Act::Mail(_)
            | Act::DrainOver(_) => {}
        }
    }

    fn effect(&self, node: usize, id: EffectId) -> Effect {
        let record = usize::try_from(id.seq.0 - 1).expect("a story is short");
        self.nodes[node].records[record].decision.effects[usize::from(id.index)].clone()
    }

    fn start_effects(&mut self, node: usize, seq: Seq) {
        let life = self.nodes[node].agent.life;
        let record = usize::try_from(seq.0 - 1).expect("a story is short");
        let effects = self.nodes[node].records[record].decision.effects.clone();
        for (index, effect) in (0..).zip(effects) {
            let id = EffectId { seq, index };
            let takes = self.takes(node, &effect);
            match effect {
                Effect::Promote
                | Effect::Follow { .. }
                | Effect::Rejoin { .. }
                | Effect::HandOver { .. }
                | Effect::LetGo { .. } => self.start_role_order(node, id, takes),
                Effect::SendAlarm { alarm, .. } => {
                    self.nodes[node].lanes.mail.insert(id, alarm);
                    self.after(takes, Action::Effect(node, Act::Mail(life)));
                }
                Effect::StartRedis | Effect::StopRedis | Effect::GuardWrites { .. } => {
                    let free = self.nodes[node].lanes.process_free.max(self.now) + takes;
                    self.nodes[node].lanes.process_free = free;
                    self.after(free - self.now, Action::Effect(node, Act::Do(life, id)));
                }
                Effect::SetEligible { .. }
                | Effect::SetBias { .. }
                | Effect::Drain { .. }
                | Effect::KillRedis { .. }
                | Effect::ClaimLead
                | Effect::ReleaseLead { .. }
                | Effect::RemoveVip => {
                    let free = self.nodes[node].lanes.fast_free.max(self.now) + takes;
                    self.nodes[node].lanes.fast_free = free;
                    self.after(free - self.now, Action::Effect(node, Act::Do(life, id)));
                }
            }
        }
    }

    fn takes(&mut self, node: usize, effect: &Effect) -> u64 {
        let set = self.nodes[node].taking_us.get(effect.word()).copied();
        let usual = match effect {
            Effect::Promote => 500,
            Effect::Follow { .. }
            | Effect::Rejoin { .. }
            | Effect::HandOver { .. }
            | Effect::LetGo { .. } => MS,
            Effect::SendAlarm { .. } => 10 * MS,
            Effect::GuardWrites { .. } => MS,
            Effect::StartRedis | Effect::StopRedis => 50 * MS,
            Effect::SetEligible { .. }
            | Effect::SetBias { .. }
            | Effect::Drain { .. }
            | Effect::KillRedis { .. }
            | Effect::ClaimLead
            | Effect::ReleaseLead { .. }
            | Effect::RemoveVip => 100,
        };
        set.unwrap_or_else(|| self.lag(usual))
    }

    /// An order that is still under way when the next one comes is dropped.
    fn start_role_order(&mut self, node: usize, id: EffectId, takes: u64) {
        let life = self.nodes[node].agent.life;
        let lanes = &mut self.nodes[node].lanes;
        lanes.role_order += 1;
        let order = lanes.role_order;
        if let Some(dropped) = lanes.role.replace(id) {
            self.report(node, dropped, Outcome::Superseded);
        }
        let lands = Act::Lands {
            life,
            order,
            id,
            waited: 0,
        };
        self.after(takes / 2, Action::Effect(node, lands));
    }

    fn role_order_lands(&mut self, node: usize, life: u64, id: EffectId, waited: u64) {
        let order = self.nodes[node].lanes.role_order;
        let effect = self.effect(node, id);
        let takes = self.takes(node, &effect) / 2;
        let ends = |outcome| {
            Action::Effect(
                node,
                Act::Ends {
                    life,
                    order,
                    id,
                    outcome,
                },
            )
        };
        if self.injected(node, &effect) {
            self.after(takes, ends(Outcome::Failed("injected".to_owned())));
            return;
        }
        if self.nodes[node].redis.running && self.is_stalled(node, Part::Redis) {
            self.after(PATIENCE_US, ends(Outcome::TimedOut));
            return;
        }
        let again = |us| {
            let waited = waited + us;
            let again = Act::Lands {
                life,
                order,
                id,
                waited,
            };
            Action::Effect(node, again)
        };
        let done = match &effect {
            Effect::HandOver { to, within_ms } | Effect::LetGo { to, within_ms } => {
                let lets_go = matches!(effect, Effect::LetGo { .. });
                match self.hands_over(node, to, lets_go, within_ms * MS, waited) {
                    Some(done) => done,
                    None => {
                        if life == self.nodes[node].agent.life {
                            self.after(MS, again(MS));
                        }
                        return;
                    }
                }
            }
            Effect::Follow { target } | Effect::Rejoin { target, .. }
                if self.is_own(node, target) =>
            {
                // A replica of itself stays so for ever: it steps down, and waits.
                let redis = &self.nodes[node].redis;
                let itself = redis.master == Some(super::address(node));
                if redis.role == RedisRole::Master || itself {
                    let nobody = Endpoint {
                        host: "127.0.0.1".to_owned(),
                        port: 1,
                    };
                    // A Redis that cannot be told is found out when the waiting is over.
                    let _ = self.replicaof(node, nobody);
                }
                if waited < ELSEWHERE_US {
                    if life == self.nodes[node].agent.life {
                        self.after(LOOK_US, again(LOOK_US));
                    }
                    return;
                }
                Err(format!("{target} is an address of this host"))
            }
            Effect::Follow { .. } | Effect::Rejoin { .. } => {
                match self.follows(node, &effect, waited, id.seq) {
                    Some(done) => done,
                    None => {
                        if life == self.nodes[node].agent.life {
                            self.after(LOOK_US, again(LOOK_US));
                        }
                        return;
                    }
                }
            }
            _ => self.promote(node),
        };
        let outcome = match done {
            Ok(()) => Outcome::Done(String::new()),
            Err(why) => Outcome::Refused(why),
        };
        self.after(takes, ends(outcome));
    }

    fn promote(&mut self, node: usize) -> Result<(), String> {
        self.replicaof_no_one(node)?;
        let guarded = self.nodes[node].settings.replicated_writes;
        self.nodes[node].redis.guarded |= guarded;
        Ok(())
    }

    /// One half of a switchover; `None` while it waits for the other node.
    fn hands_over(
        &mut self,
        node: usize,
        to: &str,
        lets_go: bool,
        within_us: u64,
        waited: u64,
    ) -> Option<Result<(), String>> {
        let other = self.index(to).expect("the machine knows the nodes");
        let there = &self.nodes[other].redis;
        let answers =
            self.reaches(node, other) && there.running && !self.is_stalled(other, Part::Redis);
        let own = &self.nodes[node].redis;
        let is_so = match lets_go {
            true => there.role == RedisRole::Master,
            false => there.offset >= own.offset,
        };
        let held_until = self.now + within_us - waited.min(within_us) + SECOND;
        let host = &mut self.nodes[node];
        host.redis.held_until = held_until;
        if answers && is_so {
            if lets_go {
                host.redis.held_until = 0;
                host.drain = false;
                let nobody = Endpoint {
                    host: "127.0.0.1".to_owned(),
                    port: 1,
                };
                return Some(self.replicaof(node, nobody));
            }
            return Some(Ok(()));
        }
        if answers && waited < within_us {
            return None;
        }
        host.redis.held_until = 0;
        Some(Err(format!("{to} does not follow")))
    }

    fn is_own(&self, node: usize, target: &Endpoint) -> bool {
        let host = &self.nodes[node];
        *target == host.settings.own || (target.host == VIP && (host.vip || host.drain))
    }

    fn carry_out(&mut self, node: usize, id: EffectId) -> Outcome {
        let effect = self.effect(node, id);
        if self.injected(node, &effect) {
            return Outcome::Failed("injected".to_owned());
        }
        match effect {
            Effect::SetEligible { eligible } => {
                self.nodes[node].eligible = eligible;
                self.track_file_written(node);
            }
            Effect::SetBias { bias } => {
                self.nodes[node].bias = bias;
                self.track_file_written(node);
            }
            Effect::Drain { hold_ms } => {
                self.nodes[node].drain = true;
                let life = self.nodes[node].agent.life;
                self.after(hold_ms * MS, Action::Effect(node, Act::DrainOver(life)));
            }
            Effect::KillRedis { pid } => {
                if self.nodes[node].redis.pid == pid {
                    self.kill_redis(node);
                }
            }
            Effect::RemoveVip => self.set_vip(node, false),
            Effect::ClaimLead => self.wish(node, Wish::Lead),
            Effect::ReleaseLead { at_once: true } => self.wish(node, Wish::Release),
            Effect::ReleaseLead { at_once: false } => self.wish(node, Wish::Nothing),
            Effect::GuardWrites { on } => {
                if let Err(why) = self.guard_writes(node, on) {
                    return Outcome::Failed(why);
                }
            }
            Effect::StartRedis => self.start_redis(node, Boot::default()),
            Effect::StopRedis => self.kill_redis(node),
            Effect::Promote
            | Effect::Follow { .. }
            | Effect::Rejoin { .. }
            | Effect::HandOver { .. }
            | Effect::LetGo { .. }
            | Effect::SendAlarm { .. } => {
                unreachable!("has a lane of its own")
            }
        }
        Outcome::Done(String::new())
    }

    pub(super) fn take_drain_down(&mut self, node: usize) {
        self.nodes[node].drain = false;
    }

    fn injected(&mut self, node: usize, effect: &Effect) -> bool {
        match self.nodes[node].failing.get_mut(effect.word()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    fn report(&mut self, node: usize, effect: EffectId, outcome: Outcome) {
        let cause = Some(effect.seq);
        let order = self.effect(node, effect);
        let touches_redis = matches!(
            order,
            Effect::Promote
                | Effect::Follow { .. }
                | Effect::Rejoin { .. }
                | Effect::LetGo { .. }
                | Effect::StartRedis
                | Effect::StopRedis
        );
        let finished = Event::EffectFinished {
            effect,
            order: order.to_string(),
            outcome,
        };
        self.take(node, finished, cause);
        if touches_redis {
            self.nudge(node);
        }
    }

    /// In order, until they are delivered; tried again every second.
    fn send_mail(&mut self, node: usize) {
        let life = self.nodes[node].agent.life;
        if !self.is_outside(node) {
            if !self.nodes[node].lanes.mail.is_empty() {
                self.after(SECOND, Action::Effect(node, Act::Mail(life)));
            }
            return;
        }
        while let Some((id, alarm)) = self.nodes[node].lanes.mail.pop_first() {
            let line = format!(
                "{}  ALARM {} {}: {}",
                self.nodes[node].name, alarm.kind, alarm.status, alarm.title
            );
            self.tell(&line);
            let at = self.now;
            self.alarms.push(Delivered { at, node, alarm });
            let finished = Event::EffectFinished {
                effect: id,
                order: self.effect(node, id).to_string(),
                outcome: Outcome::Done(String::new()),
            };
            self.take(node, finished, Some(id.seq));
        }
    }
}
