//! The journal through a pipe is the journal.

use crate::journal::FrameReader;
use crate::journal::codec::FORMAT;

use super::*;

fn stream(reader: &Reader, from: u64) -> Vec<u8> {
    let pieces: Result<Vec<_>, _> = reader.frames(Seq(from)).unwrap().into_stream().collect();
    pieces.unwrap().concat()
}

fn read(bytes: &[u8]) -> Result<Vec<Record>, Error> {
    FrameReader::new(bytes)?.collect()
}

fn journal(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir).unwrap();
    journal.append(stories(500)).unwrap();
    assert!(
        journal.stats().unwrap().held > 0,
        "the end is to be in memory"
    );
    journal
}

#[test]
fn a_stream_carries_the_disk_and_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    assert_eq!(read(&stream(&journal, 0)).unwrap(), stories(500));
    for from in [1, 16, 17, 30, 255, 498, 500, 501] {
        let records = read(&stream(&journal, from)).unwrap();
        // Whole entries: it may begin before what was asked for.
        let behind: Vec<_> = records
            .into_iter()
            .filter(|record| record.seq.0 >= from)
            .collect();
        assert_eq!(behind, stories(500)[from as usize - 1..], "from {from}");
    }
    let pieces = journal
        .frames(Seq(100))
        .unwrap()
        .below(Seq(200))
        .into_stream();
    let bytes = pieces.collect::<Result<Vec<_>, _>>().unwrap().concat();
    let records = read(&bytes).unwrap();
    assert!(records[0].seq <= Seq(100) && records.last().unwrap().seq >= Seq(199));
    assert!(records.last().unwrap().seq < Seq(200 + 256));
}

#[test]
fn an_empty_journal_makes_an_empty_stream() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(read(&stream(&journal, 0)).unwrap(), []);
}

#[test]
fn a_stream_that_was_cut_or_changed_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let bytes = stream(&journal, 0);
    let whole = stories(500);
    for cut in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert!(
            matches!(read(&bytes[..cut]), Err(Error::CutOff { .. })),
            "cut at {cut}"
        );
    }
    for at in (0..bytes.len()).step_by(53) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(read(&changed).is_err(), "changed at {at}");
        let Ok(reader) = FrameReader::new(changed.as_slice()) else {
            continue;
        };
        let good: Vec<_> = reader.map_while(Result::ok).collect();
        assert_eq!(good, whole[..good.len()], "changed at {at}");
    }
    assert!(matches!(
        read(b"{\"error\": \"no\"}"),
        Err(Error::NotAStream)
    ));
    let mut newer = bytes.clone();
    newer[7] = FORMAT + 1;
    assert!(matches!(
        read(&newer),
        Err(Error::NewerFormat { known: FORMAT, .. })
    ));
    assert_eq!(read(&bytes).unwrap(), whole);
}
