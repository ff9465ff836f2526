//! Volumes that somebody else removed, or spoiled.

use std::fs;

use super::volumes::three;
use super::*;

/// As an agent does: the record comes first.
fn remove(journal: &mut Journal, below: u64) {
    journal.append(vec![removed(901, below)]).unwrap();
    journal.reader.shelf.trim(below).unwrap();
}

#[test]
fn a_beginning_that_is_gone_is_told_unless_it_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = three(dir.path());
    let bad = |journal: &Journal| journal.check_beginning().err().map(|e| e.to_string());
    let inspected = |journal: &Journal| journal.inspect(0).unwrap().pop().map(|(_, why)| why);
    assert_eq!((bad(&journal), inspected(&journal)), (None, None));
    remove(&mut journal, 301);
    assert_eq!((bad(&journal), inspected(&journal)), (None, None));
    // Somebody removes one more.
    drop(journal);
    fs::remove_file(dir.path().join("00000000000000000301.vol")).unwrap();
    let (journal, damage) = salvaged(dir.path(), "x").unwrap();
    let why = "it is gone, as is all before 601, and no record tells of that";
    assert!(bad(&journal).unwrap().contains(why));
    assert!(inspected(&journal).unwrap().contains(why));
    let damage = damage.unwrap();
    assert!(damage.why.contains(why), "{}", damage.why);
    assert_eq!(damage.set_aside, None);
    assert_eq!(all(&journal).len(), 301);
}

#[test]
fn what_removed_records_came_to_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = three(dir.path());
    remove(&mut journal, 601);
    drop(journal);
    fs::remove_file(dir.path().join("00000000000000000601.state")).unwrap();
    let Salvaged {
        journal, damage, ..
    } = Journal::open_or_salvage::<Tally>(dir.path(), "x").unwrap();
    let damage = damage.unwrap();
    assert!(
        damage.why.contains("its snapshot is none"),
        "{}",
        damage.why
    );
    assert_eq!(damage.set_aside, None);
    assert!(journal.verify().first_bad.is_none());
    assert!(journal.check_beginning().is_err());
}

/// Damage in one volume says nothing about the others.
#[test]
fn time_is_found_around_a_volume_that_cannot_be_read() {
    for broken in [1, 301] {
        let dir = tempfile::tempdir().unwrap();
        drop(three(dir.path()));
        fs::write(dir.path().join(format!("{broken:020}.vol")), "rubbish").unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        for (index, record) in stories(900).iter().enumerate() {
            let seq = index as u64 + 1;
            let found = reader.seek_time(record.at.wall_us).unwrap().0;
            if (broken..broken + 300).contains(&seq) {
                assert!(
                    (broken..=broken + 300).contains(&found),
                    "{broken}: {seq}, {found}"
                );
            } else {
                assert!(found <= seq, "{broken}: {seq}, {found}");
            }
        }
        let spans = reader.spans(Seq(1));
        let read: Vec<_> = spans
            .iter()
            .flat_map(|span| reader.records_within(span.clone(), Order::OldestFirst))
            .filter_map(Result::ok)
            .collect();
        let mut good = stories(900);
        good.retain(|record| !(broken..broken + 300).contains(&record.seq.0));
        assert_eq!(read, good);
    }
}

#[test]
fn damage_hides_no_other_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(three(dir.path()));
    for first in [1, 301] {
        fs::write(dir.path().join(format!("{first:020}.vol")), "rubbish").unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let first = reader.verify().first_bad.unwrap();
    let behind = reader.verify_behind(first.seq);
    let behind: Vec<_> = behind.into_iter().map(|bad| bad.seq).collect();
    assert_eq!((first.seq, behind), (Seq(1), vec![Seq(301)]));
    assert!(reader.verify_behind(Seq(301)).is_empty());
}
