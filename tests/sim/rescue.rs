//! What is saved before Redis is overwritten, as `src/effects/rescue` does it.

use rha::model::effect::Effect;
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::{Endpoint, RedisRole};
use rha::model::rescue::Diverged;
use rha::rescue::{Lack, lack};

use super::{SECOND, World};

/// How long a target is waited for that is no master yet, or does not answer.
const TARGET_US: u64 = 30 * SECOND;
/// Bytes of a file for each key.
const KEY_BYTES: u64 = 60;

impl World {
    /// `REPLICAOF target`, once what it lacks is saved; `None` while the target is waited for.
    pub(super) fn follows(
        &mut self,
        node: usize,
        order: &Effect,
        waited: u64,
        cause: Seq,
    ) -> Option<Result<(), String>> {
        let (target, epoch) = match order {
            Effect::Rejoin { target, epoch } => (target, Some(*epoch)),
            Effect::Follow { target } => (target, None),
            _ => unreachable!("makes no replica"),
        };
        let redis = &self.nodes[node].redis;
        let of_nobody = redis
            .master
            .as_ref()
            .is_none_or(|master| *master == nobody());
        let steps_down = redis.role == RedisRole::Master || of_nobody;
        if redis.role == RedisRole::Master
            && let Err(why) = self.replicaof(node, nobody())
        {
            return Some(Err(why));
        }
        let host = &self.nodes[node];
        let is_over = *target == nobody() || host.redis.keys == 0 || !host.redis.running;
        if !steps_down || is_over {
            return Some(self.replicaof(node, target.clone()));
        }
        let from = self
            .resolve(node, target)
            .filter(|&from| self.feeds(from, node));
        if from.is_none() && epoch.is_some() && waited < TARGET_US {
            return None;
        }
        let own = self.observation(node);
        let lack = from.map_or(Lack::Unknown, |from| lack(&own, &self.observation(from)));
        let lacks = match lack {
            Lack::Nothing => return Some(self.replicaof(node, target.clone())),
            Lack::Bytes(bytes) => Some(bytes),
            Lack::Unknown if epoch.is_none() => {
                return Some(self.replicaof(node, target.clone()));
            }
            Lack::Unknown => None,
        };
        let diverged = Diverged {
            target: target.clone(),
            replid: own.replid,
            offset: own.offset,
            lacks,
            keys: own.keys,
        };
        if self.saves(node, diverged, epoch.unwrap_or_default(), cause) {
            Some(self.replicaof(node, target.clone()))
        } else {
            Some(Err("what it has is not saved: no room".to_owned()))
        }
    }

    /// False if Redis must not be overwritten.
    fn saves(&mut self, node: usize, diverged: Diverged, epoch: u64, cause: Seq) -> bool {
        let host = &mut self.nodes[node];
        if host.rescues_fail {
            let waits = !host.settings.prefer_availability;
            let event = Event::NotRescued {
                diverged,
                why: "no room".to_owned(),
                waits,
            };
            self.take(node, event, Some(cause));
            return !waits;
        }
        let same = |known: &Diverged| {
            (known.replid, known.offset, known.keys)
                == (diverged.replid, diverged.offset, diverged.keys)
        };
        if host.rescued.iter().any(same) {
            return true;
        }
        host.rescued.push(diverged.clone());
        let event = Event::Rescued {
            path: format!("redis-e{epoch}-o{}.rdb", diverged.offset),
            bytes: diverged.keys * KEY_BYTES,
            diverged,
        };
        self.take(node, event, Some(cause));
        true
    }
}

fn nobody() -> Endpoint {
    Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 1,
    }
}
