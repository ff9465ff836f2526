//! Cables, sides, and what can happen to a whole host.

use rha::model::event::Event;
use rha::model::time::Tilt;

use super::{Action, Boot, MS, Part, SECOND, World, keepalived};

impl World {
    /// Packets go from one node to the other.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        let (a, b) = (&self.nodes[from], &self.nodes[to]);
        from == to || (a.booted && b.booted && a.link_up && b.link_up && a.side == b.side)
    }

    /// Clients and the alarm sink are reached.
    pub fn is_outside(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.booted && node.link_up && node.side == 0
    }

    /// The nodes with the VIP on the interface.
    pub fn holders(&self) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|&index| self.nodes[index].vip)
            .collect()
    }

    /// Where a client ends that connects to the VIP: the newest holder has announced itself last.
    pub fn client_node(&self) -> Option<usize> {
        self.holders()
            .into_iter()
            .filter(|&index| self.is_outside(index))
            .max_by_key(|&index| self.nodes[index].vip_since)
    }

    pub fn set_link(&mut self, node: usize, up: bool) {
        self.nodes[node].link_up = up;
        self.keepalived_notices(node, 10 * MS);
        self.settle_links();
    }

    /// Puts the given nodes on sides of their own, alone; 0 brings a node back.
    pub fn set_side(&mut self, node: usize, side: u8) {
        self.nodes[node].side = side;
        self.settle_links();
    }

    /// Stops a part of a node as SIGSTOP does.
    pub fn stall(&mut self, node: usize, part: Part) {
        if self.nodes[node].stalled.insert(part) && part == Part::Agent {
            self.nodes[node].stood_since = self.now;
        }
    }

    pub fn is_stalled(&self, node: usize, part: Part) -> bool {
        self.nodes[node].stalled.contains(&part)
    }

    /// Continues it. keepalived's timers that ran out meanwhile fire before it reads its socket: the worst
    /// case, which real ones show.
    pub fn resume(&mut self, node: usize, part: Part) {
        if !self.nodes[node].stalled.remove(&part) {
            return;
        }
        let stood_us = self.now - self.nodes[node].stood_since;
        // Before anything else, as the real one does.
        if part == Part::Agent && self.nodes[node].agent.ready && stood_us > SECOND {
            let by_ms = i64::try_from(stood_us / MS).expect("a story is short");
            let why = Tilt::Stall;
            self.take(node, Event::Tilted { why, by_ms }, None);
        }
        let deferred = std::mem::take(&mut self.nodes[node].deferred);
        let (mut due, kept): (Vec<_>, Vec<_>) = deferred
            .into_iter()
            .partition(|action| action.part().1 == part);
        self.nodes[node].deferred = kept;
        due.sort_by_key(|action| {
            !matches!(action, Action::Keepalived(_, keepalived::Act::Down(_)))
        });
        for action in due {
            self.after(0, action);
        }
        self.settle_links();
    }

    /// Power off: everything on the host is gone but the disk.
    pub fn crash_host(&mut self, node: usize) {
        for part in [Part::Keepalived, Part::Redis, Part::Agent] {
            self.resume(node, part);
        }
        let host = &mut self.nodes[node];
        host.booted = false;
        host.vip = false;
        host.drain = false;
        host.eligible = false;
        host.bias = 0;
        host.agent.end();
        host.keepalived.end();
        host.redis.running = false;
        self.settle_links();
        self.tell_vip();
    }

    /// Power on: keepalived, Redis and the agent start.
    pub fn boot_host(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        host.booted = true;
        host.boots += 1;
        host.boot_at = self.now;
        self.start_redis(node, Boot::default());
        self.start_agent(node);
        self.start_keepalived(node);
    }

    /// Starts all of a node, in the order in which its units do.
    pub fn start_all(&mut self, node: usize) {
        self.start_redis(node, Boot::default());
        self.start_agent(node);
        self.start_keepalived(node);
    }
}
