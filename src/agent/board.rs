//! What is known of every instance, for the loop that changes it and those who only look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::machine::State;

/// The states of all instances, shared with those who only look.
pub type Shared = Arc<Mutex<Board>>;

/// What is known of every instance that the journal has ever named.
#[derive(Default)]
pub struct Board {
    /// By name; `""` is the node itself. Those that are configured no more stay as the journal left them.
    pub states: BTreeMap<String, State>,
    /// Those that are configured.
    pub names: BTreeSet<String>,
    /// The configuration in force, as `rha config show` prints it.
    pub config: String,
}

impl Board {
    /// The configured instances that something is known of.
    pub fn shown(&self) -> impl Iterator<Item = (&String, &State)> {
        let of = |name| self.states.get_key_value(name);
        self.names.iter().filter_map(of)
    }
}

/// Looks at the states. A panic of another holder leaves them as they were: plain values.
pub fn lock(board: &Shared) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
