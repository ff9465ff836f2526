//! What was written is read, or the journal says that it is damaged: never another value.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::journal::codec::{Chain, FORMAT};
use crate::journal::store::Store;

use super::*;

#[test]
fn a_second_open_is_refused_and_says_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let refused = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(
        refused.contains(&format!("in use by process {}", std::process::id())),
        "{refused}"
    );
    assert!(matches!(
        Reader::open(dir.path()),
        Err(Error::Locked { .. })
    ));
    let refused = salvaged(dir.path(), "x").map(|(journal, _)| journal);
    assert!(is_locked(refused), "a journal in use is not a damaged one");
    drop(journal);
    Journal::open(dir.path()).unwrap();
}

#[test]
fn verify_names_the_first_bad_record() {
    let records = stories(600);
    let broken = |change: &dyn Fn(&Store)| {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), &records);
        change(&Store::open(&first_volume(dir.path())).unwrap());
        let reader = Reader::open(dir.path()).unwrap();
        let report = reader.verify();
        let bad = report.first_bad.clone().expect("damage is found");
        let good: Vec<_> = reader.records(Seq(0)).map_while(Result::ok).collect();
        assert_eq!(good, records[..good.len()]);
        (report, bad.seq.0, bad.why, good.len() as u64)
    };
    let flip = |key: u64, at: usize| {
        move |store: &Store| {
            let (_, value) = store.before(key + 1).unwrap().unwrap();
            let mut value = value.to_vec();
            value[at] ^= 1;
            store.insert(key, &value).unwrap();
        }
    };
    for at in [0, 1, 5] {
        let (report, seq, why, good) = broken(&flip(320, at));
        assert_eq!((seq, good, report.records), (320, 319, 319), "{why}");
        assert!(why.contains("the chain is broken"), "{why}");
    }
    let (_, seq, why, good) = broken(&|store| store.insert(320, &[1, 2, 3]).unwrap());
    assert_eq!((seq, good), (320, 319), "{why}");
    let (_, seq, why, good) = broken(&|store| store.remove(320).unwrap());
    assert_eq!(
        (seq, good, why.as_str()),
        (320, 319, "it is missing, up to 320")
    );
    let (_, seq, why, _) = broken(&|store| {
        let (_, value) = store.before(321).unwrap().unwrap();
        store.insert(u64::MAX - 1, &value).unwrap();
    });
    assert_eq!(seq, 601, "{why}");
}

#[test]
fn a_record_that_the_index_does_not_know_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &stories(100));
    let store = Store::open(&first_volume(dir.path())).unwrap();
    let kind = crate::journal::index::kind_of(&story(64).event);
    store.remove_notable(kind, 64).unwrap();
    drop(store);
    let bad = Reader::open(dir.path())
        .unwrap()
        .verify()
        .first_bad
        .unwrap();
    assert_eq!(
        (bad.seq, bad.why.as_str()),
        (Seq(64), "the index of kinds does not agree")
    );
}

#[test]
fn what_was_noted_of_records_that_never_came_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &stories(100));
    let store = Store::open(&first_volume(dir.path())).unwrap();
    store.insert_notable(7, 101).unwrap();
    store.insert_notable(7, 102).unwrap();
    store.sync().unwrap();
    drop(store);
    drop(Journal::open(dir.path()).unwrap());
    let store = Store::open(&first_volume(dir.path())).unwrap();
    assert!(!store.is_notable(7, 101).unwrap() && !store.is_notable(7, 102).unwrap());
}

#[test]
fn of_a_damaged_journal_the_good_records_stay() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("journal");
    written(&place, &stories(100));
    let store = Store::open(&first_volume(&place)).unwrap();
    store
        .insert(48, b"rubbish that is no entry of a journal")
        .unwrap();
    store.sync().unwrap();
    drop(store);
    let (mut journal, set_aside) = salvaged(&place, "17").unwrap();
    let set_aside = set_aside.unwrap();
    let path = set_aside.set_aside.unwrap();
    assert_eq!(path, dir.path().join("journal.bad-17"));
    assert!(
        set_aside.why.contains("damaged at record 48"),
        "{}",
        set_aside.why
    );
    assert_eq!(all(&journal), stories(47));
    journal.append(vec![loud(48)]).unwrap();
    drop(journal);
    let (journal, again) = salvaged(&place, "18").unwrap();
    assert_eq!(again, None);
    assert_eq!(journal.head(), Some(Seq(48)));
    assert_eq!(journal.verify().records, 48);
    let old = Reader::open(&path).unwrap();
    let good: Vec<_> = old.records(Seq(0)).map_while(Result::ok).collect();
    assert_eq!(good, stories(47));
}

#[test]
fn a_newer_journal_is_refused_and_left_alone() {
    let refused = |change: &dyn Fn(&Store)| {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("journal");
        written(&place, &stories(20));
        let store = Store::open(&first_volume(&place)).unwrap();
        change(&store);
        store.sync().unwrap();
        drop(store);
        let refused = salvaged(&place, "x").map(drop).unwrap_err();
        assert!(
            matches!(
                refused,
                Error::NewerFormat {
                    found: 7,
                    known: FORMAT
                }
            ),
            "{refused}"
        );
        assert!(!dir.path().join("journal.bad-x").exists());
    };
    refused(&|store| store.set_format(7).unwrap());
    // A newer entry in a directory as we know it, correctly chained.
    refused(&|store| {
        let (key, value) = store.before(u64::MAX).unwrap().unwrap();
        let hash = crate::journal::codec::Hash::of_value(key, &value).unwrap();
        let value = Chain::behind(hash, None).seal_raw(21, &[7, 1, 2, 3]);
        assert!(key < 21);
        store.insert(21, &value).unwrap();
    });
}

#[test]
fn a_half_written_snapshot_does_not_keep_us_out() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &stories(100));
    let volume = first_volume(dir.path());
    fs::write(volume.join("snap.0000000000000FFF.generating"), b"half").unwrap();
    let snapshot = files(&volume, "snap.").pop().unwrap();
    fs::write(&snapshot, b"rubbish").unwrap();
    let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
    assert_eq!(set_aside, None);
    assert_eq!(all(&journal), stories(100));
}

#[test]
fn a_torn_log_leaves_a_beginning_or_is_set_aside() {
    let base = Base::new();
    let from_end = [1, 100, 3_000, 60_000, 400_000].map(|bytes| base.length - bytes);
    for cut in from_end
        .into_iter()
        .chain([base.length / 2, base.length / 3, 17, 0])
    {
        base.try_out(&format!("cut to {cut}"), &|db| {
            OpenOptions::new()
                .write(true)
                .open(db)
                .unwrap()
                .set_len(cut)
                .unwrap();
        });
    }
    // Without these the test would not have been about anything.
    assert!(base.set_aside.get() > 0, "nothing was set aside");
    assert!(base.shorter.get() > 0, "sled never went back quietly");
}

#[test]
fn a_changed_log_is_read_as_written_or_set_aside() {
    let base = Base::new();
    for part in 0..10 {
        let at = base.length * part / 10 + 31 * part;
        base.try_out(&format!("changed at {at}"), &|db| {
            let db = OpenOptions::new().read(true).write(true).open(db).unwrap();
            let mut bytes = [0; 4];
            db.read_exact_at(&mut bytes, at).unwrap();
            db.write_all_at(&bytes.map(|byte| !byte), at).unwrap();
        });
    }
    // Where the other changes hit depends on where sled's threads happened to write: this one cannot miss.
    base.try_out("its second half changed", &|db| {
        let mut bytes = fs::read(db).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].iter_mut().for_each(|byte| *byte = !*byte);
        fs::write(db, bytes).unwrap();
    });
    assert!(base.set_aside.get() > 0, "nothing was set aside");
}

/// A journal over many of sled's segments, with a snapshot in the middle, to make damaged copies of.
struct Base {
    dir: tempfile::TempDir,
    records: Vec<Record>,
    /// Of the log, up to its last byte that is not zero.
    length: u64,
    set_aside: Cell<u32>,
    shorter: Cell<u32>,
}

impl Base {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mixed = |seq: u64| {
            if seq.is_multiple_of(3) {
                story(seq)
            } else {
                loud(seq)
            }
        };
        let records: Vec<_> = (1..=16_000).map(mixed).collect();
        for session in records.chunks(9_000) {
            let mut journal = Journal::open(dir.path()).unwrap();
            for group in session.chunks(500) {
                journal.append(group.to_vec()).unwrap();
            }
            journal.flush_quiet().unwrap();
        }
        let log = fs::read(first_volume(dir.path()).join("db")).unwrap();
        let length = log.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
        assert!(
            length > 4 * 512 * 1024,
            "{length} bytes are too few segments"
        );
        Self {
            dir,
            records,
            length,
            set_aside: Cell::default(),
            shorter: Cell::default(),
        }
    }

    /// Damages a copy: with its mark it is whole or set aside, without it a beginning or set aside.
    fn try_out(&self, what: &str, damage: &dyn Fn(&Path)) {
        for with_mark in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let place = dir.path().join("journal");
            copy(self.dir.path(), &place);
            damage(&first_volume(&place).join("db"));
            if !with_mark {
                fs::remove_file(place.join("mark")).unwrap();
            }
            let (mut journal, set_aside) = salvaged(&place, "x").unwrap();
            let found = all(&journal);
            assert_eq!(found, self.records[..found.len()], "{what}");
            if set_aside.is_some() {
                self.set_aside.update(|count| count + 1);
            } else if found.len() < self.records.len() {
                assert!(
                    !with_mark,
                    "{what}: lost {} without a word",
                    16_000 - found.len()
                );
                self.shorter.update(|count| count + 1);
            }
            let next = found.len() as u64 + 1;
            journal.append(vec![loud(next)]).unwrap();
            drop(journal);
            assert_eq!(
                Reader::open(&place).unwrap().verify().records,
                next,
                "{what}"
            );
        }
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files(from, "") {
        let name = to.join(file.file_name().unwrap());
        if file.is_dir() {
            copy(&file, &name);
        } else {
            fs::copy(&file, name).unwrap();
        }
    }
}

fn files(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let files = dir.read_dir().unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| {
            file.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(prefix)
        })
        .collect()
}
