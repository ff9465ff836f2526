//! Orders without an outcome: what is to be sent again at start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::effect::{Effect, EffectId};
use crate::model::event::Event;
use crate::model::record::Record;

/// The orders that no outcome has answered.
///
/// When an agent starts, the machine forgets what the one before had under way and looks at the
/// world anew; so does this fold, but for alarms: those are still to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    orders: BTreeMap<EffectId, Ordered>,
    forgotten: u64,
}

/// An order, and for which instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// The instance; empty for the whole node.
    pub instance: String,
    /// When: wall time in microseconds.
    pub decided_us: i64,
    /// What was ordered.
    pub effect: Effect,
}

impl Unresolved {
    /// So many are remembered; then the oldest are forgotten, and counted.
    pub const MAX: usize = 10_000;

    /// Folds one record.
    pub fn fold(&mut self, record: &Record) {
        match &record.event {
            Event::EffectFinished { effect, .. } => {
                self.orders.remove(effect);
            }
            Event::AgentStarted { .. } => self.orders.retain(|_, order| {
                order.instance != record.instance
                    || matches!(order.effect, Effect::SendAlarm { .. })
            }),
            _ => {}
        }
        for (index, effect) in (0u16..).zip(&record.decision.effects) {
            let seq = record.seq;
            let ordered = Ordered {
                instance: record.instance.clone(),
                decided_us: record.at.wall_us,
                effect: effect.clone(),
            };
            self.orders.insert(EffectId { seq, index }, ordered);
        }
        while self.orders.len() > Self::MAX {
            self.orders.pop_first();
            self.forgotten += 1;
        }
    }

    /// The orders without an outcome, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (EffectId, &Ordered)> {
        self.orders.iter().map(|(id, order)| (*id, order))
    }

    /// How many orders without an outcome were forgotten because there were too many.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Decision;
    use crate::model::effect::Outcome;
    use crate::model::record::Seq;
    use crate::views::fixture;

    fn fold(records: &[Record]) -> Unresolved {
        let mut unresolved = Unresolved::default();
        for record in records {
            unresolved.fold(record);
        }
        unresolved
    }

    #[test]
    fn after_a_clean_failover_nothing_is_left() {
        let failover = fixture::failover();
        assert_eq!(fold(&failover).iter().count(), 0);
        let ordered: usize = failover.iter().map(|r| r.decision.effects.len()).sum();
        assert!(ordered >= 7, "the story orders a lot: {ordered}");
    }

    #[test]
    fn a_new_agent_keeps_the_alarms_of_the_old_one_only() {
        let mut story = fixture::Story::default();
        story.start(true);
        story.lead();
        story.tell(Event::RedisExited { pid: 900 });
        let before = fold(&story.records);
        assert!(before.iter().any(|(_, o)| o.effect.word() == "drain"));
        story.tell(Event::DeadlinePassed {
            deadline: crate::model::event::Deadline::Unserved,
        });
        story.tell(Event::AgentStarted {
            version: "0.1.0".to_owned(),
            pid: 2,
        });
        let left = fold(&story.records);
        let words: Vec<_> = left.iter().map(|(_, order)| order.effect.word()).collect();
        assert_eq!(words, ["send-alarm"]);

        let (id, order) = left.iter().next().unwrap();
        assert_eq!(order.instance, "redis");
        let done = Event::EffectFinished {
            effect: id,
            order: order.effect.to_string(),
            outcome: Outcome::Done(String::new()),
        };
        story.tell(done);
        assert_eq!(fold(&story.records).iter().count(), 0);
    }

    #[test]
    fn is_bounded() {
        let mut unresolved = Unresolved::default();
        let mut record = fixture::folded([Event::AgentStopping]).remove(0);
        record.decision = Decision {
            effects: vec![Effect::Promote, Effect::RemoveVip],
            ..Decision::default()
        };
        for seq in 1..=6_000 {
            record.seq = Seq(seq);
            unresolved.fold(&record);
        }
        assert_eq!(unresolved.iter().count(), Unresolved::MAX);
        assert_eq!(unresolved.forgotten(), 2_000);
        let (oldest, _) = unresolved.iter().next().unwrap();
        assert_eq!(oldest.seq, Seq(1_001));
    }
}
