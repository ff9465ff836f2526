//! The golden bytes of format 3: one entry for every variant that is stored, in one chain.

use std::fmt::Write as _;

use crate::journal::codec::{Chain, Entry};
use crate::migrations::samples::{entries, samples};
use crate::migrations::tests::read;

const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn golden_bytes_are_read_and_written_as_ever() {
    let mut written = String::new();
    let mut chain = Chain::genesis();
    let entries = entries(&samples());
    for entry in &entries {
        let value = chain.seal(entry).unwrap();
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(written, "{} {} {hex}", entry.first(), name(entry)).unwrap();
    }
    if std::env::var_os("RHA_REWRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/v3/golden.txt");
        std::fs::write(path, &written).unwrap();
        return;
    }
    let read: Vec<_> = read(GOLDEN).into_iter().map(|(_, entry)| entry).collect();
    assert!(
        read == entries,
        "entries without a golden line: RHA_REWRITE=1 adds them"
    );
    assert_eq!(written, GOLDEN);
}

fn name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Record(record) => record.event.kind(),
        Entry::Quiet(_) => "quiet",
    }
}
