//! Data sets that were saved before they were overwritten: what the other Redis lacks, what is known of each file,
//! and the shelf that they stand on. `effects/rescue` puts them there, `rha rescue` reads them.

mod compare;
mod copy;
mod note;
pub mod shelf;

pub use compare::{Lack, lack};
pub use copy::{Stop, copy, prepare};
pub use note::Note;
pub use shelf::{Entry, list};
