//! What each sort of sink takes.

use std::time::Duration;

use serde_json::{Value, json};

use super::Letter;
use crate::model::alarm::{AlarmStatus, Severity};
use crate::views::rfc3339;

/// The body that a sink understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// The `simplealarm` of the scripts: `title`, `content`, `mailTo`, `smsTo`.
    Simplealarm {
        /// Put before title and content, with a colon.
        local_ip: String,
        /// Passed on as `mailTo`.
        mail_to: String,
        /// Passed on as `smsTo`.
        sms_to: String,
    },
    /// Alertmanager's API v2, at `…/api/v2/alerts`.
    Alertmanager {
        /// Alertmanager forgets an alert whose end has come. One that is raised gets its end so far ahead: longer
        /// than it takes until it is said again.
        stands: Duration,
    },
    /// The alarm as one JSON object. Its keys never change their meaning; a new one may be added:
    ///
    /// - `schema`: 1
    /// - `id`: of this message. A message is sent again after a crash: one with a known `id` can be dropped. The time
    ///   of the decision is in it, for the numbers of records that were lost are given again
    /// - `node`, `instance`: who says it, of which VIP
    /// - `incident`: its number on that node; with `kind` the key of the alarm
    /// - `kind`: what it is about, such as `took-over`
    /// - `severity`: `warning` or `critical`
    /// - `status`: `raised`, `repeated` or `resolved`
    /// - `at`: when it was decided, RFC 3339 in UTC
    /// - `title`, `content`: for people
    Webhook,
}

/// The body of `letter` from the node of that name.
pub(super) fn body(dialect: &Dialect, node: &str, letter: &Letter) -> Value {
    match dialect {
        Dialect::Simplealarm {
            local_ip,
            mail_to,
            sms_to,
        } => json!({
            "title": format!("{local_ip}:{}", letter.alarm.title),
            "content": format!("{local_ip}:{}", letter.alarm.content),
            "mailTo": mail_to,
            "smsTo": sms_to,
        }),
        Dialect::Alertmanager { stands } => json!([alert(*stands, node, letter)]),
        Dialect::Webhook => webhook(node, letter),
    }
}

/// The labels are the alert's identity (Alertmanager, "Clients"): they are the same when it is resolved. Where an
/// alert with these labels stands already, Alertmanager keeps the earliest `startsAt`.
fn alert(stands: Duration, node: &str, letter: &Letter) -> Value {
    let Letter {
        instance,
        decided_us,
        alarm,
        ..
    } = letter;
    let stands_us = i64::try_from(stands.as_micros()).unwrap_or(i64::MAX);
    let ends_us = match alarm.status {
        AlarmStatus::Raised | AlarmStatus::Repeated => decided_us.saturating_add(stands_us),
        AlarmStatus::Resolved => *decided_us,
    };
    let mut alert = json!({
        "labels": {
            "alertname": format!("rha-{}", alarm.kind),
            "instance": instance,
            "node": node,
            "severity": severity(alarm.kind.severity()),
            "incident": alarm.incident.to_string(),
        },
        "annotations": { "summary": alarm.title, "description": alarm.content },
        "endsAt": rfc3339(ends_us),
    });
    // When it began is known to the alert that stands there.
    if alarm.status != AlarmStatus::Resolved {
        alert["startsAt"] = rfc3339(*decided_us).into();
    }
    alert
}

fn webhook(node: &str, letter: &Letter) -> Value {
    let Letter {
        instance,
        id,
        decided_us,
        alarm,
        order: _,
    } = letter;
    json!({
        "schema": 1,
        "id": format!("{node}/{id}/{decided_us}"),
        "node": node,
        "instance": instance,
        "incident": alarm.incident.0,
        "kind": alarm.kind.word(),
        "severity": severity(alarm.kind.severity()),
        "status": alarm.status.to_string(),
        "at": rfc3339(*decided_us),
        "title": alarm.title,
        "content": alarm.content,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::{Alarm, AlarmKind};
    use crate::model::effect::EffectId;
    use crate::model::record::Seq;

    fn letter(status: AlarmStatus) -> Letter {
        let id = EffectId {
            seq: Seq(169),
            index: 2,
        };
        let alarm = Alarm {
            incident: Seq(160),
            kind: AlarmKind::TookOver,
            status,
            title: "New \"primary\"".to_owned(),
            content: "line\nnext \\ 主".to_owned(),
        };
        Letter::new("cache", id, 1_785_736_801_000_123, "ops", alarm)
    }

    fn text(dialect: &Dialect, status: AlarmStatus) -> String {
        body(dialect, "lvs2", &letter(status)).to_string()
    }

    #[test]
    fn simplealarm() {
        let dialect = Dialect::Simplealarm {
            local_ip: "10.0.0.1".to_owned(),
            mail_to: "ops@example.org".to_owned(),
            sms_to: "+49".to_owned(),
        };
        assert_eq!(
            text(&dialect, AlarmStatus::Raised),
            r#"{"content":"10.0.0.1:line\nnext \\ 主","mailTo":"ops@example.org","smsTo":"+49","title":"10.0.0.1:New \"primary\""}"#
        );
    }

    #[test]
    fn alertmanager() {
        let dialect = Dialect::Alertmanager {
            stands: Duration::from_secs(8 * 3600),
        };
        let common = r#""labels":{"alertname":"rha-took-over","incident":"160","instance":"cache","node":"lvs2","severity":"warning"}"#;
        let said =
            r#""annotations":{"description":"line\nnext \\ 主","summary":"New \"primary\""}"#;
        for status in [AlarmStatus::Raised, AlarmStatus::Repeated] {
            assert_eq!(
                text(&dialect, status),
                format!(
                    r#"[{{{said},"endsAt":"2026-08-03T14:00:01.000123Z",{common},"startsAt":"2026-08-03T06:00:01.000123Z"}}]"#
                )
            );
        }
        assert_eq!(
            text(&dialect, AlarmStatus::Resolved),
            format!(r#"[{{{said},"endsAt":"2026-08-03T06:00:01.000123Z",{common}}}]"#)
        );
        let for_ever = Dialect::Alertmanager {
            stands: Duration::MAX,
        };
        assert!(text(&for_ever, AlarmStatus::Raised).contains(r#""endsAt":"9999-12-30T"#));
    }

    #[test]
    fn webhook() {
        assert_eq!(
            text(&Dialect::Webhook, AlarmStatus::Resolved),
            r#"{"at":"2026-08-03T06:00:01.000123Z","content":"line\nnext \\ 主","id":"lvs2/169.2/1785736801000123","incident":160,"instance":"cache","kind":"took-over","node":"lvs2","schema":1,"severity":"warning","status":"resolved","title":"New \"primary\""}"#
        );
    }
}
