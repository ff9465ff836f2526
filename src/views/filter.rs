//! Which records a reader of history asks for.

use serde::{Deserialize, Serialize};

use super::history::Row;
use crate::model::decision::{RuleId, Transition};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};

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
    /// Behind this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
    /// Any of these kinds of event (`Event::KINDS`); empty for all. Comma-separated where it travels.
    #[serde(with = "kinds", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// This instance only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What is told of this other node only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What is told of the node itself only.
    #[serde(skip_serializing_if = "is_false")]
    pub own: bool,
    /// Changes of role from or to this one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Records that this rule decided only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Records of this incident only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Seq>,
    /// Records in whose words this is found only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<Pattern>,
    /// The last so many, at most [`Filter::MAX_LIMIT`]; 0 for all, one by one.
    pub limit: usize,
    /// Quiet checks too: those that changed nothing and say what the check before them said.
    pub quiet: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands the field over like this.
fn is_false(value: &bool) -> bool {
    !value
}

/// What a filter looks at, of a record or of the line that it left.
struct Told<'a> {
    seq: Seq,
    wall_us: i64,
    kind: &'a str,
    instance: &'a str,
    node: Option<&'a str>,
    rule: Option<&'a str>,
    change: Option<Transition>,
    incident: Option<Seq>,
}

impl Filter {
    /// More than this are not collected; ask for all of them instead, or for a shorter time.
    pub const MAX_LIMIT: usize = 100_000;

    /// Reading stops when a record is this much older than `since`, or younger than `until`, in microseconds: records
    /// stand in the order in which they were decided, and the clock may have been set back in between.
    pub const CLOCK_STEP_US: i64 = 3_600_000_000;

    /// The first record that can be asked for.
    #[must_use]
    pub fn first(&self) -> Seq {
        let after = self.after.map_or(Seq(1), Seq::next);
        // An incident is named by its first record; one that was opened without a record has none.
        let incident = self.incident.filter(|incident| *incident < Seq::UNRECORDED);
        after.max(incident.unwrap_or(Seq(1)))
    }

    /// The record is asked for, unless it is a quiet check.
    pub(super) fn matches(&self, record: &Record) -> bool {
        self.wants(&Told {
            seq: record.seq,
            wall_us: record.at.wall_us,
            kind: record.event.kind(),
            instance: &record.instance,
            node: told_of(&record.event),
            rule: record.decision.rule.as_ref().map(RuleId::as_str),
            change: record.decision.transition,
            incident: record.incident,
        }) && self.finds(|| Row::from(record))
    }

    /// The row is asked for; as above.
    #[must_use]
    pub fn matches_row(&self, row: &Row) -> bool {
        self.wants(&Told {
            seq: row.seq,
            wall_us: row.at.wall_us,
            kind: &row.kind,
            instance: &row.instance,
            node: row.node.as_deref(),
            rule: row.rule.as_deref(),
            change: row.change,
            incident: row.incident,
        }) && self.finds(|| row.clone())
    }

    fn wants(&self, told: &Told<'_>) -> bool {
        let Self {
            since,
            until,
            after: _,
            kinds,
            instance,
            node,
            own,
            role,
            rule,
            incident,
            grep: _,
            limit: _,
            quiet: _,
        } = self;
        let is_change = |word: &str| {
            let change = told.change;
            change.is_some_and(|change| [change.from, change.to].iter().any(|r| r.word() == word))
        };
        told.seq >= self.first()
            && since.is_none_or(|since| told.wall_us >= since)
            && until.is_none_or(|until| told.wall_us < until)
            && (kinds.is_empty() || kinds.iter().any(|one| one == told.kind))
            && instance.as_ref().is_none_or(|name| name == told.instance)
            && node.as_deref().is_none_or(|name| told.node == Some(name))
            && !(*own && told.node.is_some())
            && role.as_deref().is_none_or(is_change)
            && rule.as_deref().is_none_or(|id| told.rule == Some(id))
            && incident.is_none_or(|id| told.incident == Some(id))
    }

    fn finds(&self, row: impl FnOnce() -> Row) -> bool {
        let Some(Pattern(pattern)) = &self.grep else {
            return true;
        };
        let row = row();
        let said = [Some(row.what), row.rule, row.operator];
        let said = said.into_iter().flatten();
        let because = row.because.map(std::borrow::Cow::into_owned);
        said.chain(because)
            .chain(row.effects)
            .chain(row.notes)
            .any(|text| pattern.is_match(&text))
    }
}

/// The other node that an event tells of.
pub(super) fn told_of(event: &Event) -> Option<&str> {
    match event {
        Event::PeerProbed { peer, .. }
        | Event::PeerAdvertised { peer, .. }
        | Event::PeerSigned { peer, .. } => Some(peer),
        Event::SwitchoverAsked { to, .. } => to.as_deref(),
        _ => None,
    }
}

/// A regular expression. One without capital letters does not tell them from small ones.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(regex_lite::Regex);

impl std::str::FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut builder = regex_lite::RegexBuilder::new(text);
        let ignores_case = !text.chars().any(char::is_uppercase);
        let built = builder.case_insensitive(ignores_case).build();
        built
            .map(Self)
            .map_err(|why| format!("`{text}` is no regular expression: {why}"))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(Pattern(pattern): Pattern) -> Self {
        pattern.as_str().to_owned()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

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
    use super::*;
    use crate::views::fixture::{self, START_US};
    use crate::views::samples;

    #[test]
    fn travels_as_json_and_refuses_what_it_does_not_know() {
        let filter = Filter {
            since: Some(START_US + 1),
            kinds: vec!["redis-exited".to_owned(), "vip-changed".to_owned()],
            instance: Some("redis".to_owned()),
            role: Some("primary".to_owned()),
            incident: Some(Seq(7)),
            grep: Some("lvs[12]".parse().unwrap()),
            limit: 50,
            ..Filter::default()
        };
        let json = serde_json::to_string(&filter).unwrap();
        insta::assert_snapshot!(json, @r#"{"since":"2026-08-03T06:00:00.000001Z","kinds":"redis-exited,vip-changed","instance":"redis","role":"primary","incident":7,"grep":"lvs[12]","limit":50,"quiet":false}"#);
        assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
        let further = Filter {
            after: Some(Seq(3)),
            node: Some("lvs2".to_owned()),
            own: true,
            ..filter.clone()
        };
        let query = serde_urlencoded::to_string(&further).unwrap();
        let read = serde_urlencoded::from_str::<Filter>(&query);
        assert_eq!(read.unwrap(), further, "{query}");
        for (text, complaint) in [
            (r#"{"kind":"x"}"#, "unknown field `kind`"),
            (r#"{"kinds":"redis-exit"}"#, "no kind of event `redis-exit`"),
            (r#"{"grep":"("}"#, "`(` is no regular expression"),
            (r#"{"since":"14:00"}"#, "`14:00` is not a time in RFC 3339"),
        ] {
            let error = serde_json::from_str::<Filter>(text).unwrap_err();
            assert!(error.to_string().contains(complaint), "{error}");
        }
    }

    /// As many of these records as are asked for.
    fn count(filter: &Filter, records: &[Record]) -> usize {
        let rows = records
            .iter()
            .filter(|r| filter.matches_row(&Row::from(*r)));
        let found = records.iter().filter(|record| filter.matches(record));
        assert_eq!(
            rows.count(),
            found.clone().count(),
            "lines and records alike"
        );
        found.count()
    }

    #[test]
    fn each_further_field_narrows() {
        let records = fixture::failover();
        let base = Filter::default();
        let all = records.len();
        assert_eq!(count(&base, &records), all);
        let after = Filter {
            after: Some(Seq(3)),
            ..base.clone()
        };
        assert_eq!(count(&after, &records), all - 3);
        let role = |word: &str| Filter {
            role: Some(word.to_owned()),
            ..base.clone()
        };
        let changes = records
            .iter()
            .filter(|r| r.decision.transition.is_some())
            .count();
        let promoting = count(&role("promoting"), &records);
        assert!(promoting >= 2 && promoting <= changes, "from it and to it");
        assert_eq!(count(&role("fenced"), &records), 0);
        let incident = records.iter().find_map(|record| record.incident).unwrap();
        let within = Filter {
            incident: Some(incident),
            ..base.clone()
        };
        let of_it = records
            .iter()
            .filter(|r| r.incident == Some(incident))
            .count();
        assert_eq!(count(&within, &records), of_it);
        let grep = |text: &str| Filter {
            grep: Some(text.parse().unwrap()),
            ..base.clone()
        };
        let confirmed = count(&grep("redis CONFIRMED the promotion"), &records);
        assert_eq!(confirmed, 0, "a capital letter tells them apart");
        assert_eq!(
            count(&grep("redis confirmed the (pro|de)motion"), &records),
            1
        );
    }

    #[test]
    fn what_is_told_of_another_node_is_found_by_its_name() {
        let records = fixture::folded(samples::every_event());
        let of = |name: &str| Filter {
            node: Some(name.to_owned()),
            ..Filter::default()
        };
        let peers = records.iter().filter_map(|record| told_of(&record.event));
        let names: std::collections::BTreeSet<&str> = peers.clone().collect();
        assert!(!names.is_empty());
        let found: usize = names.iter().map(|name| count(&of(name), &records)).sum();
        assert_eq!(found, peers.count());
        let own = Filter {
            own: true,
            ..Filter::default()
        };
        assert_eq!(count(&own, &records) + found, records.len());
        assert_eq!(count(&of("nobody"), &records), 0);
    }
}
