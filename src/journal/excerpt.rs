//! A part of the journal for another place, with what the records before it come to.

use std::ops::Range;

use super::error::Error;
use super::index::Order;
use super::snapshot;
use super::{Fold, Frames, Reader};
use crate::model::record::{Record, Seq};

/// Records, oldest first. An error is the last item.
type Records = Box<dyn Iterator<Item = Result<Record, Error>> + Send>;

impl Reader {
    /// The entries that hold the records in `range`, behind the state before them. Quiet checks are stored many to an
    /// entry: where the range begins or ends among those, it is that much longer.
    ///
    /// # Errors
    /// Damage before the end of the range, a newer format, I/O.
    pub fn excerpt<F: Fold>(&self, range: Range<Seq>) -> Result<Frames, Error> {
        let frames = self.frames_behind(range.start, |start, before| {
            let fold = self.fold_before::<F>(Seq(start))?;
            Ok(Some(snapshot::encode(start, before, &fold)))
        })?;
        Ok(frames.below(range.end))
    }

    /// The records in `range`, and what those before them come to.
    ///
    /// # Errors
    /// As above.
    pub fn part<F: Fold>(&self, range: Range<Seq>) -> Result<(F, Records), Error> {
        let fold = self.fold_before(range.start)?;
        Ok((fold, self.records_within(range, Order::OldestFirst)))
    }

    /// What the records before `seq` come to, from the newest snapshot before it on.
    fn fold_before<F: Fold>(&self, seq: Seq) -> Result<F, Error> {
        let row = self.shelf.row();
        let snapshot = self.snapshot::<F>(&row, seq.0)?;
        let (from, mut fold) = snapshot.unwrap_or_else(|| (row.first(), F::default()));
        for record in self.records_within(Seq(from)..seq, Order::OldestFirst) {
            fold.fold(&record?);
        }
        Ok(fold)
    }
}
