//! Passwords: read when needed, shown never.

use std::fmt;
use std::path::{Path, PathBuf};

use super::file;
use super::problem::{Place, Problem};
use super::types::Redis;

/// Longest password, in bytes.
const SECRET_MAX: usize = 4096;
/// Largest file that it is the first line of, in bytes.
const FILE_MAX: u64 = 1 << 16;

/// A password. `Debug` and `Display` print `***`, and it cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password itself, for the wire only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a password could not be read: where its file is named, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub Problem);

impl Redis {
    /// Reads the password: the first line of `password_file`, or `None` where none is configured.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is empty, too long or not UTF-8.
    pub fn password(&self) -> Result<Option<Secret>, SecretError> {
        let path = self.password_file.as_ref();
        let read = |path: &PathBuf| read_password(path, &self.password_place, REDIS_KEY);
        path.map(read).transpose()
    }

    pub(super) fn password_problem(&self, fatal: bool, text: String) -> Problem {
        Problem {
            fatal,
            place: self.password_place.clone(),
            key: REDIS_KEY.to_owned(),
            text,
        }
    }
}

const REDIS_KEY: &str = "instance.redis.password_file";

/// The first line of a file that is named at `place` as `key`.
pub(super) fn read_password(path: &Path, place: &Place, key: &str) -> Result<Secret, SecretError> {
    let wrong = |text| {
        SecretError(Problem {
            fatal: true,
            place: place.clone(),
            key: key.to_owned(),
            text,
        })
    };
    let bytes = file::read(path, FILE_MAX)
        .map_err(|why| wrong(format!("cannot read {}: {why}", path.display())))?;
    let line = bytes.split(|&byte| byte == b'\n').next();
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    match line.map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        Some(line) if (1..=SECRET_MAX).contains(&line.len()) => Ok(Secret(line.to_owned())),
        _ => Err(wrong(format!(
            "the first line of {} is no password; 1 to {SECRET_MAX} bytes of UTF-8",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret("hunter2".into());
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }
}
