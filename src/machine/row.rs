//! What the rows of the table are made of: what an event means, conditions, orders.

use super::guard::Guard;
use super::state::State;
use crate::model::alarm::AlarmKind;
use crate::model::event::Deadline;
use crate::model::role::Role;

/// What an event means to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Look at everything again: the agent is ready, or a pause ended.
    Review,
    /// The settings changed.
    Configured,
    /// keepalived became MASTER.
    VipArrived,
    /// keepalived became BACKUP.
    VipLeft,
    /// keepalived entered FAULT.
    VrrpFaulted,
    /// keepalived stopped, or the instance was deleted.
    VrrpStopped,
    /// keepalived's process has been gone for a while.
    KeepalivedLost,
    /// `rise` good checks.
    RedisRose,
    /// `fall` failed checks.
    RedisFell,
    /// The Redis process ended, or was replaced by another.
    RedisExited,
    /// A check that changed no belief.
    Checked,
    /// Redis has had another role than decided for `fall` checks.
    RoleDrifted,
    /// Redis refuses our credentials.
    AuthRefused,
    /// Redis reports `MISCONF`.
    Misconfigured,
    /// A replica came online at this primary.
    ReplicaAttached,
    /// A replica of this primary went away.
    ReplicaLost,
    /// Another node's Redis became a master.
    PeerServes,
    /// The other node's Redis is a master no longer.
    PeerLost,
    /// Redis takes writes with a replica only, none is near, and no other node can have been promoted.
    GuardMoot,
    /// Another primary is newer than this one.
    Outranked,
    /// Redis confirmed the promotion.
    Promoted,
    /// The promotion failed.
    PromoteFailed,
    /// Redis confirmed that it follows.
    Followed,
    /// Redis could not be made a replica.
    FollowFailed,
    /// An operator asked for a switchover, and everything is as it must be.
    SwitchoverAsked,
    /// An operator asked for a switchover, and something is not as it must be.
    SwitchoverBarred,
    /// The other node has all writes, and no more are taken.
    WritesHeld,
    /// The other node did not receive all writes in time.
    HandOverFailed,
    /// The other node serves, and Redis here has stepped down.
    LetGone,
    /// The other node did not take over in time.
    LetGoFailed,
    /// Another order failed.
    EffectFailed,
    /// The first start has waited long enough for nodes of higher priority.
    NegotiationOver,
    /// A failed order is due again.
    RetryDue,
    /// Redis has been down here for a while.
    UnservedDue,
    /// The primary has been without a replica for a while.
    RedundancyDue,
    /// An unresolved alarm is due again.
    RepeatDue,
    /// Another node has been seen to serve beside this one for a while.
    ConflictDue,
    /// The last primary has not come back in time.
    LastPrimaryDue,
    /// A voter has said something else than before.
    VoteChanged,
    /// The right to lead was gained.
    LeadGained,
    /// The right to lead was lost, or not found again in time.
    LeadLost,
    /// The right to lead was waited for in vain.
    LeadDue,
    /// The node's own vote is to be taken back.
    OwnVoteDue,
    /// An operator says that this copy leads.
    ForceAsked,
    /// An operator paused automatic actions.
    PauseBegan,
    /// An operator asked for Redis to be started.
    StartAsked,
    /// An operator asked for Redis to be stopped.
    StopAsked,
    /// An operator asked for Redis to be restarted.
    RestartAsked,
    /// The journal was damaged, or cannot be written.
    JournalTrouble,
    /// The clocks or the agent did not go on evenly.
    Tilted,
    /// Everything was looked at anew after that, or long enough nothing was done.
    TiltOver,
    /// A node that was promoted too often has waited for another one to serve.
    FlapWaitDue,
    /// An operator has taken notice.
    Acked,
    /// What the new primary lacks was saved.
    Rescued,
    /// The data set was saved, and what the new primary lacks of it cannot be told.
    RescuedInCase,
    /// What the new primary lacks could not be saved.
    NotRescued,
}

impl Trigger {
    /// Every trigger, in the order of the table.
    pub const ALL: [Self; 56] = [
        Self::Review,
        Self::Configured,
        Self::VipArrived,
        Self::VipLeft,
        Self::VrrpFaulted,
        Self::VrrpStopped,
        Self::KeepalivedLost,
        Self::RedisRose,
        Self::RedisFell,
        Self::RedisExited,
        Self::Checked,
        Self::RoleDrifted,
        Self::AuthRefused,
        Self::Misconfigured,
        Self::ReplicaAttached,
        Self::ReplicaLost,
        Self::PeerServes,
        Self::PeerLost,
        Self::GuardMoot,
        Self::Outranked,
        Self::Promoted,
        Self::PromoteFailed,
        Self::Followed,
        Self::FollowFailed,
        Self::SwitchoverAsked,
        Self::SwitchoverBarred,
        Self::WritesHeld,
        Self::HandOverFailed,
        Self::LetGone,
        Self::LetGoFailed,
        Self::EffectFailed,
        Self::NegotiationOver,
        Self::RetryDue,
        Self::UnservedDue,
        Self::RedundancyDue,
        Self::RepeatDue,
        Self::ConflictDue,
        Self::LastPrimaryDue,
        Self::VoteChanged,
        Self::LeadGained,
        Self::LeadLost,
        Self::LeadDue,
        Self::OwnVoteDue,
        Self::ForceAsked,
        Self::PauseBegan,
        Self::StartAsked,
        Self::StopAsked,
        Self::RestartAsked,
        Self::JournalTrouble,
        Self::Tilted,
        Self::TiltOver,
        Self::FlapWaitDue,
        Self::Acked,
        Self::Rescued,
        Self::RescuedInCase,
        Self::NotRescued,
    ];
}

/// A condition of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cond {
    /// The guard holds.
    Is(Guard),
    /// The guard does not hold.
    Not(Guard),
}

impl Cond {
    /// Is it so?
    #[must_use]
    pub fn holds(self, state: &State) -> bool {
        match self {
            Self::Is(guard) => guard.holds(state),
            Self::Not(guard) => !guard.holds(state),
        }
    }
}

/// Who wins where two nodes hold the VIP: the newest primary over a settled one over all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not a primary, or one that has nothing yet which an older primary lacks.
    Other,
    /// A primary that every other node has followed since it was promoted.
    Settled,
    /// A primary that was written to, and that another node may not have followed yet.
    Newest,
}

/// What a row orders; `apply` turns it into effects with the settings' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Promote Redis.
    Promote,
    /// Take no part until the other primary's adverts are heard.
    StandAside,
    /// Follow the VIP, or the configured node; what Redis has and they lack is saved before.
    Follow,
    /// Follow nobody, so that no other node counts on this one.
    Detach,
    /// Tell keepalived whether it may hold the VIP here.
    Eligible(bool),
    /// What is added to the VRRP priority.
    Bias(Standing),
    /// Write both track files again.
    Rewrite,
    /// Write the `eligible` file again.
    RewriteEligible,
    /// Keep answering for the VIP on `lo` for a while.
    Drain,
    /// Hold writes back until the other node has all of them.
    HandOver,
    /// Step down when the other node serves.
    LetGo,
    /// The switchover is over, or given up.
    EndSwitchover,
    /// Take writes only while a replica is near, or without one.
    GuardWrites(bool),
    /// Kill a Redis that does not answer.
    KillRedis,
    /// Take the VIP off the interface.
    RemoveVip,
    /// Start Redis.
    StartRedis,
    /// Stop Redis.
    StopRedis,
    /// Raise an alarm, unless this incident has said it already.
    Raise(AlarmKind),
    /// Count an alarm that need not be sent, and why.
    Suppress(AlarmKind, &'static str),
    /// Take an alarm of this incident back, if it is out.
    Resolve(AlarmKind),
    /// Say the unresolved alarms again.
    Repeat,
    /// Set a timer.
    Arm(Deadline),
    /// Stop a timer.
    Disarm(Deadline),
    /// An incident begins, unless one is open.
    OpenIncident,
    /// One more promotion.
    GrowEpoch,
    /// It was one of this node's own accord: it counts towards too many.
    CountPromotion,
    /// Record which guard of the gate said no.
    NameBlocker,
    /// Record what the copy here lacks of what the last primary had.
    NameLack,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name: the rule id in the journal.
    pub id: &'static str,
    /// The trigger.
    pub on: Trigger,
    /// The roles that it applies to; empty for all.
    pub from: &'static [Role],
    /// All of these must hold.
    pub when: &'static [Cond],
    /// The role afterwards; `None` to stay.
    pub to: Option<Role>,
    /// What is ordered, in this order.
    pub then: &'static [Order],
    /// Why, for a person.
    pub because: &'static str,
}

impl Row {
    /// Nothing changes and nothing is ordered.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.to.is_none() && self.then.is_empty()
    }

    /// It is the row for that, unless one above it is.
    #[must_use]
    pub fn fires(&self, state: &State, trigger: Trigger) -> bool {
        self.on == trigger
            && (self.from.is_empty() || self.from.contains(&state.role))
            && self.when.iter().all(|cond| cond.holds(state))
    }
}
