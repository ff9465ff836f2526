//! The comparison, record by record.

use std::collections::BTreeMap;

use super::Recovered;
use crate::machine::{self, RULESET, State};
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{IncidentId, Record, Seq};

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Records read, the diverging one too.
    pub records: u64,
    /// The first record.
    pub first: Option<Seq>,
    /// The last record read.
    pub last: Option<Seq>,
    /// Records that decided something.
    pub decisions: u64,
    /// How many times each rule decided.
    pub rules: BTreeMap<String, u64>,
    /// Records decided by another version of the rules than this program's.
    pub other_ruleset: u64,
    /// Where the replay ended early: beyond it the states are no longer the same.
    pub divergence: Option<Divergence>,
}

/// The first record that the machine would not have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Its place.
    pub seq: Seq,
    /// Its instance.
    pub instance: String,
    /// How it differs.
    pub difference: Difference,
    /// Another version of the rules decided it: a change of logic, not a lack of determinism.
    pub ruleset_changed: bool,
    /// The event that was decided about.
    pub event: Event,
    /// What stands in the journal.
    pub recorded: Verdict,
    /// What the machine says.
    pub computed: Verdict,
}

/// How recorded and computed differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The machine decides something, the journal has nothing.
    Missing,
    /// The journal has a decision that the machine does not make.
    Extra,
    /// Both decide, but not the same.
    Different,
    /// The record does not follow the one before it: some are missing, or stand twice.
    OutOfSequence {
        /// Which record should be here.
        expected: Seq,
    },
}

/// What is compared: the decision, and the incident that the record belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Transition, rule, effects and notes.
    pub decision: Decision,
    /// The incident.
    pub incident: Option<IncidentId>,
}

/// Replays records, oldest first, until the first divergence. Each instance has a state of its own; so has the node
/// itself (records without an instance). `before`: what the records before the first come to, where there were any.
#[must_use]
pub fn rerun(before: Recovered, records: impl Iterator<Item = Record>) -> Report {
    let mut rerun = Rerun {
        report: Report::default(),
        expected: before.next.max(Seq(1)),
        states: before.states,
    };
    for record in records {
        rerun.report.divergence = rerun.compare(record);
        if rerun.report.divergence.is_some() {
            break;
        }
    }
    rerun.report
}

struct Rerun {
    report: Report,
    expected: Seq,
    states: BTreeMap<String, State>,
}

impl Rerun {
    fn compare(&mut self, record: Record) -> Option<Divergence> {
        let expected = std::mem::replace(&mut self.expected, record.seq.next());
        self.report.count(&record);
        if record.seq != expected {
            return Some(out_of_sequence(record, expected));
        }
        if !self.states.contains_key(&record.instance) {
            let state = State::default();
            self.states.insert(record.instance.clone(), state);
        }
        let state = self.states.get_mut(&record.instance)?;
        let (decision, incident) = machine::judge(state, record.seq, record.at, &record.event);
        if decision == record.decision && incident == record.incident {
            return None;
        }
        let difference = match (record.decision.is_empty(), decision.is_empty()) {
            (true, false) => Difference::Missing,
            (false, true) => Difference::Extra,
            _ => Difference::Different,
        };
        Some(Divergence {
            seq: record.seq,
            instance: record.instance,
            difference,
            ruleset_changed: record.ruleset != RULESET,
            event: record.event,
            recorded: Verdict {
                decision: record.decision,
                incident: record.incident,
            },
            computed: Verdict { decision, incident },
        })
    }
}

/// A hole, or a record that stands twice: what the machine would say is not asked any more.
fn out_of_sequence(record: Record, expected: Seq) -> Divergence {
    Divergence {
        seq: record.seq,
        instance: record.instance,
        difference: Difference::OutOfSequence { expected },
        ruleset_changed: false,
        event: record.event,
        recorded: Verdict {
            decision: record.decision,
            incident: record.incident,
        },
        computed: Verdict::default(),
    }
}

impl Report {
    fn count(&mut self, record: &Record) {
        self.records += 1;
        self.first.get_or_insert(record.seq);
        self.last = Some(record.seq);
        if record.ruleset != RULESET {
            self.other_ruleset += 1;
        }
        if record.decision.is_empty() {
            return;
        }
        self.decisions += 1;
        if let Some(rule) = &record.decision.rule {
            match self.rules.get_mut(rule.as_str()) {
                Some(count) => *count += 1,
                None => {
                    self.rules.insert(rule.to_string(), 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Fold;
    use crate::model::effect::Effect;
    use crate::views::fixture::{self, Story};

    fn replay(records: &[Record]) -> Report {
        rerun(Recovered::default(), records.iter().cloned())
    }

    fn find(records: &mut [Record], rule: &str) -> usize {
        records
            .iter()
            .position(|r| {
                r.decision
                    .rule
                    .as_ref()
                    .is_some_and(|id| id.as_str() == rule)
            })
            .unwrap_or_else(|| panic!("no record by {rule}"))
    }

    #[test]
    fn a_clean_failover_does_not_diverge() {
        let records = fixture::failover();
        let report = replay(&records);
        assert_eq!(report.divergence, None);
        assert_eq!(report.records, u64::try_from(records.len()).unwrap());
        assert_eq!(report.rules["promote-on-vip"], 1);
        assert_eq!(report.rules["promoted"], 1);
        assert!(report.decisions > 5 && report.decisions < report.records);
    }

    #[test]
    fn a_tampered_decision_is_named() {
        let untouched = fixture::failover();
        let tampered = |rule: &str, change: fn(&mut Record)| {
            let mut records = untouched.clone();
            let index = find(&mut records, rule);
            change(&mut records[index]);
            let divergence = replay(&records).divergence.unwrap();
            assert_eq!(divergence.seq, records[index].seq);
            assert_ne!(divergence.recorded, divergence.computed);
            divergence.difference
        };
        let missing = tampered("promote-on-vip", |r| r.decision = Decision::default());
        assert_eq!(missing, Difference::Missing);
        let effect = tampered("promote-on-vip", |r| {
            r.decision.effects[0] = Effect::StopRedis;
        });
        assert_eq!(effect, Difference::Different);
        let incident = tampered("promoted", |r| r.incident = None);
        assert_eq!(incident, Difference::Different);

        let mut records = untouched.clone();
        let quiet = records.iter().rposition(|r| r.decision.is_empty()).unwrap();
        records[quiet].decision.effects.push(Effect::RemoveVip);
        let divergence = replay(&records).divergence.unwrap();
        assert_eq!(divergence.difference, Difference::Extra);
        assert_eq!(divergence.seq, records[quiet].seq);
    }

    #[test]
    fn an_event_that_was_altered_shows_in_what_follows() {
        let mut records = fixture::failover();
        let index = find(&mut records, "promote-on-vip");
        records[index].event = Event::AgentStopping;
        let divergence = replay(&records).divergence.unwrap();
        assert_eq!(divergence.difference, Difference::Extra);
    }

    #[test]
    fn a_removed_or_repeated_record_is_named() {
        let records = fixture::failover();
        for index in 1..records.len() - 1 {
            let mut holed = records.clone();
            let removed = holed.remove(index).seq;
            let divergence = replay(&holed).divergence.unwrap();
            assert_eq!(divergence.seq, removed.next());
            let expected = removed;
            assert_eq!(
                divergence.difference,
                Difference::OutOfSequence { expected }
            );
        }
        let mut doubled = records.clone();
        doubled.insert(5, records[4].clone());
        let divergence = replay(&doubled).divergence.unwrap();
        assert_eq!(divergence.seq, records[4].seq);
    }

    #[test]
    fn another_ruleset_is_said() {
        let mut records = fixture::failover();
        for record in &mut records {
            record.ruleset += 1;
        }
        let report = replay(&records);
        assert_eq!(report.divergence, None);
        assert_eq!(report.other_ruleset, report.records);
        let index = find(&mut records, "promoted");
        records[index].decision.rule = None;
        assert!(replay(&records).divergence.unwrap().ruleset_changed);
    }

    #[test]
    fn instances_and_the_node_have_a_state_each() {
        let mut records = Vec::new();
        let stories = ["redis", "cache", ""].map(|instance| Story {
            instance,
            ..Story::default()
        });
        for mut story in stories {
            story.seq = Seq(u64::try_from(records.len()).unwrap() + 1);
            story.start(true);
            story.lead();
            records.append(&mut story.records);
        }
        assert_eq!(replay(&records).divergence, None);
        let last = records
            .iter()
            .rposition(|r| r.decision.rule.is_some())
            .unwrap();
        records[last].instance = "redis".to_owned();
        assert!(replay(&records).divergence.is_some());
    }

    #[test]
    fn what_the_records_before_come_to_takes_their_place() {
        let records = fixture::failover();
        for cut in 1..records.len() {
            let mut before = Recovered::default();
            records[..cut].iter().for_each(|record| before.fold(record));
            let report = rerun(before, records[cut..].iter().cloned());
            assert_eq!(report.divergence, None, "behind {cut}");
        }
    }

    #[test]
    fn a_journal_without_its_beginning_is_not_replayed() {
        let records = fixture::failover();
        let divergence = replay(&records[3..]).divergence.unwrap();
        let expected = Seq(1);
        assert_eq!(
            divergence.difference,
            Difference::OutOfSequence { expected }
        );
    }
}
