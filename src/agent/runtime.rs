//! The runtime of the agent and of every command: one thread.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime on the thread that calls.
///
/// # Errors
/// The system has no descriptors left.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
