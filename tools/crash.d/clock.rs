//! Time, and waiting for something to come.

use std::thread::sleep;
use std::time::Duration;

use anyhow::bail;
use rustix::time::{ClockId, clock_gettime};

/// Longest wait for what takes milliseconds on a machine at rest.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that has to come.
const LOOK: Duration = Duration::from_millis(1);

/// `CLOCK_MONOTONIC`.
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// `CLOCK_BOOTTIME` in microseconds, as records have it.
pub fn boot_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1000
}

/// A number that is another one at each call: nanoseconds of the wall clock's second.
pub fn any_number() -> u64 {
    clock_gettime(ClockId::Realtime).tv_nsec.unsigned_abs()
}

/// Looks again and again until there is something.
pub fn until<T>(
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = now();
    while now() - began < PATIENCE {
        if let Some(found) = look()? {
            return Ok(found);
        }
        sleep(LOOK);
    }
    bail!("in vain: {what}")
}
