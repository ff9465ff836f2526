//! What happened, row by row, and what was said of it.

use serde::Serialize;

use super::{Journal, closed_us, opened_us};
use crate::model::alarm::AlarmStatus;
use crate::model::decision::Note;
use crate::model::effect::Effect;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::settings::Settings;
use crate::views::LastChecks;
use crate::views::history::Row;
use crate::views::timeline::IncidentSummary;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, on the first node's clock.
    pub at_us: i64,
    /// On which node.
    pub node: String,
    /// Its record.
    pub seq: u64,
    /// What, as a sentence.
    pub what: String,
    /// The change of role.
    pub change: Option<(String, String)>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Its sentence.
    pub because: Option<String>,
    /// What was ordered.
    pub orders: Vec<String>,
    /// Who did it.
    pub operator: Option<String>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Alarms {
    /// Alarms, and what became of them: when, node, title, `raised`, `resolved` or `repeated`.
    pub sent: Vec<(i64, String, String, String)>,
    /// How many were kept back: why, and how often.
    pub suppressed: Vec<(String, u64)>,
    /// Attempts to send that failed, and why.
    pub failed: Vec<(i64, String, String)>,
}

/// More are not shown.
const MOST: usize = 400;

/// The notable records of all nodes, in the order of time; those that decided nothing are left out first where there
/// are too many. And how many were left out.
pub(super) fn collect(journals: &[Journal], from_us: i64, to_us: i64) -> (Vec<Moment>, u64) {
    let mut found = Vec::new();
    for journal in journals {
        let mut checks = LastChecks::default();
        for record in &journal.records {
            let is_notable = checks.is_notable(record);
            if is_notable && (from_us..=to_us).contains(&record.at.wall_us) {
                found.push((journal, record));
            }
        }
    }
    let all = found.len();
    if all > MOST {
        found.retain(|(_, record)| !record.decision.is_empty());
    }
    found.sort_by_key(|(_, record)| record.at.wall_us);
    found.truncate(MOST);
    let left_out = (all - found.len()) as u64;
    let moments = found
        .into_iter()
        .map(|(journal, record)| moment(journal, record));
    (moments.collect(), left_out)
}

fn moment(journal: &Journal, record: &Record) -> Moment {
    let row = Row::from(record);
    Moment {
        at_us: record.at.wall_us,
        node: journal.node.clone(),
        seq: record.seq.0,
        what: row.what,
        change: row
            .change
            .map(|change| (change.from.to_string(), change.to.to_string())),
        rule: row.rule,
        because: row.because.map(std::borrow::Cow::into_owned),
        orders: row.effects,
        operator: row.operator,
    }
}

/// What was said of it from `began_us` on.
pub(super) fn alarms(journals: &[Journal], began_us: i64, to_us: i64) -> Alarms {
    let mut alarms = Alarms::default();
    for journal in journals {
        for record in &journal.records {
            if (began_us..=to_us).contains(&record.at.wall_us) {
                note(&mut alarms, journal, record);
            }
        }
    }
    alarms.sent.sort();
    alarms.failed.sort();
    alarms
}

fn note(alarms: &mut Alarms, journal: &Journal, record: &Record) {
    let at = record.at.wall_us;
    let mut said = Vec::new();
    for effect in &record.decision.effects {
        let Effect::SendAlarm { alarm, .. } = effect else {
            continue;
        };
        // The same alarm goes to every sink.
        if said.contains(&alarm.kind) {
            continue;
        }
        said.push(alarm.kind);
        let status = match alarm.status {
            AlarmStatus::Raised => "raised",
            AlarmStatus::Repeated => "repeated",
            AlarmStatus::Resolved => "resolved",
        };
        alarms.sent.push((
            at,
            journal.node.clone(),
            alarm.title.clone(),
            status.to_owned(),
        ));
    }
    for note in &record.decision.notes {
        let Note::AlarmSuppressed { kind, why } = note else {
            continue;
        };
        let text = format!("{kind}: {why}");
        match alarms
            .suppressed
            .iter_mut()
            .find(|(known, _)| *known == text)
        {
            Some((_, count)) => *count += 1,
            None => alarms.suppressed.push((text, 1)),
        }
    }
    if let Event::EffectTried { order, why, .. } = &record.event
        && order.starts_with("send-alarm")
    {
        alarms
            .failed
            .push((at, journal.node.clone(), format!("{order}: {why}")));
    }
}

/// They were at the same time.
pub(super) fn overlap(one: &IncidentSummary, other: &IncidentSummary) -> bool {
    let ends = |incident: &IncidentSummary| closed_us(incident).unwrap_or(i64::MAX);
    opened_us(one) <= ends(other) && opened_us(other) <= ends(one)
}

/// The settings that matter in a postmortem, by their names in the configuration.
pub(super) fn settings(settings: &Settings) -> Vec<(String, String)> {
    let ms = |ms: u64| match ms {
        0 => "never".to_owned(),
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    };
    let grades: Vec<&str> = settings.fall_on.iter().map(|grade| grade.word()).collect();
    let prefer = if settings.prefer_availability {
        "availability"
    } else {
        "consistency"
    };
    let quorum = settings
        .quorum
        .as_ref()
        .map(|quorum| quorum.voters.join(", "));
    let rows = [
        ("VIP", settings.vip.to_string()),
        ("own Redis", settings.own.to_string()),
        ("other nodes", settings.peers.join(", ")),
        (
            "fall, rise",
            format!("{}, {}", settings.fall, settings.rise),
        ),
        ("fall_on", grades.join(", ")),
        ("prefer", prefer.to_owned()),
        ("last_primary_wait", ms(settings.last_primary_ms)),
        ("replicated_writes", settings.replicated_writes.to_string()),
        ("kill_hung", settings.kill_hung.to_string()),
        ("drain", ms(settings.drain_ms)),
        ("tilt", ms(settings.tilt_ms)),
        (
            "max_promotions",
            format!(
                "{} in {}",
                settings.max_promotions,
                ms(settings.promotions_window_ms)
            ),
        ),
        ("alarm sinks", settings.sinks.join(", ")),
        ("quorum", quorum.unwrap_or_else(|| "none".to_owned())),
    ];
    rows.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
