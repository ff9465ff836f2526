//! Format 1: frozen from the first release on, and so is ruleset 1. Until then both may change under their number.
//!
//! - Numbers: bincode 1.3 varint. Below 251 one byte; else 251, 252, 253 and two, four, eight bytes
//!   little endian. Signed ones zigzagged first. `u8` and `bool` one byte.
//! - Strings and lists: their length, then their content. Options: 0, or 1 and the value. Arrays of
//!   fixed length: their content. Structs: their fields in order. Enums: the variant's place in the
//!   enum, from 0, then its fields. `Cow`, newtypes: as what they hold.
//! - Body: [`Entry`]: 0 and a [`crate::model::record::Record`], or 1 and a
//!   [`crate::journal::block::Block`], whose rows are laid out in `journal/block.rs`.
//! - Value: 1, body, sixteen bytes of hash, as told in `journal/codec.rs`.
//!
//! The types are those of `model/` and `journal/` as they stand: the golden bytes hold them to it.
//! A variant that is appended needs a golden line of its own; any other change is format 2.

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
pub(crate) mod samples;
#[cfg(test)]
mod tests;
