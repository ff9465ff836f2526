//! When something happened, in the three clocks that matter.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One moment: wall time for people, monotonic time for waiting. Order comes from [`crate::model::record::Seq`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct At {
    /// Microseconds since the Unix epoch. May step; never used for a decision.
    pub wall_us: i64,
    /// Microseconds of `CLOCK_BOOTTIME`. Comparable only where `boot` is equal.
    pub mono_us: u64,
    /// Which boot of the host `mono_us` belongs to.
    pub boot: BootId,
}

/// Identity of one boot of the host: the first eight bytes of `/proc/sys/kernel/random/boot_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BootId(pub u64);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl At {
    /// Microseconds from `earlier` to `self`, or `None` across boots or backwards.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        (self.boot == earlier.boot)
            .then(|| self.mono_us.checked_sub(earlier.mono_us))
            .flatten()
    }
}

/// Why nothing is done for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tilt {
    /// Wall time went otherwise than the boot's monotonic clock.
    ClockJump,
    /// The agent did not run for a while: it was stopped, or its host stood still.
    Stall,
}

impl Tilt {
    /// The word used in status and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ClockJump => "clock-jump",
            Self::Stall => "stall",
        }
    }
}
