//! The table's conditions and orders in plain words.

use crate::machine::guard::Guard;
use crate::machine::row::{Cond, Order, Standing};

/// A condition of a rule, such as `if Redis is up`.
pub(super) fn condition(cond: Cond) -> String {
    match cond {
        Cond::Is(guard) => format!("if {} ({})", phrase(guard), guard.word()),
        Cond::Not(guard) => format!("unless {} ({})", phrase(guard), guard.word()),
    }
}

fn phrase(guard: Guard) -> &'static str {
    match guard {
        Guard::Paused => "an operator has paused automatic actions",
        Guard::VipHere => "keepalived's last word is MASTER",
        Guard::GateOpen => "every guard of the promotion gate holds",
        Guard::GateWaits => {
            "the promotion gate is shut for a moment only, for a fresh look or for another node to take over"
        }
        Guard::LeadWaitedFor => "all that is missing is the right to lead",
        Guard::LedElsewhere => "a voter stands for another node",
        Guard::QuorumInSight => "so many voters answer that they could give the right to lead",
        Guard::QuorumNeeded => "votes are needed to lead ([quorum])",
        Guard::AllHaveFollowed => "every other node has followed this one since it was promoted",
        Guard::EmptyHanded => "nothing was written here yet, and the primary before may go on",
        Guard::HasMore => "nothing was written to the new primary yet; the copy here has more",
        Guard::WantedBack => "a fenced node has more than this one, and would lead again",
        Guard::Following => "Redis follows whom it should",
        Guard::Answers => "the last check was answered",
        Guard::LedAllAlong => "this node was primary, and no other has been since",
        Guard::Persistent => "the order has failed more than twice in a row",
        Guard::CopyPartial => "the data set here is a part of one",
        Guard::CopyOlder => {
            "the copy here may lack what the last primary had, and something better may come back"
        }
        Guard::CopyUnfit => "the copy here is a part of one, or another node has a better one",
        Guard::Accepted => {
            "the copy here leads although it may be older: it was waited for, or an operator said so"
        }
        Guard::Aside => "this node gave way to a primary whose adverts it does not hear",
        Guard::WentOn => {
            "all that Redis here told of its writes while it led has gone on at another node"
        }
        Guard::CopyUnlike => "another node has a copy, and whether it is better cannot be told",
        Guard::FollowerElsewhere => {
            "another node's Redis follows this one, with a live link and a whole copy"
        }
        Guard::Unbiased => "nothing is added to the VRRP priority",
        Guard::Yielding => "a switchover is under way",
        Guard::WritesUnguarded => "a replica is near, and writes are taken without one too",
        Guard::GuardedInVain => {
            "writes want a replica, none is near, and no other node can have been promoted"
        }
        Guard::Unwritten => "the track files must be written again",
        Guard::RetryArmed => "a failed order waits for its next try",
        Guard::Ineligible => "keepalived is told not to hold the VIP here",
        Guard::RedisUp => "Redis is believed to be up",
        Guard::RedisDown => "Redis is believed to be down",
        Guard::RedisHung => "Redis lives and does not answer, and may be killed for it",
        Guard::RedisIsMaster => "Redis reports that it is a master",
        Guard::KeepalivedGone => "keepalived does not run",
        Guard::VrrpStopped => "keepalived stopped, or the instance was removed from it",
        Guard::VrrpFault => "keepalived is in FAULT",
        Guard::FirstStart => {
            "nobody has ever led here, and a node of higher priority may be about to"
        }
        Guard::HasHistory => "this node has led, or followed somebody, before",
        Guard::PeerServes => "another node's Redis is a master",
        Guard::Lonely => "not every other node's Redis is attached as a replica",
        Guard::OrderPending => "a role order to Redis is on its way",
        Guard::PeerAnswers => "another node's Redis answered its last check",
        Guard::PeerServesNow => "another node's Redis was a master in its last check",
        Guard::CandidateElsewhere => "another node's Redis is a replica that could be promoted",
        Guard::Contested => "the VIP is here against keepalived's word, and another node serves",
        Guard::FollowsItself => "Redis follows its own address",
    }
}

/// An order of a rule as a sentence without its full stop.
pub(super) fn order(order: Order) -> String {
    let text = match order {
        Order::Promote => "Redis is told to take writes (REPLICAOF NO ONE)",
        Order::StandAside => "this node takes no part until it hears the other primary's adverts",
        Order::Detach => "Redis is told to follow nobody, so that no other node counts on it",
        Order::Follow => "Redis is told to follow the VIP, or the configured node",
        Order::Eligible(true) => "keepalived may hold the VIP here (track file eligible 1)",
        Order::Eligible(false) => "keepalived may not hold the VIP here (track file eligible 0)",
        Order::Bias(Standing::Newest) => "the VRRP priority is raised by the whole bias",
        Order::Bias(Standing::Settled) => "the VRRP priority is raised by half of the bias",
        Order::Bias(Standing::Other) => "nothing is added to the VRRP priority",
        Order::Rewrite => "both track files are written again",
        Order::RewriteEligible => "the track file eligible is written again",
        Order::Drain => "the VIP is kept on lo for a while, so that clients are refused at once",
        Order::HandOver => "writes are held back until the other node has all of them",
        Order::LetGo => "Redis steps down when the other node serves",
        Order::EndSwitchover => "the switchover is over",
        Order::GuardWrites(true) => "Redis takes writes only while a replica is near",
        Order::GuardWrites(false) => "Redis takes writes without a replica, too",
        Order::KillRedis => "the Redis that does not answer is killed",
        Order::RemoveVip => "the VIP is removed from the interface",
        Order::StartRedis => "Redis is started",
        Order::StopRedis => "Redis is stopped",
        Order::Raise(kind) => return format!("the alarm {kind} is raised"),
        Order::Suppress(kind, why) => {
            return format!("the alarm {kind} is not sent, and counted ({why})");
        }
        Order::Resolve(kind) => return format!("the alarm {kind} is taken back, if it is out"),
        Order::Repeat => "what is out is said again",
        Order::Arm(deadline) => return format!("the timer {} is set", deadline.word()),
        Order::Disarm(deadline) => return format!("the timer {} is stopped", deadline.word()),
        Order::OpenIncident => "an incident begins, unless one is open",
        Order::GrowEpoch => "the epoch grows by one",
        Order::CountPromotion => "it counts towards too many promotions (max_promotions)",
        Order::NameBlocker => "the guard that shuts the gate is recorded",
        Order::NameLack => "what the copy here may lack is recorded",
    };
    text.to_owned()
}
