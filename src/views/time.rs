//! Wall time as text.

use jiff::Timestamp;

/// The moment of a wall time in microseconds; what lies outside of jiff's calendar (years -9999 to
/// 9999) becomes its nearest end, for a damaged clock must not keep a record from being read.
#[must_use]
pub fn timestamp(wall_us: i64) -> Timestamp {
    Timestamp::from_microsecond(wall_us).unwrap_or(if wall_us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// RFC 3339 in UTC with microseconds: `2026-08-03T06:00:01.000123Z`.
#[must_use]
pub fn rfc3339(wall_us: i64) -> String {
    format!("{:.6}", timestamp(wall_us))
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn has_six_digits_always_and_survives_any_number() {
        assert_eq!(
            rfc3339(1_785_736_801_000_123),
            "2026-08-03T06:00:01.000123Z"
        );
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000Z");
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
        assert!(rfc3339(i64::MIN).starts_with("-00"));
    }
}
