//! What a health check finds.

use rha::model::redis::{Grade, Observation, Probe};

use super::redis::Link;
use super::{MS, Part, World};

/// A check's deadline, and from where an answer is slow.
pub const TIMEOUT_US: u64 = 500 * MS;
const SLOW_US: u64 = 100 * MS;

impl World {
    /// What a check that begins now finds, and how long it takes.
    pub(super) fn check(&self, from: usize, of: usize) -> (u64, Grade) {
        let redis = &self.nodes[of].redis;
        if !self.reaches(from, of) {
            return (TIMEOUT_US, Grade::Timeout);
        }
        if !redis.running {
            return (100, Grade::Refused);
        }
        if self.is_stalled(of, Part::Redis) || redis.latency_us > TIMEOUT_US {
            return (TIMEOUT_US, Grade::Timeout);
        }
        let grade = if !redis.auth_ok {
            Grade::Auth
        } else if self.now < redis.loading_until {
            Grade::Loading
        } else if redis.misconf {
            Grade::Misconf
        } else if redis.latency_us > SLOW_US {
            Grade::Slow
        } else {
            Grade::Ok
        };
        (redis.latency_us, grade)
    }

    /// The check as the machine is told of it.
    pub(super) fn probe(&self, of: usize, grade: Grade, took_us: u64) -> Probe {
        let answered = !matches!(
            grade,
            Grade::Timeout | Grade::Refused | Grade::Unreachable | Grade::Auth
        );
        Probe {
            paced: true,
            grade,
            latency_us: u32::try_from(took_us).unwrap_or(u32::MAX),
            observation: answered.then(|| self.observation(of)),
        }
    }

    pub(super) fn observation(&self, node: usize) -> Observation {
        let redis = &self.nodes[node].redis;
        Observation {
            role: redis.role,
            run_id: redis.run_id,
            replid: redis.replid,
            replid2: redis.replid2,
            second_offset: redis.second_offset,
            offset: redis.offset,
            master: redis.master.clone(),
            link_up: matches!(redis.link, Link::Up { .. }),
            sync_in_progress: matches!(redis.link, Link::Syncing { full: true, .. }),
            loading: self.now < redis.loading_until,
            replicas_online: self.replicas_of(node),
            keys: redis.keys,
        }
    }

    /// Replicas that are online at this Redis.
    pub fn replicas_of(&self, node: usize) -> u16 {
        let links = self.nodes.iter().map(|other| other.redis.link);
        let online = links
            .filter(|link| *link == Link::Up { from: node })
            .count();
        u16::try_from(online).expect("three nodes at most")
    }
}
