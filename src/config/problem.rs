//! What is wrong with a file, and where.

use std::fmt;
use std::path::PathBuf;

use crate::text::plain;

/// One thing that is wrong with the file, or unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// False if rha can work like this, and it is merely unwise.
    pub fatal: bool,
    /// Where.
    pub place: Place,
    /// The key, such as `health.fall`.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.fatal { "" } else { "warning: " };
        // The text quotes what is in the file, and so may the key.
        let line = format!("{}: {severity}{}: {}", self.place, self.key, self.text);
        f.write_str(&plain(&line))
    }
}

/// A line of a file. All are equal: the same settings may stand in different places.
#[derive(Debug, Clone, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}
