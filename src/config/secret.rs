//! Passwords: read when needed, shown never.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::types::Redis;

/// Longest password, in bytes.
const SECRET_MAX: u64 = 4096;

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
    #[error("cannot read password_file {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has no password in its first line.
    #[error("password_file {} must have a password of 1 to {SECRET_MAX} bytes in its first line", path.display())]
    Empty {
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
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(SECRET_MAX + 1).read_to_string(&mut text))
            .map_err(|source| SecretError::Unreadable {
                path: path.clone(),
                source,
            })?;
        match text.lines().next() {
            Some(line) if !line.is_empty() && line.len() as u64 <= SECRET_MAX => {
                Ok(Some(Secret(line.to_owned())))
            }
            _ => Err(SecretError::Empty { path: path.clone() }),
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
