//! How far a long look at the journal has come: on standard error, where somebody watches, and not before it takes a while.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is over sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at what does not count.
const PACE: Duration = Duration::from_millis(100);
/// So many items are not counted one by one.
const STRIDE: u64 = 4_096;

/// Counts what passes, and shows it.
pub struct Progress {
    bar: ProgressBar,
    passed: u64,
    is_watched: bool,
}

impl Progress {
    /// Counts `noun`s; nobody sees it yet.
    #[must_use]
    pub fn of(noun: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template = format!("{{spinner}} {{human_pos}} {noun}, {{elapsed}} ({{per_sec}})");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self {
            bar,
            passed: 0,
            is_watched: io::stderr().is_terminal(),
        }
    }

    /// The items, counted as they pass.
    pub fn over<T>(mut self, items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        items.inspect(move |_| self.pass())
    }

    fn pass(&mut self) {
        self.passed += 1;
        if !self.is_watched || !self.passed.is_multiple_of(STRIDE) {
            return;
        }
        if self.bar.is_hidden() && self.bar.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(self.passed);
    }
}

/// Runs `work`, which does not tell how far it has come; shows that it goes on, and for how long.
pub fn waiting<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    let (done, over) = mpsc::channel::<()>();
    let is_watched = io::stderr().is_terminal();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut wait = PATIENCE;
            while is_watched && over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if bar.is_hidden() {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                bar.tick();
                wait = PACE;
            }
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
