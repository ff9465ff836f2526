//! Volumes that cannot be sealed, moved or read: what is good stays, and the rest is told.

use std::fs;
use std::time::Duration;

use crate::journal::row::Volume;
use crate::journal::{Committer, Retention};

use super::damage::copy;
use super::volumes::three;
use super::*;

#[test]
fn a_sled_stays_until_the_sealed_file_in_its_place_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    let mut journal = Journal::open(&place).unwrap();
    journal.append(stories(300)).unwrap();
    journal.rotate().unwrap();
    journal.append((301..=310).map(loud).collect()).unwrap();
    let volume = first_volume(&place);
    copy(&volume, &dir.path().join("kept"));
    journal.seal::<Tally>().unwrap();
    drop(journal);
    // Interrupted before the volume was gone, and the file is not what was written.
    copy(&dir.path().join("kept"), &volume);
    let sealed = volume.with_extension("vol");
    let mut bytes = fs::read(&sealed).unwrap();
    bytes[200] ^= 1;
    fs::write(&sealed, bytes).unwrap();
    let (journal, set_aside) = salvaged(&place, "x").unwrap();
    assert_eq!(set_aside, None);
    assert_eq!(all(&journal)[..300], stories(300));
    journal.seal::<Tally>().unwrap();
    assert!(sealed.exists() && !volume.exists());
    assert!(journal.verify().into_result().is_ok());
}

#[test]
fn what_lost_its_end_is_not_sealed_and_its_sled_stays() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    let mut journal = Journal::open(&place).unwrap();
    journal.append((1..=100).map(loud).collect()).unwrap();
    journal.rotate().unwrap();
    let store = match &journal.shelf.row()[0] {
        Volume::Open { store, .. } => store.clone(),
        sealed => panic!("{sealed:?}"),
    };
    (90..=100).for_each(|seq| store.remove(seq).unwrap());
    store.sync().unwrap();
    drop(store);
    let lost = |error: &Error| error.to_string().contains("90: it is missing, up to 100");
    // The agent is told: it opens the journal anew.
    let committer = Committer::start::<Tally>(journal).unwrap();
    let compacted = committer.compact().blocking_recv().unwrap();
    assert!(lost(&compacted.unwrap_err()));
    let refused = committer.commit(vec![loud(101)]).blocking_recv().unwrap();
    assert!(lost(&refused.unwrap_err()));
    drop(committer.stop());
    assert!(first_volume(&place).is_dir());
    let opened = Journal::open_or_salvage::<Tally>(&place, "x").unwrap();
    let Damage { why, set_aside } = opened.damage.unwrap();
    assert!(why.contains("90: it is missing, up to 100"), "{why}");
    assert!(first_volume(&set_aside.unwrap()).is_dir());
    // Also before an empty volume.
    let bad = opened.journal.verify().first_bad.unwrap();
    assert_eq!((bad.seq, opened.journal.next_seq()), (Seq(90), Seq(101)));
}

#[test]
fn what_is_damaged_stays_within_where_it_cannot_be_moved_beside() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    written(&place, &stories(100));
    fs::remove_file(first_volume(&place).join("db")).unwrap();
    fs::write(dir.path().join("journal.bad-x"), "in the way").unwrap();
    let (journal, damage) = salvaged(&place, "x").unwrap();
    assert_eq!(damage.unwrap().set_aside, Some(place.join("bad-x")));
    assert!(first_volume(&place.join("bad-x")).is_dir());
    drop(journal);
    let (_, set_aside) = salvaged(&place, "y").unwrap();
    assert_eq!(set_aside, None);
}

#[test]
fn what_was_set_aside_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    fs::create_dir(dir.path().join("journal.bad-mine")).unwrap();
    for time in 1..=12 {
        written(&place, &stories(20));
        fs::remove_file(first_volume(&place).join("db")).unwrap();
        let (journal, damage) = salvaged(&place, &time.to_string()).unwrap();
        assert!(damage.is_some());
        drop(journal);
        fs::remove_dir_all(&place).unwrap();
    }
    let names = dir.path().read_dir().unwrap();
    let mut kept: Vec<_> = names
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    let due = [10, 11, 12, 5, 6, 7, 8, 9].map(|time| format!("journal.bad-{time}"));
    assert_eq!(kept[..8], due);
    assert_eq!(kept[8..], ["journal.bad-mine"]);
}

/// The snapshot is all that stays of them.
#[test]
fn what_goes_has_been_folded_before() {
    let dir = tempfile::tempdir().unwrap();
    let journal = three(dir.path());
    fs::write(dir.path().join(format!("{:020}.state", 301)), "rubbish").unwrap();
    let committer = Committer::start::<Tally>(journal).unwrap();
    committer.trim(Seq(301)).blocking_recv().unwrap().unwrap();
    drop(committer.stop().unwrap());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.first_seq(), Seq(301));
    let before = reader.before_first::<Tally>().unwrap();
    assert_eq!(before, tally(&stories(300)));
}

#[test]
fn a_damaged_volume_keeps_nothing_before_it_from_going_and_the_journal_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = three(dir.path());
    fs::write(dir.path().join(format!("{:020}.vol", 301)), "rubbish").unwrap();
    journal.shelf.read_anew();
    let committer = Committer::start::<Tally>(journal).unwrap();
    committer.trim(Seq(301)).blocking_recv().unwrap().unwrap();
    let taken = committer.commit(vec![loud(901)]).blocking_recv().unwrap();
    assert!(taken.is_ok(), "{taken:?}");
    assert_eq!(committer.reader().first_seq(), Seq(301));
}

#[test]
fn damage_in_the_oldest_volume_keeps_nothing_from_being_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = three(dir.path());
    journal.rotate().unwrap();
    journal.append((901..=910).map(loud).collect()).unwrap();
    journal.seal::<Tally>().unwrap();
    fs::write(dir.path().join(format!("{:020}.vol", 1)), "rubbish").unwrap();
    let keep = |below: u64| {
        let now_us = story(below).at.wall_us;
        let retention = Retention {
            keep: Duration::ZERO,
            size: u64::MAX,
        };
        journal.shelf.read_anew();
        journal.expired(retention, now_us).unwrap()
    };
    assert_eq!(keep(300), None);
    let expired = keep(601).unwrap();
    assert_eq!((expired.below, expired.records), (Seq(601), 600));
}

#[test]
fn who_reads_a_journal_that_is_to_be_let_go_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = three(dir.path());
    let mut records = journal.records(Seq(1));
    assert!(records.next().unwrap().is_ok());
    journal.recall();
    let last = records.last().unwrap();
    assert!(matches!(last, Err(Error::Recalled)), "{last:?}");
    assert!(matches!(journal.get(Seq(7)), Err(Error::Recalled)));
    assert!(journal.verify().records < 900);
    assert!(matches!(journal.lent(), Err(Error::Recalled)));
}

#[test]
fn a_time_is_found_beside_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    drop(three(dir.path()));
    fs::remove_file(dir.path().join(format!("{:020}.vol", 301))).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    for seq in [1, 150, 300, 601, 750, 900] {
        let found = reader.seek_time(story(seq).at.wall_us).unwrap();
        assert!(
            found.0 + 1 >= seq.min(300) && found <= Seq(seq),
            "{found} for {seq}"
        );
    }
    let stats = reader.volumes().unwrap();
    assert_eq!(stats.len(), 2);
}
