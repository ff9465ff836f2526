//! The named conditions of the table.

use super::flap::FLAP_BUDGET;
use super::gate::gate_blocker;
use super::health::Status;
use super::lineage;
use super::quorum;
use super::rank;
use super::state::{OrderKind, Peer, State};
use super::switchover;
use super::tilt::NOT_TILTED;
use crate::model::event::Deadline;
use crate::model::redis::{Grade, Observation, RedisRole};
use crate::model::vrrp::VrrpState;

/// A named condition on the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Automatic actions are suspended by an operator.
    Paused,
    /// keepalived's last word is MASTER.
    VipHere,
    /// Every guard of the promotion gate holds.
    GateOpen,
    /// Redis follows whom it should.
    Following,
    /// The last check was answered.
    Answers,
    /// This node was primary before, and no other has been since.
    LedAllAlong,
    /// The order has failed more than twice in a row.
    Persistent,
    /// The data set here is a part of one.
    CopyPartial,
    /// The copy here may lack what the last primary had, and something better may come back.
    CopyOlder,
    /// The copy here is a part of one, or another node has a better one.
    CopyUnfit,
    /// The copy here leads although it may be older than the last primary's.
    Accepted,
    /// This node gave way to a primary whose adverts it does not hear.
    Aside,
    /// Another node has a copy, and whether it is better cannot be told.
    CopyUnlike,
    /// All that Redis here told of its writes while it led has gone on at another node.
    WentOn,
    /// Another node's Redis follows this one, with a live link and a whole copy.
    FollowerElsewhere,
    /// Nothing is added to the VRRP priority.
    Unbiased,
    /// A switchover is under way.
    Yielding,
    /// A replica is near, and writes are taken without one too.
    WritesUnguarded,
    /// No replica is near, writes are taken with one only, and no other node can have been promoted.
    GuardedInVain,
    /// The track files must be written again.
    Unwritten,
    /// A failed order waits for its next try.
    RetryArmed,
    /// keepalived is told not to hold the VIP here.
    Ineligible,
    /// Redis is believed to be up.
    RedisUp,
    /// Redis is believed to be down.
    RedisDown,
    /// Redis lives and does not answer, and may be killed for it.
    RedisHung,
    /// Redis reports that it is a master.
    RedisIsMaster,
    /// keepalived is known not to run.
    KeepalivedGone,
    /// keepalived stopped, or the instance was removed from it.
    VrrpStopped,
    /// keepalived is in FAULT.
    VrrpFault,
    /// Nobody has ever led here, and a node of higher priority may be about to.
    FirstStart,
    /// This node has led, or followed somebody, before.
    HasHistory,
    /// Another node's Redis is a master.
    PeerServes,
    /// Not every other node's Redis is attached as a replica.
    Lonely,
    /// A role order to Redis is on its way.
    OrderPending,
    /// Another node's Redis answered its last check.
    PeerAnswers,
    /// Another node's Redis was a master in its last check.
    PeerServesNow,
    /// Another node's Redis is a replica that could be promoted, as far as its last check tells.
    CandidateElsewhere,
    /// The VIP is here against keepalived's word, and another node serves.
    Contested,
    /// Redis was told to follow its own address.
    FollowsItself,
    /// The promotion gate is shut for a moment only: for a fresh look, or for another node to take over.
    GateWaits,
    /// All that is missing is the right to lead.
    LeadWaitedFor,
    /// A voter stands for another node.
    LedElsewhere,
    /// So many voters answer that they could give the right to lead.
    QuorumInSight,
    /// Whose votes are needed to lead is configured.
    QuorumNeeded,
    /// Every other node has followed this one since it was promoted.
    AllHaveFollowed,
    /// Nothing was written here since the promotion, and the primary before may have gone on.
    EmptyHanded,
    /// Nothing was written to the primary since it was promoted out of the stream of the copy here, which has more.
    HasMore,
    /// A fenced node would lead again, and has more than this primary, to which nothing was written.
    WantedBack,
}

impl Guard {
    /// The word in the table and the diagram.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::VipHere => "vip-here",
            Self::GateOpen => "gate-open",
            Self::Following => "following",
            Self::Answers => "answers",
            Self::LedAllAlong => "led-all-along",
            Self::Persistent => "persistent",
            Self::CopyPartial => "copy-partial",
            Self::CopyOlder => "copy-older",
            Self::CopyUnfit => "copy-unfit",
            Self::Accepted => "accepted",
            Self::Aside => "aside",
            Self::WentOn => "went-on",
            Self::CopyUnlike => "copy-unlike",
            Self::FollowerElsewhere => "follower-elsewhere",
            Self::Unbiased => "unbiased",
            Self::Yielding => "yielding",
            Self::WritesUnguarded => "writes-unguarded",
            Self::GuardedInVain => "guarded-in-vain",
            Self::Unwritten => "unwritten",
            Self::RetryArmed => "retry-armed",
            Self::Ineligible => "ineligible",
            Self::RedisUp => "redis-up",
            Self::RedisDown => "redis-down",
            Self::RedisHung => "redis-hung",
            Self::RedisIsMaster => "redis-is-master",
            Self::KeepalivedGone => "keepalived-gone",
            Self::VrrpStopped => "vrrp-stopped",
            Self::VrrpFault => "vrrp-fault",
            Self::FirstStart => "first-start",
            Self::HasHistory => "has-history",
            Self::PeerServes => "peer-serves",
            Self::Lonely => "lonely",
            Self::OrderPending => "order-pending",
            Self::PeerAnswers => "peer-answers",
            Self::PeerServesNow => "peer-serves-now",
            Self::CandidateElsewhere => "candidate-elsewhere",
            Self::Contested => "contested",
            Self::FollowsItself => "follows-itself",
            Self::GateWaits => "gate-waits",
            Self::LeadWaitedFor => "lead-waited-for",
            Self::LedElsewhere => "led-elsewhere",
            Self::QuorumInSight => "quorum-in-sight",
            Self::QuorumNeeded => "quorum-needed",
            Self::AllHaveFollowed => "all-have-followed",
            Self::EmptyHanded => "empty-handed",
            Self::HasMore => "has-more",
            Self::WantedBack => "wanted-back",
        }
    }

    /// Does it hold?
    #[must_use]
    pub fn holds(self, state: &State) -> bool {
        match self {
            Self::Paused => state.paused.is_some(),
            Self::VipHere => state.is_vrrp_master(),
            Self::GateOpen => gate_blocker(state).is_none(),
            Self::Following => state
                .redis
                .as_ref()
                .is_some_and(|seen| is_following(state, seen)),
            Self::Answers => state.grade.is_some_and(Grade::is_ready),
            Self::LedAllAlong => state.led,
            Self::Persistent => state.retries >= 2,
            Self::CopyPartial => state.partial.is_some(),
            Self::CopyOlder => !lineage::is_newest(state),
            Self::CopyUnfit => state.partial.is_some() || lineage::is_better_elsewhere(state),
            Self::Accepted => state.accepted,
            Self::Aside => state.aside,
            Self::WentOn => lineage::went_on(state),
            Self::CopyUnlike => lineage::is_incomparable(state),
            Self::FollowerElsewhere => switchover::is_followed(state),
            Self::Unbiased => state.bias == Some(0),
            Self::Yielding => state.switchover.is_some(),
            Self::WritesUnguarded => {
                let wanted = state.settings.replicated_writes && state.replicas_online() > 0;
                wanted && state.guarded != Some(true)
            }
            Self::GuardedInVain => is_guarded_in_vain(state),
            Self::Unwritten => state.unwritten,
            Self::RetryArmed => state.deadlines.contains_key(&Deadline::Retry),
            Self::Ineligible => state.eligible == Some(false),
            Self::RedisUp => state.is_up(),
            Self::RedisDown => state.health.status == Status::Down,
            Self::RedisHung => {
                let hangs = matches!(state.grade, Some(Grade::Timeout | Grade::Busy));
                state.settings.kill_hung && state.pid.is_some() && hangs
            }
            Self::RedisIsMaster => state.redis_role() == Some(RedisRole::Master),
            Self::KeepalivedGone => state.keepalived == Some(false),
            Self::VrrpStopped => {
                matches!(state.vrrp, Some(VrrpState::Stop | VrrpState::Deleted))
            }
            Self::VrrpFault => state.vrrp == Some(VrrpState::Fault),
            Self::FirstStart => {
                !state.settings.above.is_empty() && state.epoch == 0 && !state.linked_once
            }
            Self::HasHistory => state.epoch > 0 || state.linked_once,
            Self::PeerServes => state.peer_serves(),
            Self::Lonely => is_lonely(state),
            Self::OrderPending => {
                state.is_pending(OrderKind::Promote) || state.is_pending(OrderKind::Follow)
            }
            Self::PeerAnswers => state.peers.values().any(Peer::answers),
            Self::PeerServesNow => state.peer_serves_now(),
            Self::CandidateElsewhere => state.peers.values().any(is_candidate),
            Self::Contested => state.vip_is_contested(),
            Self::FollowsItself => follows_itself(state),
            Self::GateWaits => {
                gate_blocker(state).is_some_and(|name| [NOT_TILTED, FLAP_BUDGET].contains(&name))
            }
            Self::LeadWaitedFor => quorum::is_waited_for(state),
            Self::LedElsewhere => quorum::is_led_elsewhere(state),
            Self::QuorumInSight => quorum::is_in_sight(state),
            Self::QuorumNeeded => state.settings.quorum.is_some(),
            Self::AllHaveFollowed => rank::all_have_followed(state),
            Self::EmptyHanded => rank::is_empty_handed(state),
            Self::HasMore => rank::has_more_than_primary(state),
            Self::WantedBack => rank::is_wanted_back(state),
        }
    }
}

/// Each other node was looked at: its Redis is not there, or is a replica. One that is out of sight may have been promoted.
fn is_guarded_in_vain(state: &State) -> bool {
    let is_harmless = |name: &String| {
        state.peers.get(name).is_some_and(|peer| {
            let answer = peer.observation.as_ref().filter(|_| peer.answers());
            peer.grade == Some(Grade::Refused)
                || answer.is_some_and(|seen| seen.role == RedisRole::Replica)
        })
    };
    // Where an order failed or was lost, Redis may wait for a replica yet.
    let wanted = state.settings.replicated_writes;
    let alone = state.replicas_online() == 0 && state.settings.peers.iter().all(is_harmless);
    state.guarded.unwrap_or(wanted) && (!wanted || alone)
}

/// Not every other node is attached. The local Redis counts replicas, which may be others than these nodes; each node
/// knows of itself, where it can be asked.
fn is_lonely(state: &State) -> bool {
    let nodes = state.settings.peers.len();
    usize::from(state.replicas_online()) < nodes || !rank::all_follow(state)
}

fn is_candidate(peer: &Peer) -> bool {
    let seen = peer.observation.as_ref().filter(|_| peer.answers());
    seen.is_some_and(|seen| {
        seen.role == RedisRole::Replica && !seen.loading && !seen.sync_in_progress
    })
}

/// Redis follows whom the settings say.
pub(super) fn is_following(state: &State, seen: &Observation) -> bool {
    seen.role == RedisRole::Replica && seen.master.as_ref() == Some(&state.settings.follow)
}

/// Redis follows this node's own address. (Following the VIP while it is here is how every
/// promotion begins, and is cured by it.)
pub(super) fn follows_itself(state: &State) -> bool {
    let Some(master) = state.redis.as_ref().and_then(|seen| seen.master.as_ref()) else {
        return false;
    };
    let own = &state.settings.own;
    let is_local = master.host == own.host
        || ["127.0.0.1", "::1", "localhost"].contains(&master.host.as_str());
    is_local && master.port == own.port
}
