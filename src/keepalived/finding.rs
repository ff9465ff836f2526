//! What `lint` says: one line each, with the place, the severity and what to do.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::text::plain;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as it was named.
    #[serde(serialize_with = "text")]
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
}

fn text<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not do what is written there.
    Error,
    /// It works, and will hurt some day.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What.
    pub text: String,
    /// What to do about it.
    pub todo: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            severity,
            text,
            todo,
        } = self;
        // All but the severity quotes what is in the file, or its name.
        let line = format!("{place}: {severity}: {text} ({todo})");
        f.write_str(&plain(&line))
    }
}

impl Finding {
    /// An error.
    pub fn error(place: &Place, text: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(place, Severity::Error, text, todo)
    }

    /// A warning.
    pub fn warning(place: &Place, text: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(place, Severity::Warning, text, todo)
    }

    fn new(
        place: &Place,
        severity: Severity,
        text: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            place: place.clone(),
            severity,
            text: text.into(),
            todo: todo.into(),
        }
    }
}
