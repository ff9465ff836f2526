//! What one round of a fault came to: data, which a world tells the lab that started it as a line of JSON.

use serde::{Deserialize, Serialize};

/// One round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Round {
    /// Which fault.
    pub name: String,
    /// Which round of it, from 1.
    pub round: u32,
    /// Why this machine cannot show it.
    pub skipped: Option<String>,
    /// The longest time without an accepted write, from the fault's moment on; `None` where it was not over.
    pub outage_ms: Option<f64>,
    /// So long two Redis took writes.
    pub two_masters_ms: f64,
    /// So long two hosts had the VIP.
    pub two_vips_ms: f64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that were not there in the end; `None` where nobody could be asked.
    pub lost: Option<u64>,
    /// Those of the lost ones that `rha rescue diff` finds in what was saved.
    pub rescued: u64,
    /// Alarms raised.
    pub raised: usize,
    /// Alarms resolved.
    pub resolved: usize,
    /// The alarms' titles.
    pub alarms: Vec<String>,
    /// Who was primary before.
    pub before: String,
    /// Who was afterwards, once all were in place again; `None` if they never were.
    pub after: Option<String>,
    /// What `rha replay` or `rha verify` had to complain about.
    pub audits: Vec<String>,
    /// What was not as promised.
    pub broken: Vec<String>,
}

impl Round {
    /// The promise was kept.
    pub fn is_ok(&self) -> bool {
        self.skipped.is_none() && self.broken.is_empty()
    }
}
