//! Format 1: the first. Its journals are a single sled, the directory itself.
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

use crate::journal::Error;
use crate::journal::codec::Entry;
use crate::migrations::v2;

/// Decodes a body.
///
/// # Errors
/// `Damaged`, without a place: bodies do not know where they stand.
pub fn decode(body: &[u8]) -> Result<Entry, Error> {
    v2::decode(body)
}

#[cfg(test)]
mod tests;
