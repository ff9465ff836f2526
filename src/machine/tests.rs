//! Tests of the table itself. What the machine does is told in `tests/scenarios/`.

use std::collections::BTreeSet;

use super::row::{Cond, Trigger};
use super::table::TABLE;
use super::{State, guard, step, table};
use crate::model::role::Role;
use crate::model::time::At;

/// No event without an answer.
#[test]
fn table_is_total() {
    for trigger in Trigger::ALL {
        let last = TABLE.iter().rfind(|row| row.on == trigger);
        let last = last.unwrap_or_else(|| panic!("{trigger:?} has no row"));
        assert!(
            last.from.is_empty() && last.when.is_empty(),
            "{trigger:?} ends with the conditional row {}",
            last.id
        );
        for role in Role::ALL {
            let state = State {
                role,
                ..State::default()
            };
            assert_eq!(table::find(&state, trigger).on, trigger);
        }
    }
}

#[test]
fn rule_ids_are_unique() {
    let ids: BTreeSet<_> = TABLE.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), TABLE.len());
}

/// Every row can fire: no row for the same trigger before it takes all that it would take.
#[test]
fn no_row_is_shadowed() {
    for (index, row) in TABLE.iter().enumerate() {
        for earlier in TABLE[..index].iter().filter(|earlier| earlier.on == row.on) {
            let covers_roles = earlier.from.is_empty()
                || (!row.from.is_empty() && row.from.iter().all(|r| earlier.from.contains(r)));
            let covers_conditions = earlier.when.iter().all(|cond| row.when.contains(cond));
            assert!(
                !(covers_roles && covers_conditions),
                "{} can never fire: {} comes first",
                row.id,
                earlier.id
            );
        }
    }
}

/// No state without a way out: from each role a path of rows leads to primary and to replica.
/// (Nothing enters Fenced yet; the test would fail as soon as a row did without a way back.)
#[test]
fn every_reachable_role_leads_to_primary_and_to_replica() {
    let successors = |role: Role| {
        TABLE
            .iter()
            .filter(move |row| row.from.is_empty() || row.from.contains(&role))
            .filter_map(|row| row.to)
    };
    let reach = |start: Role| {
        let mut seen = BTreeSet::from([start]);
        let mut queue = vec![start];
        while let Some(role) = queue.pop() {
            queue.extend(successors(role).filter(|next| seen.insert(*next)));
        }
        seen
    };
    for role in reach(Role::Undecided) {
        let reachable = reach(role);
        assert!(
            reachable.contains(&Role::Primary),
            "{role} has no way to primary"
        );
        assert!(
            reachable.contains(&Role::Replica),
            "{role} has no way to replica"
        );
    }
}

/// While an operator has paused it, no row touches Redis, the track files or the VIP of its own accord.
#[test]
fn a_paused_machine_orders_nothing() {
    use super::row::Order;
    let by_operator = [
        Trigger::StartAsked,
        Trigger::StopAsked,
        Trigger::RestartAsked,
        // What an operator's switchover leads to: it is not begun while it is paused.
        Trigger::WritesHeld,
        Trigger::LetGone,
        Trigger::LetGoFailed,
    ];
    for row in TABLE.iter().filter(|row| !by_operator.contains(&row.on)) {
        let acts = row.then.iter().any(|order| {
            matches!(
                order,
                Order::Promote | Order::Follow | Order::Eligible(_) | Order::Drain
            )
        });
        let gate = row.when.contains(&Cond::Is(guard::Guard::GateOpen));
        let unpaused = row.when.contains(&Cond::Not(guard::Guard::Paused));
        let paused_first = TABLE
            .iter()
            .take_while(|earlier| earlier.id != row.id)
            .any(|earlier| {
                earlier.on == row.on
                    && earlier.from.is_empty()
                    && earlier.when == [Cond::Is(guard::Guard::Paused)]
            });
        // Neither is counted while it is paused.
        let drift = [Trigger::RoleDrifted, Trigger::Outranked].contains(&row.on);
        let orphan = row.id.starts_with("orphaned-vip");
        assert!(
            !acts || gate || unpaused || paused_first || drift || orphan,
            "{} acts while paused",
            row.id
        );
    }
}

#[test]
fn nothing_is_decided_before_the_agent_is_ready() {
    let mut state = State::default();
    let event = crate::model::event::Event::RedisExited { pid: 1 };
    state.pid = Some(1);
    let decision = step(
        &mut state,
        crate::model::record::Seq(1),
        At::default(),
        &event,
    );
    assert!(decision.is_empty());
}
