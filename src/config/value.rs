//! One TOML value → one typed value. Every error says what is wrong and what is allowed.

use std::net::IpAddr;
use std::path::{Component, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

/// Longest instance, node or sink name, in bytes: they become parts of file names.
const NAME_MAX: usize = 64;
/// Longest network interface name (`IFNAMSIZ` less the final zero byte).
const INTERFACE_MAX: usize = 15;
/// Longest path, in bytes: keepalived reads lines of 1024.
const PATH_MAX: usize = 512;
/// Longest directory of sockets, in bytes: they must fit into `sun_path` (108 bytes).
const SOCKET_DIRECTORY_MAX: usize = 90;

const SECOND: u64 = 1_000;
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1),
];

/// A string without line breaks and the like: nothing that has them is meant.
pub(super) fn string(value: &DeValue<'_>) -> Result<String, String> {
    let word = text(value)?;
    if word.contains(char::is_control) {
        return Err(format!("\"{word}\" has control characters"));
    }
    Ok(word.to_owned())
}

/// A list of strings.
pub(super) fn strings(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let DeValue::Array(array) = value else {
        return Err("must be a list of strings, such as [\"a\", \"b\"]".into());
    };
    array.iter().map(|item| string(item.get_ref())).collect()
}

/// A program and its arguments, or an empty list for none.
pub(super) fn command(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let words = strings(value)?;
    if words.first().is_some_and(String::is_empty) {
        return Err("the program is \"\"; such as [\"redis-server\", …], or [] for none".into());
    }
    Ok(words)
}

/// The name of a Redis user, or "" for none.
pub(super) fn username(value: &DeValue<'_>) -> Result<String, String> {
    let word = string(value)?;
    if word.contains(char::is_whitespace) {
        return Err(format!(
            "\"{word}\" has spaces, and Redis knows no such user"
        ));
    }
    Ok(word)
}

/// Yes or no.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(word) => Ok(*word),
        _ => Err("must be true or false, without quotes".into()),
    }
}

/// A whole number from `min` to `max`.
pub(super) fn integer<T: TryFrom<i64>>(
    min: i64,
    max: i64,
) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let DeValue::Integer(digits) = value else {
            return Err(format!("must be a whole number from {min} to {max}"));
        };
        i64::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .filter(|number| (min..=max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("{digits} is out of range; {min} to {max}"))
    }
}

/// A duration from `min` to `max`, both as they would be written in the file.
pub(super) fn duration(
    min: &'static str,
    max: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<Duration, String> {
    move |value| {
        let word = text(value).map_err(|_| "must be a duration in quotes, such as \"250ms\"")?;
        let found = parse_duration(word).ok_or_else(|| {
            format!("\"{word}\" is not a duration; a whole number and ms, s, m, h or d, such as \"250ms\"")
        })?;
        let within = parse_duration(min).is_some_and(|min| found >= min)
            && parse_duration(max).is_some_and(|max| found <= max);
        if within {
            Ok(found)
        } else {
            Err(format!(
                "\"{word}\" is out of range; \"{min}\" to \"{max}\""
            ))
        }
    }
}

/// Reads `250ms`, `1s`, `5m`, `4h` or `30d`.
pub fn parse_duration(word: &str) -> Option<Duration> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at_checked(digits)?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let millis = number.parse::<u64>().ok()?.checked_mul(*millis)?;
    Some(Duration::from_millis(millis))
}

/// Writes a duration of whole milliseconds in the largest unit that holds it exactly.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".into();
    }
    UNITS
        .iter()
        .find(|(_, unit)| millis.is_multiple_of(u128::from(*unit)))
        .map_or_else(String::new, |(name, unit)| {
            format!("{}{name}", millis / u128::from(*unit))
        })
}

/// A name that can be part of a file name: letters, digits, `_` and `-`.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, String> {
    let word = text(value)?;
    if is_name(word) {
        Ok(word.to_owned())
    } else {
        Err(format!(
            "\"{word}\" is not a name; 1 to {NAME_MAX} letters, digits, \"_\" and \"-\""
        ))
    }
}

/// A name, or "" for the default.
pub(super) fn name_or_default(value: &DeValue<'_>) -> Result<String, String> {
    if text(value)?.is_empty() {
        return Ok(String::new());
    }
    name(value)
}

/// The name of a node, an instance or a sink: it becomes a part of file names and of addresses.
#[must_use]
pub fn is_name(word: &str) -> bool {
    (1..=NAME_MAX).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// A user or group name as keepalived.conf can carry it.
pub(super) fn account(value: &DeValue<'_>) -> Result<String, String> {
    let word = text(value)?;
    if is_name(word) && !word.starts_with('-') {
        Ok(word.to_owned())
    } else {
        Err(format!("\"{word}\" is not a user or group name"))
    }
}

/// A network interface name.
pub(super) fn interface(value: &DeValue<'_>) -> Result<String, String> {
    let word = text(value)?;
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if plain && (1..=INTERFACE_MAX).contains(&word.len()) && word != "." && word != ".." {
        Ok(word.to_owned())
    } else {
        Err(format!(
            "\"{word}\" is not an interface name; 1 to {INTERFACE_MAX} letters, digits, \"_\", \"-\" and \".\""
        ))
    }
}

/// An IPv4 or IPv6 address that one host can have.
pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let word = text(value)?;
    let address: IpAddr = word
        .parse()
        .map_err(|_| format!("\"{word}\" is not an IP address; such as \"192.168.192.37\""))?;
    let plain = address.to_canonical();
    if plain != address {
        return Err(format!("{address} is an IPv4 address; write {plain}"));
    }
    // RFC 1122, 3.2.1.3: network 0 is "this network"; RFC 1112, 4: from 224 on there are groups, then nothing.
    let host = match address {
        IpAddr::V4(address) => (1..224).contains(&address.octets()[0]),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    };
    if !host {
        return Err(format!("{address} is not the address of a host"));
    }
    Ok(address)
}

/// An address that clients on other hosts can use.
pub(super) fn vip(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let address = address(value)?;
    if address.is_loopback() {
        return Err(format!(
            "{address} is a loopback address: no other host reaches it"
        ));
    }
    Ok(address)
}

/// An IP address, or "" for none.
pub(super) fn optional_address(value: &DeValue<'_>) -> Result<Option<IpAddr>, String> {
    if text(value)?.is_empty() {
        return Ok(None);
    }
    address(value).map(Some)
}

/// An absolute path without characters that would have to be quoted in keepalived.conf or a unit.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    path_up_to(PATH_MAX, value)
}

/// The directory of Unix sockets.
pub(super) fn socket_directory(value: &DeValue<'_>) -> Result<PathBuf, String> {
    path_up_to(SOCKET_DIRECTORY_MAX, value)
}

fn path_up_to(longest: usize, value: &DeValue<'_>) -> Result<PathBuf, String> {
    let word = text(value)?;
    if !word.starts_with('/') {
        return Err(format!(
            "\"{word}\" is not an absolute path; it must begin with /"
        ));
    }
    if word.len() > longest {
        return Err(format!(
            "the path is {} bytes long; at most {longest}",
            word.len()
        ));
    }
    if !is_plain_path(word) {
        return Err(format!(
            "\"{word}\" has characters that keepalived.conf cannot carry; letters, digits and / _ - . + : , @"
        ));
    }
    let path = PathBuf::from(word);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("\"{word}\" has \"..\" in it; the path without"));
    }
    if path.file_name().is_none() {
        return Err(format!("\"{word}\" is the root directory; a path below it"));
    }
    Ok(path)
}

/// An absolute path, or "" for none.
pub(super) fn optional_path(value: &DeValue<'_>) -> Result<Option<PathBuf>, String> {
    if text(value)?.is_empty() {
        return Ok(None);
    }
    path(value).map(Some)
}

/// Needs no quotes in keepalived.conf, in a systemd unit or in a shell.
pub(crate) fn is_plain_path(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/_-.+:,@".contains(&byte))
}

/// An `http` or `https` address.
pub(super) fn url(value: &DeValue<'_>) -> Result<reqwest::Url, String> {
    let word = string(value)?;
    let url = reqwest::Url::parse(&word).map_err(|why| format!("is not a URL: {why}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(format!(
            "\"{}:\" is not supported; http or https",
            url.scheme()
        ))
    }
}

/// A systemd unit name, or "".
pub(super) fn unit(found: &DeValue<'_>) -> Result<String, String> {
    let word = string(found)?;
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte));
    if plain && !word.starts_with('-') && word.len() <= 255 {
        Ok(word)
    } else {
        Err(format!(
            "\"{word}\" is not a unit name; such as \"redis-server.service\""
        ))
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let word = text(value)?;
        words
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| {
                let allowed: Vec<_> = words
                    .iter()
                    .map(|(name, _)| format!("\"{name}\""))
                    .collect();
                format!("\"{word}\" is not known; {}", allowed.join(" or "))
            })
    }
}

fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    match value {
        DeValue::String(word) => Ok(word),
        _ => Err("must be a string in quotes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_in_their_largest_unit() {
        for word in ["250ms", "1s", "90s", "5m", "4h", "30d", "0s"] {
            let duration = parse_duration(word).unwrap();
            assert_eq!(show_duration(duration), word);
        }
        assert_eq!(show_duration(Duration::from_millis(60_000)), "1m");
        for bad in [
            "",
            "s",
            "5",
            "1.5s",
            "-1s",
            "5 s",
            "5sec",
            "99999999999999999999s",
            "9999999999999999999d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
