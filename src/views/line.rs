//! A record as one line of JSON, and such a line read back as far as a reader of history needs it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::history::Row;
use super::json::RecordJson;
use crate::model::decision::Transition;
use crate::model::record::{Record, Seq};
use crate::model::role::Role;
use crate::model::time::{At, BootId};

/// What history can be told from: a record, or the line that it left.
pub trait Entry {
    /// In plain words.
    fn row(&self) -> Row;

    /// As JSON, schema 1, without a line break.
    ///
    /// # Errors
    /// JSON cannot hold it.
    fn json(&self) -> serde_json::Result<Cow<'_, str>>;
}

impl Entry for Record {
    fn row(&self) -> Row {
        Row::from(self)
    }

    fn json(&self) -> serde_json::Result<Cow<'_, str>> {
        serde_json::to_string(&RecordJson::from(self)).map(Cow::Owned)
    }
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    row: Row,
    text: String,
}

impl Line {
    /// The line, without its line break; `None` if it is not one of ours, or not a whole one.
    #[must_use]
    pub fn read(text: String) -> Option<Self> {
        let said: Said = serde_json::from_str(&text).ok()?;
        let row = said.row()?;
        Some(Self { row, text })
    }

    /// Which record it is of.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            seq: self.row.seq,
            at: self.row.at,
        }
    }

    /// In plain words.
    #[must_use]
    pub fn words(&self) -> &Row {
        &self.row
    }
}

impl Entry for Line {
    fn row(&self) -> Row {
        self.row.clone()
    }

    fn json(&self) -> serde_json::Result<Cow<'_, str>> {
        Ok(Cow::Borrowed(&self.text))
    }
}

/// Tells one record from all others, also from those of another journal, whose numbers begin at 1 again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its place.
    pub seq: Seq,
    /// When it was decided.
    pub at: At,
}

impl From<&Record> for Mark {
    fn from(record: &Record) -> Self {
        Self {
            seq: record.seq,
            at: record.at,
        }
    }
}

/// The keys that a row is made of. All others are left to those who read JSON.
#[derive(Deserialize)]
struct Said {
    seq: Seq,
    at_us: i64,
    mono_us: u64,
    boot: String,
    instance: String,
    kind: String,
    summary: String,
    original_at: Option<String>,
    event: Value,
    transition: Option<SaidTransition>,
    rule: Option<String>,
    because: Option<String>,
    effects: Vec<SaidEffect>,
    notes: Vec<SaidNote>,
    incident: Option<Seq>,
    cause: Option<Seq>,
    operator: Option<SaidOperator>,
}

#[derive(Deserialize)]
struct SaidTransition {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct SaidEffect {
    text: String,
}

#[derive(Deserialize)]
struct SaidOperator {
    user: String,
    uid: u32,
    command: String,
}

#[derive(Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
enum SaidNote {
    IncidentOpened {
        incident: Seq,
    },
    IncidentClosed {
        incident: Seq,
    },
    Blocked {
        guard: String,
    },
    AlarmSuppressed {
        alarm: String,
        why: String,
    },
    Epoch {
        epoch: u64,
    },
    Noticed {
        text: String,
    },
    /// A later rha wrote it.
    #[serde(other)]
    Unknown,
}

impl Said {
    fn row(self) -> Option<Row> {
        let at = At {
            wall_us: self.at_us,
            mono_us: self.mono_us,
            boot: boot(&self.boot)?,
        };
        Some(Row {
            seq: self.seq,
            at,
            instance: self.instance,
            kind: Cow::Owned(self.kind),
            node: told_of(&self.event),
            what: self.summary,
            original: self.original_at.and_then(|_| original(&self.event)),
            change: self.transition.and_then(|change| change.roles()),
            rule: self.rule,
            because: self.because.map(Cow::Owned),
            effects: self.effects.into_iter().map(|effect| effect.text).collect(),
            notes: self.notes.into_iter().filter_map(SaidNote::text).collect(),
            incident: self.incident,
            cause: self.cause,
            operator: self
                .operator
                .map(|who| format!("{} ({}): {}", who.user, who.uid, who.command)),
        })
    }
}

impl SaidTransition {
    fn roles(&self) -> Option<Transition> {
        let role = |word: &str| Role::ALL.into_iter().find(|role| role.word() == word);
        Some(Transition {
            from: role(&self.from)?,
            to: role(&self.to)?,
        })
    }
}

impl SaidNote {
    fn text(self) -> Option<String> {
        match self {
            Self::IncidentOpened { incident } => Some(format!("incident {incident} opened")),
            Self::IncidentClosed { incident } => Some(format!("incident {incident} closed")),
            Self::Blocked { guard } => Some(format!("blocked by {guard}")),
            Self::AlarmSuppressed { alarm, why } => {
                Some(format!("alarm {alarm} suppressed: {why}"))
            }
            Self::Epoch { epoch } => Some(format!("epoch {epoch}")),
            Self::Noticed { text } => Some(text),
            Self::Unknown => None,
        }
    }
}

/// The event's own time: under this key or that.
fn original(event: &Value) -> Option<At> {
    #[derive(Deserialize)]
    struct SaidAt {
        at_us: i64,
        mono_us: u64,
        boot: String,
    }
    let moment = ["stamped", "happened", "began"]
        .into_iter()
        .find_map(|key| SaidAt::deserialize(event.get(key)?).ok())?;
    Some(At {
        wall_us: moment.at_us,
        mono_us: moment.mono_us,
        boot: boot(&moment.boot)?,
    })
}

/// The other node that the event tells of: under this key or that.
fn told_of(event: &Value) -> Option<String> {
    let name = event.get("peer").or_else(|| event.get("to"))?;
    name.as_str().map(str::to_owned)
}

fn boot(hex: &str) -> Option<BootId> {
    u64::from_str_radix(hex, 16).ok().map(BootId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Note;
    use crate::views::{fixture, samples};

    #[test]
    fn a_line_tells_what_its_record_tells() {
        let mut records = fixture::failover();
        records.extend(fixture::folded(samples::every_event()));
        let mut noted = records[0].clone();
        noted.decision.notes = vec![
            Note::IncidentOpened(Seq(7)),
            Note::IncidentClosed(Seq::UNRECORDED),
            Note::Blocked {
                guard: "not-paused".into(),
            },
            Note::AlarmSuppressed {
                kind: crate::model::alarm::AlarmKind::Unserved,
                why: "said already".into(),
            },
            Note::Epoch(3),
            Note::Noticed("a \"fact\"\nchanged".into()),
        ];
        records.push(noted);
        for record in records {
            let text = record.json().unwrap().into_owned();
            assert!(!text.contains('\n'), "{text}");
            let line = Line::read(text.clone()).unwrap();
            assert_eq!(line.row(), record.row(), "{text}");
            assert_eq!(line.mark(), Mark::from(&record));
            assert_eq!(line.json().unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_line_is_not_read_as_one() {
        let text = fixture::failover()[3].json().unwrap().into_owned();
        let half = text[..text.len() / 2].to_owned();
        for bad in [half, String::new(), "{}".to_owned(), "\0\0\0".to_owned()] {
            assert_eq!(Line::read(bad), None);
        }
        // A later schema may say more.
        let more = text.replacen(
            "\"notes\":[",
            "\"new\":1,\"notes\":[{\"note\":\"new\",\"x\":1},",
            1,
        );
        let more = more.replace("},]", "}]");
        assert!(Line::read(more).is_some());
    }
}
