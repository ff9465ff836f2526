//! Every on-disk format of the journal that there ever was: a module for each, named by its number.
//!
//! A module documents its frozen layout, carries golden bytes and a test that they are still read to
//! the same values, and brings a body of its format to today's types. Old journals open for ever: one of each
//! format is kept whole in `tests/golden/journal/`. A format that is newer than this program is refused, not guessed at.
//!
//! To add one: copy what changed of `model/` into the module of the format that is being left, upcast
//! there, write the new module, raise [`crate::journal::codec::FORMAT`]. What was written stays as it is: a
//! journal may hold entries of several formats.

use crate::journal::Error;
use crate::journal::codec::{Entry, FORMAT};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
pub mod v1;
pub mod v2;
pub mod v3;

/// Decodes the body of an entry of any known format.
///
/// # Errors
/// `NewerFormat`; `Damaged` for what no version of rha wrote.
pub fn decode(format: u8, body: &[u8]) -> Result<Entry, Error> {
    match format {
        1 => v1::decode(body),
        2 => v2::decode(body),
        3 => v3::decode(body),
        0 => Err(Error::Damaged {
            seq: None,
            why: "format 0 was never written".to_owned(),
        }),
        newer => Err(Error::NewerFormat {
            found: newer,
            known: FORMAT,
        }),
    }
}

/// Is the chain of this format drawn through each check of a block, instead of around the block?
#[must_use]
pub fn links_checks(format: u8) -> bool {
    format >= 2
}
