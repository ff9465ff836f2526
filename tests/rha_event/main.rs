//! The real `rha-event`, in all its forms, with everything happening to it that can happen.
//!
//! The random test prints its seed first; `RHA_SEED` runs it again with that one.

mod crash;
mod fifo;
mod forms;
mod golden;
mod spool;
mod world;
