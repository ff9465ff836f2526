//! The one place where the agent reads a clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::time::{At, BootId};

/// Stamps events with this boot's identity.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    boot: BootId,
}

impl Clock {
    /// Reads the boot id once.
    ///
    /// # Errors
    /// `/proc/sys/kernel/random/boot_id` cannot be read.
    pub fn new() -> std::io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let digits: String = text
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(16)
            .collect();
        let boot = u64::from_str_radix(&digits, 16)
            .map_err(|why| std::io::Error::new(std::io::ErrorKind::InvalidData, why))?;
        Ok(Self { boot: BootId(boot) })
    }

    /// This moment. `CLOCK_BOOTTIME` goes on through a suspend, as keepalived on the peer does.
    #[must_use]
    pub fn now(&self) -> At {
        let wall = clock_gettime(ClockId::Realtime);
        let mono = clock_gettime(ClockId::Boottime);
        At {
            wall_us: wall.tv_sec * 1_000_000 + wall.tv_nsec / 1000,
            mono_us: u64::try_from(mono.tv_sec * 1_000_000 + mono.tv_nsec / 1000).unwrap_or(0),
            boot: self.boot,
        }
    }

    /// How long it is until `due_us` of this boot's monotonic clock; zero if that is past.
    #[must_use]
    pub fn until(&self, due_us: u64) -> Duration {
        Duration::from_micros(due_us.saturating_sub(self.now().mono_us))
    }
}
