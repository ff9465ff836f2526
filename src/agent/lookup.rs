//! Finds the records that a query asks for, by the journal's indexes: in the agent, and in a command while no
//! agent runs.

use crate::journal::{Error, Order, Reader, kind_index};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::views::history::{self, Filter};

/// Gives `each` the records that `filter` asks for, oldest first, until it returns false. With a limit the
/// last so many, read from the end; without, all of them as they come.
///
/// # Errors
/// The journal cannot be read, or is damaged where it is read.
pub fn each(
    reader: &Reader,
    filter: &Filter,
    mut each: impl FnMut(Record) -> bool,
) -> Result<(), Error> {
    if filter.limit == 0 {
        let from = filter
            .since
            .map_or(Ok(Seq(1)), |since| reader.seek_time(since))?;
        let oldest_first = source(reader, filter, from, Order::OldestFirst);
        for record in history::all(filter, oldest_first) {
            if !each(record?) {
                break;
            }
        }
        return Ok(());
    }
    let newest_first = source(reader, filter, Seq(1), Order::NewestFirst);
    for record in history::latest(filter, newest_first) {
        if !each(record?) {
            break;
        }
    }
    Ok(())
}

type Records = Box<dyn Iterator<Item = Result<Record, Error>>>;

/// Quiet checks are most of a journal: they are not read where they are not asked for.
fn source(reader: &Reader, filter: &Filter, from: Seq, order: Order) -> Records {
    if filter.quiet {
        return match order {
            Order::OldestFirst => Box::new(reader.records(from)),
            Order::NewestFirst => Box::new(reader.records_rev(Seq(u64::MAX))),
        };
    }
    let asked =
        |kind: &&&str| filter.kinds.is_empty() || filter.kinds.iter().any(|one| one == **kind);
    let kinds: Vec<u8> = Event::KINDS
        .iter()
        .filter(asked)
        .filter_map(|k| kind_index(k))
        .collect();
    Box::new(reader.notable(&kinds, from..Seq(u64::MAX), order))
}
