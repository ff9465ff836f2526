//! Against real redis-server processes on loopback ports.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test: what fails is shown, what was measured is said

mod checks;
#[path = "../common/port.rs"]
mod port;
mod prober;
mod process;
mod rescue;
mod roles;
mod world;
