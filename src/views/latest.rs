//! The last few records that are asked for, read from the end of the journal.

use std::collections::BTreeMap;

use super::history::Filter;
use super::quiet::{Subject, alike, check_of};
use crate::model::record::{Record, Seq};

const CLOCK_STEP_US: i64 = Filter::CLOCK_STEP_US;

/// So many records more are read to find out whether a check that stands last is quiet.
const PATIENCE: usize = 4_096;

/// The last [`Filter::limit`] records that are asked for (0: as many as may be), oldest first. Reads
/// `newest_first` only as far back as it must, and holds no more than it returns, and one check of
/// each Redis. An error of the source ends the reading and is the last item.
#[must_use]
pub fn latest<E>(
    filter: &Filter,
    newest_first: impl Iterator<Item = Result<Record, E>>,
) -> Vec<Result<Record, E>> {
    let limit = match filter.limit {
        0 => Filter::MAX_LIMIT,
        limit => limit.min(Filter::MAX_LIMIT),
    };
    let mut search = Search {
        filter,
        limit,
        kept: BTreeMap::new(),
        undecided: BTreeMap::new(),
        patience: PATIENCE,
    };
    let mut failed = None;
    for record in newest_first {
        let record = match record {
            Ok(record) => record,
            error => {
                failed.get_or_insert(error);
                continue;
            }
        };
        let is_past = record.seq < filter.first()
            || filter
                .since
                .is_some_and(|since| record.at.wall_us < since.saturating_sub(CLOCK_STEP_US));
        if is_past || search.is_over() {
            break;
        }
        search.look_at(record);
    }
    search.kept.into_values().map(Ok).chain(failed).collect()
}

struct Search<'a> {
    filter: &'a Filter,
    limit: usize,
    kept: BTreeMap<Seq, Record>,
    /// Checks that are quiet if the one before them, which is read later, says the same.
    undecided: BTreeMap<Subject, Record>,
    patience: usize,
}

impl Search<'_> {
    fn look_at(&mut self, record: Record) {
        if self.filter.quiet {
            self.keep(record);
            return;
        }
        let Some((subject, probe)) = check_of(&record) else {
            self.keep(record);
            return;
        };
        if let Some(later) = self.undecided.remove(&subject) {
            let is_loud =
                check_of(&later).is_some_and(|(subject, other)| !alike(&subject, other, probe));
            if is_loud {
                self.keep(later);
            }
        }
        if record.decision.is_empty() {
            self.undecided.insert(subject, record);
        } else {
            self.keep(record);
        }
    }

    fn keep(&mut self, record: Record) {
        if !self.filter.matches(&record) {
            return;
        }
        self.kept.insert(record.seq, record);
        if self.kept.len() > self.limit {
            self.kept.pop_first();
        }
    }

    /// Nothing that is still to be read can be among the last.
    fn is_over(&mut self) -> bool {
        if self.kept.len() < self.limit {
            return false;
        }
        let Some((oldest, _)) = self.kept.first_key_value() else {
            return false;
        };
        if self.undecided.values().all(|check| check.seq < *oldest) || self.patience == 0 {
            return true;
        }
        self.patience -= 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;
    use crate::views::fixture;

    #[test]
    fn the_last_few_are_the_end_of_all() {
        let records = fixture::failover();
        for quiet in [false, true] {
            let filter = |limit| Filter {
                limit,
                quiet,
                ..Filter::default()
            };
            let find = |limit| {
                let newest_first = records.iter().rev().cloned().map(Ok::<_, Infallible>);
                latest(&filter(limit), newest_first)
            };
            let all = find(0);
            for limit in 1..=all.len() {
                assert_eq!(find(limit), all[all.len() - limit..], "limit {limit}");
            }
        }
    }

    #[test]
    fn what_was_found_before_an_error_is_told() {
        let records = fixture::failover();
        let readable = records.iter().rev().take(5).cloned().map(Ok);
        let filter = Filter {
            quiet: true,
            ..Filter::default()
        };
        let found = latest(&filter, readable.chain([Err("damaged")]));
        let mut expected: Vec<_> = records[records.len() - 5..]
            .iter()
            .cloned()
            .map(Ok)
            .collect();
        expected.push(Err("damaged"));
        assert_eq!(found, expected);
    }

    #[test]
    fn does_not_read_the_whole_journal() {
        let mut story = fixture::Story::default();
        story.start(false);
        for _ in 0..50 {
            story.check(fixture::replica(true));
        }
        let read = Cell::new(0);
        let newest_first = story.records.iter().rev().cloned().map(|record| {
            read.set(read.get() + 1);
            Ok::<_, Infallible>(record)
        });
        let mut filter = Filter {
            limit: 5,
            quiet: true,
            ..Filter::default()
        };
        assert_eq!(latest(&filter, newest_first.clone()).len(), 5);
        assert_eq!(read.replace(0), 6);

        filter.limit = 0;
        filter.since = Some(fixture::START_US + CLOCK_STEP_US + 50_000_000);
        assert!(latest(&filter, newest_first).is_empty());
        assert!(read.get() < 20, "{} records were read", read.get());
    }

    #[test]
    fn a_subject_without_an_earlier_check_ends_the_search_after_a_while() {
        let story = fixture::folded((0..6_000).map(|n| crate::model::event::Event::PeerProbed {
            peer: format!("node{n}"),
            probe: fixture::master(0),
        }));
        let mut records = story;
        for record in &mut records {
            record.decision = crate::model::decision::Decision::default();
        }
        let last = fixture::folded([crate::model::event::Event::AgentStopping]).remove(0);
        let last = Record {
            seq: Seq(5_999),
            ..last
        };
        records[5_998] = last;
        let read = Cell::new(0);
        let newest_first = records.iter().rev().cloned().map(|record| {
            read.set(read.get() + 1);
            Ok::<_, Infallible>(record)
        });
        let filter = Filter {
            limit: 1,
            ..Filter::default()
        };
        let found = latest(&filter, newest_first);
        let seqs: Vec<_> = found.iter().flatten().map(|record| record.seq).collect();
        assert_eq!(seqs, [Seq(5_999)]);
        assert!(read.get() < PATIENCE + 10, "{} were read", read.get());
    }
}
