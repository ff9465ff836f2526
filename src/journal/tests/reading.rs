//! Opening, appending, finding.

use crate::journal::{MAX_SUBJECT_BYTES, Order, QUIET_HOLD, kind_index};

use super::*;

#[test]
fn a_journal_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let records = stories(1_000);
    for part in records.chunks(300) {
        let (mut journal, set_aside) = salvaged(dir.path(), "x").unwrap();
        assert_eq!(set_aside, None);
        assert_eq!(journal.next_seq(), part[0].seq);
        journal.append(part.to_vec()).unwrap();
        journal.flush_quiet().unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.head(), Some(Seq(1_000)));
    assert_eq!(all(&reader), records);
    let stats = reader.stats().unwrap();
    assert_eq!((stats.records, stats.held), (1_000, 0));
    assert!(stats.bytes > 0);
}

#[test]
fn an_empty_journal_is_one_and_a_missing_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("state").join("journal");
    assert!(matches!(Reader::open(&place), Err(Error::Missing { .. })));
    assert!(!place.exists());
    let mut journal = Journal::open(&place).unwrap();
    assert_eq!((journal.head(), journal.next_seq()), (None, Seq(1)));
    assert_eq!(all(&journal), []);
    assert_eq!(journal.records_rev(Seq(u64::MAX)).count(), 0);
    assert_eq!(journal.seek_time(0).unwrap(), Seq(1));
    assert_eq!(journal.verify().records, 0);
    journal.flush_quiet().unwrap();
}

#[test]
fn quiet_checks_are_held_until_one_is_loud_or_old_or_there_are_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let held = |journal: &Journal| journal.stats().unwrap().held;
    // The first check of each subject is loud.
    journal.append(vec![quiet(1), quiet(2)]).unwrap();
    assert_eq!(held(&journal), 0);
    journal.append(vec![quiet(3)]).unwrap();
    journal.append(vec![quiet(4)]).unwrap();
    assert_eq!(held(&journal), 2);
    assert_eq!(journal.head(), Some(Seq(4)));
    journal.append(vec![loud(5)]).unwrap();
    assert_eq!(held(&journal), 0);
    // Two checks a second: the hold is over with the check that comes after it.
    let over = 6 + QUIET_HOLD.as_secs() * 2;
    for seq in 6..over {
        journal.append(vec![quiet(seq)]).unwrap();
        assert_eq!(held(&journal), seq - 5);
    }
    journal.append(vec![quiet(over), quiet(over + 1)]).unwrap();
    let left = held(&journal);
    assert!(left <= 1, "{left}");
    let many = over + 2..over + 600;
    let now = quiet(over + 2).at;
    journal
        .append(
            many.map(|seq| Record {
                at: now,
                ..quiet(seq)
            })
            .collect(),
        )
        .unwrap();
    assert_eq!(held(&journal), (598 + left) % 256);
    // Leaving a quiet grade is loud.
    let next = journal.next_seq().0;
    let mut changed = quiet(next);
    if let Event::RedisProbed(probe) | Event::PeerProbed { probe, .. } = &mut changed.event {
        probe.grade = Grade::Timeout;
    }
    journal.append(vec![changed]).unwrap();
    assert_eq!(held(&journal), 0);
    assert_eq!(journal.verify().first_bad.map(|bad| bad.why), None);
    assert_eq!(all(&journal).len() as u64, next);
}

#[test]
fn many_subjects_make_smaller_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let records = (1..=2_000).map(|seq| Record {
        instance: format!("instance-{}", seq % 250),
        at: at(7, 0),
        ..quiet(seq)
    });
    let records: Vec<_> = records.collect();
    journal.append(records.clone()).unwrap();
    journal.flush_quiet().unwrap();
    assert_eq!(all(&journal), records);
    let frames: Vec<_> = journal
        .frames(Seq(1_000))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(
        frames
            .iter()
            .all(|(_, value)| value.len() as u64 <= 2 * MAX_SUBJECT_BYTES)
    );
}

#[test]
fn wrong_numbers_and_giants_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let wrong = journal.append(vec![loud(1), loud(3)]).unwrap_err();
    assert_eq!(wrong.to_string(), "record 3 was offered where 2 is due");
    let giant = Event::ConfigRejected {
        error: "x".repeat(70_000),
    };
    let giant = Record {
        event: giant,
        ..loud(2)
    };
    let refused = journal.append(vec![loud(1), giant.clone()]);
    assert!(matches!(refused, Err(Error::TooLarge { seq: Seq(2), .. })));
    assert_eq!(journal.head(), None);
    journal.append(vec![loud(1)]).unwrap();
    assert_eq!(all(&journal), [loud(1)]);
}

#[test]
fn entries_of_many_parts_come_back_too() {
    let dir = tempfile::tempdir().unwrap();
    let large = |seq| Record {
        event: Event::ConfigRejected {
            error: "x".repeat(60_000 - seq as usize),
        },
        ..loud(seq)
    };
    let records: Vec<_> = (1..=120).map(large).collect();
    written(dir.path(), &records);
    let pages = first_volume(dir.path())
        .join("blobs")
        .read_dir()
        .unwrap()
        .count();
    assert_eq!(pages, 0, "sled made files beside its log");
    let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!(set_aside, None);
    assert_eq!(all(&journal), records);
}

#[test]
fn reading_begins_and_ends_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let records = stories(700);
    journal.append(records[..650].to_vec()).unwrap();
    journal.append(records[650..].to_vec()).unwrap();
    assert!(
        journal.stats().unwrap().held > 0,
        "the end is to be in memory"
    );
    for from in [
        0,
        1,
        2,
        15,
        16,
        17,
        40,
        255,
        256,
        640,
        641,
        660,
        690,
        699,
        700,
        701,
        u64::MAX,
    ] {
        let from_index = (from.max(1) as usize - 1).min(700);
        let found: Vec<_> = journal
            .records(Seq(from))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(found, records[from_index..], "from {from}");
        let mut found: Vec<_> = journal
            .records_rev(Seq(from))
            .collect::<Result<_, _>>()
            .unwrap();
        found.reverse();
        assert_eq!(found, records[..from_index], "before {from}");
        let expected = (1..=700)
            .contains(&from)
            .then(|| records[from_index].clone());
        assert_eq!(journal.get(Seq(from)).unwrap(), expected, "at {from}");
    }
}

#[test]
fn a_reader_sees_what_was_there_when_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append((1..=20).map(quiet).collect()).unwrap();
    let mut reading = journal.reader().records(Seq(1));
    assert_eq!(reading.next().unwrap().unwrap(), quiet(1));
    journal.append((21..=40).map(loud).collect()).unwrap();
    let rest: Vec<_> = reading.collect::<Result<_, _>>().unwrap();
    assert_eq!(rest, (2..=20).map(quiet).collect::<Vec<_>>());
    assert_eq!(journal.reader().records(Seq(1)).count(), 40);
}

#[test]
fn time_is_found_by_search() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let records = stories(500);
    journal.append(records.clone()).unwrap();
    for index in [0, 1, 7, 250, 498, 499] {
        let wall_us = records[index].at.wall_us;
        assert_eq!(journal.seek_time(wall_us).unwrap(), records[index].seq);
        assert_eq!(
            journal.seek_time(wall_us + 1).unwrap(),
            records[index].seq.next()
        );
    }
    assert_eq!(journal.seek_time(i64::MIN).unwrap(), Seq(1));
    assert_eq!(journal.seek_time(i64::MAX).unwrap(), Seq(501));
}

#[test]
fn kinds_are_found_in_either_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let records = stories(2_000);
    journal.append(records.clone()).unwrap();
    for kind in Event::KINDS {
        let mut expected: Vec<_> = records[99..1_899].to_vec();
        expected.retain(|record| record.event.kind() == kind);
        assert!(!expected.is_empty(), "{kind}");
        let range = || Seq(100)..Seq(1_900);
        let found = of_kind(&journal, kind, range(), Order::OldestFirst);
        assert_eq!(found, expected, "{kind}");
        expected.reverse();
        let found = of_kind(&journal, kind, range(), Order::NewestFirst);
        assert_eq!(found, expected, "{kind}");
    }
    let kinds: Vec<_> = Event::KINDS.into_iter().filter_map(kind_index).collect();
    let notable = journal.notable(&kinds, Seq(3)..Seq(u64::MAX), Order::NewestFirst);
    let seqs: Vec<_> = notable.map(|found| found.unwrap().seq.0).collect();
    let loud = (1..=2_000)
        .rev()
        .filter(|seq| seq % 16 == 0)
        .collect::<Vec<u64>>();
    assert!(loud.iter().all(|seq| seqs.contains(seq)));
    assert!(seqs.is_sorted_by(|a, b| a > b));
}
