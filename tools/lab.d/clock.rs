//! Time, and waiting for something to become true.

use std::thread::sleep;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const POLL: Duration = Duration::from_millis(10);

/// `CLOCK_MONOTONIC`, the same in every namespace: times of the client and of the lab can be compared.
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Microseconds of [`now`].
pub fn now_us() -> u64 {
    u64::try_from(now().as_micros()).unwrap_or(u64::MAX)
}

/// A moment of [`now_us`] in microseconds of `CLOCK_BOOTTIME`, by which rha's records are stamped. The two clocks
/// differ by the time that this machine was suspended.
pub fn boottime(us: u64) -> u64 {
    let micros = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    };
    us.saturating_add_signed(micros(ClockId::Boottime) - micros(ClockId::Monotonic))
}

/// Looks until `look` succeeds, at most for `limit`; then the error says what was seen last.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let end = now() + limit;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(seen) if now() >= end => {
                return Err(seen.context(format!(
                    "waited {} s in vain: {what}; last seen",
                    limit.as_secs_f32()
                )));
            }
            Err(_) => sleep(POLL),
        }
    }
}
