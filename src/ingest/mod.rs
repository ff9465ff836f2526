//! World to event: everything that reaches the machine comes in here. Decides nothing.

use crate::model::event::Event;
use crate::model::record::Seq;

pub mod address;
pub mod adverts;
pub mod claims;
pub mod exit;
pub mod follow;
pub mod keepalived_watch;
pub mod notify;
pub mod probe;
pub mod quorum;
pub mod spool;

/// How many facts may wait for the agent. Who finds the queue full waits.
pub const QUEUE: usize = 1024;

/// A fact on its way to the agent, which stamps and records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The instance that it concerns; empty for the whole node.
    pub instance: String,
    /// The fact.
    pub event: Event,
    /// The record that led to it.
    pub cause: Option<Seq>,
}
