//! The rows of the right to lead: what its loss, its gain and the waiting for it mean.

use super::*;

// As in the table itself.
#[rustfmt::skip]
rows! {
    "lead-gained": LeadGained [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "This node has the right to lead: Redis is promoted.";
    "lead-gained-late": LeadGained [] if [] => STAY, [],
        "This node has the right to lead, and something else is missing.";
    "lead-lost-while-paused": LeadLost [] if [Is(Paused)] => STAY, [OpenIncident, Raise(A::Quorum)],
        "This node has lost the right to lead while automatic actions are paused: Redis stays as it is.";
    "lead-handed-on": LeadLost [Primary] if [Is(Yielding)] => STAY, [],
        "The right to lead is on its way to the other node, as ordered.";
    "fence-hung": LeadLost [] if [Is(RedisHung)] => to(Fenced), [OpenIncident, KillRedis, Eligible(false), Bias(Standing::Other), Follow, Raise(A::Quorum)],
        "This node has lost the right to lead, and Redis does not answer: it is killed, so that it cannot wake up as a second primary.";
    "fence": LeadLost [] if [] => to(Fenced), [OpenIncident, Eligible(false), Bias(Standing::Other), Follow, Raise(A::Quorum)],
        "This node has lost the right to lead: Redis takes no more writes, before another node may be promoted.";
    "lead-led-elsewhere": LeadDue [Held] if [Is(PeerServesNow), Not(Paused)] => to(Fault),
        [OpenIncident, StandAside, Eligible(false), Bias(Standing::Other), Follow, Arm(D::Unserved)],
        "Another node serves by right: the VIP is given up here.";
    "lead-waited-for": LeadDue [Held] if [] => STAY, [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "The right to lead was not given in time: the voters go on being asked.";
    "lead-out-of-sight": LeadDue [Fenced] if [Is(RedisUp), Not(Paused)] => to(Demoting), [Eligible(true), Follow],
        "The copy here has more than the primary, but this node cannot lead again in time: too few voters answer, or keepalived is not ready. It follows.";
    "lead-moot": LeadDue [] if [] => STAY, [],
        "The right to lead is not waited for any more.";
    "withdraw": OwnVoteDue [Held] if [Is(LeadWaitedFor), Not(PeerServesNow)] => STAY, [Detach],
        "The last primary does not say that it serves no more: nobody may count on this node following it.";
    "withdraw-moot": OwnVoteDue [] if [] => STAY, [],
        "The right to lead is not waited for any more.";
    "vote-changed": VoteChanged [] if [] => STAY, [],
        "What a voter says changes nothing here.";
}
