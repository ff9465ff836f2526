//! The text of keepalived's configuration: written for rha's nodes, read from anybody's.

pub mod accounts;
pub mod finding;
pub mod host;
pub mod install;
pub mod lint;
pub mod load;
pub mod parse;
mod pattern;
pub mod render;
mod token;
pub mod verify;
