//! What holds of the machine for any events in any order, in any state.

#[path = "properties/events.rs"]
mod events;

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use rha::machine::{self, State, gate};
use rha::model::alarm::AlarmStatus;
use rha::model::decision::{Decision, Note};
use rha::model::effect::Effect;
use rha::model::event::Event;
use rha::model::record::{Record, Seq};
use rha::model::time::{At, BootId};

use events::{Timed, any_state, check, event, notified, ready_state, timed};

/// Folds the events, each a while after the one before.
fn fold(state: &mut State, clock: &mut Clock, events: &[Timed]) -> Vec<Record> {
    events
        .iter()
        .map(|(wait_us, event)| {
            clock.pass(*wait_us, event);
            machine::decide(state, clock.seq, clock.at, "redis", None, event.clone())
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Clock {
    seq: Seq,
    at: At,
}

impl Clock {
    fn new() -> Self {
        let at = At {
            wall_us: 1_767_225_600_000_000,
            mono_us: 60_000_000,
            boot: BootId(1),
        };
        Self { seq: Seq(0), at }
    }

    /// A long wait before a start of the agent is a boot.
    fn pass(&mut self, wait_us: u64, event: &Event) {
        self.seq = self.seq.next();
        self.at.wall_us += i64::try_from(wait_us).expect("waits are short");
        self.at.mono_us += wait_us;
        if matches!(event, Event::AgentStarted { .. }) && wait_us > 5_000_000 {
            self.at.boot.0 += 1;
            self.at.mono_us = 10_000_000;
        }
    }

    fn step(&mut self, state: &mut State, event: &Event) -> Decision {
        self.pass(1_000, event);
        machine::step(state, self.seq, self.at, event)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A snapshot and what came after it are as good as everything from the beginning.
    #[test]
    fn a_fold_can_be_continued(start in any_state(), events in vec(timed(), 0..120), cut in 0..120_usize) {
        let cut = cut.min(events.len());
        let (mut whole, mut parts) = (start.clone(), start);
        let mut clock = Clock::new();
        let all = fold(&mut whole, &mut clock, &events);
        let mut clock = Clock::new();
        let mut pieces = fold(&mut parts, &mut clock, &events[..cut]);
        let mut snapshot = parts.clone();
        pieces.extend(fold(&mut snapshot, &mut clock, &events[cut..]));
        prop_assert_eq!(all, pieces);
        prop_assert_eq!(whole, snapshot);
    }

    /// keepalived writes a line twice after some reloads.
    #[test]
    fn a_line_twice_is_a_line_once(start in any_state(), events in vec(timed(), 0..60), line in notified()) {
        let mut state = start;
        let mut clock = Clock::new();
        fold(&mut state, &mut clock, &events);
        let line = Event::VrrpNotified(line);
        clock.step(&mut state, &line);
        let role = state.role;
        let again = clock.step(&mut state, &line);
        prop_assert_eq!(state.role, role);
        prop_assert_eq!(again.transition, None);
        let acts = again.effects.iter().find(|effect| !matches!(effect, Effect::SendAlarm { .. }));
        prop_assert_eq!(acts, None);
    }

    /// Checks that say the same for ever are stored packed: how many there were must not matter.
    #[test]
    fn quiet_checks_change_nothing(start in any_state(), events in vec(timed(), 0..60), check in check()) {
        let mut state = start;
        let mut clock = Clock::new();
        fold(&mut state, &mut clock, &events);
        let settle = 4 * usize::from(state.settings.fall.max(state.settings.rise)).max(1);
        let last = (0..settle).map(|_| clock.step(&mut state, &check)).collect::<Vec<_>>();
        prop_assume!(last[settle - settle / 2..].iter().all(Decision::is_empty));
        let before = state.clone();
        for _ in 0..20 {
            let decision = clock.step(&mut state, &check);
            prop_assert!(decision.is_empty(), "{:?}", decision);
        }
        // Drift goes round while nothing is decided yet: a counter.
        state.drift = before.drift;
        // When a node was last seen to follow is a time, and no check is the one before.
        for (name, peer) in &before.peers {
            if let Some(now) = state.peers.get_mut(name) {
                prop_assert_eq!(now.vouched.map(|(what, _)| what), peer.vouched.map(|(what, _)| what));
                now.vouched = peer.vouched;
            }
        }
        prop_assert_eq!(state, before);
    }

    /// Raised once, resolved once and only if raised, repeated only in between.
    #[test]
    fn alarms_are_said_once(events in vec(timed(), 0..200)) {
        let mut state = ready_state();
        let mut open = BTreeSet::new();
        let mut over = BTreeSet::new();
        for record in fold(&mut state, &mut Clock::new(), &events) {
            for effect in record.decision.effects {
                let Effect::SendAlarm { sink, alarm } = effect else { continue };
                let key = (alarm.incident, alarm.kind, sink);
                match alarm.status {
                    AlarmStatus::Raised => {
                        prop_assert!(!over.contains(&alarm.incident), "{:?}: the incident is over", key);
                        prop_assert!(open.insert(key.clone()), "{:?} twice", key);
                    }
                    AlarmStatus::Repeated => prop_assert!(open.contains(&key), "{:?}", key),
                    AlarmStatus::Resolved => {
                        prop_assert!(open.remove(&key), "{:?} was not raised", key);
                    }
                }
            }
            for note in record.decision.notes {
                if let Note::IncidentClosed(incident) = note {
                    prop_assert!(open.iter().all(|(of, ..)| *of != incident), "{} left an alarm", incident);
                    over.insert(incident);
                }
            }
        }
    }

    /// The gate is the only way to a promotion.
    #[test]
    fn nothing_is_promoted_past_the_gate(events in vec(timed(), 0..200)) {
        let mut state = ready_state();
        let mut clock = Clock::new();
        for event in &events {
            let records = fold(&mut state, &mut clock, std::slice::from_ref(event));
            if records[0].decision.effects.contains(&Effect::Promote) {
                prop_assert_eq!(gate::gate_blocker(&state), None, "{:?}", records[0]);
                prop_assert!(state.is_vrrp_master(), "{:?}", records[0]);
            }
        }
    }

    /// Before `AgentReady` the world is only looked at.
    #[test]
    fn nothing_is_decided_before_the_agent_is_ready(events in vec(timed(), 0..120)) {
        let mut state = State::default();
        for record in fold(&mut state, &mut Clock::new(), &events) {
            if matches!(record.event, Event::AgentReady { .. }) {
                break;
            }
            prop_assert_eq!(record.decision.transition, None);
            prop_assert_eq!(record.decision.rule, None);
            prop_assert!(record.decision.effects.is_empty());
        }
    }

    /// Every armed timer can fire, and is gone when it has.
    #[test]
    fn timers_end(start in any_state(), events in vec(timed(), 0..120)) {
        let mut state = start;
        let mut clock = Clock::new();
        fold(&mut state, &mut clock, &events);
        let Some((deadline, armed)) = state.next_deadline() else { return Ok(()) };
        clock.at.mono_us = clock.at.mono_us.max(armed.due_us);
        clock.step(&mut state, &Event::DeadlinePassed { deadline });
        let again = state.deadlines.get(&deadline);
        let later = again.is_none_or(|again| again.by == clock.seq);
        prop_assert!(later, "{:?} is still armed by {}", deadline, armed.by);
    }

    /// What is due is over at some time, with the clock standing still.
    #[test]
    fn timers_do_not_spin(start in any_state(), events in vec(timed(), 0..120)) {
        let mut state = start;
        let mut clock = Clock::new();
        fold(&mut state, &mut clock, &events);
        clock.at.mono_us += 86_400_000_000;
        let mut rung = 0;
        while let Some((deadline, _)) = state.next_deadline().filter(|(_, armed)| armed.due_us <= clock.at.mono_us) {
            rung += 1;
            prop_assert!(rung < 50, "{:?} is due again and again", deadline);
            clock.seq = clock.seq.next();
            machine::step(&mut state, clock.seq, clock.at, &Event::DeadlinePassed { deadline });
        }
    }
}

/// The kinds that these properties feed are all that there are.
#[test]
fn every_kind_of_event_is_fed() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..5_000 {
        let event = event()
            .new_tree(&mut runner)
            .expect("a strategy makes values")
            .current();
        *seen.entry(event.kind()).or_insert(0) += 1;
    }
    for kind in Event::KINDS {
        assert!(seen.contains_key(kind), "{kind} is never fed: {seen:?}");
    }
}
