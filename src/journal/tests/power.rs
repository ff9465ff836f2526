//! A power cut: what was synced is there, and of what was written since, any part.
//!
//! The disk is modelled, not filled: at each sync that the journal makes, [`synced`] keeps what the file holds, and
//! for a directory its names. An image of a cut is put together from that: every file as it was synced last, with
//! any subset of the 4 KiB pages that changed until the next sync; files and names that were never synced are
//! there, empty, or not at all. So a sync that is left out in the code is missing in the image too.
//!
//! Between appends, volumes are begun and sealed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;

const PAGE: usize = 4096;
/// Journals that are written, appends to each, and cuts in each.
const LIVES: usize = 12;
const APPENDS: usize = 25;
const CUTS: usize = 25;
/// sled syncs this file itself (`sled::Config`, "write_config"), and it never changes.
const SYNCED_BY_SLED: &str = "conf";

/// What survives.
#[derive(Debug, Clone, Default)]
struct Disk {
    root: PathBuf,
    /// As they were synced last.
    files: BTreeMap<PathBuf, Arc<Vec<u8>>>,
    names: BTreeSet<PathBuf>,
    /// Those that are directories.
    folders: BTreeSet<PathBuf>,
    /// Those that were given to files that were synced before: they are whole, or not there.
    whole: BTreeSet<PathBuf>,
}

/// The disk when an append returned.
struct Step {
    acknowledged: u64,
    disk: Disk,
    /// Never synced: as it was written.
    mark: Vec<u8>,
}

thread_local! {
    static DISK: RefCell<Option<Disk>> = const { RefCell::new(None) };
}

/// The journal has synced this file or directory.
pub(in crate::journal) fn synced(path: &Path) {
    steps::reached();
    DISK.with_borrow_mut(|disk| {
        let Some(disk) = disk else { return };
        let Ok(name) = path.strip_prefix(&disk.root) else {
            return;
        };
        if path.is_dir() {
            disk.names.retain(|known| known.parent() != Some(name));
            for entry in path.read_dir().unwrap().flatten() {
                let name = name.join(entry.file_name());
                if entry.path().is_dir() {
                    disk.folders.insert(name.clone());
                }
                disk.names.insert(name);
            }
        } else if let Ok(bytes) = fs::read(path) {
            let same = disk.files.get(name).filter(|known| ***known == bytes);
            let bytes = same.cloned().unwrap_or_else(|| Arc::new(bytes));
            disk.files.insert(name.to_owned(), bytes);
        }
    });
}

/// The journal has given a synced file another name.
pub(in crate::journal) fn renamed(from: &Path, to: &Path) {
    steps::reached();
    DISK.with_borrow_mut(|disk| {
        let Some(disk) = disk else { return };
        let name = |path: &Path| path.strip_prefix(&disk.root).map(Path::to_owned);
        let (Ok(from), Ok(to)) = (name(from), name(to)) else {
            return;
        };
        if let Some(bytes) = disk.files.get(&from).cloned() {
            disk.files.insert(to.clone(), bytes);
            disk.whole.insert(to);
        }
    });
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// The record `seq`: everything that happens, and a long text now and then.
fn told(seq: u64) -> Record {
    if seq % 29 > 4 {
        return story(seq);
    }
    Record {
        event: Event::ConfigRejected {
            error: "x".repeat(60_000 - seq as usize),
        },
        ..quiet(seq)
    }
}

/// In memory where that is possible: what is synced is for the model to know, and waiting for a disk adds nothing.
pub(super) fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Writes a journal; what the disk was after each append.
fn live(dir: &Path, dice: &mut Dice) -> Vec<Step> {
    DISK.set(Some(Disk {
        root: dir.to_owned(),
        ..Disk::default()
    }));
    let mut journal = Journal::open(dir).unwrap();
    let mut steps = Vec::new();
    for _ in 0..APPENDS {
        if dice.below(10) == 0 {
            drop(journal);
            journal = Journal::open(dir).unwrap();
        }
        if dice.below(6) == 0 {
            journal.rotate().unwrap();
        }
        if dice.below(6) == 0 {
            journal.seal::<Tally>().unwrap();
        }
        let next = journal.next_seq().0;
        let end = next + dice.below(20) as u64;
        let mut group: Vec<_> = (next..end).map(told).collect();
        group.push(loud(end));
        journal.append(group).unwrap();
        steps.push(Step {
            acknowledged: end,
            disk: DISK.with_borrow(|disk| disk.clone().unwrap()),
            mark: fs::read(dir.join("mark")).unwrap(),
        });
    }
    DISK.set(None);
    steps
}

/// What a file holds after a cut between two syncs.
fn torn(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    // All of the pages, none, or each by chance; and the new length, or the old one.
    let odds = [0, 1, 4, 9, 10][dice.below(5)];
    let longest = before.len().max(after.len());
    let mut image = before.to_vec();
    image.resize(longest, 0);
    for start in (0..after.len()).step_by(PAGE) {
        let end = (start + PAGE).min(after.len());
        if dice.below(10) < odds {
            image[start..end].copy_from_slice(&after[start..end]);
        }
    }
    let length = [before.len(), after.len()][dice.below(2)].max(before.len());
    image.truncate(length);
    image
}

/// Makes the directory as a cut behind `steps[at]` leaves it.
fn image(from: &Path, to: &Path, steps: &[Step], at: usize, dice: &mut Dice) {
    let (now, next) = (&steps[at].disk, &steps[at + 1].disk);
    let nothing = Arc::default();
    fs::create_dir_all(to).unwrap();
    for name in now.names.union(&next.names) {
        let is_safe = now.names.contains(name);
        if !is_safe && dice.below(2) == 0 {
            continue;
        }
        if now.folders.contains(name) || next.folders.contains(name) {
            fs::create_dir_all(to.join(name)).unwrap();
            continue;
        }
        let (before, after) = (now.files.get(name), next.files.get(name));
        let bytes = match name.to_str() {
            Some(name) if name.ends_with(SYNCED_BY_SLED) => conf(from),
            // Its words may reach the disk whenever they like, but for those that are not spoken yet.
            Some("mark") => steps[dice.below(at + 1)].mark.clone(),
            Some("lock") => Vec::new(),
            _ if next.whole.contains(name) => after.unwrap_or(&nothing).to_vec(),
            _ => torn(
                before.unwrap_or(&nothing),
                after.or(before).unwrap_or(&nothing),
                dice,
            ),
        };
        fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        fs::write(to.join(name), bytes).unwrap();
    }
}

fn conf(from: &Path) -> Vec<u8> {
    let volumes = from.read_dir().unwrap().flatten();
    let mut confs = volumes.filter_map(|volume| fs::read(volume.path().join(SYNCED_BY_SLED)).ok());
    confs.next().unwrap()
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let seed = std::env::var("RHA_TEST_SEED").map_or(0x5eed, |text| text.parse().unwrap());
    writeln!(std::io::stderr(), "seed {seed} (RHA_TEST_SEED)").unwrap();
    let mut dice = Dice(seed);
    for life in 0..LIVES {
        let dir = place();
        let steps = live(dir.path(), &mut dice);
        for _ in 0..CUTS {
            let at = dice.below(steps.len() - 1);
            let to = place();
            let journal = to.path().join("journal");
            image(dir.path(), &journal, &steps, at, &mut dice);
            let place = format!("seed {seed}, life {life}, step {at}");
            holds(&journal, steps[at].acknowledged, &place);
        }
    }
}

/// Everything up to `acknowledged` is there, nothing is there that was not written, and it can be gone on with.
fn holds(dir: &Path, acknowledged: u64, place: &str) {
    let opened = salvaged(dir, "cut");
    let (mut journal, set_aside) = opened.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(set_aside, None, "{place}: {acknowledged} were acknowledged");
    let head = journal.head();
    assert!(
        head >= Some(Seq(acknowledged)),
        "{place}: {head:?}, {acknowledged} were acknowledged"
    );
    for record in all(&journal) {
        let seq = record.seq.0;
        assert!(
            record == told(seq) || record == loud(seq),
            "{place}: record {seq}"
        );
    }
    let next = journal.next_seq().0;
    journal.append(vec![loud(next)]).unwrap();
    assert!(journal.verify().into_result().is_ok(), "{place}");
}
