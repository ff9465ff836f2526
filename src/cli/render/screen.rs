//! Where the answer will be read.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use terminal_size::terminal_size;

use crate::views::timestamp;

/// The width to fit in, and the time zone to tell times in.
#[derive(Debug, Clone)]
pub struct Screen {
    /// In columns.
    pub width: usize,
    /// The width is that of a reader's terminal: no row is wider, however many lines that takes. Elsewhere a row is one
    /// line, for grep and its kind.
    pub is_terminal: bool,
    /// The reader's time zone.
    pub zone: TimeZone,
}

impl Screen {
    /// The width where the answer goes to no terminal.
    pub const DEFAULT_WIDTH: usize = 120;

    /// The terminal at standard output, `COLUMNS` where that is set (as `watch` does), and the host's time zone.
    #[must_use]
    pub fn detect() -> Self {
        let set = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let is_terminal = set.is_some() || io::stdout().is_terminal();
        let width = set.or_else(|| terminal_size().map(|(width, _)| usize::from(width.0)));
        Self {
            width: width
                .filter(|width| *width > 0)
                .unwrap_or(Self::DEFAULT_WIDTH),
            is_terminal,
            zone: TimeZone::system(),
        }
    }

    /// The widest that a row may be, where that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        self.is_terminal.then_some(self.width)
    }

    /// The zone's offset from UTC at a wall time in microseconds.
    #[must_use]
    pub fn offset(&self, wall_us: i64) -> Offset {
        self.zone.to_offset(timestamp(wall_us))
    }

    /// A moment that is given as RFC 3339, in the reader's zone; as it is where it is none.
    #[must_use]
    pub fn local(&self, rfc3339: &str) -> String {
        match rfc3339.parse::<Timestamp>() {
            Ok(moment) => {
                let offset = self.zone.to_offset(moment);
                format!(
                    "{} {}",
                    local(moment.as_microsecond(), offset),
                    clock_offset(offset)
                )
            }
            Err(_) => super::plain(rfc3339).into_owned(),
        }
    }
}

/// Standard output; colours are taken out where it is no terminal or `NO_COLOR` is set.
#[must_use]
pub fn stdout() -> anstream::AutoStream<io::Stdout> {
    anstream::stdout()
}

/// `2026-08-03 14:00:01.123`, in milliseconds, at that offset.
pub(super) fn local(wall_us: i64, offset: Offset) -> String {
    let civil = offset.to_datetime(timestamp(wall_us));
    civil.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// `14:00:01.123` of it.
pub(super) fn clock(wall_us: i64, offset: Offset) -> String {
    let civil = offset.to_datetime(timestamp(wall_us));
    civil.strftime("%H:%M:%S.%3f").to_string()
}

/// The day of it.
pub(super) fn day(wall_us: i64, offset: Offset) -> Date {
    offset.to_datetime(timestamp(wall_us)).date()
}

/// `+08:00`.
pub(super) fn clock_offset(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_name_their_offset() {
        let screen = |seconds| Screen {
            width: 80,
            is_terminal: true,
            zone: TimeZone::fixed(Offset::from_seconds(seconds).unwrap()),
        };
        let at = "2026-08-03T06:00:01.123456Z";
        assert_eq!(screen(8 * 3600).local(at), "2026-08-03 14:00:01.123 +08:00");
        assert_eq!(screen(-12_600).local(at), "2026-08-03 02:30:01.123 -03:30");
        assert_eq!(screen(0).local("soon"), "soon");
    }
}
