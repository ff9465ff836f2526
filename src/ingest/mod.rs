//! World to event: everything that reaches the machine comes in here. Decides nothing.

pub mod follow;
pub mod notify;
pub mod spool;
