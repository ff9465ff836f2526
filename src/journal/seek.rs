//! Finds a place in the journal by wall time: first the volume, by what sealed ones say of themselves, then the record.

use crate::model::record::Seq;

use super::error::Error;
use super::reader::Reader;
use super::row::Volume;

impl Reader {
    /// The first record whose wall time is `wall_us` or later, by binary search; the next number if there is none.
    /// Where the wall clock was set back, one of the places that could be meant. A volume that cannot be read is taken
    /// for as old as what is behind it.
    ///
    /// # Errors
    /// I/O.
    pub fn seek_time(&self, wall_us: i64) -> Result<Seq, Error> {
        let (mut low, mut high) = self.volume_of(wall_us);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(Seq(middle)) {
                Ok(Some(record)) if record.at.wall_us < wall_us => low = middle + 1,
                Ok(Some(_)) => high = middle,
                unread @ (Ok(None) | Err(Error::Damaged { .. })) => {
                    let is_missing = unread.is_ok();
                    let mut spans = self.spans(Seq(low)).into_iter();
                    let span = spans.find(|span| span.end.0 > middle).unwrap_or_default();
                    let behind = span.end.0.min(high);
                    match self.get(Seq(behind)) {
                        Ok(Some(record)) if record.at.wall_us < wall_us => low = behind,
                        _ if is_missing => high = middle,
                        Ok(_) | Err(Error::Damaged { .. }) => high = span.start.0.max(low),
                        Err(e) => return Err(e),
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(Seq(low))
    }

    /// Where [`Self::seek_time`] looks: the volume that holds the first record of that time or later, and one record
    /// behind it, by what the sealed volumes say of themselves; the whole journal where one of them says nothing.
    fn volume_of(&self, wall_us: i64) -> (u64, u64) {
        let next = self.tail().next();
        let row = self.shelf.row();
        let (mut low, mut high) = (0, row.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.begins_us(&row[middle]) {
                Some(begins) if begins < wall_us => low = middle + 1,
                Some(_) => high = middle,
                None => return (row.first().min(next), next),
            }
        }
        let begins = |place: usize| row.get(place).map_or(next, Volume::first);
        (begins(low.saturating_sub(1)).min(next), begins(low))
    }

    /// The wall time of its first record, in microseconds, where it can be read.
    fn begins_us(&self, volume: &Volume) -> Option<i64> {
        match volume {
            Volume::Sealed(sealed) => Some(sealed.index().ok()?.wall_us.0),
            Volume::Open { first, .. } => Some(self.get(Seq(*first)).ok()??.at.wall_us),
        }
    }
}
