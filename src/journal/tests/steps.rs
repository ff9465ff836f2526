//! A process that is killed between any two steps of what is done to volumes: the directory is copied at each, and
//! each copy is a journal that lacks nothing.

use std::cell::{Cell, RefCell};

use crate::journal::store::Store;

use super::damage::copy;
use super::*;

thread_local! {
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
    /// The last record that was acknowledged, and the first that must be kept.
    static KEPT: Cell<(u64, u64)> = const { Cell::new((0, 1)) };
}

struct Watched {
    place: PathBuf,
    copies: Vec<Copy>,
}

/// What a process that was killed here leaves.
struct Copy {
    dir: tempfile::TempDir,
    acknowledged: u64,
    kept_from: u64,
}

impl Copy {
    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }
}

/// A step was done.
pub(in crate::journal) fn reached() {
    WATCHED.with_borrow_mut(|watched| {
        let Some(Watched { place, copies }) = watched else {
            return;
        };
        let dir = power::place();
        copy(place, dir.path());
        let (acknowledged, kept_from) = KEPT.get();
        copies.push(Copy {
            dir,
            acknowledged,
            kept_from,
        });
    });
}

/// Prepares a journal, does something to it, and returns what each step of that left.
fn steps_of(prepare: impl FnOnce(&Path), act: impl FnOnce(&Path)) -> Vec<Copy> {
    let dir = power::place();
    let journal = dir.path().join("journal");
    prepare(&journal);
    WATCHED.set(Some(Watched {
        place: dir.path().to_owned(),
        copies: Vec::new(),
    }));
    act(&journal);
    let copies = WATCHED.take().unwrap().copies;
    assert!(copies.len() > 3, "{} steps are not all", copies.len());
    copies
}

/// It goes on, in volumes as ever, and each of them can be read from its beginning.
fn goes_on(mut journal: Journal, dir: &Path) {
    for _ in 0..2 {
        let next = journal.next_seq().0;
        journal.append(vec![loud(next)]).unwrap();
        journal.rotate().unwrap();
        journal.seal::<Tally>().unwrap();
    }
    let next = journal.next_seq();
    drop(journal);
    let (journal, set_aside) = salvaged(dir, "again").unwrap();
    assert_eq!((set_aside, journal.next_seq()), (None, next));
    for volume in journal.volumes().unwrap() {
        let first = journal.records(volume.first).next();
        assert!(first.is_none_or(|first| first.is_ok()), "{volume:?}");
    }
}

#[test]
fn killed_while_volumes_come_and_go() {
    let act = |dir: &Path| {
        let mut journal = Journal::open(dir).unwrap();
        for volume in 0..3 {
            let next = journal.next_seq().0;
            let end = next + 40;
            journal.append((next..=end).map(loud).collect()).unwrap();
            KEPT.set((end, 1));
            if volume > 0 {
                journal.rotate().unwrap();
            }
        }
        journal.seal::<Tally>().unwrap();
        let below = journal.volumes().unwrap()[1].first;
        let last = journal.next_seq().0;
        journal.append(vec![removed(last, below.0)]).unwrap();
        KEPT.set((last, below.0));
        journal.reader.shelf.trim(below.0).unwrap();
        KEPT.set((0, 1));
    };
    for (step, copy) in steps_of(|_| {}, act).iter().enumerate() {
        let (journal, set_aside) = salvaged(&copy.journal(), "x").unwrap();
        assert_eq!(set_aside, None, "step {step}");
        assert!(journal.head().map_or(0, |head| head.0) >= copy.acknowledged);
        let found = all(&journal);
        let first = found.first().map_or(1, |record| record.seq.0);
        assert!(first <= copy.kept_from, "step {step}");
        for (seq, record) in (first..).zip(found) {
            if !matches!(record.event, Event::RecordsRemoved { .. }) {
                assert_eq!(record, loud(seq), "step {step}");
            }
        }
        let report = journal.verify();
        assert!(report.first_bad.is_none(), "step {step}: {report:?}");
        goes_on(journal, &copy.journal());
    }
}

#[test]
fn killed_while_the_first_format_is_moved() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal/v1");
    let prepare = |dir: &Path| copy(&golden, dir);
    let mut found = Vec::new();
    for copy in steps_of(prepare, |dir| drop(Journal::open(dir).unwrap())) {
        let (journal, set_aside) = salvaged(&copy.journal(), "x").unwrap();
        assert_eq!(set_aside, None);
        found.push(all(&journal));
        goes_on(journal, &copy.journal());
    }
    assert!(!found[0].is_empty());
    assert!(found.iter().all(|records| *records == found[0]));
}

/// Volumes of a hundred records, none of them sealed; one of these records is rubbish.
fn damaged_at(seq: u64, dir: &Path) {
    let mut journal = Journal::open(dir).unwrap();
    for part in stories(300).chunks(100) {
        journal.rotate().unwrap();
        journal.append(part.to_vec()).unwrap();
        journal.flush_quiet().unwrap();
    }
    drop(journal);
    let volume = dir.join(format!("{:020}", (seq - 1) / 100 * 100 + 1));
    let store = Store::open(&volume).unwrap();
    store.insert(seq, b"rubbish").unwrap();
    store.sync().unwrap();
}

/// Somewhere beside the journal or in it, what was damaged is kept.
fn is_kept(dir: &Path, first: u64) {
    let folders = |dir: &Path| {
        let files = dir.read_dir().unwrap().flatten();
        files.map(|file| file.path()).filter(|path| path.is_dir())
    };
    let beside = folders(dir.parent().unwrap()).chain(folders(dir));
    let name = format!("{first:020}");
    let kept =
        beside.filter(|path| path.to_string_lossy().contains("bad-") && path.join(&name).is_dir());
    assert_eq!(kept.count(), 1, "{dir:?}");
}

#[test]
fn killed_while_the_newest_volume_is_salvaged() {
    let act = |dir: &Path| drop(salvaged(dir, "x").unwrap());
    for (step, copy) in steps_of(|dir| damaged_at(240, dir), act).iter().enumerate() {
        let (journal, set_aside) = salvaged(&copy.journal(), "y").unwrap();
        let found = all(&journal);
        assert_eq!(found, stories(239), "step {step}: {set_aside:?}");
        assert!(journal.verify().into_result().is_ok());
        is_kept(&copy.journal(), 201);
        goes_on(journal, &copy.journal());
    }
}

#[test]
fn killed_while_a_volume_with_a_good_one_behind_it_is_salvaged() {
    let act = |dir: &Path| drop(Journal::open_or_salvage::<Tally>(dir, "x").unwrap());
    for (step, copy) in steps_of(|dir| damaged_at(144, dir), act).iter().enumerate() {
        let opened = Journal::open_or_salvage::<Tally>(&copy.journal(), "y").unwrap();
        let journal = opened.journal;
        assert_eq!(journal.next_seq(), Seq(301), "step {step}");
        let before: Vec<_> = journal.records(Seq(1)).map_while(Result::ok).collect();
        assert_eq!(before, stories(143), "step {step}");
        let behind: Vec<_> = journal.records(Seq(201)).collect::<Result<_, _>>().unwrap();
        assert_eq!(behind, stories(300)[200..], "step {step}");
        // What is missing is told as long as it is …
        let bad = journal.verify().first_bad.unwrap();
        assert_eq!(
            (bad.seq, bad.why.as_str()),
            (Seq(144), "it is missing, up to 200")
        );
        // … what is known is known, and each start that has to go without the rest says so.
        let known = [&stories(143)[..], &stories(300)[200..]].concat();
        assert_eq!(opened.fold, tally(&known), "step {step}");
        is_kept(&copy.journal(), 101);
        drop(journal);
        let mut journal = Journal::open_or_salvage::<Tally>(&copy.journal(), "z")
            .unwrap()
            .journal;
        journal.append(vec![loud(301)]).unwrap();
        journal.rotate().unwrap();
        journal.seal::<Tally>().unwrap();
        drop(journal);
        let again = Journal::open_or_salvage::<Tally>(&copy.journal(), "z").unwrap();
        assert_eq!((again.damage, again.fold.records), (None, 244));
    }
}
