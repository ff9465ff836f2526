//! Status: what this node is and knows, for people and programs. Words and times as in history.

use serde::{Deserialize, Serialize};

use super::grade::is_answer;
use super::json::SCHEMA;
use super::quorum::QuorumStatus;
use super::time::rfc3339;
use crate::machine::gate::gate_blocker;
use crate::machine::{Peer, State, lineage, quorum};
use crate::model::effect::EffectId;
use crate::model::redis::Observation;
use crate::model::role::Role;
use crate::model::time::At;

/// The whole node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Number of the JSON schema.
    pub schema: u16,
    /// Name of this node.
    pub node: String,
    /// Version of rha.
    pub version: String,
    /// When this was true, RFC 3339 in UTC.
    pub at: String,
    /// Every instance of the node, by name.
    pub instances: Vec<InstanceStatus>,
}

impl Status {
    /// The status at `at` of a node with these instances.
    pub fn new(
        node: &str,
        version: &str,
        at: At,
        instances: impl IntoIterator<Item = InstanceStatus>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            node: node.to_owned(),
            version: version.to_owned(),
            at: rfc3339(at.wall_us),
            instances: instances.into_iter().collect(),
        }
    }

    /// Every instance is well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.instances.iter().all(InstanceStatus::is_well)
    }
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Its name.
    pub name: String,
    /// What rha has decided this node is.
    pub role: String,
    /// Since when, RFC 3339 in UTC; `None` before the first change of role.
    pub since: Option<String>,
    /// Promotions on this node so far.
    pub epoch: u64,
    /// keepalived's last word; `None` before the first.
    pub vrrp: Option<String>,
    /// The address that clients use.
    pub vip: String,
    /// It is on this host's interface.
    pub vip_here: bool,
    /// keepalived runs, where that is known.
    pub keepalived: Option<bool>,
    /// What is believed of the local Redis: up, down or unknown.
    pub health: String,
    /// Grade of the last check.
    pub grade: Option<String>,
    /// Redis' process has ended since that check.
    pub exited: bool,
    /// Process id of Redis, where it is watched.
    pub pid: Option<u32>,
    /// What the local Redis said of itself.
    pub redis: Option<RedisStatus>,
    /// What keepalived was last told: may it hold the VIP here?
    pub eligible: Option<bool>,
    /// What was last added to the VRRP priority.
    pub bias: Option<u8>,
    /// The guard that would bar a promotion.
    pub barred_by: Option<String>,
    /// What the copy here may lack of what the last primary had, where it may lack some.
    #[serde(default)]
    pub copy: Option<String>,
    /// It gave way to a newer primary, whose adverts it does not hear.
    #[serde(default)]
    pub aside: bool,
    /// The right to lead; `None` where nobody's votes are needed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<QuorumStatus>,
    /// The other nodes, by name.
    pub peers: Vec<PeerStatus>,
    /// Automatic actions are suspended.
    pub paused: Option<PauseStatus>,
    /// The drill that runs on this host.
    #[serde(default)]
    pub drill: Option<DrillStatus>,
    /// The open incident.
    pub incident: Option<IncidentStatus>,
    /// Timers that run.
    pub waiting_for: Vec<String>,
    /// Orders without an outcome.
    pub orders_pending: usize,
    /// Since when the journal of this node cannot be written, RFC 3339 in UTC. Said by one instance for all.
    pub journal_out: Option<String>,
    /// Alarms that could not be sent yet, oldest first. They are tried on.
    pub unsent: Vec<UnsentStatus>,
}

/// An alarm that could not be sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentStatus {
    /// The order: number of its record, a dot, its place there.
    pub order: String,
    /// Why the last attempt failed.
    pub why: String,
}

/// What a Redis said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RedisStatus {
    /// It said so at the last check, and lives; else this is what it said when it last answered.
    pub current: bool,
    /// `master` or `replica`.
    pub role: String,
    /// Whom it follows.
    pub master: Option<String>,
    /// Its link to that master is up.
    pub link_up: bool,
    /// Replicas online.
    pub replicas_online: u16,
    /// Replication offset in bytes.
    pub offset: i64,
    /// Keys in all databases.
    pub keys: u64,
    /// Identity of the process.
    pub run_id: String,
    /// The history that its data set belongs to.
    pub replid: String,
}

/// Another node, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// Grade of the last check.
    pub grade: Option<String>,
    /// It takes writes.
    pub serves: bool,
    /// What its Redis said of itself.
    pub redis: Option<RedisStatus>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseStatus {
    /// Until when, RFC 3339 in UTC; `None` for until resumed.
    pub until: Option<String>,
    /// Why.
    pub reason: String,
}

/// A drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillStatus {
    /// Which.
    pub drill: String,
    /// When everything is as before, at the latest, RFC 3339 in UTC.
    pub until: String,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStatus {
    /// The record that opened it.
    pub id: u64,
    /// When, RFC 3339 in UTC.
    pub opened: String,
    /// Alarms raised in it and not resolved.
    pub alarms: Vec<String>,
    /// An operator has taken notice of it.
    #[serde(default)]
    pub acked: Option<AckStatus>,
}

/// An operator has taken notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckStatus {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who.
    pub by: String,
    /// What is known or done about it; may be empty.
    pub note: String,
}

impl InstanceStatus {
    /// What the machine knows of the instance `name`.
    #[must_use]
    pub fn new(name: &str, state: &State) -> Self {
        let answered = state.grade.is_some_and(is_answer);
        let exited = answered && state.pid.is_none() && !state.is_up();
        let redis = state.redis.as_ref();
        Self {
            name: name.to_owned(),
            role: state.role.to_string(),
            since: state.since.map(|at| rfc3339(at.wall_us)),
            epoch: state.epoch,
            vrrp: state.vrrp.map(|vrrp| vrrp.to_string()),
            vip: state.settings.vip.to_string(),
            vip_here: state.vip_here,
            keepalived: state.keepalived,
            health: state.health.status.word().to_owned(),
            grade: state.grade.map(|grade| grade.to_string()),
            exited,
            pid: state.pid,
            redis: redis.map(|seen| RedisStatus::new(seen, answered && !exited)),
            eligible: state.eligible,
            bias: state.bias,
            barred_by: barrier(state).map(str::to_owned),
            copy: (!lineage::is_newest(state)).then(|| lineage::told(state)),
            aside: state.aside,
            quorum: QuorumStatus::new(state),
            peers: state.peers.iter().map(PeerStatus::from).collect(),
            paused: state.paused.as_ref().map(|pause| PauseStatus {
                until: pause.until_us.map(rfc3339),
                reason: pause.reason.clone(),
            }),
            drill: state.drill.map(|drilled| DrillStatus {
                drill: drilled.drill.to_string(),
                until: rfc3339(drilled.until_us),
            }),
            incident: state.incident.as_ref().map(|incident| IncidentStatus {
                id: incident.id.0,
                opened: rfc3339(incident.opened.wall_us),
                alarms: incident.raised.keys().map(ToString::to_string).collect(),
                acked: state.acked.as_ref().map(|ack| AckStatus {
                    at: rfc3339(ack.at.wall_us),
                    by: ack.by.clone(),
                    note: ack.note.clone(),
                }),
            }),
            waiting_for: state
                .deadlines
                .keys()
                .map(|deadline| deadline.word().to_owned())
                .collect(),
            orders_pending: state.orders.len(),
            journal_out: state.journal_out.map(|at| rfc3339(at.wall_us)),
            unsent: state.unsent.iter().map(UnsentStatus::from).collect(),
        }
    }

    /// This node does what it should: it leads or follows, and nothing is wrong or suspended.
    #[must_use]
    pub fn is_well(&self) -> bool {
        [Role::Primary, Role::Replica]
            .iter()
            .any(|role| role.word() == self.role)
            && self.incident.is_none()
            && self.paused.is_none()
            && self.drill.is_none()
            && self.unsent.is_empty()
            && self.journal_out.is_none()
            && self.keepalived != Some(false)
    }
}

/// Who does not lead need not have the right to.
fn barrier(state: &State) -> Option<&'static str> {
    let asks = matches!(state.role, Role::Held | Role::Fenced | Role::Primary);
    gate_blocker(state).filter(|guard| asks || *guard != quorum::QUORUM)
}

impl RedisStatus {
    fn new(seen: &Observation, current: bool) -> Self {
        Self {
            current,
            role: seen.role.to_string(),
            master: seen.master.as_ref().map(ToString::to_string),
            link_up: seen.link_up,
            replicas_online: seen.replicas_online,
            offset: seen.offset,
            keys: seen.keys,
            run_id: seen.run_id.to_string(),
            replid: seen.replid.to_string(),
        }
    }
}

impl From<(&EffectId, &String)> for UnsentStatus {
    fn from((order, why): (&EffectId, &String)) -> Self {
        Self {
            order: order.to_string(),
            why: why.clone(),
        }
    }
}

impl From<(&String, &Peer)> for PeerStatus {
    fn from((name, peer): (&String, &Peer)) -> Self {
        let answered = peer.grade.is_some_and(is_answer);
        let seen = peer.observation.as_ref();
        Self {
            name: name.clone(),
            grade: peer.grade.map(|grade| grade.to_string()),
            serves: peer.serves,
            redis: seen.map(|seen| RedisStatus::new(seen, answered)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fixture;

    #[test]
    fn says_what_the_machine_knows_and_comes_back_from_json() {
        let mut story = fixture::Story::default();
        assert!(!InstanceStatus::new("redis", &story.state).is_well());
        story.start(false);
        story.check(fixture::replica(true));
        story.tell(crate::model::event::Event::PeerProbed {
            peer: "lvs2".to_owned(),
            probe: fixture::master(1),
        });
        let instance = InstanceStatus::new("redis", &story.state);
        assert!(instance.is_well());
        let status = Status::new("lvs1", "0.1.0", story.now, [instance]);
        let json = serde_json::to_string_pretty(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
        insta::assert_snapshot!(json);
    }
}
