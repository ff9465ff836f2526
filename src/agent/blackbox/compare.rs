//! Are the lines of the black box and the journal of one story?

use std::path::Path;

use super::files;
use crate::journal::{Error, Reader};
use crate::model::record::Seq;
use crate::views::line::Mark;
use crate::views::timestamp;

/// What a journal has lost that opens as if it were whole, or is gone: it was removed, or an older copy was put in its
/// place. The last line of the black box in `dir` knows better, for no line is written of a record that is not on the
/// disk. `None` if nothing is missing, as far as can be told, or if the journal tells of it.
pub fn missing(dir: &Path, journal: Option<&Reader>) -> Option<String> {
    match compare(dir, journal) {
        Ok(found) => found,
        // A black box that cannot be read proves nothing.
        Err(error) => {
            tracing::warn!(%error, "the journal and the black box cannot be compared");
            None
        }
    }
}

fn compare(dir: &Path, journal: Option<&Reader>) -> anyhow::Result<Option<String>> {
    let Some(last) = files::last(dir)? else {
        return Ok(None);
    };
    if let Some(reader) = journal
        && (is_from(reader, last)? || is_told(reader, last)?)
    {
        return Ok(None);
    }
    let (seq, when) = (last.seq, timestamp(last.at.wall_us));
    let state = match journal.and_then(Reader::head) {
        None => "it is gone".to_owned(),
        Some(newest) if newest < seq => format!("it is gone, as is all behind {newest}"),
        Some(_) => "another is in its place".to_owned(),
    };
    Ok(Some(format!(
        "{state}; the black box tells of record {seq} at {when:.0}: the journal was removed, or is an old copy"
    )))
}

/// The record is in this journal. Where it cannot be read any more, and where the oldest were removed, it is taken for
/// this one.
pub(super) fn is_from(reader: &Reader, mark: Mark) -> Result<bool, Error> {
    match reader.get(mark.seq) {
        Err(Error::Damaged { .. }) => Ok(true),
        Ok(None) => Ok(mark.seq < reader.first_seq()),
        found => Ok(found?.is_some_and(|record| Mark::from(&record) == mark)),
    }
}

/// The journal has a record, younger than that line, of the damage that came between.
fn is_told(reader: &Reader, line: Mark) -> Result<bool, Error> {
    let newest = reader.newest_of(&["journal-quarantined", "volume-damaged"])?;
    Ok(newest.is_some_and(|record| record.at.wall_us >= line.at.wall_us))
}

/// Where a journal that lost its end goes on otherwise than these lines, which are of one journal: behind the last
/// that it has, too.
pub(super) fn parting(
    lines: &[Mark],
    mut has: impl FnMut(Mark) -> Result<bool, Error>,
) -> Result<Seq, Error> {
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if has(lines[middle])? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let last = low.checked_sub(1).map(|at| lines[at].seq.next());
    Ok(last.unwrap_or(Seq(1)))
}
