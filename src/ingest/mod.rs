//! World to event: everything that reaches the machine comes in here. Decides nothing.

pub mod notify;
pub mod spool;
