//! Fall and rise: how many checks in a row make Redis down, and up again.

use serde::{Deserialize, Serialize};

use crate::model::redis::Probe;
use crate::model::settings::Settings;

/// What is believed of the local Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Status {
    /// Not enough checks yet.
    #[default]
    Unknown,
    /// It serves.
    Up,
    /// It does not.
    Down,
}

impl Status {
    /// The word used in status and history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The counters behind the belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// The belief.
    pub status: Status,
    /// Good checks in a row, at most `rise`.
    pub good: u16,
    /// Failed checks in a row, at most `fall`.
    pub bad: u16,
}

/// What a check changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The belief is what it was.
    None,
    /// `rise` good checks: up.
    Rose,
    /// `fall` failed checks: down.
    Fell,
}

impl Health {
    /// Counts one check. A grade that is neither good nor failing (loading, auth …) proves that
    /// Redis lives and not that it serves: it ends both runs and changes no belief. A check that was
    /// not due can end a run, and makes none longer.
    pub fn count(&mut self, probe: &Probe, settings: &Settings) -> Change {
        let (fall, rise) = (settings.fall.max(1), settings.rise.max(1));
        let one = u16::from(probe.paced);
        if settings.fall_on.contains(&probe.grade) {
            self.good = 0;
            self.bad = self.bad.saturating_add(one).min(fall);
            if self.bad == fall && self.status != Status::Down {
                self.status = Status::Down;
                return Change::Fell;
            }
        } else if probe.grade.is_ready() {
            self.bad = 0;
            self.good = self.good.saturating_add(one).min(rise);
            if self.good == rise && self.status != Status::Up {
                self.status = Status::Up;
                return Change::Rose;
            }
        } else {
            self.good = 0;
            self.bad = 0;
        }
        Change::None
    }

    /// The process is gone: down at once. True if that is news.
    pub fn exit(&mut self) -> bool {
        let news = self.status != Status::Down;
        *self = Self {
            status: Status::Down,
            good: 0,
            bad: 0,
        };
        news
    }
}
