//! What is said when something goes wrong: `error:`, its causes, then `hint:` lines.

use std::fmt;
use std::io::{self, Write};

use super::plain;
use crate::config;
use crate::text::causes;

/// An error with what to do about it. Messages have no full stop; hints are full sentences.
#[derive(Debug)]
pub struct Problem {
    message: String,
    hints: Vec<String>,
    exit: u8,
}

impl Problem {
    /// Wrong usage or configuration: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
            exit: 2,
        }
    }

    /// It failed: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            exit: 1,
            ..Self::usage(message)
        }
    }

    /// It was looked at, and there is trouble: exit code 3.
    pub fn trouble(message: impl Into<String>) -> Self {
        Self {
            exit: 3,
            ..Self::usage(message)
        }
    }

    /// Adds a line of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// Says what went wrong, for standard error, and returns the exit code.
///
/// # Errors
/// Those of `out`.
pub fn report(error: &anyhow::Error, out: &mut dyn Write) -> io::Result<u8> {
    let refused = error.downcast_ref::<config::Error>();
    if let Some(config::Error::Invalid(problems)) = refused {
        // As compilers say it: editors jump to FILE:LINE at the beginning.
        for problem in problems {
            writeln!(out, "{problem}")?;
        }
        return Ok(2);
    }
    for (index, text) in causes(error).iter().enumerate() {
        let word = if index == 0 { "error" } else { "caused by" };
        let lines: Vec<_> = text.lines().map(plain).collect();
        writeln!(out, "{word}: {}", lines.join("\n"))?;
    }
    let problems = || error.chain().filter_map(|e| e.downcast_ref::<Problem>());
    let hints = problems().flat_map(|problem| problem.hints.iter().map(String::as_str));
    for hint in hints.chain(refused.and_then(config::Error::hint)) {
        writeln!(out, "hint: {hint}")?;
    }
    let code = problems().next().map_or(1, |problem| problem.exit);
    Ok(if refused.is_some() { 2 } else { code })
}

/// Says what is wrong with a configuration that is not needed, for a running agent has another.
///
/// # Errors
/// Those of `out`.
pub fn warn(error: &config::Error, out: &mut dyn Write) -> io::Result<()> {
    for line in error.to_string().lines() {
        writeln!(out, "warning: {}", plain(line))?;
    }
    writeln!(
        out,
        "hint: The running agent answers, with the settings that it has; correct the file before it starts again."
    )
}

/// Who closes the pipe has read enough: that is no failure.
///
/// # Errors
/// Every other error of `result`.
pub fn ignore_broken_pipe(result: anyhow::Result<u8>) -> anyhow::Result<u8> {
    match result {
        Err(error) if is_broken_pipe(&error) => Ok(0),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn message_causes_and_hints_stand_apart() {
        let problem = Problem::usage("`soon` is not a time").hint("Say `2h ago`.");
        let error = anyhow::Error::new(problem).context("cannot read --since");
        let mut out = Vec::new();
        assert_eq!(report(&error, &mut out).unwrap(), 2);
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        error: cannot read --since
        caused by: `soon` is not a time
        hint: Say `2h ago`.
        ");
        let error = anyhow::anyhow!("a\x1b[2J\nb").context("it says: a\x1b[2J\nb");
        let mut out = Vec::new();
        assert_eq!(report(&error, &mut out).unwrap(), 1);
        assert_eq!(out, b"error: it says: a\\u{1b}[2J\nb\n");
        for (problem, exit) in [(Problem::failed("no"), 1), (Problem::trouble("bad"), 3)] {
            assert_eq!(report(&problem.into(), &mut Vec::new()).unwrap(), exit);
        }
    }

    #[test]
    fn a_closed_pipe_is_success_and_nothing_else_is() {
        let fail = |kind| Err::<u8, _>(io::Error::from(kind)).context("cannot write");
        let result = ignore_broken_pipe(fail(io::ErrorKind::BrokenPipe));
        assert_eq!(result.unwrap(), 0);
        assert!(ignore_broken_pipe(fail(io::ErrorKind::StorageFull)).is_err());
        assert_eq!(ignore_broken_pipe(Ok(3)).unwrap(), 3);
    }
}
