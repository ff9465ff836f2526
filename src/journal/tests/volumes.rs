//! Volumes: however the records are spread over them, they are the same records.

use std::fs;
use std::ops::Range;

use crate::journal::{FrameReader, Order, kind_index};

use super::*;

/// What is done to a journal between appends.
#[derive(Debug, Clone, Copy)]
enum Step {
    Append(usize),
    Rotate,
    Seal,
    Reopen,
}

fn any_step_of_life() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..60_usize).prop_map(Step::Append),
        2 => Just(Step::Rotate),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
    ]
}

fn live(dir: &Path, records: &[Record], steps: &[Step]) -> Journal {
    let mut journal = Journal::open(dir).unwrap();
    let mut rest = records;
    for step in steps {
        match step {
            Step::Append(count) => {
                let (group, behind) = rest.split_at((*count).min(rest.len()));
                journal.append(group.to_vec()).unwrap();
                rest = behind;
            }
            Step::Rotate => journal.rotate().unwrap(),
            Step::Seal => journal.seal::<Tally>().unwrap(),
            Step::Reopen => {
                journal.flush_quiet().unwrap();
                drop(journal);
                let (again, set_aside) = salvaged(dir, "x").unwrap();
                assert_eq!(set_aside, None);
                journal = again;
            }
        }
    }
    journal.append(rest.to_vec()).unwrap();
    journal
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn volumes_are_one_journal(
        records in proptest::collection::vec(any_record(), 1..400),
        steps in proptest::collection::vec(any_step_of_life(), 1..24),
        range in (0..420_u64, 0..420_u64),
    ) {
        let records = numbered(records, 1);
        let dir = tempfile::tempdir().unwrap();
        let mut journal = live(dir.path(), &records, &steps);
        is_read_as(&journal, &records, range.0..range.1);
        let report = journal.verify();
        prop_assert!(report.first_bad.is_none(), "{:?}", report);
        journal.flush_quiet().unwrap();
        prop_assert_eq!(journal.fold::<Tally>().unwrap().0, tally(&records));
        drop(journal);
        let reader = Reader::open(dir.path()).unwrap();
        is_read_as(&reader, &records, range.0..range.1);
    }
}

/// All ways to read give what these records are.
fn is_read_as(reader: &Reader, records: &[Record], range: Range<u64>) {
    assert_eq!(all(reader), records);
    let mut reversed: Vec<_> = reader
        .records_rev(Seq(u64::MAX))
        .collect::<Result<_, _>>()
        .unwrap();
    reversed.reverse();
    assert_eq!(reversed, records);
    let from = range.start.max(1) as usize - 1;
    let behind: Vec<_> = reader
        .records(Seq(range.start))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(behind, records[from.min(records.len())..]);
    assert_eq!(
        reader.get(Seq(range.start.max(1))).unwrap().as_ref(),
        records.get(from)
    );
    for kind in ["redis-probed", "vip-changed", "vrrp-notified"] {
        let expected: Vec<_> = records
            .iter()
            .filter(|r| r.event.kind() == kind && range.contains(&r.seq.0))
            .cloned()
            .collect();
        let range = Seq(range.start)..Seq(range.end);
        assert_eq!(of_kind(reader, kind, range, Order::OldestFirst), expected);
    }
    let stream = reader.frames(Seq(range.start)).unwrap().into_stream();
    let bytes = stream.collect::<Result<Vec<_>, _>>().unwrap().concat();
    let read: Vec<_> = FrameReader::new(bytes.as_slice())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(records.ends_with(&read) && read.len() >= records.len() - from.min(records.len()));
}

/// A journal of three volumes, two of them sealed.
pub(super) fn three(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir).unwrap();
    for part in stories(900).chunks(300) {
        journal.rotate().unwrap();
        journal.append(part.to_vec()).unwrap();
    }
    journal.seal::<Tally>().unwrap();
    journal.flush_quiet().unwrap();
    journal
}

fn names(dir: &Path) -> Vec<String> {
    let files = dir.read_dir().unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "lock" && name != "mark")
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_volume_is_sealed_and_its_sled_goes() {
    let dir = tempfile::tempdir().unwrap();
    drop(three(dir.path()));
    assert_eq!(
        names(dir.path()),
        [
            "00000000000000000001.vol",
            "00000000000000000301.state",
            "00000000000000000301.vol",
            "00000000000000000601",
            "00000000000000000601.state",
        ]
    );
}

#[test]
fn quiet_checks_are_packed_anew_and_their_chain_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let records: Vec<_> = (1..=20_000).map(quiet).collect();
    for group in records.chunks(20) {
        journal.append(group.to_vec()).unwrap();
    }
    journal.flush_quiet().unwrap();
    let entries = |journal: &Journal| {
        let frames = journal.frames(Seq(1)).unwrap();
        frames.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let before = entries(&journal);
    journal.rotate().unwrap();
    journal.seal::<Tally>().unwrap();
    let after = entries(&journal);
    assert!(after.len() * 20 < before.len(), "{}", after.len());
    let hash = |entry: &(u64, Vec<u8>)| *entry.1.last_chunk::<16>().unwrap();
    assert_eq!(hash(before.last().unwrap()), hash(after.last().unwrap()));
    let sealed = dir.path().join(format!("{:020}.vol", 1));
    let bytes = fs::metadata(sealed).unwrap().len();
    assert!(bytes <= 12 * 20_000, "{bytes} bytes for 20,000 checks");
    assert_eq!(all(&journal), records);
}

#[test]
fn a_start_reads_the_newest_snapshot_and_no_record_before_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(three(dir.path()));
    let sealed = dir.path().join(format!("{:020}.vol", 301));
    let good = fs::read(&sealed).unwrap();
    let mut bad = good.clone();
    // So much of it that nothing is read of what it was packed with, wherever records stand in it.
    let (from, to) = (bad.len() / 4, bad.len() / 2);
    bad[from..to].fill(0xaa);
    fs::write(&sealed, bad).unwrap();
    // Not noticed, for it is not needed …
    let opened = Journal::open_or_salvage::<Tally>(dir.path(), "x").unwrap();
    assert_eq!(opened.damage, None);
    assert_eq!(opened.fold, tally(&stories(900)));
    // … and told by who asks.
    let bad = opened.journal.verify().first_bad.unwrap();
    assert!((301..601).contains(&bad.seq.0), "{bad:?}");
    let newest: Vec<_> = opened
        .journal
        .records_rev(Seq(u64::MAX))
        .take(300)
        .collect();
    assert!(newest.iter().all(Result::is_ok), "{newest:?}");
    drop(opened);
    // Without the snapshot it is needed: what is behind the damage counts.
    fs::remove_file(dir.path().join(format!("{:020}.state", 601))).unwrap();
    let opened = Journal::open_or_salvage::<Tally>(dir.path(), "x").unwrap();
    let why = opened.damage.unwrap().why;
    assert!(why.contains("what it would tell is not known"), "{why}");
    assert_eq!(opened.fold.records, 600);
    assert_eq!(opened.journal.next_seq(), Seq(901));
    drop(opened.journal);
    // With all records there it can be made again.
    fs::write(&sealed, good).unwrap();
    let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!((set_aside, all(&journal)), (None, stories(900)));
}

#[test]
fn verify_reads_the_disk_and_not_what_was_read_before() {
    let dir = tempfile::tempdir().unwrap();
    let journal = three(dir.path());
    assert!(journal.verify().into_result().is_ok());
    let sealed = dir.path().join(format!("{:020}.vol", 1));
    let mut bytes = fs::read(&sealed).unwrap();
    bytes[60] ^= 1;
    fs::write(&sealed, bytes).unwrap();
    assert_eq!(journal.verify().first_bad.unwrap().seq, Seq(1));
    assert!(!journal.inspect(0).unwrap().is_empty());
    assert!(journal.inspect(1).unwrap().is_empty());
    assert!(!journal.inspect(2).unwrap().is_empty());
}

#[test]
fn a_snapshot_that_is_not_ours_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    drop(three(dir.path()));
    let snapshot = dir.path().join(format!("{:020}.state", 601));
    let good = fs::read(&snapshot).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        fs::write(&snapshot, &bad).unwrap();
        let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
        assert_eq!(
            (set_aside, journal.next_seq()),
            (None, Seq(901)),
            "byte {at}"
        );
    }
}

#[test]
fn old_volumes_go_and_the_rest_is_read_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    let journal = three(dir.path());
    journal.reader.shelf.trim(600).unwrap();
    assert_eq!(
        journal.records(Seq(1)).next().unwrap().unwrap().seq,
        Seq(301)
    );
    journal.reader.shelf.trim(u64::MAX).unwrap();
    assert_eq!(
        names(dir.path()),
        ["00000000000000000601", "00000000000000000601.state"]
    );
    let holds = |journal: &Journal| {
        assert_eq!(all(journal), stories(900)[600..]);
        assert_eq!(journal.get(Seq(600)).unwrap(), None);
        let report = journal.verify();
        assert_eq!((report.first, report.records), (Some(Seq(601)), 300));
        assert_eq!(journal.fold::<Tally>().unwrap().0, tally(&stories(900)));
        assert_eq!(journal.seek_time(0).unwrap(), Seq(601));
        let back = journal.records_rev(Seq(u64::MAX));
        assert_eq!(back.map(Result::unwrap).last().unwrap().seq, Seq(601));
    };
    holds(&journal);
    drop(journal);
    let (mut journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!(set_aside, None);
    holds(&journal);
    journal.rotate().unwrap();
    journal.seal::<Tally>().unwrap();
    holds(&journal);
    let kinds: Vec<_> = Event::KINDS.into_iter().filter_map(kind_index).collect();
    let notable = journal.notable(&kinds, Seq(1)..Seq(u64::MAX), Order::OldestFirst);
    assert!(
        notable
            .map(|found| found.unwrap().seq.0)
            .all(|seq| seq > 600)
    );
}

#[test]
fn what_a_crash_left_half_done_is_finished() {
    let with = |leave: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let journal = three(dir.path());
        drop(journal);
        leave(dir.path());
        let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
        assert_eq!(set_aside, None);
        assert_eq!(all(&journal), stories(900));
        drop(journal);
        assert_eq!(names(dir.path()).len(), 5, "{:?}", names(dir.path()));
    };
    with(&|dir| fs::write(dir.join("00000000000000000601.tmp"), b"half").unwrap());
    // Sealed, and its sled was on its way out.
    with(&|dir| fs::create_dir(dir.join("00000000000000000301")).unwrap());
    with(&|dir| fs::create_dir(dir.join("00000000000000000301.gone")).unwrap());
    // Set aside, and nothing saved yet.
    with(&|dir| {
        let from = dir.join("00000000000000000601");
        fs::rename(from, dir.join("00000000000000000601.damaged")).unwrap();
    });
}

#[test]
fn a_journal_of_the_first_format_opens() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal");
    let lines = fs::read_to_string(golden.join("v1.jsonl")).unwrap();
    let records: Vec<Record> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    super::damage::copy(&golden.join("v1"), dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(all(&reader), records);
    drop(reader);
    let (mut journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!(set_aside, None);
    // It goes on, and is sealed, as if it had always been of this format.
    let next = journal.next_seq().0;
    journal
        .append((next..next + 50).map(loud).collect())
        .unwrap();
    journal.rotate().unwrap();
    journal.seal::<Tally>().unwrap();
    drop(journal);
    let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!(set_aside, None);
    assert_eq!(all(&journal)[..records.len()], records);
    assert!(journal.verify().into_result().is_ok());
}
