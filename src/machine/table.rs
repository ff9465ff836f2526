//! The transition table: every decision that rha can take, one row each.
//!
//! For a trigger, the first row whose `from` holds the present role and whose guards all hold is the
//! one that fires. The last row of every trigger has neither, so every event has an answer. `because`
//! is the sentence that history, alarms and the diagram print.

use super::guard::Guard;
use super::row::{Cond, Order, Row, Standing, Trigger};
use super::state::State;
use crate::model::alarm::AlarmKind;
use crate::model::event::Deadline;
use crate::model::role::Role;

/// The row that answers `trigger` in `state`.
///
/// # Panics
/// Never: the totality test proves that every trigger ends with an unconditional row.
#[must_use]
pub fn find(state: &State, trigger: Trigger) -> &'static Row {
    TABLE
        .iter()
        .find(|row| row.fires(state, trigger))
        .expect("every trigger ends with an unconditional row (test table_is_total)")
}

/// The row of that name.
#[must_use]
pub fn row(id: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.id == id)
}

use AlarmKind as A;
use Cond::{Is, Not};
use Deadline as D;
use Guard::*;
use Order::*;
use Role::{Demoting, Fault, Fenced, Held, Primary, Promoting, Replica, Stopped, Undecided};
use Trigger as T;

macro_rules! rows {
    ($($id:literal: $on:ident $from:tt if $when:tt => $to:expr, $then:tt, $because:literal;)*) => {
        /// These rows, in their order.
        pub(super) const ROWS: &[Row] = &[$(Row {
            id: $id, on: T::$on, from: &$from, when: &$when, to: $to, then: &$then, because: $because,
        }),*];
    };
}

mod lead;
mod operator;
mod time;

const PARTS: [&[Row]; 4] = [ROWS, time::ROWS, lead::ROWS, operator::ROWS];
static ALL: [Row; ROWS.len() + time::ROWS.len() + lead::ROWS.len() + operator::ROWS.len()] =
    joined();

/// The table.
pub static TABLE: &[Row] = &ALL;

const fn joined<const N: usize>() -> [Row; N] {
    let mut rows = [ROWS[0]; N];
    let (mut part, mut at, mut next) = (0, 0, 0);
    while next < N {
        if at < PARTS[part].len() {
            rows[next] = PARTS[part][at];
            (at, next) = (at + 1, next + 1);
        } else {
            (part, at) = (part + 1, 0);
        }
    }
    rows
}

const STAY: Option<Role> = None;
const fn to(role: Role) -> Option<Role> {
    Some(role)
}

// The macro keeps one row to a line or two; rustfmt would give each seven.
#[rustfmt::skip]
rows! {
    // --- look at everything again -----------------------------------------------------------------
    "orphaned-vip-without-redis": Review [] if [Is(VipHere), Is(KeepalivedGone), Is(RedisDown)] => to(Fault),
        [OpenIncident, Bias(Standing::Other), RemoveVip, Eligible(false), Arm(D::Unserved), Raise(A::KeepalivedGone)],
        "The VIP is still here but keepalived is not running and Redis is down: the VIP is given up.";
    "orphaned-vip": Review [] if [Is(VipHere), Is(KeepalivedGone), Is(PeerAnswers)] => to(Demoting),
        [OpenIncident, Bias(Standing::Other), RemoveVip, Follow, Raise(A::KeepalivedGone)],
        "The VIP is still here but keepalived is not running: the others will take it, so it is given up.";
    "review-while-paused": Review [] if [Is(Paused)] => STAY, [],
        "Automatic actions are paused: everything stays as it is.";
    "still-primary": Review [Primary] if [Is(VipHere), Is(RedisUp), Is(RedisIsMaster)] => STAY, [Eligible(true), Arm(D::Redundancy)],
        "The VIP is here and Redis takes writes, as decided before.";
    "promote-on-review": Review [] if [Is(VipHere), Is(GateOpen)] => to(Promoting),
        [OpenIncident, Eligible(true), Bias(Standing::Other), Promote],
        "The VIP is here and the copy is complete: Redis is promoted.";
    "review-without-redis": Review [] if [Is(VipHere), Is(RedisDown)] => to(Fault),
        [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "The VIP is here but Redis is down: the VIP is handed on.";
    "wait-on-review": Review [Primary, Promoting, Held, Demoting, Replica, Fault, Stopped] if [Is(VipHere), Is(GateWaits)] => to(Held), [OpenIncident, NameBlocker],
        "The VIP is here, and a promotion waits: for a fresh look at everything, or for another node to take over.";
    "look-on-review": Review [Primary, Promoting, Held, Demoting, Replica, Fault, Stopped] if [Is(VipHere), Is(RedisUp), Is(CopyUnfit)] => to(Held),
        [OpenIncident, NameBlocker],
        "The VIP is here, and another node has a better copy: if one more look says the same, the VIP is handed on.";
    "claim-on-review": Review [Primary, Promoting, Held, Demoting, Replica, Fault, Stopped] if [Is(VipHere), Is(LeadWaitedFor)] => to(Held), [OpenIncident, Eligible(true), NameBlocker],
        "The VIP is here: the voters are asked for the right to lead.";
    "hold-on-review": Review [Primary, Promoting, Held, Demoting, Replica, Fault, Stopped] if [Is(VipHere)] => to(Held),
        [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "The VIP is here but the promotion gate is shut.";
    "review-redis-down": Review [] if [Is(RedisDown)] => to(Fault), [Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis is down here: keepalived may not take the VIP.";
    "review-stopped": Review [] if [Is(VrrpStopped), Is(RedisUp)] => to(Stopped), [Bias(Standing::Other), Eligible(true), Follow],
        "keepalived was stopped here: Redis follows the others.";
    "review-vrrp-fault": Review [] if [Is(VrrpFault), Is(RedisUp)] => to(Fault), [Bias(Standing::Other), Eligible(true), Follow, Arm(D::Unserved)],
        "keepalived is in FAULT: Redis follows the others.";
    "review-first-start": Review [Undecided] if [Is(RedisUp), Is(FirstStart)] => STAY, [Arm(D::Negotiation)],
        "First start: a node of higher priority is given time to lead.";
    "still-fenced": Review [Fenced] if [Not(QuorumInSight)] => STAY, [],
        "Too few voters answer: this node takes no part, as decided before.";
    "still-replica": Review [Replica] if [Is(RedisUp), Is(Following)] => STAY, [Bias(Standing::Other), Eligible(true)],
        "The VIP is elsewhere and Redis follows it, as decided before.";
    "follow-on-review": Review [] if [Is(RedisUp)] => to(Demoting), [Bias(Standing::Other), Eligible(true), Follow],
        "The VIP is elsewhere: Redis follows it.";
    "review-waits": Review [] if [] => STAY, [],
        "Redis has not been checked often enough to decide.";

    "settings-changed": Configured [] if [] => STAY, [],
        "The settings changed.";

    // --- keepalived -------------------------------------------------------------------------------
    "already-leading": VipArrived [Primary, Promoting] if [] => STAY, [],
        "The VIP is served here already.";
    "vip-while-fenced": VipArrived [Fenced] if [Is(Ineligible)] => STAY, [RewriteEligible],
        "This node takes no part: keepalived is told again that it may not hold the VIP.";
    "vip-while-paused": VipArrived [] if [Is(Paused)] => to(Held), [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "The VIP arrived while automatic actions are paused: Redis is not promoted.";
    "promote-on-first-vip": VipArrived [] if [Is(GateOpen), Not(HasHistory)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "First negotiation: the VIP came here, so this node leads.";
    "promote-on-vip": VipArrived [] if [Is(GateOpen)] => to(Promoting), [OpenIncident, Promote, Bias(Standing::Other)],
        "The VIP arrived and the copy here is complete: Redis is promoted.";
    "claim-on-first-vip": VipArrived [] if [Is(LeadWaitedFor), Not(HasHistory)] => to(Held), [NameBlocker],
        "First negotiation: the VIP came here, and the voters are asked for the right to lead.";
    "claim-on-vip": VipArrived [] if [Is(LeadWaitedFor)] => to(Held), [OpenIncident, NameBlocker],
        "The VIP arrived: the voters are asked for the right to lead.";
    "vip-without-redis": VipArrived [] if [Is(RedisDown)] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "The VIP arrived but Redis is down: the VIP is handed on.";
    "wait-on-vip": VipArrived [] if [Is(GateWaits)] => to(Held), [OpenIncident, NameBlocker],
        "The VIP arrived, and a promotion waits: for a fresh look at everything, or for another node to take over.";
    "look-on-vip": VipArrived [] if [Is(RedisUp), Is(CopyUnfit), Not(Ineligible)] => to(Held), [OpenIncident, NameBlocker],
        "The copy here is a part of one, or another node has a better one: if one more look says the same, the VIP is handed on.";
    "refused-vip": VipArrived [] if [Is(RedisUp), Is(CopyUnfit)] => STAY, [],
        "The VIP is on its way to a node that has a better copy.";
    "hold-on-vip": VipArrived [] if [] => to(Held), [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "The VIP arrived but the promotion gate is shut.";

    "vip-left-while-paused": VipLeft [] if [Is(Paused)] => STAY, [],
        "The VIP left while automatic actions are paused: Redis stays as it is.";
    "demote-on-backup": VipLeft [Primary, Promoting, Held] if [Is(RedisUp)] => to(Demoting), [OpenIncident, Bias(Standing::Other), Follow],
        "The VIP left: Redis here takes no more writes and follows it.";
    "vip-left-without-redis": VipLeft [Primary, Promoting, Held] if [] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "The VIP left, and Redis is not up here.";
    "rejoin-on-backup": VipLeft [Fault, Stopped] if [Is(RedisUp)] => to(Demoting), [Eligible(true), Follow],
        "keepalived takes part again: Redis follows the VIP. (No preemption, whatever the priority.)";
    "vip-elsewhere": VipLeft [] if [] => STAY, [],
        "The VIP is elsewhere, as before.";

    "vrrp-fault-while-paused": VrrpFaulted [] if [Is(Paused)] => STAY, [],
        "keepalived is in FAULT while automatic actions are paused: Redis stays as it is.";
    "yielding": VrrpFaulted [Primary] if [Is(Yielding), Is(Ineligible)] => STAY, [],
        "The VIP is on its way to the other node, as ordered.";
    "demote-on-fault": VrrpFaulted [Primary, Promoting, Held] if [Is(RedisUp)] => to(Fault), [OpenIncident, Bias(Standing::Other), RewriteEligible, Follow, Arm(D::Unserved)],
        "keepalived can hold no VIP here (link down or a tracked file): Redis takes no more writes.";
    "vrrp-fault": VrrpFaulted [Replica, Demoting, Stopped] if [Is(RedisUp)] => to(Fault), [OpenIncident, RewriteEligible, Arm(D::Unserved)],
        "keepalived can hold no VIP here (link down or a tracked file).";
    "fault-without-redis": VrrpFaulted [Primary, Promoting, Held, Replica, Demoting, Stopped] if [] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "keepalived is in FAULT, and Redis is not up here.";
    "fault-confirmed": VrrpFaulted [] if [] => STAY, [],
        "keepalived is in FAULT, as it was told.";

    "vrrp-stop-while-paused": VrrpStopped [] if [Is(Paused)] => STAY, [],
        "keepalived stopped while automatic actions are paused: Redis stays as it is.";
    "demote-on-stop": VrrpStopped [Primary, Promoting, Held] if [Is(RedisUp)] => to(Stopped), [OpenIncident, Bias(Standing::Other), Follow],
        "keepalived stopped: the VIP goes to another node, and Redis here follows it.";
    "stopped": VrrpStopped [Replica, Demoting, Undecided] if [] => to(Stopped), [],
        "keepalived stopped: this node takes no part.";
    "stopped-in-fault": VrrpStopped [] if [] => STAY, [],
        "keepalived stopped.";

    "orphaned-vip-at-run-without-redis": KeepalivedLost [] if [Is(VipHere), Is(RedisDown)] => to(Fault),
        [OpenIncident, Bias(Standing::Other), RemoveVip, Eligible(false), Arm(D::Unserved), Raise(A::KeepalivedGone)],
        "keepalived died and left the VIP behind, and Redis is down: the VIP is given up here.";
    "orphaned-vip-at-run": KeepalivedLost [] if [Is(VipHere), Is(PeerAnswers)] => to(Demoting),
        [OpenIncident, Bias(Standing::Other), RemoveVip, Follow, Raise(A::KeepalivedGone)],
        "keepalived died and left the VIP behind: the others take it, so it is given up here.";
    "orphaned-vip-alone": KeepalivedLost [] if [Is(VipHere)] => STAY, [OpenIncident, Raise(A::KeepalivedGone)],
        "keepalived died and left the VIP behind, and no other node answers that could take it: it is kept.";
    "keepalived-lost": KeepalivedLost [] if [Not(VrrpStopped)] => STAY, [OpenIncident, Raise(A::KeepalivedGone)],
        "keepalived is not running: this node cannot take the VIP.";
    "keepalived-stopped": KeepalivedLost [] if [] => STAY, [Arm(D::Redundancy)],
        "keepalived was stopped.";

    // --- the local Redis --------------------------------------------------------------------------
    "up-while-paused": RedisRose [] if [Is(Paused)] => STAY, [],
        "Redis is up; automatic actions are paused.";
    "promote-on-up": RedisRose [] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Eligible(true), Bias(Standing::Other), Promote],
        "Redis is up and the VIP is here: it is promoted.";
    "claim-on-up": RedisRose [] if [Is(VipHere), Is(LeadWaitedFor)] => to(Held), [OpenIncident, Eligible(true), NameBlocker],
        "Redis is up and the VIP is here: the voters are asked for the right to lead.";
    "wait-on-up": RedisRose [] if [Is(VipHere), Is(GateWaits)] => to(Held), [OpenIncident, Eligible(true), NameBlocker],
        "Redis is up and the VIP is here, and a promotion waits: for a fresh look at everything, or for another node to take over.";
    "hold-on-up": RedisRose [] if [Is(VipHere)] => to(Held), [OpenIncident, Eligible(true), NameBlocker, Raise(A::PromotionHeld)],
        "Redis is up and the VIP is here, but the promotion gate is shut.";
    "first-start": RedisRose [Undecided, Fault] if [Is(FirstStart)] => STAY, [Arm(D::Negotiation)],
        "First start: a node of higher priority is given time to lead.";
    "up-in-vrrp-fault": RedisRose [Undecided, Fault] if [Is(VrrpFault)] => to(Fault), [Eligible(true), Follow, Arm(D::Unserved)],
        "Redis is up: keepalived may leave FAULT, and until it does Redis follows the others.";
    "up-while-stopped": RedisRose [] if [Is(VrrpStopped)] => to(Stopped), [Eligible(true), Follow],
        "Redis is up; keepalived is stopped here, so it follows the others.";
    "rejoin": RedisRose [] if [] => to(Demoting), [Eligible(true), Follow],
        "Redis is up: it comes back as a replica, whatever its priority.";

    "fall-while-paused": RedisFell [] if [Is(Paused)] => STAY, [Suppress(A::Unserved, "paused")],
        "Redis failed its checks while automatic actions are paused: keepalived is not told.";
    "kill-hung-primary": RedisFell [Primary, Promoting, Held] if [Is(RedisHung), Is(FollowerElsewhere)] => to(Fault),
        [OpenIncident, Drain, KillRedis, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis does not answer: it is killed, so that its clients are told and it cannot wake up as a second primary.";
    "fall-primary": RedisFell [Primary, Promoting, Held] if [] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis failed its checks: keepalived hands the VIP to another node.";
    "fall": RedisFell [] if [] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis failed its checks: this node cannot take the VIP.";

    "exit-while-paused": RedisExited [] if [Is(Paused)] => STAY, [Suppress(A::Unserved, "paused")],
        "Redis exited while automatic actions are paused: keepalived is not told.";
    "exit-primary": RedisExited [Primary, Promoting, Held] if [] => to(Fault), [OpenIncident, Drain, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis exited: keepalived hands the VIP to another node at once.";
    "exit": RedisExited [] if [] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Arm(D::Unserved)],
        "Redis exited: this node cannot take the VIP.";

    "gate-opened": Checked [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "The promotion gate has opened: Redis is promoted.";
    "stop-following-itself": Checked [Held] if [Is(VipHere), Is(FollowsItself), Not(OrderPending), Not(RetryArmed), Not(Paused)] => STAY, [Follow, Arm(D::Retry)],
        "Redis follows its own address: it is made to follow nobody, and can be promoted then.";
    "unfenced": Checked [Fenced] if [Is(RedisUp), Is(QuorumInSight), Not(LedElsewhere), Not(Paused)] => to(Demoting), [Eligible(true), Follow],
        "The voters answer again, and none stands for another node: this node takes part again.";
    "unfenced-to-follow": Checked [Fenced] if [Is(RedisUp), Is(PeerServesNow), Not(HasMore), Not(Paused)] => to(Demoting), [Eligible(true), Follow],
        "Another node is seen to serve: this one follows it.";
    "fenced-master": Checked [Fenced] if [Is(Answers), Is(RedisIsMaster), Not(OrderPending), Not(RetryArmed), Not(Paused)] => STAY, [Follow, Arm(D::Retry)],
        "Redis takes writes and may not: it is told to follow at once.";
    "hand-on": Checked [Held] if [Is(RedisUp), Is(CopyPartial), Not(Paused)] => to(Fault), [Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "The copy here will not become complete while this node holds the VIP: it is handed on.";
    "hand-on-older": Checked [Held] if [Is(RedisUp), Is(CopyUnfit), Not(Paused)] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "Another node has a better copy: the VIP is handed on.";
    "rewrite": Checked [] if [Is(Unwritten), Not(RetryArmed), Not(Paused)] => STAY, [Rewrite, Arm(D::Retry)],
        "The track files are written again.";
    "fenced-with-more": Checked [Fenced] if [Is(RedisUp), Is(HasMore), Is(QuorumInSight), Is(Ineligible), Not(Paused)] => STAY, [Eligible(true)],
        "Nothing was written to the primary since it was promoted, and the copy here has more: it is asked to hand the VIP back.";
    "waits-with-more": Checked [Fenced] if [Is(RedisUp), Is(HasMore), Is(QuorumInSight), Not(Paused)] => STAY, [],
        "The primary, to which nothing was written, is asked to hand the VIP back.";
    "complete-again": Checked [Fault] if [Is(RedisUp), Is(Ineligible), Not(Aside), Not(CopyUnfit), Not(FirstStart), Not(VipHere), Not(Paused)] => to(Demoting), [Eligible(true), Follow],
        "The copy here is complete: this node takes part.";
    "eligible-again": Checked [Replica] if [Is(RedisUp), Is(Ineligible), Not(Aside), Not(CopyUnfit), Not(Paused)] => STAY, [Eligible(true)],
        "The copy here follows, and nothing keeps this node from taking part any more.";
    "wake-up": Checked [Fault] if [Is(Answers), Is(RedisIsMaster), Not(VipHere), Not(OrderPending), Not(RetryArmed), Not(Paused)] => STAY, [Follow],
        "Redis answers again and still believes that it is a master: it is told to follow at once.";
    "follow-again": Checked [Demoting] if [Is(RedisUp), Not(OrderPending), Not(RetryArmed), Not(Paused)] => STAY, [Follow],
        "Redis ought to follow and nothing is under way: it is told again.";
    "promote-again": Checked [Promoting] if [Is(VipHere), Is(GateOpen), Not(OrderPending), Not(RetryArmed)] => STAY, [Promote],
        "Redis ought to be promoted and nothing is under way: it is told again.";
    "guard-writes": Checked [Primary] if [Is(WritesUnguarded), Not(RetryArmed), Not(Paused)] => STAY, [GuardWrites(true), Arm(D::Retry)],
        "A replica is near: from here on Redis takes writes only while one is.";
    "release-writes": Checked [Primary] if [Is(GuardedInVain), Not(RetryArmed), Not(Paused)] => STAY, [GuardWrites(false), Arm(D::Retry)],
        "No replica is near, and no other node can have been promoted: Redis takes writes without one.";
    "hand-back": Checked [Primary] if [Is(Answers), Is(WantedBack), Not(Yielding), Not(Paused)] => to(Fault), [OpenIncident, Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "Nothing was written here since the promotion, and the primary before has more: the VIP is handed back to it.";
    "newest-primary": Checked [Primary] if [Is(Answers), Not(EmptyHanded), Is(Unbiased), Not(Yielding), Not(Paused)] => STAY, [Bias(Standing::Newest)],
        "Writes go on here, or no older primary can have gone on: from here on this one stays where two meet.";
    "checked": Checked [] if [] => STAY, [],
        "A check that changes nothing.";

    "drift-pending": RoleDrifted [] if [Is(OrderPending)] => STAY, [],
        "Redis has another role than decided; an order is on its way.";
    "drift-primary": RoleDrifted [Primary] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [OpenIncident, Promote],
        "Redis was made a replica behind rha's back while the VIP is here: it is promoted again.";
    "drift-held": RoleDrifted [Primary] if [Is(VipHere)] => to(Held), [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "Redis was made a replica behind rha's back, and the promotion gate is shut.";
    "drift-replica": RoleDrifted [] if [] => to(Demoting), [OpenIncident, Follow],
        "Redis does not follow whom it should: it is told again.";

    "auth-refused": AuthRefused [] if [] => STAY, [OpenIncident, Raise(A::AuthRefused)],
        "Redis refuses rha's credentials: it is alive, so nothing is failed over, but nothing can be ordered either.";
    "misconfigured": Misconfigured [] if [] => STAY, [OpenIncident, Raise(A::Misconfigured)],
        "Redis cannot save to disk and refuses writes.";

    "settled": ReplicaAttached [] if [Is(AllHaveFollowed)] => STAY, [Bias(Standing::Settled)],
        "Every other node has followed: who is promoted without this one outranks it.";
    "replica-attached": ReplicaAttached [] if [] => STAY, [],
        "A replica is attached; another node has not followed yet, and must not outrank this one.";
    "replica-lost": ReplicaLost [] if [] => STAY, [OpenIncident, Arm(D::Redundancy)],
        "A replica went away.";

    // --- the other nodes --------------------------------------------------------------------------
    "orphaned-vip-contested-without-redis": PeerServes [] if [Is(VipHere), Is(KeepalivedGone), Is(RedisDown), Not(Paused)] => STAY, [RemoveVip, Resolve(A::Unserved)],
        "Another node's Redis takes writes, and neither keepalived nor Redis is running here: the VIP is given up.";
    "orphaned-vip-contested": PeerServes [Undecided, Primary, Promoting, Held, Fault] if [Is(VipHere), Is(KeepalivedGone), Not(Paused)] => to(Demoting),
        [OpenIncident, Bias(Standing::Other), RemoveVip, Follow, Resolve(A::Unserved)],
        "Another node's Redis takes writes, and keepalived is not running here: the VIP is given up.";
    "peer-serves": PeerServes [] if [] => STAY, [Resolve(A::Unserved)],
        "Another node's Redis takes writes: somebody serves.";
    "peer-lost-opens-gate": PeerLost [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "No other node's Redis takes writes, and the promotion gate has opened: Redis is promoted.";
    "peer-lost-in-fault": PeerLost [Fault] if [] => STAY, [Arm(D::Unserved)],
        "No other node's Redis takes writes, and Redis is down here.";
    "peer-lost": PeerLost [] if [] => STAY, [],
        "The other node's Redis takes no more writes, or does not answer.";

    "release-writes-at-once": GuardMoot [] if [] => STAY, [GuardWrites(false), Arm(D::Retry)],
        "No other node can have been promoted, as each says itself: Redis takes writes without a replica.";

    "step-aside-for-more": Outranked [] if [Is(EmptyHanded)] => to(Fault),
        [OpenIncident, StandAside, Eligible(false), Bias(Standing::Other), Follow, Raise(A::TwoPrimaries), Arm(D::Unserved)],
        "Nothing was written here since the promotion, and the primary before goes on: it stays, and this one gives the VIP up.";
    "step-aside": Outranked [] if [] => to(Fault),
        [OpenIncident, StandAside, Eligible(false), Bias(Standing::Other), Follow, Raise(A::TwoPrimaries), Arm(D::Unserved)],
        "Another node was promoted while this one served: the newer primary stays, and this one gives the VIP up.";

    // --- what came of orders ----------------------------------------------------------------------
    "let-go-unheld": LetGoFailed [Primary] if [Is(Yielding), Is(QuorumNeeded)] => to(Held), [Eligible(true), Bias(Standing::Settled), EndSwitchover],
        "The other node did not take over in time: this one goes on when it has the right to lead again.";
    "promoted-first": Promoted [Promoting] if [Not(HasHistory)] => to(Primary),
        [GrowEpoch, CountPromotion, Resolve(A::PromotionHeld), Resolve(A::EffectFailed), Resolve(A::Unserved), Arm(D::Redundancy)],
        "Redis confirmed the promotion: this node leads.";
    "promoted-again": Promoted [Promoting] if [Is(LedAllAlong)] => to(Primary), [GrowEpoch, Resolve(A::PromotionHeld), Resolve(A::EffectFailed), Arm(D::Redundancy)],
        "Redis confirmed the promotion: this node leads, as it did before.";
    "promoted-older": Promoted [Promoting] if [Is(Accepted)] => to(Primary),
        [GrowEpoch, Resolve(A::PromotionHeld), Resolve(A::EffectFailed), Resolve(A::Unserved), Raise(A::OlderCopy), NameLack, GuardWrites(false), Arm(D::Redundancy)],
        "Redis confirmed the promotion: this node leads, and may lack what the last primary had.";
    "promoted": Promoted [Promoting] if [] => to(Primary),
        [GrowEpoch, CountPromotion, Resolve(A::PromotionHeld), Resolve(A::EffectFailed), Resolve(A::Unserved), Raise(A::TookOver), Arm(D::Redundancy)],
        "Redis confirmed the promotion: this node leads.";
    "promoted-late": Promoted [] if [] => STAY, [],
        "A promotion was confirmed after the role had changed again.";
    "promote-failed-once": PromoteFailed [Promoting] if [Not(Persistent)] => STAY, [OpenIncident, Arm(D::Retry)],
        "The promotion failed: it is tried again.";
    "promote-failed": PromoteFailed [Promoting] if [] => STAY, [OpenIncident, Raise(A::EffectFailed), Arm(D::Retry)],
        "The promotion fails again and again.";
    "promote-failed-late": PromoteFailed [] if [] => STAY, [],
        "A promotion failed after the role had changed again.";
    "followed": Followed [Demoting] if [] => to(Replica), [Resolve(A::EffectFailed)],
        "Redis confirmed that it follows.";
    "followed-apart": Followed [] if [] => STAY, [],
        "Redis confirmed that it follows; this node takes no part.";
    "fenced-hung": FollowFailed [Fenced] if [Is(RedisHung), Is(RedisIsMaster), Not(Paused)] => STAY, [KillRedis],
        "Redis may not take writes and does not answer: it is killed, so that it cannot wake up as a second primary.";
    "follow-failed-once": FollowFailed [Demoting, Stopped, Fault, Fenced] if [Is(RedisUp), Not(Persistent)] => STAY, [Arm(D::Retry)],
        "Redis could not be made a replica: it is tried again.";
    "follow-failed": FollowFailed [Demoting, Stopped, Fault, Fenced] if [Is(RedisUp)] => STAY, [Raise(A::EffectFailed), Arm(D::Retry)],
        "Redis cannot be made a replica, again and again.";
    "follow-failed-early": FollowFailed [Fault] if [Is(Answers)] => STAY, [Arm(D::Retry)],
        "Redis could not be made a replica, before it was checked often enough: it is told again.";
    "follow-failed-late": FollowFailed [] if [] => STAY, [],
        "An order to follow failed after the role had changed again.";
    "switchover": SwitchoverAsked [] if [] => STAY, [OpenIncident, HandOver],
        "An operator asked for a switchover: writes are held back until the other node has all of them.";
    "switchover-barred": SwitchoverBarred [] if [] => STAY, [],
        "An operator asked for a switchover, which cannot be now.";
    "writes-held": WritesHeld [Primary] if [Is(VipHere), Is(Yielding)] => STAY, [Drain, Eligible(false), Bias(Standing::Other), LetGo],
        "The other node has all writes: the VIP is handed to it.";
    "writes-held-late": WritesHeld [] if [] => STAY, [EndSwitchover],
        "The other node has all writes, but the role has changed meanwhile.";
    "hand-over-failed": HandOverFailed [] if [] => STAY, [EndSwitchover],
        "The other node did not receive all writes in time: they are taken here again, and nothing has changed.";
    "let-go": LetGone [Primary] if [Is(Yielding)] => to(Fault), [Follow, Arm(D::Unserved)],
        "The other node serves: Redis here follows it.";
    "let-go-late": LetGone [] if [] => STAY, [EndSwitchover],
        "The other node serves, and the role has changed meanwhile.";
    "let-go-failed": LetGoFailed [Primary] if [Is(Yielding)] => STAY, [Eligible(true), Bias(Standing::Settled), EndSwitchover],
        "The other node did not take over in time: this one goes on.";
    "let-go-failed-late": LetGoFailed [] if [] => STAY, [EndSwitchover],
        "The other node did not take over in time, and the role has changed meanwhile.";
    "effect-failed": EffectFailed [] if [] => STAY, [OpenIncident, Raise(A::EffectFailed)],
        "An order could not be carried out.";
}
