//! What of a data set another Redis lacks, by what the two say of their replication streams.

use crate::model::redis::Observation;

/// What the other one lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing: it has all of it.
    Nothing,
    /// So many bytes of the replication stream.
    Bytes(u64),
    /// They have no stream in common: that cannot be told.
    Unknown,
}

/// What `other` lacks of `own`. A Redis is in its stream (`master_replid`) up to its offset, and has all of the stream
/// that it was promoted out of (`master_replid2`) up to the byte before `second_repl_offset`. So the last byte that both
/// have is known wherever one stream is known to both. What is counted are bytes of the stream: a primary's pings to
/// its replicas are among them, 14 bytes every `repl-ping-replica-period`.
#[must_use]
pub fn lack(own: &Observation, other: &Observation) -> Lack {
    let own_before = own.second_offset.saturating_sub(1);
    let other_before = other.second_offset.saturating_sub(1);
    let has_before = |seen: &Observation| seen.second_offset >= 0;
    let shared = if other.replid == own.replid {
        other.offset
    } else if has_before(other) && other.replid2 == own.replid {
        other_before
    } else if has_before(own) && other.replid == own.replid2 {
        other.offset.min(own_before)
    } else if has_before(own) && has_before(other) && other.replid2 == own.replid2 {
        own_before.min(other_before)
    } else {
        return Lack::Unknown;
    };
    match u64::try_from(own.offset.saturating_sub(shared)) {
        Ok(0) | Err(_) => Lack::Nothing,
        Ok(bytes) => Lack::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::redis::{RedisId, RedisRole};

    fn seen(replid: u8, offset: i64, before: Option<(u8, i64)>) -> Observation {
        let (replid2, second_offset) = before.unwrap_or((0, -1));
        Observation {
            role: RedisRole::Master,
            run_id: RedisId::default(),
            replid: RedisId([replid; 20]),
            replid2: RedisId([replid2; 20]),
            second_offset,
            offset,
            master: None,
            link_up: false,
            sync_in_progress: false,
            loading: false,
            replicas_online: 0,
            keys: 1,
        }
    }

    #[test]
    fn the_bytes_behind_the_promotion_of_the_other_one() {
        let promoted_at_100 = seen(2, 500, Some((1, 101)));
        assert_eq!(lack(&seen(1, 100, None), &promoted_at_100), Lack::Nothing);
        assert_eq!(lack(&seen(1, 90, None), &promoted_at_100), Lack::Nothing);
        assert_eq!(lack(&seen(1, 101, None), &promoted_at_100), Lack::Bytes(1));
        assert_eq!(
            lack(&seen(1, 1_550, Some((9, 7))), &promoted_at_100),
            Lack::Bytes(1_450)
        );
    }

    #[test]
    fn in_one_stream_the_offset_counts() {
        assert_eq!(
            lack(&seen(1, 100, None), &seen(1, 100, None)),
            Lack::Nothing
        );
        assert_eq!(
            lack(&seen(1, 120, None), &seen(1, 100, None)),
            Lack::Bytes(20)
        );
    }

    #[test]
    fn a_replica_that_was_promoted_aside() {
        // Promoted out of stream 1 at 100, and 30 bytes written; the other one is primary of stream 1.
        let aside = seen(3, 130, Some((1, 101)));
        assert_eq!(lack(&aside, &seen(1, 400, None)), Lack::Bytes(30));
        // The other one has not even got so far.
        assert_eq!(lack(&aside, &seen(1, 80, None)), Lack::Bytes(50));
        // Both were promoted out of stream 1.
        assert_eq!(lack(&aside, &seen(4, 900, Some((1, 91)))), Lack::Bytes(40));
    }

    #[test]
    fn without_a_common_stream_nothing_can_be_told() {
        assert_eq!(
            lack(&seen(1, 100, None), &seen(2, 100, None)),
            Lack::Unknown
        );
        // No second stream is told as zeros, by both.
        assert_eq!(
            lack(&seen(1, 100, Some((9, 50))), &seen(2, 100, None)),
            Lack::Unknown
        );
    }
}
