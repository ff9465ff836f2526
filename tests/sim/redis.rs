//! Redis as it was measured: roles, lineage, links, partial and full synchronisation.

use rha::model::event::Event;
use rha::model::redis::{Endpoint, RedisId, RedisRole};

use super::{Action, MS, PORT, Part, SECOND, VIP, World};

/// Bytes of the replication stream for one key.
const KEY_BYTES: i64 = 50;

/// One Redis. What outlives its process is the data set.
#[derive(Debug)]
pub struct Redis {
    pub running: bool,
    pub pid: u32,
    pub run_id: RedisId,
    pub loading_until: u64,
    /// How long an answer takes.
    pub latency_us: u64,
    /// Our password is the right one.
    pub auth_ok: bool,
    /// Until then it holds writes back (CLIENT PAUSE).
    pub held_until: u64,
    /// It takes writes only with a replica.
    pub guarded: bool,
    /// It cannot save to disk.
    pub misconf: bool,
    pub role: RedisRole,
    pub master: Option<Endpoint>,
    pub replid: RedisId,
    pub replid2: RedisId,
    pub second_offset: i64,
    pub offset: i64,
    pub keys: u64,
    pub link: Link,
    /// What its dump file has.
    saved: Saved,
    attempt: u64,
}

/// A dump file: it names the replication stream that it is of (rdbSaveInfoAuxFields in rdb.c).
#[derive(Debug, Clone, Copy, Default)]
struct Saved {
    replid: RedisId,
    offset: i64,
    keys: u64,
}

/// The replication link of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Down,
    Syncing { from: usize, full: bool },
    Up { from: usize },
}

/// How a Redis is started. The default is what `start_as_replica` does: with its data, a replica of nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Boot {
    pub empty: bool,
    /// Without what came after the last save.
    pub stale: bool,
    pub as_master: bool,
    pub loading_us: u64,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            running: false,
            pid: 0,
            run_id: RedisId::default(),
            loading_until: 0,
            latency_us: 400,
            auth_ok: true,
            held_until: 0,
            guarded: false,
            misconf: false,
            role: RedisRole::Replica,
            master: None,
            replid: RedisId::default(),
            replid2: RedisId::default(),
            second_offset: -1,
            offset: 0,
            keys: 0,
            link: Link::Down,
            saved: Saved::default(),
            attempt: 0,
        }
    }
}

/// What Redis does by itself.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Tries to reach its master.
    Connect(u64),
    /// The data set has arrived.
    Synced(u64),
}

impl World {
    pub fn start_redis(&mut self, node: usize, boot: Boot) {
        if self.nodes[node].redis.running {
            return;
        }
        let (run_id, replid, now) = (self.identity(), self.identity(), self.now);
        let pid = u32::try_from(self.identities).expect("a story is short");
        let redis = &mut self.nodes[node].redis;
        redis.running = true;
        redis.held_until = 0;
        redis.guarded = false;
        redis.pid = pid;
        redis.run_id = run_id;
        redis.loading_until = now + boot.loading_us;
        redis.replid = replid;
        redis.replid2 = RedisId::default();
        redis.second_offset = -1;
        redis.offset = 0;
        redis.link = Link::Down;
        redis.attempt += 1;
        if boot.empty {
            redis.keys = 0;
        }
        if boot.stale {
            let Saved {
                replid: old,
                offset,
                keys,
            } = redis.saved;
            redis.keys = keys;
            redis.offset = offset;
            // A master begins a new stream behind the old one; a replica hopes to go on.
            if boot.as_master {
                redis.replid2 = old;
                redis.second_offset = offset + 1;
            } else {
                redis.replid = old;
            }
        }
        redis.role = if boot.as_master {
            RedisRole::Master
        } else {
            RedisRole::Replica
        };
        redis.master = (!boot.as_master).then(|| Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 1,
        });
    }

    /// BGSAVE.
    pub fn save_redis(&mut self, node: usize) {
        let redis = &mut self.nodes[node].redis;
        redis.saved = Saved {
            replid: redis.replid,
            offset: redis.offset,
            keys: redis.keys,
        };
    }

    /// SIGKILL.
    pub fn kill_redis(&mut self, node: usize) {
        self.resume(node, Part::Redis);
        let redis = &mut self.nodes[node].redis;
        if !redis.running {
            return;
        }
        redis.running = false;
        if matches!(redis.link, Link::Syncing { full: true, .. }) {
            redis.keys = 0;
        }
        redis.link = Link::Down;
        let pid = redis.pid;
        self.settle_links();
        if self.nodes[node].agent.watches == Some(pid) {
            self.nodes[node].agent.watches = None;
            let us = self.lag(200);
            self.inform(node, us, Event::RedisExited { pid });
        }
    }

    /// A client writes `keys` keys at the VIP.
    ///
    /// # Errors
    /// What the client sees.
    pub fn write(&mut self, keys: u64) -> Result<usize, String> {
        let node = self.client_node().ok_or("nobody answers at the VIP")?;
        self.write_to(node, keys)
    }

    /// A client that is connected to that node, on whatever side it is.
    pub fn write_to(&mut self, node: usize, keys: u64) -> Result<usize, String> {
        let name = self.nodes[node].name.clone();
        let redis = &mut self.nodes[node].redis;
        if !redis.running {
            return Err(format!("connection refused by {name}"));
        }
        if self.is_stalled(node, Part::Redis) {
            return Err(format!("{name} does not answer"));
        }
        let redis = &mut self.nodes[node].redis;
        if redis.role == RedisRole::Replica {
            return Err(format!("READONLY says {name}"));
        }
        if redis.guarded && self.replicas_of(node) == 0 {
            return Err(format!("NOREPLICAS says {name}"));
        }
        let redis = &mut self.nodes[node].redis;
        if self.now < redis.held_until {
            return Err(format!("{name} holds writes back"));
        }
        redis.keys += keys;
        redis.offset += i64::try_from(keys).expect("a story is short") * KEY_BYTES;
        self.replicate();
        Ok(node)
    }

    /// `min-replicas-to-write`.
    pub(super) fn guard_writes(&mut self, node: usize, on: bool) -> Result<(), String> {
        self.answers(node)?;
        self.nodes[node].redis.guarded = on;
        Ok(())
    }

    /// `REPLICAOF NO ONE`. In the middle of a full synchronisation there is nothing left to promote.
    pub(super) fn replicaof_no_one(&mut self, node: usize) -> Result<(), String> {
        self.answers(node)?;
        let replid = self.identity();
        let redis = &mut self.nodes[node].redis;
        if redis.role == RedisRole::Master {
            return Ok(());
        }
        if matches!(redis.link, Link::Syncing { full: true, .. }) {
            redis.keys = 0;
            redis.offset = 0;
        }
        redis.role = RedisRole::Master;
        redis.master = None;
        redis.link = Link::Down;
        redis.replid2 = std::mem::replace(&mut redis.replid, replid);
        redis.second_offset = redis.offset + 1;
        redis.attempt += 1;
        self.drop_replicas_of(node);
        self.settle_links();
        Ok(())
    }

    /// `REPLICAOF host port`.
    pub(super) fn replicaof(&mut self, node: usize, master: Endpoint) -> Result<(), String> {
        self.answers(node)?;
        let redis = &mut self.nodes[node].redis;
        if redis.role == RedisRole::Replica && redis.master.as_ref() == Some(&master) {
            return Ok(());
        }
        redis.role = RedisRole::Replica;
        redis.master = Some(master);
        redis.link = Link::Down;
        self.settle_links();
        self.connect_in(node, MS);
        Ok(())
    }

    /// An operator at redis-cli, behind rha's back.
    pub fn redis_cli(&mut self, node: usize, master: Option<Endpoint>) -> Result<(), String> {
        match master {
            None => self.replicaof_no_one(node),
            Some(master) => self.replicaof(node, master),
        }
    }

    fn answers(&self, node: usize) -> Result<(), String> {
        let redis = &self.nodes[node].redis;
        if !redis.running {
            Err("connection refused".to_owned())
        } else if !redis.auth_ok {
            Err("WRONGPASS invalid username-password pair".to_owned())
        } else if self.now < redis.loading_until {
            Err("LOADING Redis is loading the dataset in memory".to_owned())
        } else {
            Ok(())
        }
    }

    pub(super) fn redis_acts(&mut self, node: usize, act: Act) {
        let attempt = self.nodes[node].redis.attempt;
        match act {
            Act::Connect(then) if then == attempt => self.connect(node),
            Act::Synced(then) if then == attempt => {
                if let Link::Syncing { from, .. } = self.nodes[node].redis.link {
                    self.nodes[node].redis.link = Link::Up { from };
                    self.replicate();
                }
            }
            Act::Connect(_) | Act::Synced(_) => {}
        }
    }

    fn connect_in(&mut self, node: usize, us: u64) {
        self.nodes[node].redis.attempt += 1;
        let attempt = self.nodes[node].redis.attempt;
        self.after(us, Action::Redis(node, Act::Connect(attempt)));
    }

    /// Redis tries once a second.
    fn connect(&mut self, node: usize) {
        let redis = &self.nodes[node].redis;
        let Some(master) = redis.master.clone().filter(|_| redis.running) else {
            return;
        };
        let Some(from) = self
            .resolve(node, &master)
            .filter(|&from| self.feeds(from, node))
        else {
            self.connect_in(node, SECOND);
            return;
        };
        let (own, other) = (&self.nodes[node].redis, &self.nodes[from].redis);
        let same = own.replid == other.replid && own.offset <= other.offset;
        let before = own.replid == other.replid2 && own.offset < other.second_offset;
        let full = !(same || before);
        let takes = if full { self.sync_us } else { 2 * MS };
        let redis = &mut self.nodes[node].redis;
        redis.link = Link::Syncing { from, full };
        let attempt = redis.attempt;
        self.after(takes, Action::Redis(node, Act::Synced(attempt)));
    }

    /// Which node answers at `target`, seen from `node`.
    pub(super) fn resolve(&self, node: usize, target: &Endpoint) -> Option<usize> {
        if target.port != PORT {
            return None;
        }
        if target.host == VIP {
            if self.nodes[node].vip || self.nodes[node].drain {
                return Some(node);
            }
            return self
                .holders()
                .into_iter()
                .filter(|&holder| self.reaches(node, holder))
                .max_by_key(|&holder| self.nodes[holder].vip_since);
        }
        (0..self.nodes.len())
            .find(|&other| super::address(other) == *target)
            .filter(|&other| self.reaches(node, other))
    }

    /// `from` is a master that serves a replica on `node`.
    pub(super) fn feeds(&self, from: usize, node: usize) -> bool {
        let redis = &self.nodes[from].redis;
        from != node
            && redis.running
            && redis.role == RedisRole::Master
            && self.now >= redis.loading_until
            && !self.is_stalled(from, Part::Redis)
    }

    /// Cuts the links whose other end is gone. A hung master keeps its replicas until the VIP moves; and one that is
    /// made a replica itself does not disconnect them (replicationSetMaster in replication.c).
    pub(super) fn settle_links(&mut self) {
        for node in 0..self.nodes.len() {
            let redis = &self.nodes[node].redis;
            let (Link::Syncing { from, .. } | Link::Up { from }) = redis.link else {
                continue;
            };
            let other = &self.nodes[from].redis;
            let is_up = matches!(redis.link, Link::Up { .. });
            let serves = other.running && (is_up || other.role == RedisRole::Master);
            let target = redis
                .master
                .as_ref()
                .and_then(|master| self.resolve(node, master));
            if !redis.running || !serves || target != Some(from) {
                self.nodes[node].redis.link = Link::Down;
                self.connect_in(node, SECOND);
            }
        }
    }

    /// They have to learn its new identity (replicationUnsetMaster in replication.c).
    fn drop_replicas_of(&mut self, master: usize) {
        for node in 0..self.nodes.len() {
            if matches!(self.nodes[node].redis.link, Link::Up { from } if from == master) {
                self.nodes[node].redis.link = Link::Down;
                self.connect_in(node, SECOND);
            }
        }
    }

    fn replicate(&mut self) {
        for node in 0..self.nodes.len() {
            let Link::Up { from } = self.nodes[node].redis.link else {
                continue;
            };
            let other = &self.nodes[from].redis;
            let (replid, replid2, second, offset, keys) = (
                other.replid,
                other.replid2,
                other.second_offset,
                other.offset,
                other.keys,
            );
            let redis = &mut self.nodes[node].redis;
            redis.replid = replid;
            redis.replid2 = replid2;
            redis.second_offset = second;
            redis.offset = offset;
            redis.keys = keys;
        }
    }

    fn identity(&mut self) -> RedisId {
        self.identities += 1;
        let mut id = [0; 20];
        id[..8].copy_from_slice(&self.identities.to_be_bytes());
        RedisId(id)
    }
}
