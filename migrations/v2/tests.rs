//! The golden bytes of format 2: one entry for every variant that it could store, in one chain.

use crate::migrations::samples::{entries, samples};
use crate::migrations::tests::read;

/// Samples that there were when format 2 was left.
const SAMPLES: usize = 57;

#[test]
fn golden_bytes_are_read_as_ever() {
    let read = read(include_str!("golden.txt"));
    let expected = entries(&samples()[..SAMPLES]);
    assert_eq!(read.len(), expected.len());
    for ((name, read), expected) in read.into_iter().zip(expected) {
        assert_eq!(read, expected, "{name}");
    }
}
