//! What operators ask for, what makes the machine hold back (tilt, too many promotions), and what was saved.

use super::*;

#[rustfmt::skip]
rows! {
    // --- look before you act ----------------------------------------------------------------------
    "tilted": Tilted [] if [] => STAY, [],
        "A clock jumped or the agent stood still: what was known is old, and nothing is promoted until everything was looked at anew.";
    "promote-after-tilt": TiltOver [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "Everything was looked at anew, and the VIP is here: Redis is promoted.";
    "hold-after-tilt": TiltOver [Held] if [Is(VipHere), Not(GateWaits), Not(CopyUnfit)] => STAY, [OpenIncident, NameBlocker, Raise(A::PromotionHeld)],
        "Everything was looked at anew, and the promotion gate is shut.";
    "tilt-over": TiltOver [] if [] => STAY, [],
        "Everything was looked at anew, or long enough nothing was done: automatic actions go on.";
    "lead-though-flapping": FlapWaitDue [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [OpenIncident, Promote, Bias(Standing::Other)],
        "This node was promoted too often lately, but the VIP stayed here and nobody took over: Redis is promoted.";
    "flap-wait-moot": FlapWaitDue [] if [] => STAY, [],
        "The wait for another node to take over is over.";

    // --- before an old primary is overwritten ------------------------------------------------------
    "rescued": Rescued [] if [] => STAY, [OpenIncident, Raise(A::Rescued)],
        "Redis had what the new primary lacks: its data set was saved before it follows.";
    "rescued-went-on": RescuedInCase [] if [Is(WentOn)] => STAY, [],
        "Redis' data set was saved before it follows, in case: all that was last seen of it goes on at the new primary.";
    "rescued-in-case": RescuedInCase [] if [] => STAY, [OpenIncident, Raise(A::Rescued)],
        "Redis may have had what the new primary lacks, which cannot be told: its data set was saved before it follows.";
    "not-rescued": NotRescued [] if [] => STAY, [OpenIncident, Raise(A::NotRescued)],
        "Redis had what the new primary lacks, and its data set could not be saved.";

    // --- the operator -----------------------------------------------------------------------------
    "force-writes": ForceAsked [Primary] if [] => STAY, [GuardWrites(false)],
        "An operator asked for a promotion, and this node leads already: Redis takes writes also without a replica.";
    "force-moot": ForceAsked [Promoting] if [] => STAY, [],
        "An operator asked for a promotion, which is under way.";
    "forced": ForceAsked [] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [OpenIncident, NameLack, Promote, Bias(Standing::Other)],
        "An operator said that the copy here leads, although it may be older.";
    "force-unfenced": ForceAsked [Fenced] if [Is(RedisUp), Not(Paused)] => to(Demoting), [OpenIncident, Eligible(true), Follow],
        "An operator said that this node leads: it takes part again, and is promoted when the VIP comes.";
    "force-held": ForceAsked [] if [Is(VipHere)] => STAY, [OpenIncident, NameBlocker],
        "An operator asked for a promotion, and another guard keeps the gate shut.";
    "force-waits": ForceAsked [] if [] => STAY, [],
        "An operator said that the copy here leads: it is promoted when the VIP comes.";
    "paused": PauseBegan [] if [] => STAY, [Disarm(D::Retry)],
        "An operator paused automatic actions.";
    "start-asked": StartAsked [] if [] => STAY, [StartRedis],
        "An operator asked for Redis to be started.";
    "stop-asked": StopAsked [] if [] => STAY, [StopRedis],
        "An operator asked for Redis to be stopped.";
    "restart-asked": RestartAsked [] if [] => STAY, [StopRedis, StartRedis],
        "An operator asked for Redis to be restarted.";
    "ack-opens-gate": Acked [Held] if [Is(VipHere), Is(GateOpen)] => to(Promoting), [Promote, Bias(Standing::Other)],
        "An operator took notice, and the VIP is here: Redis is promoted.";
    "acked": Acked [] if [] => STAY, [],
        "An operator took notice: promotions are counted anew, and what is out is not said again.";
    "journal-trouble": JournalTrouble [] if [] => STAY, [OpenIncident, Raise(A::JournalTrouble)],
        "The journal was damaged, or cannot be written: what decides who serves is done without it.";
}
