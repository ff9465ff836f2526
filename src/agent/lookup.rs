//! Finds the records that a query asks for, by the journal's indexes: in the agent, and in a command while no
//! agent runs.

use std::ops::Range;

use crate::journal::{Error, Order, Reader, kind_index};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::views::history::{self, Filter};

/// Gives `each` the records that `filter` asks for, oldest first, until it returns false. With a limit the
/// last so many, read from the end; without, all of them as they come. Damage in one volume keeps nobody from what the
/// others tell. Ends early where nobody `listens` any more, whether something was found or not.
///
/// # Errors
/// The first thing that could not be read.
pub fn each(
    reader: &Reader,
    filter: &Filter,
    listens: &dyn Fn() -> bool,
    mut each: impl FnMut(Record) -> bool,
) -> Result<(), Error> {
    let seek = |moment: Option<i64>| moment.map(|us| reader.seek_time(us)).transpose();
    let behind = |us: i64| us.saturating_add(Filter::CLOCK_STEP_US);
    let end = seek(filter.until.map(behind))?.unwrap_or(Seq(u64::MAX));
    let found: Records = if filter.limit == 0 {
        let from = filter.first().max(seek(filter.since)?.unwrap_or(Seq(1)));
        let oldest_first = source(reader, filter, from..end, Order::OldestFirst);
        let oldest_first = oldest_first.take_while(|_| listens());
        Box::new(history::all(filter.clone(), oldest_first))
    } else {
        let newest_first = source(reader, filter, filter.first()..end, Order::NewestFirst);
        let newest_first = newest_first.take_while(|_| listens());
        Box::new(history::latest(filter, newest_first).into_iter())
    };
    let mut failed = None;
    for record in found {
        match record {
            Ok(record) => {
                if !each(record) {
                    break;
                }
            }
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

type Records<'a> = Box<dyn Iterator<Item = Result<Record, Error>> + 'a>;

/// Volume by volume.
fn source<'a>(
    reader: &'a Reader,
    filter: &'a Filter,
    range: Range<Seq>,
    order: Order,
) -> Records<'a> {
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
    Box::new(spans.into_iter().flat_map(move |span| -> Records<'a> {
        if filter.quiet {
            reader.records_within(span, order)
        } else {
            Box::new(reader.notable(&kinds, span, order))
        }
    }))
}
