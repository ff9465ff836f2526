//! Sizes as they stand in the file: `512KiB`, `64MiB`, `2GiB`.

use serde::Serializer;
use toml::de::DeValue;

const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// A number of bytes from `min` to `max`, both as they would be written in the file.
pub(super) fn size(
    min: &'static str,
    max: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    move |value| {
        let DeValue::String(word) = value else {
            return Err("must be a size in quotes, such as \"64MiB\"".into());
        };
        let found = parse(word).ok_or_else(|| {
            format!(
                "\"{word}\" is not a size; a whole number and KiB, MiB, GiB or TiB, such as \"64MiB\""
            )
        })?;
        let within = parse(min).is_some_and(|min| found >= min)
            && parse(max).is_some_and(|max| found <= max);
        if within {
            Ok(found)
        } else {
            Err(format!(
                "\"{word}\" is out of range; \"{min}\" to \"{max}\""
            ))
        }
    }
}

/// As [`size`]; "0" and "" are zero, for none.
pub(super) fn size_or_none(
    min: &'static str,
    max: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    let some = size(min, max);
    move |value| match value {
        DeValue::String(word) if word.is_empty() || parse(word) == Some(0) => Ok(0),
        _ => some(value).map_err(|why| format!("{why}, or \"0\" for none")),
    }
}

fn parse(word: &str) -> Option<u64> {
    if word == "0" {
        return Some(0);
    }
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at_checked(digits)?;
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Writes a number of whole KiB in the largest unit that holds it exactly.
pub(super) fn show_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0".into();
    }
    UNITS
        .iter()
        .find(|(_, unit)| bytes.is_multiple_of(*unit))
        .map_or_else(String::new, |(name, unit)| {
            format!("{}{name}", bytes / unit)
        })
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands the field over like this.
pub(super) fn serialize<S: Serializer>(bytes: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_size(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_trip_in_their_largest_unit() {
        for word in ["0", "1KiB", "1536KiB", "64MiB", "2GiB", "1TiB"] {
            assert_eq!(show_size(parse(word).unwrap()), word);
        }
        assert_eq!(show_size(1024 * 1024), "1MiB");
        for bad in [
            "",
            "5",
            "KiB",
            "1.5MiB",
            "-1KiB",
            "5 MiB",
            "5MB",
            "5mib",
            "99999999999TiB",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
