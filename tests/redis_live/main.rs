//! Against real redis-server processes on loopback ports.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test: what fails is shown, what was measured is said

mod checks;
mod prober;
mod process;
mod roles;
mod world;
