//! The volumes as a whole: how many there are, which are too old, whether one is still what was written.

use std::path::Path;
use std::time::Duration;

use crate::model::event::Event;
use crate::model::record::Seq;

use super::codec::Chain;
use super::error::Error;
use super::reader::Reader;
use super::row::Volume;
use super::sealed::Sealed;
use super::snapshot;

/// So many volumes, or this part of all, may be too old at one time: a clock that was set wrong by years is not to
/// cost the whole journal before somebody notices.
const AGED_MIN: usize = 2;
const AGED_PART: usize = 256;

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeStats {
    /// Its first record.
    pub first: Seq,
    /// How many records are on the disk.
    pub records: u64,
    /// What they take there, in bytes.
    pub bytes: u64,
    /// It never changes again.
    pub sealed: bool,
    /// Wall time of its first and last record, in microseconds; `None` while it is empty, or if that cannot be read.
    pub wall_us: Option<(i64, i64)>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Older records go.
    pub keep: Duration,
    /// What the journal may take, in bytes.
    pub size: u64,
}

/// Volumes that are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The first record that stays.
    pub below: Seq,
    /// How many records go.
    pub records: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// Why.
    pub why: &'static str,
}

impl Reader {
    /// The volumes, oldest first.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn volumes(&self) -> Result<Vec<VolumeStats>, Error> {
        let end = self.tail().first;
        let row = self.shelf.row();
        let ends = row.iter().skip(1).map(Volume::first).chain([end]);
        let stats = |(volume, end): (&Volume, u64)| {
            let first = volume.first();
            let wall_us = match volume {
                Volume::Sealed(sealed) => sealed.index().ok().map(|index| index.wall_us),
                Volume::Open { .. } => self.times(first, end)?,
            };
            Ok(VolumeStats {
                first: Seq(first),
                records: end.saturating_sub(first),
                bytes: volume.bytes()?,
                sealed: matches!(volume, Volume::Sealed(_)),
                wall_us,
            })
        };
        row.iter().zip(ends).map(stats).collect()
    }

    fn times(&self, first: u64, end: u64) -> Result<Option<(i64, i64)>, Error> {
        let oldest = self.get(Seq(first))?;
        let newest = self.get(Seq(end.saturating_sub(1)))?;
        let times = oldest.zip(newest).filter(|_| first < end);
        Ok(times.map(|(oldest, newest)| (oldest.at.wall_us, newest.at.wall_us)))
    }

    /// Which volumes are beyond what is kept; `None` if none is. `now_us`: wall time.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn expired(&self, retention: Retention, now_us: i64) -> Result<Option<Expired>, Error> {
        let row = self.shelf.row();
        let mut total = row.bytes()?;
        let keep_us = i64::try_from(retention.keep.as_micros()).unwrap_or(i64::MAX);
        let oldest_us = now_us.saturating_sub(keep_us);
        let most_aged = AGED_MIN.max(row.len() / AGED_PART);
        let mut expired: Option<Expired> = None;
        let (mut records, mut bytes) = (0, 0);
        for (count, pair) in row.windows(2).enumerate() {
            let [Volume::Sealed(sealed), behind] = pair else {
                break;
            };
            let why = if total > retention.size {
                Some("the journal takes more than it may")
            } else if count >= most_aged {
                break;
            } else {
                match self.is_older(sealed, behind.first(), oldest_us) {
                    Ok(true) => Some("they are older than what is kept"),
                    Ok(false) => break,
                    // One whose age cannot be read goes with the next.
                    Err(Error::Damaged { .. }) => None,
                    Err(e) => return Err(e),
                }
            };
            let taken = sealed.bytes()?;
            total = total.saturating_sub(taken);
            records += behind.first() - sealed.first();
            bytes += taken;
            expired = match why {
                Some(why) => Some(Expired {
                    below: Seq(behind.first()),
                    records,
                    bytes,
                    why,
                }),
                None => expired,
            };
        }
        Ok(expired)
    }

    /// Does a volume that ends before `end` say that it is older, and its last record too, if that can be read? What is
    /// removed does not come back.
    fn is_older(&self, sealed: &Sealed, end: u64, than_us: i64) -> Result<bool, Error> {
        if sealed.index()?.wall_us.1 >= than_us {
            return Ok(false);
        }
        match self.get(Seq(end.saturating_sub(1))) {
            Err(Error::Damaged { .. }) => Ok(true),
            last => Ok(last?.is_none_or(|record| record.at.wall_us < than_us)),
        }
    }

    /// Looks whether all volumes are there, and reads a sealed one from end to end, the `turn`th of them, counted round
    /// and round. Where something is wrong, and what.
    ///
    /// # Errors
    /// I/O: it could not be read, which says nothing about what is in it.
    pub fn inspect(&self, turn: usize) -> Result<Vec<(String, String)>, Error> {
        self.shelf.read_anew();
        let row = self.shelf.row();
        let mut bad = Vec::new();
        let mut note = |path: &Path, looked: Result<(), Error>| match looked {
            Err(e @ Error::Damaged { .. }) => {
                bad.push((path.display().to_string(), e.to_string()));
                Ok(())
            }
            other => other,
        };
        note(self.shelf.dir(), self.check_beginning())?;
        let mut sealed = Vec::new();
        for pair in row.windows(2) {
            if let [Volume::Sealed(volume), behind] = pair {
                note(volume.path(), check_seam(volume, behind.first()))?;
                sealed.push((volume, behind.first()));
            }
        }
        if let Some((volume, end)) = sealed.get(turn.checked_rem(sealed.len()).unwrap_or(0)) {
            let read = self.survey(&row, volume.first()..*end, |_| {});
            note(volume.path(), read.into_result())?;
        }
        Ok(bad)
    }

    /// Where the journal does not begin with its first record, one of its records tells why: old ones were removed, and
    /// a snapshot has what they came to; or it was damaged.
    ///
    /// # Errors
    /// `Damaged`: it has lost its beginning. I/O.
    pub fn check_beginning(&self) -> Result<(), Error> {
        let row = self.shelf.row();
        let first = Seq(row.first());
        if first == Seq(1) {
            return Ok(());
        }
        let newest =
            self.newest_of(&["records-removed", "journal-quarantined", "volume-damaged"])?;
        match newest.map(|record| record.event) {
            Some(Event::RecordsRemoved { below, .. }) if below >= first => {}
            Some(Event::JournalQuarantined { .. } | Event::VolumeDamaged { .. }) => return Ok(()),
            _ => {
                let why =
                    format!("it is gone, as is all before {first}, and no record tells of that");
                return Err(Error::damaged(1, why));
            }
        }
        if !snapshot::is_whole(self.shelf.dir(), first.0, row.anchor(first.0)?)? {
            let why = "what the records before it came to is lost: its snapshot is none";
            return Err(Error::damaged(first.0, why));
        }
        Ok(())
    }
}

/// The next volume begins where this one ends.
fn check_seam(volume: &Sealed, next: u64) -> Result<(), Error> {
    let index = volume.index()?;
    Chain::behind(index.hash, Some(index.next)).check_due(next)
}
