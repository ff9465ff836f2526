//! What stands beside the records of a journal: the snapshot of what was before them, and how far they went.

use std::fs;

use rha::journal::{Error, FrameReader, Reader};
use rha::model::record::Seq;
use rha::replay::{self, Recovered};
use rha::views::status::InstanceStatus;
use tempfile::TempDir;

use super::journal::HASH;
use super::volume::in_order;

/// Its records have others before them, of which the snapshot tells.
const VOLUME: &[u8] = include_bytes!("../../tests/golden/journal/v2/00000000000000000012.vol");
const STATE: &[u8] = include_bytes!("../../tests/golden/journal/v2/00000000000000000012.state");
const FIRST: &str = "00000000000000000012";
/// `RHASTAT`, format, place: see `src/journal/snapshot.rs`.
const STATE_HEADER: usize = 32;
const NUMBER: usize = 8;

/// A snapshot as it is, or the fold in one; header and checksum are set right then.
pub fn state(data: &[u8]) -> bool {
    let file = match data {
        [b'R', b'H', b'A', ..] => data.to_vec(),
        fold => {
            let mut file = [&STATE[..STATE_HEADER], fold].concat();
            let hash = blake3::hash(&file);
            file.extend_from_slice(&hash.as_bytes()[..HASH]);
            file
        }
    };
    let Some((_dir, reader)) = journal_with(&format!("{FIRST}.state"), &file) else {
        return false;
    };
    let before = || reader.before_first::<Recovered>();
    let fold = match before() {
        Ok(fold) => fold,
        Err(Error::NewerFormat { .. }) => return false,
        Err(e) => panic!("{e}"),
    };
    tell(&fold);
    let mut failed = None;
    let records = in_order(reader.records(Seq(0)), &mut failed);
    let (folded, lost) = reader.fold::<Recovered>().expect("the volume is whole");
    assert!(lost.is_none(), "{lost:?}");
    tell(&folded);
    // A stream carries it.
    let stream = reader
        .frames(Seq(0))
        .expect("the volume is whole")
        .into_stream();
    let stream = stream
        .collect::<Result<Vec<_>, _>>()
        .expect("the volume is whole")
        .concat();
    let stream = FrameReader::new(stream.as_slice()).expect("it is one of ours");
    assert_eq!(
        stream
            .before_first::<Recovered>()
            .expect("as it was read before"),
        fold
    );
    assert_eq!(in_order(stream, &mut failed), records);
    assert!(failed.is_none(), "{failed:?}");
    let understood = fold != Recovered::default();
    let _ = replay::rerun(fold, records.into_iter());
    understood
}

/// The file that says how far the disk had come; as it is, and with its checksum set right.
pub fn mark(data: &[u8]) -> bool {
    let Some(number) = data.first_chunk::<NUMBER>() else {
        return read_mark(data, 0);
    };
    let mut repaired = number.to_vec();
    repaired.extend_from_slice(&blake3::hash(number).as_bytes()[..NUMBER]);
    let told = u64::from_be_bytes(*number);
    let whole = data.starts_with(&repaired);
    read_mark(data, if whole { told } else { 0 }) | read_mark(&repaired, told)
}

/// `told`: what is in it, 0 for nothing.
fn read_mark(file: &[u8], told: u64) -> bool {
    let Some((_dir, reader)) = journal_with("mark", file) else {
        return false;
    };
    let mut failed = None;
    let records = in_order(reader.records(Seq(0)), &mut failed);
    assert!(failed.is_none(), "{failed:?}");
    let report = reader.verify();
    assert_eq!(report.records, records.len() as u64);
    let lost = told > reader.next_seq().0;
    assert_eq!(report.first_bad.is_some(), lost, "{told}");
    assert_eq!(reader.check_end().is_err(), lost, "{told}");
    told > 0
}

/// A whole volume, and a file beside it.
fn journal_with(name: &str, file: &[u8]) -> Option<(TempDir, Reader)> {
    let dir = tempfile::tempdir().ok()?;
    fs::write(dir.path().join(format!("{FIRST}.vol")), VOLUME).ok()?;
    fs::write(dir.path().join(name), file).ok()?;
    let reader = Reader::open(dir.path()).expect("the volume is whole");
    Some((dir, reader))
}

/// Whatever was folded can be told.
fn tell(fold: &Recovered) {
    for (name, state) in &fold.states {
        let told = serde_json::to_string(&InstanceStatus::new(name, state));
        assert!(told.is_ok(), "{told:?}");
        let _ = state.next_deadline();
    }
    let orders = fold.unknown() + fold.alarms().count();
    assert!(fold.alarms().count() <= orders);
}
