//! The marks that a follower writes into the FIFO, to know how far things are.

use crate::model::time::{At, BootId};

/// Where the first mark stands, and its time. A FIFO does not outlive the boot of its mark.
pub(super) fn mark_in(bytes: &[u8], boot: BootId) -> Option<(usize, At)> {
    (0..bytes.len())
        .filter(|at| bytes[*at] == MARK_BEGIN[0])
        .find_map(|at| {
            let (wall_us, mono_us) = read_mark(bytes.get(at..at + MARK_LENGTH)?)?;
            Some((
                at,
                At {
                    wall_us,
                    mono_us,
                    boot,
                },
            ))
        })
}

/// A mark: two times in hexadecimal between control characters that no line of keepalived's has.
const MARK_BEGIN: &[u8] = b"\x01rha ";
const MARK_END: u8 = b'\x02';
pub(super) const MARK_LENGTH: usize = MARK_BEGIN.len() + 16 + 1 + 16 + 1;

pub(super) fn mark(at: At) -> String {
    format!("\x01rha {:016x} {:016x}\x02", at.wall_us, at.mono_us)
}

fn read_mark(bytes: &[u8]) -> Option<(i64, u64)> {
    let times = bytes.strip_prefix(MARK_BEGIN)?.strip_suffix(&[MARK_END])?;
    let (wall, mono) = std::str::from_utf8(times).ok()?.split_once(' ')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((number(wall)?.cast_signed(), number(mono)?))
}

pub(super) fn ends_with_mark(bytes: &[u8]) -> bool {
    bytes
        .len()
        .checked_sub(MARK_LENGTH)
        .is_some_and(|at| read_mark(&bytes[at..]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_a_mark() {
        let at = At {
            wall_us: -5,
            mono_us: u64::MAX,
            boot: BootId::default(),
        };
        let text = mark(at);
        assert_eq!(text.len(), MARK_LENGTH);
        assert_eq!(read_mark(text.as_bytes()), Some((-5, u64::MAX)));
        assert!(ends_with_mark(format!("line\n{text}").as_bytes()));
        assert!(!ends_with_mark(format!("{text}line\n").as_bytes()));
        assert!(!ends_with_mark(b"\x02"));
        for cut in 0..MARK_LENGTH {
            assert_eq!(read_mark(&text.as_bytes()[..cut]), None);
        }
    }
}
