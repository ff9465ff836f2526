//! Folds an event into the facts of the state, and says what it means: a trigger of the table.

use std::borrow::Cow;

use super::alarm::{acked, arm_repeat};
use super::checks::{answers_as, come_back, gone, peer_probed, probed};
use super::drill;
use super::due;
use super::flap;
use super::health::Health;
use super::lineage;
use super::outcome;
use super::quorum;
use super::rescue;
use super::row::Trigger;
use super::state::{Pause, Stamp, State, Switchover, arm};
use super::{switchover, tilt};
use crate::model::decision::Note;
use crate::model::event::{Deadline, Event, RedisRequest};
use crate::model::redis::Grade;
use crate::model::role::Role;
use crate::model::vrrp::{Notification, Subject, VrrpState, Word};

/// What an event means.
#[derive(Default)]
pub(super) struct Observed {
    /// What the table is asked; `None` where the fact is only remembered.
    pub trigger: Option<Trigger>,
    /// What a reader should see beside it.
    pub note: Option<Note>,
    /// What an alarm says of it, beside the reason of the rule.
    pub detail: Option<String>,
}

impl From<Trigger> for Observed {
    fn from(trigger: Trigger) -> Self {
        Self {
            trigger: Some(trigger),
            ..Self::default()
        }
    }
}

impl Observed {
    pub(super) fn noticed(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            note: Some(Note::Noticed(text.into())),
            ..Self::default()
        }
    }
}

/// Folds `event` into `state`.
pub(super) fn observe(state: &mut State, stamp: Stamp, event: &Event) -> Observed {
    flap::prune(state, stamp);
    match event {
        Event::AgentStarted { .. } => started(state, stamp),
        Event::Configured(settings) => {
            let repeat_ms = std::mem::replace(&mut state.settings, settings.clone()).repeat_ms;
            state.peers.retain(|name, _| settings.peers.contains(name));
            quorum::configured(state);
            // Who listens begins anew.
            state
                .peers
                .values_mut()
                .for_each(|peer| peer.advertises = false);
            if repeat_ms != settings.repeat_ms || !state.deadlines.contains_key(&Deadline::Repeat) {
                arm_repeat(state, stamp);
            }
            Trigger::Configured.into()
        }
        Event::AgentReady {
            vip_here,
            keepalived,
        } => {
            state.live = true;
            state.keepalived = *keepalived;
            ready(state, stamp, *vip_here)
        }
        Event::VrrpNotified(notified) => notified_of(state, &notified.notification),
        Event::VipChanged { here } => {
            state.vip_here = *here;
            state.moved = true;
            state.claimed = state.claimed.take().filter(|_| *here);
            Observed::default()
        }
        Event::KeepalivedChanged { running } => {
            state.keepalived = Some(*running);
            if *running {
                state.deadlines.remove(&Deadline::KeepalivedGone);
            } else {
                arm(
                    state,
                    stamp,
                    Deadline::KeepalivedGone,
                    state.settings.keepalived_gone_ms,
                );
            }
            Observed::default()
        }
        Event::RedisAttached {
            pid,
            run_id,
            watched,
            ..
        } => {
            state.pid = watched.then_some(*pid);
            if answers_as(state, *run_id) && state.is_up() {
                gone(state)
            } else {
                Observed::default()
            }
        }
        Event::RedisProbed(probe) => match tilt::is_of_now(state, stamp, None, probe.latency_us) {
            true => probed(state, probe),
            false => Observed::default(),
        },
        Event::RedisExited { pid } if state.pid == Some(*pid) => {
            state.pid = None;
            gone(state)
        }
        Event::PeerProbed { peer, probe } => {
            match tilt::is_of_now(state, stamp, Some(peer), probe.latency_us) {
                true => peer_probed(state, stamp, peer, probe),
                false => Observed::default(),
            }
        }
        Event::DeadlinePassed { deadline } => due::deadline_passed(state, *deadline),
        Event::EffectTried { effect, why, .. } => {
            state.unsent.insert(*effect, why.clone());
            Observed::default()
        }
        Event::EffectFinished {
            effect, outcome, ..
        } => outcome::finished(state, stamp, effect, outcome),
        Event::OperatorPaused {
            until_us, reason, ..
        } => {
            state.paused = Some(Pause {
                until_us: *until_us,
                reason: reason.clone(),
            });
            arm_pause(state, stamp);
            Trigger::PauseBegan.into()
        }
        Event::OperatorResumed { .. } => {
            state.paused = None;
            state.deadlines.remove(&Deadline::PauseExpiry);
            Trigger::Review.into()
        }
        Event::OperatorAsked { request, .. } => match request {
            RedisRequest::Start => Trigger::StartAsked.into(),
            RedisRequest::Stop => Trigger::StopAsked.into(),
            RedisRequest::Restart => Trigger::RestartAsked.into(),
            RedisRequest::Promote => {
                state.accepted |= !matches!(state.role, Role::Primary | Role::Promoting);
                state.lead.forced = state.settings.quorum.is_some();
                Trigger::ForceAsked.into()
            }
        },
        Event::SwitchoverAsked { to, within_ms, .. } => {
            let obstacle = switchover::obstacle(state, to.as_deref());
            match (obstacle, switchover::target(state, to.as_deref())) {
                (None, Some(target)) => {
                    state.switchover = Some(Switchover {
                        to: target.to_owned(),
                        within_ms: *within_ms,
                    });
                    Trigger::SwitchoverAsked.into()
                }
                (obstacle, _) => Observed {
                    trigger: Some(Trigger::SwitchoverBarred),
                    note: obstacle.map(|name| Note::Blocked {
                        guard: Cow::Borrowed(name),
                    }),
                    ..Observed::default()
                },
            }
        }
        Event::OperatorDrilled { drill, for_ms, .. } => {
            drill::began(state, stamp, *drill, *for_ms);
            Observed::default()
        }
        Event::DrillEnded { .. } => {
            drill::ended(state);
            Observed::default()
        }
        Event::Tilted { why, by_ms } => tilt::begin(state, stamp, *why, *by_ms),
        Event::OperatorAcked { note, operator } => {
            acked(state, stamp, note, operator);
            Trigger::Acked.into()
        }
        Event::PeerAdvertised { peer, heard } => {
            state.peers.entry(peer.clone()).or_default().advertises = *heard;
            come_back(state);
            Observed::default()
        }
        Event::PeerSigned { peer, sign } => {
            state.peers.entry(peer.clone()).or_default().sign = *sign;
            Observed::default()
        }
        Event::VipClaimed { by } => {
            state.claimed.clone_from(by);
            Observed::default()
        }
        Event::QuorumChanged { voter, vote } => {
            quorum::voted(state, stamp, voter, vote);
            Trigger::VoteChanged.into()
        }
        Event::JournalFailed { over, at, .. } => {
            state.journal_out = (!over).then_some(*at);
            match over {
                true => Observed::default(),
                false => Trigger::JournalTrouble.into(),
            }
        }
        Event::JournalQuarantined { .. } | Event::VolumeDamaged { .. } => {
            Trigger::JournalTrouble.into()
        }
        Event::Rescued { .. } | Event::NotRescued { .. } => rescue::observed(event),
        Event::RedisExited { .. }
        | Event::ConfigRejected { .. }
        | Event::AgentStopping
        | Event::NotifyUnparsed { .. }
        | Event::ActedUnrecorded { .. }
        | Event::RecordsRemoved { .. }
        | Event::SpoolDamaged { .. } => Observed::default(),
    }
}

/// What an earlier agent had under way is unknown now; what it knew of the world is checked again
/// before `AgentReady`.
fn started(state: &mut State, stamp: Stamp) -> Observed {
    state.live = false;
    state.journal_out = None;
    state.orders.clear();
    state.unsent.clear();
    state.retries = 0;
    state.drift = 0;
    state.unwritten = state.eligible.is_some() || state.bias.is_some();
    state.pid = None;
    state.claimed = None;
    state.switchover = None;
    // The order may have been lost with the agent.
    state.guarded = state.guarded.filter(|on| *on);
    state.tilted = None;
    state.flaps.waited = false;
    state.deadlines.clear();
    quorum::forget(state);
    if state.boot != stamp.at.boot {
        lineage::restarted(state);
        state.boot = stamp.at.boot;
        state.tilted_last_us = None;
        state.flaps.promotions_us.clear();
        state.vrrp = None;
        state.role = Role::Undecided;
        state.eligible = None;
        state.bias = None;
        state.unwritten = false;
        state.health = Health::default();
        state.drill = None;
    }
    drill::arm_end(state, stamp);
    arm_pause(state, stamp);
    Observed::default()
}

/// The interface is believed over the last word: lines may have been lost while nobody read.
fn ready(state: &mut State, stamp: Stamp, vip_here: bool) -> Observed {
    state.vip_here = vip_here;
    if state.keepalived == Some(false) {
        // At a boot it may still be on its way up.
        arm(
            state,
            stamp,
            Deadline::KeepalivedGone,
            state.settings.redundancy_ms,
        );
    }
    if matches!(state.grade, Some(Grade::Auth | Grade::Misconf)) {
        // The next check says it again, to a machine that decides.
        state.grade = None;
    }
    let note = believe_vip(state);
    Observed {
        trigger: Some(Trigger::Review),
        note,
        ..Observed::default()
    }
}

/// Sets keepalived's state from the VIP where the two disagree.
pub(super) fn believe_vip(state: &mut State) -> Option<Note> {
    if state.vip_here == state.is_vrrp_master() {
        return None;
    }
    let lost = if state.vip_here {
        VrrpState::Master
    } else {
        VrrpState::Backup
    };
    if !state.vip_here && state.vrrp.is_none() {
        return None;
    }
    state.vrrp = Some(lost);
    Some(Note::Noticed(Cow::from(format!(
        "reconciled: the VIP says {lost}"
    ))))
}

fn notified_of(state: &mut State, notification: &Notification) -> Observed {
    if notification.subject != Subject::Instance {
        return Observed::default();
    }
    state.unheard = false;
    state.moved = false;
    let Word::State(word) = notification.word else {
        return Observed::default();
    };
    if word == VrrpState::Unknown {
        return Observed::noticed("a state that is not known");
    }
    state.vrrp = Some(word);
    match word {
        VrrpState::Master => Trigger::VipArrived.into(),
        VrrpState::Backup => Trigger::VipLeft.into(),
        VrrpState::Fault => Trigger::VrrpFaulted.into(),
        VrrpState::Stop | VrrpState::Deleted | VrrpState::Unknown => Trigger::VrrpStopped.into(),
    }
}

/// A pause ends at a wall time; the timer is monotonic like all the others.
fn arm_pause(state: &mut State, stamp: Stamp) {
    state.deadlines.remove(&Deadline::PauseExpiry);
    let Some(until_us) = state.paused.as_ref().and_then(|pause| pause.until_us) else {
        return;
    };
    let left_us = u64::try_from(until_us.saturating_sub(stamp.at.wall_us)).unwrap_or(0);
    arm(state, stamp, Deadline::PauseExpiry, left_us.div_ceil(1000));
}
