//! The rows of what is due: waits that are over, and what is said again.

use super::*;

// As in the table itself.
#[rustfmt::skip]
rows! {
    "negotiated-in-vrrp-fault": NegotiationOver [Undecided, Fault] if [Is(RedisUp), Is(VrrpFault), Not(Paused)] => to(Fault), [Eligible(true), Follow, Arm(D::Unserved)],
        "First start: the nodes of higher priority had their time; keepalived may leave FAULT.";
    "negotiated": NegotiationOver [Undecided, Fault] if [Is(RedisUp), Not(Paused)] => to(Demoting), [Eligible(true), Follow],
        "First start: the nodes of higher priority had their time.";
    "negotiation-moot": NegotiationOver [] if [] => STAY, [],
        "First start: decided meanwhile.";
    "retry-promotion": RetryDue [Promoting] if [Is(VipHere), Is(GateOpen)] => STAY, [Promote],
        "The promotion is tried again.";
    "retry-waits": RetryDue [Promoting] if [Is(VipHere), Is(GateWaits)] => STAY, [Arm(D::Retry)],
        "The promotion is tried again when everything was looked at anew.";
    "retry-held": RetryDue [Promoting] if [] => to(Held), [NameBlocker, Raise(A::PromotionHeld)],
        "The promotion gate has shut since.";
    "retry-follow": RetryDue [Demoting, Stopped, Fault, Fenced] if [Is(RedisUp), Not(Paused)] => STAY, [Follow],
        "Following is tried again.";
    "retry-moot": RetryDue [] if [] => STAY, [],
        "The order that failed is no longer needed.";
    "unserved-while-paused": UnservedDue [] if [Is(Paused)] => STAY, [Suppress(A::Unserved, "paused")],
        "Redis is down here while automatic actions are paused.";
    "fault-though-well": UnservedDue [Fault] if [Is(PeerServes), Is(RedisUp), Is(VrrpFault), Not(Ineligible)] => STAY, [Raise(A::VrrpFault)],
        "keepalived is in FAULT although Redis is well: this node cannot take the VIP.";
    "served-elsewhere": UnservedDue [Fault] if [Is(PeerServes)] => STAY, [Suppress(A::Unserved, "another node serves and reports")],
        "This node cannot serve; another one does.";
    "unserved-partial": UnservedDue [Fault] if [Is(RedisUp), Is(CopyUnfit)] => STAY, [Raise(A::Unserved)],
        "The copy here is a part of one, or another node has a better one, and no other node is seen to serve: it is needed.";
    "unserved-negotiating": UnservedDue [Fault] if [Is(RedisUp), Is(Ineligible), Is(FirstStart)] => STAY, [],
        "First start: a node of higher priority is given time to lead.";
    "unserved-vrrp-fault": UnservedDue [Fault] if [Is(RedisUp)] => STAY, [Raise(A::VrrpFault)],
        "keepalived is in FAULT although Redis is well, and no other node is seen to serve.";
    "unserved": UnservedDue [Fault] if [] => STAY, [Raise(A::Unserved)],
        "Redis is down here and no other node is seen to serve.";
    "hand-on-held": UnservedDue [Held] if [Is(CandidateElsewhere), Not(CopyOlder)] => to(Fault), [Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "The promotion gate does not open here, and another node could be promoted: the VIP is handed on.";
    "hand-on-unlike": UnservedDue [Held] if [Is(CandidateElsewhere), Is(CopyUnlike)] => to(Fault), [Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "Another node has a copy that may be better, which cannot be told here: the VIP is handed on, so that it can decide.";
    "nobody-serves": UnservedDue [Undecided, Replica, Demoting, Stopped] if [Not(PeerServes)] => STAY, [Raise(A::Unserved)],
        "Redis is well here, and no node is seen to serve.";
    "unserved-moot": UnservedDue [] if [] => STAY, [],
        "Redis is back.";
    "no-replica": RedundancyDue [Primary] if [Is(Lonely)] => STAY, [OpenIncident, Raise(A::NoReplica)],
        "The primary has been without a replica for a while.";
    "stopped-for-long": RedundancyDue [Stopped] if [Is(KeepalivedGone)] => STAY, [Raise(A::KeepalivedGone)],
        "keepalived was stopped here a while ago: this node cannot take the VIP.";
    "redundant": RedundancyDue [] if [] => STAY, [],
        "What was waited for is there.";
    "vip-contested": ConflictDue [] if [Is(Contested)] => STAY, [OpenIncident, Raise(A::TwoPrimaries)],
        "The VIP is here although keepalived says that it is elsewhere, where Redis serves: it is not believed.";
    "two-primaries": ConflictDue [Primary] if [Is(PeerServesNow)] => STAY, [OpenIncident, Raise(A::TwoPrimaries)],
        "Another node serves as well as this one.";
    "conflict-over": ConflictDue [] if [] => STAY, [],
        "Only one node serves.";
    "promote-older": LastPrimaryDue [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [OpenIncident, NameLack, Promote, Bias(Standing::Other)],
        "The last primary did not come back in time: the copy here is promoted, although it may be older.";
    "last-primary-waited-for": LastPrimaryDue [] if [] => STAY, [],
        "The last primary did not come back in time: the copy here may lead.";
    "repeat": RepeatDue [] if [] => STAY, [Repeat],
        "The trouble goes on: it is said again.";
}
