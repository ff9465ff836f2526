//! What the lab prints: text as it goes, a checked step at a time, and JSON at the end.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

/// Good.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// Bad.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// Under way, or worth a look.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Beside the point.
pub const DIM: Style = Style::new().dimmed();
/// Headings, and what a person would have typed.
pub const BOLD: Style = Style::new().bold();

/// One piece of text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a line; colours only where the reader shows them. A reader that went away is no failure.
pub fn say(line: impl Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// How a run ended.
pub struct Verdict {
    /// Everything was as it should be.
    pub ok: bool,
    /// What was not is told already, and needs no logs to be understood.
    pub told: bool,
    /// One JSON object with `ok` and whatever was measured.
    pub figures: Value,
}

impl Verdict {
    /// A run that could not be finished.
    pub fn failed(error: &anyhow::Error) -> Self {
        Self::measured(false, json!({"ok": false, "error": format!("{error:#}")}))
    }

    /// A run that measured something.
    pub fn measured(ok: bool, figures: Value) -> Self {
        Self {
            ok,
            told: false,
            figures,
        }
    }

    /// A run with nothing to measure.
    pub fn plain(ok: bool) -> Self {
        Self::measured(ok, json!({"ok": ok}))
    }

    /// A run that told each thing that was not as it should be.
    pub fn told(ok: bool) -> Self {
        Self {
            told: true,
            ..Self::plain(ok)
        }
    }
}

/// Steps that were compared with what they should show.
#[derive(Default)]
pub struct Steps {
    steps: Vec<Value>,
    differing: usize,
}

impl Steps {
    /// Records and prints one comparison. `saw` is shown where it differs from what was `expected`.
    pub fn check(&mut self, expected: &str, ok: bool, saw: impl Display) {
        let saw = saw.to_string();
        if ok {
            say(format_args!("  {} {expected}", styled(GREEN, "ok")));
        } else {
            self.differing += 1;
            say(format_args!("  {} {expected}", styled(RED, "DIFFERS")));
            say(format_args!("     saw: {saw}"));
        }
        self.steps
            .push(json!({"expected": expected, "ok": ok, "saw": saw}));
    }

    /// Nothing differed.
    pub fn all_ok(&self) -> bool {
        self.differing == 0
    }

    /// All steps.
    pub fn into_json(self) -> Value {
        Value::Array(self.steps)
    }
}

/// Microseconds as milliseconds with one digit behind the point.
pub fn ms(us: u64) -> f64 {
    (us as f64 / 100.0).round() / 10.0
}
