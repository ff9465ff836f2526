//! What came of an order, and what that means.

use super::observe::Observed;
use super::quorum;
use super::row::Trigger;
use super::state::{OrderKind, Stamp, State};
use crate::model::effect::{EffectId, Outcome};

/// The order has ended.
pub(super) fn finished(
    state: &mut State,
    stamp: Stamp,
    effect: &EffectId,
    outcome: &Outcome,
) -> Observed {
    state.unsent.remove(effect);
    let Some(kind) = state.orders.remove(effect) else {
        return Observed::default();
    };
    match (kind, outcome) {
        (OrderKind::Detach, outcome) => {
            quorum::detached(state, stamp, outcome.is_done());
            Observed::default()
        }
        (_, Outcome::Superseded) => Observed::default(),
        (OrderKind::Promote, Outcome::Done(_)) => Trigger::Promoted.into(),
        (OrderKind::Promote, _) => Trigger::PromoteFailed.into(),
        (OrderKind::Follow, Outcome::Done(_)) => Trigger::Followed.into(),
        (OrderKind::Follow, _) => Trigger::FollowFailed.into(),
        (OrderKind::HandOver, Outcome::Done(_)) => Trigger::WritesHeld.into(),
        (OrderKind::HandOver, _) => Trigger::HandOverFailed.into(),
        (OrderKind::LetGo, Outcome::Done(_)) => Trigger::LetGone.into(),
        (OrderKind::LetGo, _) => Trigger::LetGoFailed.into(),
        (OrderKind::Guard, Outcome::Done(_)) => {
            state.retries = 0;
            Observed::default()
        }
        (OrderKind::Guard, _) => {
            state.guarded = None;
            Trigger::EffectFailed.into()
        }
        (OrderKind::Track, Outcome::Done(_)) => Observed::default(),
        (OrderKind::Track, _) => {
            state.unwritten = true;
            Trigger::EffectFailed.into()
        }
        (OrderKind::Other, Outcome::Failed(_) | Outcome::TimedOut) => Trigger::EffectFailed.into(),
        (OrderKind::Other, Outcome::Done(_) | Outcome::Refused(_)) => Observed::default(),
    }
}
