//! What follows from what is known.

use super::{Armed, OrderKind, Peer, State};
use crate::machine::health::Status;
use crate::model::event::Deadline;
use crate::model::redis::{RedisRole, Sign};
use crate::model::role::Role;
use crate::model::vrrp::VrrpState;

impl State {
    /// The timer that is due first, and what armed it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Deadline, Armed)> {
        self.deadlines
            .iter()
            .min_by_key(|(_, armed)| armed.due_us)
            .map(|(d, armed)| (*d, *armed))
    }

    /// keepalived's last word is MASTER.
    #[must_use]
    pub fn is_vrrp_master(&self) -> bool {
        self.vrrp == Some(VrrpState::Master)
    }

    /// Redis is believed to be up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.health.status == Status::Up
    }

    /// The role that Redis last reported.
    #[must_use]
    pub fn redis_role(&self) -> Option<RedisRole> {
        self.redis.as_ref().map(|seen| seen.role)
    }

    /// Replicas online at the local Redis, as it last said.
    #[must_use]
    pub fn replicas_online(&self) -> u16 {
        self.redis.as_ref().map_or(0, |seen| seen.replicas_online)
    }

    /// None of its replicas has been seen to attach since it was promoted.
    #[must_use]
    pub fn awaits_replica(&self) -> bool {
        let is_settled = self.bias == Some(self.settings.bias / 2);
        self.settings.bias > 0 && !is_settled && self.switchover.is_none()
    }

    /// Some node has led, as far as this one knows.
    #[must_use]
    pub fn has_been_served(&self) -> bool {
        let led = |peer: &Peer| {
            let seen = peer.observation.as_ref();
            seen.is_some_and(|seen| seen.role == RedisRole::Master)
        };
        self.epoch > 0 || self.linked_once || self.peers.values().any(led)
    }

    /// Some other node's Redis is a master.
    #[must_use]
    pub fn peer_serves(&self) -> bool {
        self.peers.values().any(|peer| peer.serves)
    }

    /// The first other node whose Redis is a master.
    #[must_use]
    pub fn serving_peer(&self) -> Option<&str> {
        let serving = self.peers.iter().find(|(_, peer)| peer.serves);
        serving.map(|(name, _)| name.as_str())
    }

    /// Some other node's Redis was a master in its last check.
    #[must_use]
    pub fn peer_serves_now(&self) -> bool {
        self.peers
            .values()
            .any(|peer| peer.serves && peer.answers())
    }

    /// How many other nodes have a live link to this node's Redis, as they say themselves.
    #[must_use]
    pub fn peers_attached(&self) -> usize {
        let Some(own) = &self.redis else { return 0 };
        let attached = |peer: &&Peer| {
            let seen = peer.observation.as_ref().filter(|_| peer.answers());
            seen.is_some_and(|seen| seen.link_up && seen.replid == own.replid)
        };
        self.peers.values().filter(attached).count()
    }

    /// The VIP came here although keepalived runs and had said that it is not, and another node serves: somebody put it
    /// here.
    #[must_use]
    pub fn vip_is_contested(&self) -> bool {
        self.vip_here
            && self.moved
            && self.keepalived == Some(true)
            && self.vrrp.is_some_and(|vrrp| vrrp != VrrpState::Master)
            && self.peer_serves_now()
    }

    /// What the agent is to show of itself.
    #[must_use]
    pub fn sign(&self) -> Sign {
        match self.role {
            Role::Promoting | Role::Primary => Sign::Leads,
            _ if self.paused.is_some() => Sign::Paused,
            // keepalived would take the VIP, and has been told that it may.
            Role::Fenced if self.eligible == Some(true) && self.vrrp == Some(VrrpState::Backup) => {
                Sign::Returns
            }
            _ => Sign::Stands,
        }
    }

    /// An order of this kind has no outcome yet.
    #[must_use]
    pub fn is_pending(&self, kind: OrderKind) -> bool {
        self.orders.values().any(|pending| *pending == kind)
    }

    /// Redis here may have what nobody else has: it has led, or there is a data set of a time that is not known.
    #[must_use]
    pub fn has_own_writes(&self) -> bool {
        let is_unknown = self.epoch == 0 && !self.linked_once;
        self.unshared.is_some()
            || is_unknown && self.redis.as_ref().is_some_and(|seen| seen.keys > 0)
    }

    /// The role that Redis ought to report in the decided role; `None` while it may be either.
    #[must_use]
    pub fn expected_role(&self) -> Option<RedisRole> {
        match self.role {
            Role::Primary => Some(RedisRole::Master),
            Role::Replica => Some(RedisRole::Replica),
            Role::Undecided
            | Role::Promoting
            | Role::Demoting
            | Role::Held
            | Role::Fenced
            | Role::Fault
            | Role::Stopped => None,
        }
    }
}
