//! Format 3: frozen from the first release on, and so is ruleset 2. Until then both may change under their number.
//!
//! As format 2, with more settings: which nodes have a higher priority, what counts more where the newest copy is gone,
//! whether a hung Redis is killed. Snapshots, which have a number of their own, are of layout 2.
//!
//! The types are those of `model/` and `journal/` as they stand: the golden bytes hold them to it.
//! A variant that is appended needs a golden line of its own; any other change is format 4.

use crate::journal::Error;
use crate::journal::codec::{Entry, deserialize};

/// Decodes a body.
///
/// # Errors
/// `Damaged`, without a place: bodies do not know where they stand.
pub fn decode(body: &[u8]) -> Result<Entry, Error> {
    deserialize(body).map_err(|why| Error::Damaged { seq: None, why })
}

#[cfg(test)]
mod tests;
