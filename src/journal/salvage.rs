//! A damaged journal: what is good of it stays, the rest is set aside.
//!
//! Only the open volumes are looked at, for only they are needed to go on. The damaged one is renamed, its good
//! records are sealed under its number, another is begun behind them, and then it is moved out of the way. Wherever
//! that is interrupted, the next start finds the renamed directory and goes on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::record::Seq;

use super::Journal;
use super::codec::Hash;
use super::dir::layout::Found;
use super::dir::{layout, make, sync_dir};
use super::error::Error;
use super::index::Order;
use super::mark::Mark;
use super::reader::{Reader, Tail};
use super::seal::{Press, Pressed};
use super::sealed::Sealed;
use super::shelf::Shelf;
use super::snapshot::{self, Fold};
use super::store::Store;

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
    /// Opens the journal, verifies what is not sealed, and folds it. What is damaged is moved to `<dir>.bad-<suffix>`;
    /// the records before it stay.
    ///
    /// # Errors
    /// `Locked`, `NewerFormat`, `Io`: none of these is a reason to set anything aside.
    pub fn open_or_salvage<F: Fold>(dir: &Path, suffix: &str) -> Result<Salvaged<F>, Error> {
        let mut why = None;
        for _ in 0..TRIES {
            match Self::open_and_fold(dir) {
                Ok((journal, fold, unread)) => {
                    let set_aside = set_aside(dir, suffix)?;
                    let interrupted = || "an earlier start was interrupted".to_owned();
                    let why = why.or(unread);
                    let why = why.or_else(|| set_aside.is_some().then(interrupted));
                    return Ok(Salvaged {
                        journal,
                        fold,
                        damage: why.map(|why| Damage { why, set_aside }),
                    });
                }
                Err(damage @ Error::Damaged { .. }) => {
                    let text = damage.to_string();
                    save::<F>(dir, &damage)?;
                    why.get_or_insert(text);
                }
                Err(e) => return Err(e),
            }
        }
        Self::begin_anew(dir, suffix, why.unwrap_or_default())
    }

    /// Opens and folds. Where a sealed volume is needed for that and cannot be read, or the first is gone, what comes
    /// behind it counts, and the reason is told: nothing new would be lost by going on.
    fn open_and_fold<F: Fold>(dir: &Path) -> Result<(Self, F, Option<String>), Error> {
        let journal = Self::open(dir)?;
        match journal.fold() {
            Ok(fold) => match journal.check_beginning() {
                Ok(()) => Ok((journal, fold, None)),
                Err(e @ Error::Damaged { .. }) => Ok((journal, fold, Some(e.to_string()))),
                Err(e) => Err(e),
            },
            Err(
                e @ Error::Damaged {
                    seq: Some(Seq(at)), ..
                },
            ) if at < journal.newest() => {
                let fold = journal.fold_newest()?;
                let why = format!("{e}; what was before it is not known any more");
                Ok((journal, fold, Some(why)))
            }
            Err(e) => Err(e),
        }
    }

    /// Nothing helps: all of it is set aside.
    fn begin_anew<F: Fold>(dir: &Path, suffix: &str, why: String) -> Result<Salvaged<F>, Error> {
        let path = aside(dir, suffix);
        fs::rename(dir, &path).map_err(|e| Error::io("set aside", dir, e))?;
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

fn aside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(dir);
    name.push(format!(".bad-{suffix}"));
    PathBuf::from(name)
}

/// Moves damaged volumes out of the journal.
fn set_aside(dir: &Path, suffix: &str) -> Result<Option<PathBuf>, Error> {
    let found = layout::list(dir)?;
    if found.damaged.is_empty() {
        return Ok(None);
    }
    let to = aside(dir, suffix);
    make(&to)?;
    for (first, path) in found.damaged {
        let name = layout::open_path(&to, first);
        fs::rename(&path, name).map_err(|e| Error::io("set aside", &path, e))?;
    }
    sync_dir(&to)?;
    sync_dir(dir)?;
    to.parent().map_or(Ok(()), sync_dir)?;
    Ok(Some(to))
}

/// Saves what is good of the volume that is damaged, and of none behind it: their records do not follow any more.
fn save<F: Fold>(dir: &Path, damage: &Error) -> Result<(), Error> {
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
        return Ok(());
    };
    let first = open[place];
    let path = layout::open_path(dir, first);
    for behind in &open[place + 1..] {
        put_into(&path, &layout::open_path(dir, *behind))?;
    }
    let good = match Shelf::open(dir, false) {
        Ok(shelf) => press_good::<F>(shelf, first)?,
        Err(Error::Damaged { .. }) => None,
        Err(e) => return Err(e),
    };
    let anchor = hash_before(dir, first)?;
    let renamed = layout::damaged_path(dir, first);
    if renamed.exists() {
        put_into(&renamed, &path)?;
    } else {
        fs::rename(&path, &renamed).map_err(|e| Error::io("set aside", &path, e))?;
    }
    let next = match good {
        Some((pressed, fold)) => {
            let index = pressed.name()?;
            snapshot::write(dir, index.next, index.hash, &fold)?;
            index.next
        }
        None => {
            Store::create(&path, anchor)?;
            first
        }
    };
    Mark::open(dir)?.write(next)
}

/// The records of the volume up to the first that is bad, and what they fold to.
fn press_good<F: Fold>(shelf: Shelf, first: u64) -> Result<Option<(Pressed, F)>, Error> {
    let anchor = shelf.anchor(first)?;
    let tail = Tail::empty(first, anchor);
    let reader = Reader::of(shelf, tail);
    let mut fold = reader.fold_to::<F>(first).or_else(|e| match e {
        Error::Damaged { .. } => Ok(F::default()),
        other => Err(other),
    })?;
    let shelf = &reader.shelf;
    let mut press = Press::new(&layout::sealed_path(shelf.dir(), first), first, anchor)?;
    for pair in shelf.range(first..u64::MAX, Order::OldestFirst) {
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

fn put_into(dir: &Path, volume: &Path) -> Result<(), Error> {
    let to = dir.join(volume.file_name().unwrap_or_default());
    fs::rename(volume, to).map_err(|e| Error::io("set aside", volume, e))
}
