//! Finds the records that a query asks for, by the journal's indexes: in the agent, and in a command while no
//! agent runs.

use std::iter;
use std::ops::Range;

use crate::journal::{Error, Order, Reader, kind_index};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::views::history::{self, Filter};

/// Records as they are found.
pub type Found<'a> = Box<dyn Iterator<Item = Result<Record, Error>> + 'a>;

/// The records that `filter` asks for, oldest first. With a limit the last so many, read from the end before this returns;
/// without, all of them as they come. Damage in one volume keeps nobody from what the others tell: the first thing that
/// could not be read is the last item. Ends early where nobody `listens` any more, whether something was found or not.
///
/// # Errors
/// The place to begin at cannot be read.
pub fn found<'a>(
    reader: &Reader,
    filter: &Filter,
    listens: impl Fn() -> bool + 'a,
) -> Result<Found<'a>, Error> {
    let seek = |moment: Option<i64>| moment.map(|us| reader.seek_time(us)).transpose();
    let behind = |us: i64| us.saturating_add(Filter::CLOCK_STEP_US);
    let end = seek(filter.until.map(behind))?.unwrap_or(Seq(u64::MAX));
    let mut found: Found = if filter.limit == 0 {
        let from = filter.first().max(seek(filter.since)?.unwrap_or(Seq(1)));
        let oldest_first = source(reader, filter, from..end, Order::OldestFirst);
        let oldest_first = oldest_first.take_while(move |_| listens());
        Box::new(history::all(filter.clone(), oldest_first))
    } else {
        let newest_first = source(reader, filter, filter.first()..end, Order::NewestFirst);
        let newest_first = newest_first.take_while(move |_| listens());
        Box::new(history::latest(filter, newest_first).into_iter())
    };
    let mut failed = None;
    Ok(Box::new(iter::from_fn(move || {
        loop {
            match found.next() {
                Some(Err(error)) => drop(failed.get_or_insert(error)),
                Some(record) => return Some(record),
                None => return failed.take().map(Err),
            }
        }
    })))
}

/// Volume by volume.
fn source(reader: &Reader, filter: &Filter, range: Range<Seq>, order: Order) -> Found<'static> {
    let kinds: Vec<u8> = Event::KINDS
        .iter()
        .filter(|kind| filter.kinds.is_empty() || filter.kinds.iter().any(|one| one == **kind))
        .filter_map(|kind| kind_index(kind))
        .collect();
    let mut spans = reader.spans(range.start);
    spans.retain(|span| span.start < range.end);
    for span in &mut spans {
        span.end = span.end.min(range.end);
    }
    if order == Order::NewestFirst {
        spans.reverse();
    }
    // Quiet checks are most of a journal: they are not read where they are not asked for.
    let (reader, quiet) = (reader.clone(), filter.quiet);
    Box::new(spans.into_iter().flat_map(move |span| -> Found {
        let found: Found = match quiet {
            true => reader.records_within(span.clone(), order),
            false => Box::new(reader.notable(&kinds, span.clone(), order)),
        };
        let (reader, last) = (reader.clone(), Seq(span.end.0.saturating_sub(1)));
        let hole = iter::once_with(move || reader.hole_at(last)).flatten();
        Box::new(found.chain(hole.map(Err)))
    }))
}
