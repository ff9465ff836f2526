//! The golden bytes of format 1: one entry for every variant that it could store, in one chain.

use crate::migrations::tests::is_read_as_ever;

/// Samples that there were when format 1 was left.
const SAMPLES: usize = 55;

#[test]
fn golden_bytes_are_read_as_ever() {
    is_read_as_ever(include_str!("golden.txt"), SAMPLES);
}
