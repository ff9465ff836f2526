//! How far the spool has been taken in.

use crate::model::record::Record;
use crate::model::vrrp::SpoolPosition;

/// Folds one record: where the next line of the spool begins, or `before` where the record did not
/// come from there. The last position of the journal is where an agent goes on reading.
#[must_use]
pub fn spool_position(before: Option<SpoolPosition>, record: &Record) -> Option<SpoolPosition> {
    record.event.spool().or(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Event;
    use crate::views::fixture;

    #[test]
    fn the_last_record_from_the_spool_counts() {
        let at = |offset| SpoolPosition { segment: 1, offset };
        let damaged = |offset| Event::SpoolDamaged {
            spool: at(offset),
            skipped_bytes: 1,
        };
        let events = [damaged(10), damaged(30), Event::AgentStopping];
        let records = fixture::folded(events);
        let position = records.iter().fold(None, spool_position);
        assert_eq!(position, Some(at(30)));
    }
}
