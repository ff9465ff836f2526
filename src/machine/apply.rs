//! Turns a row of the table into a decision, with the settings' values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::drill::Drilled;
use super::gate::{self, gate_blocker};
use super::lineage;
use super::quorum::OwnVote;
use super::row::{Order, Row, Standing, Trigger};
use super::state::{Incident, OrderKind, Stamp, State, Switchover, arm};
use super::{alarm, flap, guard, quorum};
use crate::model::alarm::AlarmKind;
use crate::model::decision::{Decision, Note, RuleId, Transition};
use crate::model::effect::{Effect, EffectId};
use crate::model::event::Deadline;
use crate::model::record::Seq;
use crate::model::redis::{Endpoint, RedisRole};
use crate::model::role::Role;
use crate::model::vrrp::VrrpState;

/// A decision in the making.
pub(super) struct Draft {
    pub stamp: Stamp,
    transition: Option<Transition>,
    rule: Option<RuleId>,
    pub effects: Vec<Effect>,
    pub notes: Vec<Note>,
    /// What the event says that an alarm must say, too.
    pub detail: Option<String>,
}

impl Draft {
    pub fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            detail: None,
            transition: None,
            rule: None,
            effects: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn into_decision(self) -> Decision {
        let Self {
            stamp: _,
            detail: _,
            transition,
            rule,
            effects,
            notes,
        } = self;
        Decision {
            transition,
            rule,
            effects,
            notes,
        }
    }

    pub fn arm(&self, state: &mut State, deadline: Deadline, in_ms: u64) {
        arm(state, self.stamp, deadline, in_ms);
    }

    /// Adds an effect whose outcome the machine waits for.
    fn order(&mut self, state: &mut State, kind: OrderKind, effect: Effect) {
        // A decision has at most a handful of effects.
        let index = u16::try_from(self.effects.len()).unwrap_or(u16::MAX);
        state.orders.insert(
            EffectId {
                seq: self.stamp.seq,
                index,
            },
            kind,
        );
        self.effects.push(effect);
    }
}

/// Applies a row: the role first, so that orders and alarms see the new one.
pub(super) fn apply(state: &mut State, row: &'static Row, draft: &mut Draft) {
    // The check that changes nothing, once a second for ever, is left unnamed.
    if row.is_silent() && row.on == Trigger::Checked {
        return;
    }
    draft.rule = Some(RuleId(Cow::Borrowed(row.id)));
    if let Some(to) = row.to.filter(|to| *to != state.role) {
        draft.transition = Some(Transition {
            from: state.role,
            to,
        });
        state.since = Some(draft.stamp.at);
        state.led = matches!(to, Role::Promoting | Role::Held)
            && (state.led || state.role == Role::Primary);
        enter(state, to);
    }
    for order in row.then {
        carry_out(state, row, *order, draft);
    }
}

/// What every change of role means for the timers.
fn enter(state: &mut State, to: Role) {
    let from = std::mem::replace(&mut state.role, to);
    let led = from == Role::Primary;
    quorum::enter(state, from);
    state.retries = 0;
    state.drift = 0;
    state.switchover = None;
    state.deadlines.remove(&Deadline::Retry);
    state.deadlines.remove(&Deadline::Negotiation);
    state.flaps.waited &= matches!(to, Role::Held | Role::Promoting);
    if to == Role::Primary {
        lineage::leads(state);
    } else if led {
        lineage::leads_no_more(state);
    }
    if to != Role::Primary {
        state.deadlines.remove(&Deadline::Redundancy);
    }
    if to != Role::Fault {
        state.deadlines.remove(&Deadline::Unserved);
    }
}

fn carry_out(state: &mut State, row: &'static Row, order: Order, draft: &mut Draft) {
    match order {
        Order::Promote
        | Order::Follow
        | Order::Detach
        | Order::HandOver
        | Order::LetGo
        | Order::KillRedis
        | Order::GuardWrites(_)
        | Order::StartRedis
        | Order::StopRedis => order_redis(state, order, draft),
        Order::StandAside => {
            state.aside = true;
            state.asides = state.asides.saturating_add(1);
        }
        Order::EndSwitchover => state.switchover = None,
        // Who stands aside would be MASTER at once, for it hears nobody.
        Order::Eligible(true) if state.aside => {}
        Order::Eligible(eligible) if state.eligible == Some(eligible) => {}
        Order::Eligible(eligible) => {
            state.eligible = Some(eligible);
            draft.order(state, OrderKind::Track, Effect::SetEligible { eligible });
        }
        Order::Bias(standing) => set_bias(state, standing, draft),
        Order::Rewrite => {
            state.unwritten = false;
            rewrite_eligible(state, draft);
            if let Some(bias) = state.bias {
                draft.order(state, OrderKind::Track, Effect::SetBias { bias });
            }
        }
        Order::RewriteEligible => rewrite_eligible(state, draft),
        Order::Drain if state.settings.drain_ms == 0 => {}
        // Without its outcome being waited for: a refused drain costs a second, not the failover.
        Order::Drain => draft.effects.push(Effect::Drain {
            hold_ms: state.settings.drain_ms,
        }),
        Order::RemoveVip => draft.order(state, OrderKind::Other, Effect::RemoveVip),
        Order::Raise(kind) => raise(state, row, kind, draft),
        Order::Suppress(kind, why) => alarm::suppress(draft, kind, why),
        Order::Resolve(kind) => alarm::resolve(state, draft, kind),
        Order::Repeat => alarm::repeat(state, draft),
        Order::Arm(deadline) => {
            let in_ms = wait_ms(state, deadline);
            draft.arm(state, deadline, in_ms);
        }
        Order::Disarm(deadline) => {
            state.deadlines.remove(&deadline);
        }
        Order::OpenIncident => open_incident(state, draft),
        Order::GrowEpoch => {
            state.epoch += 1;
            draft.notes.push(Note::Epoch(state.epoch));
        }
        Order::CountPromotion => flap::count(state, draft.stamp),
        Order::NameBlocker => {
            if let Some(guard) = gate_blocker(state) {
                draft.notes.push(Note::Blocked {
                    guard: Cow::Borrowed(guard),
                });
                if guard == gate::LINEAGE_INTACT {
                    name_lack(state, draft);
                }
            }
        }
        Order::NameLack => name_lack(state, draft),
    }
}

fn raise(state: &mut State, row: &'static Row, kind: AlarmKind, draft: &mut Draft) {
    open_incident(state, draft);
    let because = match draft.detail.take() {
        Some(detail) => Cow::from(format!("{} {detail}", row.because)),
        None => Cow::from(row.because),
    };
    alarm::raise(state, draft, kind, &because);
}

/// Orders to the local Redis.
fn order_redis(state: &mut State, order: Order, draft: &mut Draft) {
    let switchover = state.switchover.clone();
    let (kind, effect) = match (order, switchover) {
        (Order::Promote, _) => {
            // The one before may go on where it cannot be seen: writes are taken without a replica when it cannot.
            state.guarded = state.settings.replicated_writes.then_some(true);
            state.unshared.get_or_insert_default();
            (OrderKind::Promote, Effect::Promote)
        }
        (Order::GuardWrites(on), _) if is_guarded_so(state, on) => return,
        (Order::GuardWrites(on), _) => {
            state.guarded = Some(on);
            (OrderKind::Guard, Effect::GuardWrites { on })
        }
        (Order::Follow, _) => (OrderKind::Follow, follow(state)),
        (Order::Detach, _) => {
            state.lead.own = OwnVote::Withdrawing;
            let target = Endpoint::nobody();
            (OrderKind::Detach, Effect::Follow { target })
        }
        (Order::HandOver, Some(Switchover { to, within_ms })) => {
            (OrderKind::HandOver, Effect::HandOver { to, within_ms })
        }
        (Order::LetGo, Some(Switchover { to, within_ms })) => {
            (OrderKind::LetGo, Effect::LetGo { to, within_ms })
        }
        (Order::KillRedis, _) => match state.pid {
            Some(pid) => (OrderKind::Other, Effect::KillRedis { pid }),
            None => return,
        },
        (Order::StartRedis, _) => (OrderKind::Other, Effect::StartRedis),
        (Order::StopRedis, _) => (OrderKind::Other, Effect::StopRedis),
        _ => return,
    };
    draft.order(state, kind, effect);
}

/// It is known that Redis waits for a replica, or does not; without the setting, it does not where nothing is known.
fn is_guarded_so(state: &State, on: bool) -> bool {
    match state.guarded {
        Some(guarded) => guarded == on,
        None => !on && !state.settings.replicated_writes,
    }
}

fn follow(state: &State) -> Effect {
    let (target, epoch) = (state.settings.follow.clone(), state.epoch);
    match state.role {
        // Nothing is overwritten: whom to follow is decided when it takes part again.
        Role::Fenced => Effect::Follow {
            target: Endpoint::nobody(),
        },
        _ if state.has_own_writes() => Effect::Rejoin { target, epoch },
        _ => Effect::Follow { target },
    }
}

fn name_lack(state: &State, draft: &mut Draft) {
    draft
        .notes
        .push(Note::Noticed(Cow::from(lineage::told(state))));
}

fn set_bias(state: &mut State, standing: Standing, draft: &mut Draft) {
    let bias = match standing {
        Standing::Other => 0,
        Standing::Settled => state.settings.bias / 2,
        Standing::Newest => state.settings.bias,
    };
    if state.bias != Some(bias) {
        state.bias = Some(bias);
        draft.order(state, OrderKind::Track, Effect::SetBias { bias });
    }
}

fn rewrite_eligible(state: &mut State, draft: &mut Draft) {
    if let Some(eligible) = state.eligible {
        draft.order(state, OrderKind::Track, Effect::SetEligible { eligible });
    }
}

/// How long a timer that the table sets runs, in milliseconds.
fn wait_ms(state: &mut State, deadline: Deadline) -> u64 {
    let settings = &state.settings;
    match deadline {
        Deadline::Negotiation => settings
            .negotiation_ms
            .saturating_mul(settings.above.len() as u64),
        Deadline::Retry => {
            let wait = settings.retry_ms.saturating_mul(1 << state.retries.min(5));
            state.retries = state.retries.saturating_add(1);
            wait
        }
        // A first start takes its time, and somebody is there to watch it.
        Deadline::Unserved if !state.has_been_served() => {
            settings.unserved_ms.max(settings.redundancy_ms)
        }
        Deadline::Unserved | Deadline::Conflict => settings.unserved_ms,
        Deadline::Redundancy => settings.redundancy_ms,
        Deadline::Reconcile => settings.reconcile_ms,
        Deadline::KeepalivedGone => settings.keepalived_gone_ms,
        // These are set by what is so, not by the table.
        Deadline::Apart
        | Deadline::LastPrimary
        | Deadline::Repeat
        | Deadline::PauseExpiry
        | Deadline::DrillOver
        | Deadline::TiltOver
        | Deadline::FlapWait
        | Deadline::Lead
        | Deadline::OwnVote
        | Deadline::Vouched => settings.repeat_ms,
    }
}

pub(super) fn open_incident(state: &mut State, draft: &mut Draft) {
    if state.incident.is_some() {
        return;
    }
    let id: Seq = draft.stamp.seq;
    state.incident = Some(Incident {
        id,
        opened: draft.stamp.at,
        raised: BTreeMap::new(),
    });
    draft.notes.push(Note::IncidentOpened(id));
    if let Some(Drilled { drill, .. }) = state.drill {
        let noticed = format!("during the drill {drill}");
        draft.notes.push(Note::Noticed(Cow::from(noticed)));
    }
}

/// Closes the incident once the role has settled, and takes its alarms back.
pub(super) fn settle(state: &mut State, draft: &mut Draft) {
    let Some(id) = state.incident.as_ref().map(|incident| incident.id) else {
        return;
    };
    if id == draft.stamp.seq || !is_settled(state) {
        return;
    }
    alarm::resolve_all(state, draft);
    state.incident = None;
    state.acked = None;
    state.asides = 0;
    draft.notes.push(Note::IncidentClosed(id));
}

/// Primary with a replica, or a replica with a live link; nothing under way, Redis answering. That an order
/// failed is not taken back while a track file is being written once more.
fn is_settled(state: &State) -> bool {
    let answering = state.is_up()
        && state
            .grade
            .is_some_and(crate::model::redis::Grade::is_ready);
    if !answering
        || guard::Guard::OrderPending.holds(state)
        || state.switchover.is_some()
        || state.unwritten
        || state.unheard
        || state.claimed.is_some()
        || quorum::is_out_of_sight(state)
        || (state.role == Role::Primary && !quorum::may_lead(state))
        || state.journal_out.is_some()
        // Somebody must be seen to serve: a link is up, too, to a Redis that is no master any more.
        || alarm::is_out(state, AlarmKind::Unserved)
        // However often the VIP moves, it is one incident.
        || alarm::is_out(state, AlarmKind::Flapping)
        || (state.is_pending(OrderKind::Track) && alarm::is_out(state, AlarmKind::EffectFailed))
        || state.keepalived == Some(false)
        || state.deadlines.contains_key(&Deadline::Retry)
    {
        return false;
    }
    match state.role {
        Role::Primary => {
            state.is_vrrp_master()
                && state.redis_role() == Some(RedisRole::Master)
                && !guard::Guard::Lonely.holds(state)
                && !state.peer_serves()
        }
        Role::Replica if state.vrrp != Some(VrrpState::Backup) => false,
        Role::Replica | Role::Stopped => state
            .redis
            .as_ref()
            .is_some_and(|seen| seen.role == RedisRole::Replica && seen.link_up),
        Role::Undecided
        | Role::Promoting
        | Role::Demoting
        | Role::Held
        | Role::Fenced
        | Role::Fault => false,
    }
}
