//! Who reads is not disturbed by what is sealed and removed beside him.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::journal::{FrameReader, Order, kind_index};

use super::*;

const VOLUMES: u64 = 12;
const RECORDS: u64 = 400;

/// Begins and seals volumes, with these readers beside it; each is given the journal as long as that goes on.
fn beside(readers: &[&(dyn Fn(&Reader) + Sync)], then: &(dyn Fn(&Reader) + Sync)) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(stories(RECORDS)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for read in readers {
            let (reader, done) = (journal.reader(), &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    read(&reader);
                }
            });
        }
        for volume in 1..VOLUMES {
            let first = volume * RECORDS + 1;
            journal
                .append((first..first + RECORDS).map(story).collect())
                .unwrap();
            journal.rotate().unwrap();
            journal.seal::<Tally>().unwrap();
            then(&journal);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_reader_does_not_notice_that_a_volume_is_sealed() {
    let newest = |reader: &Reader| {
        let end = reader.next_seq().0;
        for seq in (1..end).rev().take(300) {
            assert_eq!(reader.get(Seq(seq)).unwrap(), Some(story(seq)));
        }
    };
    let forth = |reader: &Reader| {
        let end = reader.next_seq().0;
        let from = end.saturating_sub(250);
        let found = reader.records(Seq(from)).take(20);
        found.for_each(|record| drop(record.unwrap()));
        let stream = reader.frames(Seq(from)).unwrap().into_stream();
        let bytes = stream.collect::<Result<Vec<_>, _>>().unwrap().concat();
        let found = FrameReader::new(bytes.as_slice()).unwrap();
        found.for_each(|record| drop(record.unwrap()));
    };
    let back = |reader: &Reader| {
        let found = reader.records_rev(Seq(u64::MAX)).take(500);
        found.for_each(|record| drop(record.unwrap()));
        let kinds: Vec<_> = Event::KINDS.into_iter().filter_map(kind_index).collect();
        let found = reader.notable(&kinds, Seq(1)..Seq(u64::MAX), Order::NewestFirst);
        found.take(50).for_each(|record| drop(record.unwrap()));
    };
    let whole = |reader: &Reader| reader.verify().into_result().unwrap();
    beside(&[&newest, &forth, &back, &whole], &|_| {});
}

#[test]
fn what_is_removed_is_not_missing() {
    let whole = |reader: &Reader| reader.verify().into_result().unwrap();
    beside(&[&whole, &whole], &|journal| {
        let volumes = journal.shelf.row();
        journal
            .shelf
            .trim(volumes[volumes.len() - 1].first())
            .unwrap();
    });
}
