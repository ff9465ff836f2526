//! History: the records that a reader asks for, and one row in plain words for each.

use std::borrow::Cow;

use super::filter::told_of;
use super::quiet::LastChecks;
use super::sentence::{Sentence, operator_of, original_time};
use crate::machine::table;
use crate::model::decision::Transition;
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::time::At;

pub use super::filter::{Filter, Pattern};
pub use super::latest::latest;

/// All records that are asked for, as they come, oldest first: for [`Filter::limit`] 0, since
/// nothing is collected. For the last few of a long journal there is [`latest`].
pub fn all<E>(
    filter: Filter,
    oldest_first: impl Iterator<Item = Result<Record, E>>,
) -> impl Iterator<Item = Result<Record, E>> {
    let mut before = LastChecks::default();
    oldest_first.filter(move |record| {
        let Ok(record) = record else { return true };
        (filter.quiet || before.is_notable(record)) && filter.matches(record)
    })
}

/// A record in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the journal.
    pub seq: Seq,
    /// When it was decided.
    pub at: At,
    /// The instance; empty for the whole node.
    pub instance: String,
    /// The kind of event.
    pub kind: Cow<'static, str>,
    /// The other node that it tells of.
    pub node: Option<String>,
    /// What happened, as a sentence.
    pub what: String,
    /// When it happened, where the event says so and it was not when it was decided.
    pub original: Option<At>,
    /// The change of role.
    pub change: Option<Transition>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The rule's sentence, where this version still has the rule.
    pub because: Option<Cow<'static, str>>,
    /// What was ordered.
    pub effects: Vec<String>,
    /// What else was decided.
    pub notes: Vec<String>,
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// The record that led to this one.
    pub cause: Option<Seq>,
    /// Who did it, and by which command.
    pub operator: Option<String>,
}

impl From<&Record> for Row {
    fn from(record: &Record) -> Self {
        let decision = &record.decision;
        let rule = decision.rule.as_ref().map(|rule| rule.as_str());
        Self {
            seq: record.seq,
            at: record.at,
            instance: record.instance.clone(),
            kind: Cow::Borrowed(record.event.kind()),
            node: told_of(&record.event).map(str::to_owned),
            what: Sentence::new(&record.instance, &record.event).to_string(),
            original: original_time(record),
            change: decision.transition,
            rule: rule.map(str::to_owned),
            because: rule.and_then(because).map(Cow::Borrowed),
            effects: decision.effects.iter().map(ToString::to_string).collect(),
            notes: decision.notes.iter().map(ToString::to_string).collect(),
            incident: record.incident,
            cause: record.cause,
            operator: operator_of(&record.event)
                .map(|who| format!("{} ({}): {}", who.user, who.uid, who.command)),
        }
    }
}

/// The sentence of a rule; `None` for a rule that this version does not have.
pub(super) fn because(rule: &str) -> Option<&'static str> {
    table::row(rule).map(|row| row.because)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::model::event::Event;
    use crate::model::redis::Grade;
    use crate::views::fixture::{self, START_US};
    use crate::views::quiet::check_of;

    fn ok(records: Vec<Record>) -> impl Iterator<Item = Result<Record, Infallible>> {
        records.into_iter().map(Ok)
    }

    fn seqs(filter: &Filter, records: &[Record]) -> Vec<u64> {
        let forward: Vec<u64> = all(filter.clone(), ok(records.to_vec()))
            .map(|record| record.unwrap().seq.0)
            .collect();
        let mut reversed = records.to_vec();
        reversed.reverse();
        let backward: Vec<u64> = latest(filter, ok(reversed))
            .iter()
            .flatten()
            .map(|record| record.seq.0)
            .collect();
        assert_eq!(forward, backward, "both directions find the same");
        forward
    }

    #[test]
    fn quiet_checks_are_left_out_unless_asked_for() {
        let records = fixture::failover();
        let everything = Filter {
            quiet: true,
            ..Filter::default()
        };
        assert_eq!(seqs(&everything, &records).len(), records.len());

        let kept = seqs(&Filter::default(), &records);
        assert!(kept.len() < records.len());
        for record in records.iter().filter(|r| !kept.contains(&r.seq.0)) {
            assert!(record.decision.is_empty());
            assert!(check_of(record).is_some());
        }
        let timeout = records.iter().find(
            |r| matches!(&r.event, Event::RedisProbed(probe) if probe.grade == Grade::Timeout),
        );
        let timeout = timeout.unwrap().seq.0;
        assert!(kept.contains(&timeout), "a change of grade is shown");
        assert!(kept.contains(&(timeout + 1)), "and so is the way back");
    }

    /// A dead peer may be a timeout in one check and unreachable in the next, for days.
    #[test]
    fn a_silent_peer_is_told_once() {
        let mut story = fixture::Story::default();
        story.start(true);
        let mut check = |probe| {
            story.wait_ms(1_000);
            let peer = "lvs2".to_owned();
            story.tell(Event::PeerProbed { peer, probe });
            story.seq.0 - 1
        };
        let attached = check(fixture::replica(true));
        let silent = check(fixture::failed(Grade::Timeout, 500_000));
        for _ in 0..5 {
            check(fixture::failed(Grade::Unreachable, 90));
            check(fixture::failed(Grade::Timeout, 500_000));
        }
        let refused = check(fixture::failed(Grade::Refused, 90));
        let mut filter = Filter {
            kinds: vec!["peer-probed".to_owned()],
            ..Filter::default()
        };
        assert_eq!(seqs(&filter, &story.records), [attached, silent, refused]);
        filter.quiet = true;
        assert_eq!(seqs(&filter, &story.records).len(), 13);
    }

    #[test]
    fn each_field_narrows() {
        let records = fixture::failover();
        let by_kind = Filter {
            kinds: vec!["vrrp-notified".to_owned(), "vip-changed".to_owned()],
            ..Filter::default()
        };
        assert_eq!(seqs(&by_kind, &records).len(), 3);
        let by_rule = Filter {
            rule: Some("promote-on-vip".to_owned()),
            ..Filter::default()
        };
        assert_eq!(seqs(&by_rule, &records).len(), 1);
        let elsewhere = Filter {
            instance: Some("cache".to_owned()),
            ..Filter::default()
        };
        assert!(seqs(&elsewhere, &records).is_empty());
        let (since, until) = (START_US + 2_000_000, START_US + 5_000_000);
        let window = Filter {
            since: Some(since),
            until: Some(until),
            quiet: true,
            ..Filter::default()
        };
        let inside = records
            .iter()
            .filter(|r| (since..until).contains(&r.at.wall_us));
        let inside: Vec<u64> = inside.map(|r| r.seq.0).collect();
        assert!(!inside.is_empty() && inside.len() < records.len());
        assert_eq!(seqs(&window, &records), inside);
    }

    #[test]
    fn a_row_says_what_an_outcome_answers() {
        let rows: Vec<Row> = fixture::failover().iter().map(Row::from).collect();
        let done = rows.iter().find(|row| row.what == "promote: done").unwrap();
        assert_eq!(done.rule.as_deref(), Some("promoted"));
        assert_eq!(
            done.because.as_deref(),
            Some("Redis confirmed the promotion: this node leads.")
        );
        assert!(done.notes.contains(&"epoch 1".to_owned()));
    }
}
