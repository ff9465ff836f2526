//! Re-runs the machine over the journal and compares every decision with the recorded one.
//!
//! Touches nothing: it reads records and knows neither effects nor protocols, so that a replay can
//! never speak to a Redis.

pub mod knobs;
mod recover;
mod rerun;
pub mod step;
pub mod whatif;

pub use recover::Recovered;
pub use rerun::{Difference, Divergence, Report, Verdict, rerun};
