//! The plain data that every other part speaks: facts, orders, decisions, records.
//!
//! Values only. Nothing here reads a clock, performs I/O or holds a policy, and every stored type is
//! a plain enum or struct without serde attributes: bincode stores fields by position, so their
//! order *is* the journal's format. Append variants, never reorder; anything else is a new format
//! with a module in `migrations/`.

pub mod alarm;
pub mod deadline;
pub mod decision;
pub mod drill;
pub mod effect;
pub mod event;
pub mod quorum;
pub mod record;
pub mod redis;
pub mod rescue;
pub mod role;
pub mod settings;
pub mod time;
pub mod vrrp;
