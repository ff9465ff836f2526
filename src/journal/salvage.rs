//! A damaged journal: what is good of it stays, the rest is set aside.
//!
//! Only the open volumes are looked at, for only they are needed to go on. The damaged one is renamed, its good
//! records are sealed under its number, and then it is moved out of the way. If it was the newest, another is begun
//! behind the good records; else those that follow it stay, and what is missing between them is told by `rha verify`.
//! Wherever that is interrupted, the next start finds the renamed directory and goes on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::record::Seq;

use super::Journal;
use super::codec::Hash;
use super::dir::layout::Found;
use super::dir::{layout, lock, make, sync_dir};
use super::error::Error;
use super::index::Order;
use super::mark::Mark;
use super::reader::{Reader, Tail};
use super::row::Volume;
use super::seal::{Press, Pressed};
use super::sealed::Sealed;
use super::shelf::Shelf;
use super::snapshot::{self, Fold};
use super::store::Store;

/// So many damaged parts are kept for whoever wants to look at them.
const KEPT: usize = 8;
/// More damage than one volume has, and the next that shows behind it.
const TRIES: usize = 4;

/// What was wrong with a journal when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// In a line.
    pub why: String,
    /// Where the damaged part was moved to; `None` if nothing was left of it.
    pub set_aside: Option<PathBuf>,
}

/// What [`Journal::open_or_salvage`] comes to.
#[derive(Debug)]
pub struct Salvaged<F> {
    /// The journal, to go on with.
    pub journal: Journal,
    /// What its records fold to.
    pub fold: F,
    /// It was damaged.
    pub damage: Option<Damage>,
}

impl Journal {
    /// Opens the journal, verifies what is not sealed, and folds it. What is damaged is moved to `<dir>.bad-<suffix>`,
    /// or, where that cannot be, to `bad-<suffix>` in it; the records before it stay.
    ///
    /// # Errors
    /// `Locked`, `NewerFormat`, `Io`: none of these is a reason to set anything aside.
    pub fn open_or_salvage<F: Fold>(dir: &Path, suffix: &str) -> Result<Salvaged<F>, Error> {
        let mut why = None;
        let mut aside = None;
        for _ in 0..TRIES {
            match Self::open_and_fold(dir) {
                Ok((journal, fold, unread)) => {
                    let damaged = layout::list(dir)?.damaged;
                    if !damaged.is_empty() {
                        let named = damaged.into_iter();
                        let named = named.map(|(first, path)| (layout::open_name(first), path));
                        aside = Some(set_aside(dir, suffix, named)?);
                    }
                    let interrupted = || "an earlier start was interrupted".to_owned();
                    let why = why.or(unread);
                    let why = why.or_else(|| aside.is_some().then(interrupted));
                    return Ok(Salvaged {
                        journal,
                        fold,
                        damage: why.map(|why| Damage {
                            why,
                            set_aside: aside,
                        }),
                    });
                }
                Err(damage @ Error::Damaged { .. }) => {
                    let text = damage.to_string();
                    aside = save::<F>(dir, &damage, suffix)?.or(aside);
                    why.get_or_insert(text);
                }
                Err(e) => return Err(e),
            }
        }
        Self::begin_anew(dir, suffix, why.unwrap_or_default())
    }

    /// Opens and folds; tells why not all of it is known.
    fn open_and_fold<F: Fold>(dir: &Path) -> Result<(Self, F, Option<String>), Error> {
        let journal = Self::open(dir)?;
        let (fold, lost) = journal.fold()?;
        let lost = match (lost, journal.check_beginning()) {
            (None, Err(e @ Error::Damaged { .. })) => Some(e),
            (None, Err(e)) => return Err(e),
            (lost, _) => lost,
        };
        let why = lost.map(|e| format!("{e}; what it would tell is not known any more"));
        Ok((journal, fold, why))
    }

    /// Nothing helps: all of it is set aside.
    fn begin_anew<F: Fold>(dir: &Path, suffix: &str, why: String) -> Result<Salvaged<F>, Error> {
        let lock = lock(dir)?;
        let everything = layout::everything(dir)?;
        let path = set_aside(dir, suffix, everything)?;
        drop(lock);
        let (journal, fold, _) = Self::open_and_fold(dir)?;
        Ok(Salvaged {
            journal,
            fold,
            damage: Some(Damage {
                why,
                set_aside: Some(path),
            }),
        })
    }
}

/// Moves these out of the journal, under these names. They are gathered in it first, for only that can always be
/// done: it may be a mount point, or stand where nothing else may be written.
fn set_aside(
    dir: &Path,
    suffix: &str,
    what: impl IntoIterator<Item = (impl AsRef<Path>, PathBuf)>,
) -> Result<PathBuf, Error> {
    let within = dir.join(format!("bad-{suffix}"));
    make(&within)?;
    for (name, path) in what {
        fs::rename(&path, within.join(name)).map_err(|e| Error::io("set aside", &path, e))?;
    }
    sync_dir(&within)?;
    let mut beside = OsString::from(dir);
    beside.push(format!(".bad-{suffix}"));
    let beside = PathBuf::from(beside);
    let moved = fs::rename(&within, &beside).map(|()| beside.parent().map(sync_dir));
    sync_dir(dir)?;
    let place = match moved {
        Ok(synced) => synced.unwrap_or(Ok(())).map(|()| beside)?,
        Err(_) => within,
    };
    make_room(&place);
    Ok(place)
}

/// Removes the oldest of those that were set aside before, so that damage that comes again and again does not fill the
/// disk. What somebody renamed is his.
fn make_room(newest: &Path) {
    let stem = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        let (stem, time) = name.rsplit_once('-')?;
        Some((stem.to_owned(), time.parse::<u64>().ok()?))
    };
    let Some((of, _)) = stem(newest) else { return };
    let beside = newest.parent().and_then(|parent| parent.read_dir().ok());
    let mut all: Vec<_> = beside
        .into_iter()
        .flatten()
        .filter_map(|file| {
            let path = file.ok()?.path();
            let (stem, time) = stem(&path)?;
            (stem == of && path.is_dir()).then_some((time, path))
        })
        .collect();
    all.sort();
    for (_, path) in all.iter().rev().skip(KEPT) {
        tracing::warn!(path = %path.display(), "the oldest damaged journal is removed: {KEPT} are kept");
        if let Err(error) = layout::remove(path) {
            tracing::warn!(%error, "it stays");
        }
    }
}

/// Saves what is good of the volume that is damaged. Returns where that was moved to, if nothing is.
fn save<F: Fold>(dir: &Path, damage: &Error, suffix: &str) -> Result<Option<PathBuf>, Error> {
    // From here on nobody takes what is half done for what a crash has left.
    let lock = Arc::new(lock(dir)?);
    let mut open: Vec<u64> = layout::list(dir)?
        .open
        .iter()
        .map(|(first, _)| *first)
        .collect();
    open.sort_unstable();
    let at = match damage {
        Error::Damaged {
            seq: Some(Seq(at)), ..
        } => *at,
        _ => u64::MAX,
    };
    let Some(place) = open.iter().rposition(|first| *first <= at) else {
        return Ok(None);
    };
    let first = open[place];
    let is_newest = place + 1 == open.len();
    let path = layout::open_path(dir, first);
    let good = match Shelf::locked(dir, lock.clone()) {
        Ok(shelf) => press_good::<F>(shelf, first)?,
        Err(Error::Damaged { .. }) => None,
        Err(e) => return Err(e),
    };
    if good.is_none() && !is_newest {
        // The volumes behind it are as good as ever.
        return set_aside(dir, suffix, [(layout::open_name(first), path)]).map(Some);
    }
    let mut renamed = layout::damaged_path(dir, first);
    if renamed.exists() {
        renamed.push(layout::open_name(first));
    }
    fs::rename(&path, &renamed).map_err(|e| Error::io("set aside", &path, e))?;
    #[cfg(test)]
    super::tests::steps::reached();
    let next = match good {
        Some((pressed, fold)) => {
            let index = pressed.name()?;
            if is_newest {
                snapshot::write(dir, index.next, index.hash, &fold)?;
            }
            index.next
        }
        None => {
            Store::create(&path, hash_before(dir, first)?)?;
            first
        }
    };
    if is_newest {
        Mark::open(dir)?.write(next)?;
    }
    Ok(None)
}

/// The records of the volume up to the first that is bad, and what they fold to.
fn press_good<F: Fold>(shelf: Shelf, first: u64) -> Result<Option<(Pressed, F)>, Error> {
    let row = shelf.row();
    let anchor = row.anchor(first)?;
    let tail = Tail::empty(first, anchor);
    let reader = Reader::of(shelf, tail);
    let (mut fold, _) = reader.fold_to::<F>(first).or_else(|e| match e {
        Error::Damaged { .. } => Ok((F::default(), None)),
        other => Err(other),
    })?;
    let shelf = &reader.shelf;
    let mut press = Press::new(&layout::sealed_path(shelf.dir(), first), first, anchor)?;
    let behind = row.iter().map(Volume::first).find(|other| *other > first);
    for pair in row.range(first..behind.unwrap_or(u64::MAX), Order::OldestFirst) {
        let taken =
            pair.and_then(|(key, value)| press.take(key, &value, |record| fold.fold(record)));
        match taken {
            Ok(()) => {}
            Err(Error::Damaged { .. }) => break,
            Err(e) => return Err(e),
        }
    }
    if press.is_empty() {
        return Ok(None);
    }
    press.finish().map(|pressed| Some((pressed, fold)))
}

/// The hash of the entry before a volume, as far as that is known.
fn hash_before(dir: &Path, first: u64) -> Result<Hash, Error> {
    let Found { sealed, open, .. } = layout::list(dir)?;
    let before = |volumes: Vec<(u64, PathBuf)>| {
        let before = volumes.into_iter().filter(|(other, _)| *other < first);
        before.max()
    };
    let hash = match (before(sealed), before(open)) {
        (Some((sealed, _)), Some((open, path))) if open > sealed => last_hash(&path),
        (None, Some((_, path))) => last_hash(&path),
        (Some((sealed, path)), _) => {
            let index = Sealed::new(path, sealed, Arc::default()).index();
            index.map(|index| index.hash)
        }
        (None, None) => Ok(Hash::GENESIS),
    };
    hash.or_else(|e| match e {
        Error::Damaged { .. } => Ok(Hash::GENESIS),
        other => Err(other),
    })
}

fn last_hash(open: &Path) -> Result<Hash, Error> {
    let store = Store::open(open)?;
    match store.before(u64::MAX)? {
        Some((key, value)) => Hash::of_value(key, &value),
        None => store.anchor(),
    }
}
