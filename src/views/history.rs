//! History: which records a reader asks for, and one row in plain words for each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::quiet::LastChecks;
use super::sentence::{Sentence, operator_of, original_time};
use crate::machine::table;
use crate::model::decision::{RuleId, Transition};
use crate::model::record::{IncidentId, Record, Seq};
use crate::model::time::At;

pub use super::latest::latest;

/// Which records are asked for. It travels to the agent as JSON or as a query string
/// (`?since=2026-08-03T06:00:00Z&kinds=redis-exited,vrrp-notified&limit=50`), so every field is flat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// From this wall time on, in microseconds; RFC 3339 where it travels.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Before this wall time, in microseconds; RFC 3339 where it travels.
    #[serde(with = "moment", skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Any of these kinds of event (`Event::KINDS`); empty for all. Comma-separated where it travels.
    #[serde(with = "kinds", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// This instance only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Records that this rule decided only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The last so many, at most [`Filter::MAX_LIMIT`]; 0 for all, one by one.
    pub limit: usize,
    /// Quiet checks too: those that changed nothing and say what the check before them said.
    pub quiet: bool,
}

impl Filter {
    /// More than this are not collected; ask for all of them instead, or for a shorter time.
    pub const MAX_LIMIT: usize = 100_000;

    /// The record is asked for, unless it is a quiet check.
    pub(super) fn matches(&self, record: &Record) -> bool {
        self.wants(
            record.at.wall_us,
            record.event.kind(),
            &record.instance,
            record.decision.rule.as_ref().map(RuleId::as_str),
        )
    }

    /// The row is asked for; as above.
    #[must_use]
    pub fn matches_row(&self, row: &Row) -> bool {
        let rule = row.rule.as_deref();
        self.wants(row.at.wall_us, &row.kind, &row.instance, rule)
    }

    fn wants(&self, wall_us: i64, kind: &str, place: &str, decided: Option<&str>) -> bool {
        let Self {
            since,
            until,
            kinds,
            instance,
            rule,
            limit: _,
            quiet: _,
        } = self;
        since.is_none_or(|since| wall_us >= since)
            && until.is_none_or(|until| wall_us < until)
            && (kinds.is_empty() || kinds.iter().any(|one| one == kind))
            && instance.as_ref().is_none_or(|name| name == place)
            && rule.as_deref().is_none_or(|id| decided == Some(id))
    }
}

/// All records that are asked for, as they come, oldest first: for [`Filter::limit`] 0, since
/// nothing is collected. For the last few of a long journal there is [`latest`].
pub fn all<E>(
    filter: &Filter,
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

/// A wall time on the wire: RFC 3339.
mod moment {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::ref_option)] // serde hands the field over like this.
    pub fn serialize<S: Serializer>(us: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        match us {
            Some(us) => serializer.serialize_str(&crate::views::rfc3339(*us)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let moment: Timestamp = text.parse().map_err(|why| {
            D::Error::custom(format!("`{text}` is not a time in RFC 3339: {why}"))
        })?;
        Ok(Some(moment.as_microsecond()))
    }
}

/// Kinds on the wire: separated by commas, for a query string has no lists.
mod kinds {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::model::event::Event;

    #[allow(clippy::ptr_arg)] // serde hands the field over like this.
    pub fn serialize<S: Serializer>(kinds: &Vec<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&kinds.join(","))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        let text = String::deserialize(from)?;
        let kinds: Vec<String> = text.split(',').map(str::trim).map(str::to_owned).collect();
        match kinds
            .iter()
            .find(|kind| !Event::KINDS.contains(&kind.as_str()))
        {
            Some(unknown) => Err(D::Error::custom(format!(
                "there is no kind of event `{unknown}`; there are {}",
                Event::KINDS.join(", ")
            ))),
            None => Ok(kinds),
        }
    }
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
        let forward: Vec<u64> = all(filter, ok(records.to_vec()))
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
    fn travels_as_json_and_refuses_what_it_does_not_know() {
        let filter = Filter {
            since: Some(START_US + 1),
            kinds: vec!["redis-exited".to_owned(), "vip-changed".to_owned()],
            instance: Some("redis".to_owned()),
            limit: 50,
            ..Filter::default()
        };
        let json = serde_json::to_string(&filter).unwrap();
        insta::assert_snapshot!(json, @r#"{"since":"2026-08-03T06:00:00.000001Z","kinds":"redis-exited,vip-changed","instance":"redis","limit":50,"quiet":false}"#);
        assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
        for (text, complaint) in [
            (r#"{"kind":"x"}"#, "unknown field `kind`"),
            (r#"{"kinds":"redis-exit"}"#, "no kind of event `redis-exit`"),
            (r#"{"since":"14:00"}"#, "`14:00` is not a time in RFC 3339"),
        ] {
            let error = serde_json::from_str::<Filter>(text).unwrap_err();
            assert!(error.to_string().contains(complaint), "{error}");
        }
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
