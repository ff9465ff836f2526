//! The grammar of keepalived's notify lines. Pure: bytes in, value out, never a panic.
//!
//! keepalived writes one line for each event, to a FIFO or as four arguments of a script
//! (`vrrp/vrrp_notify.c`, keepalived.conf(5) "notify_fifo"):
//!
//! ```text
//! INSTANCE "VI_1" MASTER 150
//! GROUP "VG_1" BACKUP 0
//! VS [192.168.201.15]:tcp:80 UP
//! ```
//!
//! Names are quoted but not escaped, so a quote or a space inside a name is taken as it comes. What
//! keepalived may write one day is recorded as unknown with the raw line beside it, never refused;
//! only what has no structure at all is [`Unparsed`].

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use crate::model::vrrp::{Notification, Subject, VrrpState, Word};

/// How much of a line that was not understood is kept, in bytes.
const RAW_BYTES: usize = 200;

/// The line is no notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unparsed {
    /// What is missing, for people.
    pub why: &'static str,
}

/// Reads one notify line, with or without its end-of-line.
///
/// # Errors
/// [`Unparsed`] where there is no subject, name and state to be found. Unknown words are no error.
pub fn parse(line: &[u8]) -> Result<Notification, Unparsed> {
    let lossy = String::from_utf8_lossy(line);
    let text = lossy.trim();
    if text.is_empty() {
        return Err(Unparsed {
            why: "an empty line",
        });
    }
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !first.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Unparsed {
            why: "does not begin with a word",
        });
    }
    let subject = match first {
        "INSTANCE" => Subject::Instance,
        "GROUP" => Subject::Group,
        _ => Subject::Unknown,
    };
    let (name, words) = quoted(rest.trim_start())
        .or_else(|| unquoted(rest))
        .ok_or(Unparsed {
            why: "no name and state behind the first word",
        })?;
    if name.is_empty() {
        return Err(Unparsed {
            why: "an empty name",
        });
    }

    let mut words = words.split_ascii_whitespace();
    let word = words.next().map_or(Word::State(VrrpState::Unknown), word);
    let priority = words
        .next()
        .map(|digits| digits.parse::<u8>().ok().map(u16::from));
    let understood = subject != Subject::Unknown
        && word != Word::State(VrrpState::Unknown)
        && priority != Some(None)
        && words.next().is_none()
        && !text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    Ok(Notification {
        subject,
        name: name.to_owned(),
        word,
        priority: priority.flatten(),
        raw: (!understood).then(|| escaped(line)),
    })
}

/// The line that keepalived would have written to its FIFO, from the arguments of a notify script:
/// `INSTANCE VI_1 MASTER 150`. Without a newline; a newline in an argument becomes a space.
#[must_use]
pub fn from_args(args: &[OsString]) -> Vec<u8> {
    let mut line = Vec::new();
    for (position, arg) in args.iter().enumerate() {
        let arg = arg.as_bytes();
        let is_bare_name =
            position == 1 && !(arg.len() > 1 && arg[0] == b'"' && arg.ends_with(b"\""));
        let quote: &[u8] = if is_bare_name { b"\"" } else { b"" };
        let space: &[u8] = if position > 0 { b" " } else { b"" };
        for part in [space, quote, arg, quote] {
            line.extend(part.iter().map(|b| if *b == b'\n' { b' ' } else { *b }));
        }
    }
    line
}

/// The first 200 bytes of a line as printable text: control characters, backslashes and bytes that
/// are not UTF-8 are written as escapes. For [`Notification::raw`] and `NotifyUnparsed`.
#[must_use]
pub fn escaped(line: &[u8]) -> String {
    let mut text = String::new();
    for chunk in line[..line.len().min(RAW_BYTES)].utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// `"name" WORDS`: the name ends at the last quote that has words behind it.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix('"')?;
    inner
        .rmatch_indices('"')
        .map(|(end, _)| (&inner[..end], &inner[end + 1..]))
        .find(|(_, words)| words.starts_with(' ') && !words.trim().is_empty())
}

/// `name WORDS` as people type it: the name ends before the last word that keepalived knows, or
/// else before the last word that is not the priority.
fn unquoted(rest: &str) -> Option<(&str, &str)> {
    let starts = || rest.rmatch_indices(' ').map(|(space, _)| space + 1);
    let first_word = |at: usize| rest[at..].split(' ').next().unwrap_or_default();
    let at = starts()
        .find(|at| word(first_word(*at)) != Word::State(VrrpState::Unknown))
        .or_else(|| {
            starts().find(|at| {
                let word = first_word(*at);
                !word.is_empty() && word.parse::<u16>().is_err()
            })
        })?;
    Some((rest[..at].trim(), &rest[at..]))
}

fn word(word: &str) -> Word {
    Word::State(match word {
        "MASTER" => VrrpState::Master,
        "BACKUP" => VrrpState::Backup,
        "FAULT" => VrrpState::Fault,
        "STOP" => VrrpState::Stop,
        "DELETED" => VrrpState::Deleted,
        "MASTER_RX_LOWER_PRI" => return Word::RxLowerPriority,
        "MASTER_PRIORITY" | "BACKUP_PRIORITY" => return Word::PriorityChanged,
        _ => VrrpState::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// subject, name, word, priority, and whether the raw line is kept.
    fn read(line: &str) -> (Subject, String, Word, Option<u16>, bool) {
        let n = parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        (n.subject, n.name, n.word, n.priority, n.raw.is_some())
    }

    #[test]
    fn lines_that_keepalived_writes() {
        use Subject::{Group, Instance, Unknown};
        let state = Word::State;
        #[rustfmt::skip]
        let table = [
            ("INSTANCE \"VI_1\" MASTER 150", Instance, "VI_1", state(VrrpState::Master), Some(150), false),
            ("INSTANCE \"VI_1\" BACKUP 100\n", Instance, "VI_1", state(VrrpState::Backup), Some(100), false),
            ("INSTANCE \"VI_1\" FAULT 0\r\n", Instance, "VI_1", state(VrrpState::Fault), Some(0), false),
            ("INSTANCE \"VI_1\" STOP 255", Instance, "VI_1", state(VrrpState::Stop), Some(255), false),
            ("INSTANCE \"VI_1\" DELETED 1", Instance, "VI_1", state(VrrpState::Deleted), Some(1), false),
            ("INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 150", Instance, "VI_1", Word::RxLowerPriority, Some(150), false),
            ("INSTANCE \"VI_1\" MASTER_PRIORITY 151", Instance, "VI_1", Word::PriorityChanged, Some(151), false),
            ("INSTANCE \"VI_1\" BACKUP_PRIORITY 151", Instance, "VI_1", Word::PriorityChanged, Some(151), false),
            ("INSTANCE \"VI_1\" {UNKNOWN} 7", Instance, "VI_1", state(VrrpState::Unknown), Some(7), true),
            ("GROUP \"VG_1\" MASTER 0", Group, "VG_1", state(VrrpState::Master), Some(0), false),
            // Names: spaces, quotes, states, other alphabets, and what only looks like an ending.
            ("INSTANCE \"my vip\" MASTER 1", Instance, "my vip", state(VrrpState::Master), Some(1), false),
            ("INSTANCE \"a \"b\" c\" STOP 1", Instance, "a \"b\" c", state(VrrpState::Stop), Some(1), false),
            ("INSTANCE \"MASTER 1\" BACKUP 2", Instance, "MASTER 1", state(VrrpState::Backup), Some(2), false),
            ("INSTANCE \"主库\" MASTER 1", Instance, "主库", state(VrrpState::Master), Some(1), false),
            ("INSTANCE \"a\" MASTER 1 \"b\"", Instance, "a", state(VrrpState::Master), Some(1), true),
            // As people type it.
            ("INSTANCE VI_1 MASTER 150", Instance, "VI_1", state(VrrpState::Master), Some(150), false),
            ("INSTANCE my vip MASTER", Instance, "my vip", state(VrrpState::Master), None, false),
            ("INSTANCE 51 BACKUP 3", Instance, "51", state(VrrpState::Backup), Some(3), false),
            ("INSTANCE VI_1 MASTER abc", Instance, "VI_1", state(VrrpState::Master), None, true),
            ("INSTANCE VI_1 SLEEPING 9", Instance, "VI_1", state(VrrpState::Unknown), Some(9), true),
            ("INSTANCE \"VI_1 MASTER 5", Instance, "\"VI_1", state(VrrpState::Master), Some(5), false),
            // Priorities that are none.
            ("INSTANCE \"VI_1\" MASTER", Instance, "VI_1", state(VrrpState::Master), None, false),
            ("INSTANCE \"VI_1\" MASTER 256", Instance, "VI_1", state(VrrpState::Master), None, true),
            ("INSTANCE \"VI_1\" MASTER -1", Instance, "VI_1", state(VrrpState::Master), None, true),
            ("INSTANCE \"VI_1\" MASTER 150 more", Instance, "VI_1", state(VrrpState::Master), Some(150), true),
            // Other subjects.
            ("VS [192.168.201.15]:tcp:80 UP", Unknown, "[192.168.201.15]:tcp:80", state(VrrpState::Unknown), None, true),
            ("RS [1.2.3.4]:tcp:80 [5.6.7.8]:tcp:80 DOWN", Unknown, "[1.2.3.4]:tcp:80 [5.6.7.8]:tcp:80", state(VrrpState::Unknown), None, true),
            ("instance \"VI_1\" MASTER 150", Unknown, "VI_1", state(VrrpState::Master), Some(150), true),
        ];
        for (line, subject, name, word, priority, raw) in table {
            assert_eq!(
                read(line),
                (subject, name.to_owned(), word, priority, raw),
                "{line:?}"
            );
        }
    }

    #[test]
    fn lines_without_structure_say_what_is_missing() {
        let table: [(&[u8], &str); 9] = [
            (b"", "empty line"),
            (b" \r\n", "empty line"),
            (b"INSTANCE", "no name and state"),
            (b"INSTANCE \"VI_1\"", "no name and state"),
            (b"INSTANCE VI_1", "no name and state"),
            (b"INSTANCE MASTER 150", "no name and state"),
            (b"INSTANCE \"\" MASTER 150", "empty name"),
            (b"\xff\xfe\x00 a b", "begin with a word"),
            (b"\x7fELF\x02\x01\x01\x00 x y z", "begin with a word"),
        ];
        for (line, why) in table {
            let got = parse(line).expect_err(&escaped(line)).why;
            assert!(got.contains(why), "{}: {got}", escaped(line));
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_read_and_kept_raw() {
        let n = parse(b"INSTANCE \"VI_\xff\" MASTER 150").expect("has structure");
        assert_eq!(n.word, Word::State(VrrpState::Master));
        assert_eq!(n.raw.as_deref(), Some("INSTANCE \"VI_\\xff\" MASTER 150"));
    }

    #[test]
    fn the_raw_text_is_short_and_printable() {
        assert_eq!(escaped(b"a\x1b[31m\\\t\xc3("), "a\\u{1b}[31m\\\\\\t\\xc3(");
        assert_eq!(escaped(&[b'x'; 9000]).len(), RAW_BYTES);
        // The cut may fall into a character.
        assert!(escaped("主".repeat(100).as_bytes()).ends_with("\\xe4\\xb8"));
    }

    #[test]
    fn script_arguments_make_the_line_of_the_fifo() {
        let line = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            String::from_utf8(from_args(&args)).expect("UTF-8 in, UTF-8 out")
        };
        assert_eq!(
            line(&["INSTANCE", "VI_1", "MASTER", "150"]),
            "INSTANCE \"VI_1\" MASTER 150"
        );
        assert_eq!(
            line(&["GROUP", "my group", "STOP"]),
            "GROUP \"my group\" STOP"
        );
        assert_eq!(
            line(&["INSTANCE", "\"VI_1\"", "FAULT", "1"]),
            "INSTANCE \"VI_1\" FAULT 1"
        );
        assert_eq!(
            line(&["INSTANCE", "\"", "FAULT", "1"]),
            "INSTANCE \"\"\" FAULT 1"
        );
        assert_eq!(
            line(&["INSTANCE", "a\nb", "FAULT", "1\n"]),
            "INSTANCE \"a b\" FAULT 1 "
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(n) = parse(&line) {
                prop_assert!(!n.name.is_empty());
                prop_assert!(n.priority.is_none_or(|p| p <= 255));
            }
            prop_assert!(!escaped(&line).contains(|c: char| c.is_control()));
        }

        #[test]
        fn almost_lines_are_read_or_refused(line in "(INSTANCE|GROUP|VS)?[ \"A]{0,6}(MASTER|STOP)?[ \"0-9]{0,6}") {
            if let Ok(n) = parse(line.as_bytes()) {
                prop_assert!(line.contains(&n.name));
            }
        }

        #[test]
        fn whatever_keepalived_names_it_comes_back(
            name in "[^\\p{Cc}\u{fffd}]{1,40}",
            state in prop::sample::select(vec![VrrpState::Master, VrrpState::Backup, VrrpState::Fault, VrrpState::Stop, VrrpState::Deleted]),
            priority: u8,
        ) {
            let line = format!("INSTANCE \"{name}\" {state} {priority}\n");
            let got = parse(line.as_bytes()).expect("keepalived wrote it");
            prop_assert_eq!(got, Notification {
                subject: Subject::Instance,
                name,
                word: Word::State(state),
                priority: Some(priority.into()),
                raw: None,
            });
        }
    }
}
