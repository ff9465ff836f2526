//! Format 2: frozen from the first release on, and so is ruleset 1. Until then both may change under their number.
//!
//! Bodies are those of format 1, and so are the hashes of single records. The chain through quiet checks has a link
//! for each check, laid out at [`crate::journal::block::Block`]'s `link`, so that it does not depend on how they are
//! packed. A block may hold 1,024 checks instead of 256.
//!
//! The types are those of `model/` and `journal/` as they stand: the golden bytes hold them to it.
//! A variant that is appended needs a golden line of its own; any other change is format 3.

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
