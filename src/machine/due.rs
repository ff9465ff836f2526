//! What a timer that has fired means.

use super::lineage::Behind;
use super::observe::{Observed, believe_vip};
use super::quorum::{self, OwnVote};
use super::row::Trigger;
use super::state::State;
use crate::model::event::Deadline;

/// The timer `deadline` has fired.
pub(super) fn deadline_passed(state: &mut State, deadline: Deadline) -> Observed {
    if state.deadlines.remove(&deadline).is_none() {
        return Observed::default();
    }
    match deadline {
        Deadline::Negotiation => Trigger::NegotiationOver.into(),
        Deadline::Retry => Trigger::RetryDue.into(),
        Deadline::Unserved => Trigger::UnservedDue.into(),
        Deadline::Redundancy => Trigger::RedundancyDue.into(),
        Deadline::KeepalivedGone => Trigger::KeepalivedLost.into(),
        Deadline::Repeat => Trigger::RepeatDue.into(),
        // Another node serves, and the VIP is not here: it was a MASTER line that is not true.
        Deadline::Conflict if state.is_vrrp_master() && !state.vip_here => reconciled(state),
        Deadline::Conflict => Trigger::ConflictDue.into(),
        Deadline::PauseExpiry => {
            state.paused = None;
            Trigger::Review.into()
        }
        Deadline::Reconcile => reconciled(state),
        Deadline::Lead if quorum::is_unheld(state) => Trigger::LeadLost.into(),
        Deadline::Lead => Trigger::LeadDue.into(),
        Deadline::OwnVote if state.lead.own == OwnVote::Withdrawn => {
            state.lead.own = OwnVote::Free;
            Observed::default()
        }
        Deadline::OwnVote => Trigger::OwnVoteDue.into(),
        // What it was armed for has been looked at with every event.
        Deadline::Vouched => Observed::default(),
        Deadline::Apart => {
            state.behind.get_or_insert(Behind::Apart);
            Observed::default()
        }
        Deadline::DrillOver => {
            state.drill = None;
            Observed::noticed("the end of the drill was not told")
        }
        Deadline::LastPrimary => {
            state.accepted = true;
            Trigger::LastPrimaryDue.into()
        }
        Deadline::TiltOver => {
            state.tilted = None;
            Trigger::TiltOver.into()
        }
        Deadline::FlapWait => {
            state.flaps.waited = true;
            Trigger::FlapWaitDue.into()
        }
    }
}

/// The VIP is believed over keepalived's last word.
fn reconciled(state: &mut State) -> Observed {
    let note = believe_vip(state);
    // Else it was a line that was not true.
    state.unheard |= note.is_some() && state.moved && state.keepalived != Some(false);
    let trigger = note.is_some().then(|| {
        if state.is_vrrp_master() {
            Trigger::VipArrived
        } else {
            Trigger::VipLeft
        }
    });
    Observed {
        trigger,
        note,
        ..Observed::default()
    }
}
