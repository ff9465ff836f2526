//! What people type: one file for each subcommand, one place that renders. Decides nothing.

pub mod completions;
pub mod history;
pub mod machine;
pub mod render;
pub mod replay;
pub mod verify;
mod when;

pub use when::parse_when;
