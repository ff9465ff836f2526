//! Does time go on evenly? Looks at the clocks a few times a second, and says when the wall clock jumped, and when the agent
//! did not run for a while: it was stopped, its host was frozen, swapped or suspended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::start::of;
use super::{Agent, board};
use crate::ingest::Incoming;
use crate::model::event::Event;
use crate::model::time::At;
use crate::model::time::Tilt;

/// Between two looks. They are made beside the loop: who waits for a slow disk does not stand still.
const BEAT: Duration = Duration::from_millis(250);
/// So far apart, in microseconds, no two looks are while the agent runs: a shorter pause loses no check.
const STALL_US: u64 = 1_000_000;
/// So far, in microseconds, the wall clock may leave the monotonic one between two looks: a leap second may.
const JUMP_US: u64 = 2_000_000;

/// What is watched.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Felt>>);

struct Felt {
    last: At,
    /// What was noticed and not said yet.
    tilt: Option<(Tilt, i64)>,
}

impl Felt {
    fn look(&mut self, now: At) {
        let last = std::mem::replace(&mut self.last, now);
        let Some(passed_us) = now.since(&last) else {
            return;
        };
        let wall_us = i128::from(now.wall_us) - i128::from(last.wall_us);
        let jump_us = wall_us - i128::from(passed_us);
        let noticed = if passed_us > STALL_US {
            Some((Tilt::Stall, i128::from(passed_us)))
        } else if jump_us.unsigned_abs() > u128::from(JUMP_US) {
            Some((Tilt::ClockJump, jump_us))
        } else {
            None
        };
        if let Some((why, by_us)) = noticed {
            let by_ms =
                i64::try_from(by_us / 1000).unwrap_or(if by_us < 0 { i64::MIN } else { i64::MAX });
            // A stall says more than the jump that may come with it.
            if self.tilt.is_none() || why == Tilt::Stall {
                self.tilt = Some((why, by_ms));
            }
        }
    }
}

impl Pulse {
    /// Begins to look, on the thread of the loop.
    pub(super) fn start(clock: Clock) -> Self {
        let pulse = Self(Arc::new(Mutex::new(Felt {
            last: clock.now(),
            tilt: None,
        })));
        let beating = pulse.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                beating.feel(clock.now());
            }
        });
        pulse
    }

    fn feel(&self, now: At) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look(now);
    }

    /// What was noticed since it was asked last.
    pub(super) fn noticed(&self, now: At) -> Option<(Tilt, i64)> {
        let mut felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        felt.look(now);
        felt.tilt.take()
    }
}

impl Agent {
    /// Before anything that came in meanwhile is decided about; then everything is looked at.
    pub(super) async fn tilt(&mut self, why: Tilt, by_ms: i64) {
        tracing::warn!(why = why.word(), by_ms, "look before you act");
        let names = board::lock(&self.board).names.clone();
        let tilted = |name: &String| of(name, Event::Tilted { why, by_ms });
        let batch: Vec<Incoming> = names.iter().map(tilted).collect();
        self.take(batch).await;
        for name in &names {
            self.pilot.hands().look(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::BootId;

    /// What is noticed between two looks, `passed_ms` apart by the boot's clock and `wall_ms` by the wall's.
    fn noticed(passed_ms: u64, wall_ms: i64) -> Option<(Tilt, i64)> {
        let last = At {
            wall_us: 1_700_000_000_000_000,
            mono_us: 5_000_000,
            boot: BootId(1),
        };
        let now = At {
            wall_us: last.wall_us + wall_ms * 1000,
            mono_us: last.mono_us + passed_ms * 1000,
            boot: BootId(1),
        };
        let pulse = Pulse(Arc::new(Mutex::new(Felt { last, tilt: None })));
        let noticed = pulse.noticed(now);
        assert_eq!(pulse.noticed(now), None, "it is said once");
        noticed
    }

    #[test]
    fn even_time_is_no_news_a_jump_and_a_stall_are() {
        assert_eq!(noticed(250, 250), None);
        assert_eq!(noticed(990, 990), None, "a busy host");
        assert_eq!(noticed(250, -750), None, "a leap second");
        assert_eq!(noticed(250, 3_250), Some((Tilt::ClockJump, 3_000)));
        assert_eq!(
            noticed(250, -3_599_750),
            Some((Tilt::ClockJump, -3_600_000))
        );
        assert_eq!(noticed(5_000, 5_000), Some((Tilt::Stall, 5_000)));
        assert_eq!(noticed(5_000, 65_000), Some((Tilt::Stall, 5_000)));
    }

    #[test]
    fn a_stall_is_told_rather_than_a_jump() {
        let mut at = At::default();
        let mut felt = Felt {
            last: at,
            tilt: None,
        };
        at.wall_us += 10_000_000;
        felt.look(at);
        at.wall_us += 3_000_000;
        at.mono_us += 3_000_000;
        felt.look(at);
        at.wall_us += 10_000_000;
        felt.look(at);
        assert_eq!(felt.tilt, Some((Tilt::Stall, 3_000)));
    }
}
