//! Times as people type them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, ZonedDateTime};

use super::render::Problem;

/// Reads a moment: RFC 3339, a local date or date and time, `14:00` (the last time it was that late),
/// `yesterday 14:00`, `2h ago` or `2h`, `now`.
///
/// # Errors
/// A [`Problem`] of usage that shows the forms.
pub fn parse_when(text: &str, now: &ZonedDateTime) -> Result<Timestamp, Problem> {
    read(text.trim(), now).ok_or_else(|| {
        Problem::usage(format!("`{text}` is not a time"))
            .hint("Times are `2h ago`, `14:00`, `yesterday 14:00`, `2026-08-03 14:00` or RFC 3339.")
    })
}

fn read(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    if text == "now" {
        return Some(now.timestamp());
    }
    let (day, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match day {
        "today" => return on(now.date(), rest.trim(), now),
        "yesterday" => return on(now.date().yesterday().ok()?, rest.trim(), now),
        _ => {}
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return local(civil, now);
    }
    if let Ok(time) = text.parse::<Time>() {
        let today = local(now.date().to_datetime(time), now)?;
        if today <= now.timestamp() {
            return Some(today);
        }
        return local(now.date().yesterday().ok()?.to_datetime(time), now);
    }
    let back: Span = text.parse().ok()?;
    Some(now.checked_sub(back.abs()).ok()?.timestamp())
}

fn on(date: Date, time: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let time = match time {
        "" => Time::midnight(),
        time => time.parse().ok()?,
    };
    local(date.to_datetime(time), now)
}

fn local(civil: DateTime, now: &ZonedDateTime) -> Option<Timestamp> {
    Some(
        civil
            .to_zoned_datetime(now.time_zone().clone())
            .ok()?
            .timestamp(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        let now: ZonedDateTime = "2026-08-03T14:30:00+08:00[+08:00]".parse().unwrap();
        for (text, expected) in [
            ("now", "2026-08-03T06:30:00Z"),
            ("2026-08-03T06:00:01.000123Z", "2026-08-03T06:00:01.000123Z"),
            ("2026-08-03T14:00:00+08:00", "2026-08-03T06:00:00Z"),
            ("2026-08-01 14:00", "2026-08-01T06:00:00Z"),
            ("2026-08-01", "2026-07-31T16:00:00Z"),
            ("14:00", "2026-08-03T06:00:00Z"),
            ("14:00:05", "2026-08-03T06:00:05Z"),
            ("15:00", "2026-08-02T07:00:00Z"),
            ("today", "2026-08-02T16:00:00Z"),
            ("yesterday", "2026-08-01T16:00:00Z"),
            ("yesterday 14:00", "2026-08-02T06:00:00Z"),
            ("2h", "2026-08-03T04:30:00Z"),
            ("2h ago", "2026-08-03T04:30:00Z"),
            ("90 minutes", "2026-08-03T05:00:00Z"),
            ("1d 2h ago", "2026-08-02T04:30:00Z"),
        ] {
            let moment = parse_when(text, &now).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(moment.to_string(), expected, "{text}");
        }
        for text in ["", "soon", "25:00", "yesterday soon", "2026-13-01", "-"] {
            assert!(parse_when(text, &now).is_err(), "{text}");
        }
    }
}
