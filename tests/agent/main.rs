//! The real agent against real Redis, real `rha-event` and real disks: what an operator, a crash and a full
//! disk do to it. One world for each test, on ports of its own.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod alarms;
mod audit;
mod blackbox;
mod commands;
mod doctor;
mod drill;
mod journal;
mod life;
#[path = "../common/namespace.rs"]
mod namespace;
mod notice;
#[path = "../common/port.rs"]
mod port;
mod privileges;
mod reconcile;
mod refusal;
mod reload;
mod servers;
mod spool;
mod trouble;
mod world;
