//! Format 1 of a segment, frozen: `tests/golden/spool/v1` holds it to its bytes.
//!
//! ```text
//! rha-spool 1 8d3c0e6f2b1a4c5d
//!
//! 1 5f2a9c01 1700000000000000 123456789 8d3c0e6f2b1a4c5d f 26 INSTANCE "VI_1" MASTER 150
//! ```
//!
//! The header names the format and the boot of the host that wrote it. A frame is
//! `1 CRC WALL_US MONO_US BOOT SOURCE LENGTH LINE`: the CRC-32 covers everything behind it, `SOURCE` is
//! `f`, `s` or `a` (FIFO, standard input, arguments), `LENGTH` is the line's own (more than [`MAX_LINE`]
//! where it was cut), and the line needs no escaping, as it cannot contain a newline. A newline before each
//! frame keeps a torn write from swallowing the next frame.

use std::io::Write as _;

use super::{Line, MAX_LINE, Source};
use crate::model::time::{At, BootId};

/// `1 `, eight hexadecimal digits of CRC, and a space; the CRC covers what follows.
const CRC_END: usize = 11;

/// What a segment begins with.
pub(super) fn header(boot: BootId) -> Vec<u8> {
    format!("rha-spool 1 {boot}\n").into_bytes()
}

/// What one line of a segment turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// The blank line before a frame.
    Blank,
    /// A frame that is entire.
    Line(Line),
    /// Anything else.
    Junk,
}

/// Adds the frame of a line to `out`.
pub(super) fn encode(line: &Line, out: &mut Vec<u8>) {
    let Line {
        stamped,
        source,
        bytes,
        length,
    } = line;
    let At {
        wall_us,
        mono_us,
        boot,
    } = stamped;
    let mut checked =
        format!("{wall_us} {mono_us} {boot} {} {length} ", letter(*source)).into_bytes();
    checked.extend_from_slice(bytes);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\n1 {:08x} ", crc32fast::hash(&checked));
    out.extend_from_slice(&checked);
    out.push(b'\n');
}

/// Reads one line of a segment, without its newline.
pub(super) fn decode(text: &[u8]) -> Decoded {
    if text.is_empty() {
        return Decoded::Blank;
    }
    entire(text).map_or(Decoded::Junk, Decoded::Line)
}

fn entire(text: &[u8]) -> Option<Line> {
    let (head, checked) = text.split_at_checked(CRC_END)?;
    let crc = format!("1 {:08x} ", crc32fast::hash(checked));
    if head != crc.as_bytes() {
        return None;
    }
    let mut fields = checked.splitn(6, |b| *b == b' ');
    let mut field = || std::str::from_utf8(fields.next()?).ok();
    let wall_us = field()?.parse().ok()?;
    let mono_us = field()?.parse().ok()?;
    let boot = BootId(u64::from_str_radix(field()?, 16).ok()?);
    let source = match field()? {
        "f" => Source::Fifo,
        "s" => Source::Stdin,
        "a" => Source::Args,
        _ => return None,
    };
    let length: u64 = field()?.parse().ok()?;
    let bytes = fields.next()?.to_vec();
    let is_all = bytes.len() as u64 == length.min(MAX_LINE as u64);
    is_all.then_some(Line {
        stamped: At {
            wall_us,
            mono_us,
            boot,
        },
        source,
        bytes,
        length,
    })
}

fn letter(source: Source) -> char {
    match source {
        Source::Fifo => 'f',
        Source::Stdin => 's',
        Source::Args => 'a',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at() -> At {
        At {
            wall_us: 1_700_000_000_000_000,
            mono_us: 42,
            boot: BootId(0xab),
        }
    }

    proptest! {
        #[test]
        fn every_line_comes_back(
            wall_us: i64, mono_us: u64, boot: u64,
            source in prop::sample::select(vec![Source::Fifo, Source::Stdin, Source::Args]),
            mut line in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            line.retain(|b| *b != b'\n');
            let line = Line::new(At { wall_us, mono_us, boot: BootId(boot) }, source, &line);
            let mut out = Vec::new();
            encode(&line, &mut out);
            let text = out.strip_prefix(b"\n").and_then(|t| t.strip_suffix(b"\n")).expect("newlines");
            prop_assert!(!text.contains(&b'\n'));
            prop_assert_eq!(decode(text), Decoded::Line(line));
        }

        #[test]
        fn every_flipped_bit_and_every_cut_is_found(line in "[ -~]{0,40}", bit in 0_usize..800, cut in 0_usize..100) {
            let mut out = Vec::new();
            encode(&Line::new(at(), Source::Args, line.as_bytes()), &mut out);
            let text = &mut out[1..];
            let end = text.len() - 1;
            prop_assert!(cut == 0 || cut >= end || decode(&text[..cut]) == Decoded::Junk);
            let bit = bit % (8 * end);
            text[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&text[..end]), Decoded::Junk);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 1..200)) {
            prop_assert_eq!(decode(&text), Decoded::Junk);
        }
    }
}
