//! What an instance or a sync group tracks, each with the weight that is in force there.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::view::View;
use crate::keepalived::parse::Statement;

/// Most of a track file that keepalived reads, in bytes.
const CONTENT_MAX: u64 = 127;
/// A track file that is worth so little is FAULT.
const FAULT: i64 = -254;
/// The most that a track file adds.
const ADDS_MAX: i64 = 253;

/// The blocks that name trackers, and what declares these.
const KINDS: [(Kind, &str, &[&str]); 5] = [
    (Kind::File, "track_file", &["track_file", "vrrp_track_file"]),
    (Kind::Script, "track_script", &["vrrp_script"]),
    (Kind::Process, "track_process", &["vrrp_track_process"]),
    (Kind::Interface, "track_interface", &[]),
    (Kind::Bfd, "track_bfd", &["bfd_instance"]),
];

/// What is tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Script,
    Process,
    Interface,
    Bfd,
}

/// One line of a `track_…` block.
pub(super) struct Use<'s> {
    pub(super) kind: Kind,
    pub(super) reference: &'s Statement,
    pub(super) declaration: Option<&'s Statement>,
    pub(super) weight: i64,
    pub(super) reverse: bool,
    /// Where the weight is written; `None` for keepalived's default.
    pub(super) written: Option<&'s Statement>,
}

/// The trackers of an instance or a sync group. Left out are those behind a condition, and those whose
/// weight is a definition or no number.
pub(super) fn uses<'s>(block: &'s Statement, view: &View<'s>) -> Vec<Use<'s>> {
    let mut found = Vec::new();
    for (kind, list, declares) in KINDS {
        let references = block
            .all(list)
            .filter(|list| !list.conditional)
            .flat_map(Statement::children)
            .filter(|reference| !reference.is_macro() && !reference.conditional);
        for reference in references {
            let declaration = view.statements.iter().find(|block| {
                declares.contains(&block.keyword()) && block.argument() == Some(reference.keyword())
            });
            found.extend(one(kind, reference, declaration));
        }
    }
    found
}

fn one<'s>(
    kind: Kind,
    reference: &'s Statement,
    declaration: Option<&'s Statement>,
) -> Option<Use<'s>> {
    let declared = || declaration?.last("weight");
    let written = Some(reference)
        .filter(|own| own.words.iter().any(|word| word == "weight"))
        .or_else(declared);
    let mut words = written.map_or(&[][..], |line| line.words.as_slice()).iter();
    let weight = words.by_ref().skip_while(|word| *word != "weight").nth(1);
    let default = if kind == Kind::File { 1 } else { 0 };
    Some(Use {
        kind,
        reference,
        declaration,
        weight: weight.map_or(Some(default), |word| word.parse().ok())?,
        reverse: words.next().is_some_and(|word| word == "reverse"),
        written,
    })
}

impl<'s> Use<'s> {
    pub(super) fn name(&self) -> &'s str {
        self.reference.keyword()
    }

    /// What a tracked file with `value` in it, or anything else that reports, changes of the priority;
    /// `None` if that is FAULT.
    pub(super) fn moves(&self, value: i64) -> Option<i64> {
        let value = if self.kind == Kind::File { value } else { 1 };
        let sign = if self.reverse { -1 } else { 1 };
        let moves = value.saturating_mul(self.weight).saturating_mul(sign);
        (moves > FAULT || self.kind != Kind::File).then_some(moves.min(ADDS_MAX))
    }

    /// It can put the instance into FAULT by a 0 or a 1.
    pub(super) fn is_gate(&self) -> bool {
        self.weight == 0 || self.moves(1).is_none()
    }

    /// The file of a track_file: keepalived takes the first one that is named.
    pub(super) fn file(&self) -> Option<&'s Path> {
        let declaration = self.declaration.filter(|_| self.kind == Kind::File)?;
        let file = declaration.all("file").next()?;
        file.argument().map(Path::new)
    }
}

/// What is in a track file; `None` if it cannot be read.
pub(super) fn content(file: &Path) -> Option<String> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).ok()?;
    opened.take(CONTENT_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number as strtol(3) reads it with base 0: `12`, `-0x1f`, `1 and anything behind`; `None` if it does
/// not begin with one.
pub(super) fn number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, base) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let end = digits.find(|digit: char| !digit.is_digit(base));
    let digits = &digits[..end.unwrap_or(digits.len())];
    i64::from_str_radix(digits, base)
        .ok()
        .map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_keepalived_reads_them() {
        for (text, expected) in [
            ("1\n", Some(1)),
            (" -50 ", Some(-50)),
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("1 trailing", Some(1)),
            ("+3", Some(3)),
            ("up", None),
            ("", None),
            ("-", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
