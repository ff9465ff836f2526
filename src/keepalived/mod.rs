//! The text of keepalived's configuration: written for rha's nodes, read from anybody's.

pub mod finding;
pub mod load;
pub mod parse;
pub mod render;
pub mod verify;
