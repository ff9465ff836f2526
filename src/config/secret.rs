//! Passwords: read when needed, shown never.

use std::fmt;
use std::path::PathBuf;

use super::file::{self, Unreadable};
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

/// Why a password could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read password_file {}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: Unreadable,
    },
    /// Its first line is no password.
    #[error("password_file {} must have 1 to {SECRET_MAX} bytes of UTF-8 in its first line", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
    },
}

impl Redis {
    /// Reads the password: the first line of `password_file`, or `None` where none is configured.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8, or its first line is empty or too long.
    pub fn password(&self) -> Result<Option<Secret>, SecretError> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let unreadable = |why| SecretError::Unreadable {
            path: path.clone(),
            why,
        };
        let bytes = file::read(path, FILE_MAX).map_err(unreadable)?;
        let line = bytes.split(|&byte| byte == b'\n').next();
        let line = line.and_then(|line| std::str::from_utf8(line).ok());
        match line.map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            Some(line) if (1..=SECRET_MAX).contains(&line.len()) => {
                Ok(Some(Secret(line.to_owned())))
            }
            _ => Err(SecretError::Unusable { path: path.clone() }),
        }
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
