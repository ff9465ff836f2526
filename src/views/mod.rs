//! Folds of the journal for readers: what happened, in words and in JSON. Decides nothing, no I/O.
//!
//! Every fold is fed one [`Record`](crate::model::record::Record) after the other and keeps a
//! bounded amount, so a journal of any length can be read. Records come from any iterator: the
//! journal on the disk, or the agent's answer.

mod filter;
mod grade;
pub mod history;
pub mod json;
mod latest;
pub mod line;
mod quiet;
pub mod quorum;
mod sentence;
mod spool;
pub mod status;
mod time;
pub mod timeline;
pub mod unresolved;

pub use grade::explained;
pub use quiet::LastChecks;
pub use sentence::{Sentence, operator_of, original_time};
pub use spool::spool_position;
pub use time::{rfc3339, timestamp};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod samples;
