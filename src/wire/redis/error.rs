//! What can go wrong between rha and a Redis, and what a health check makes of it.

use redis::{ErrorKind, RedisError};

use crate::model::redis::Grade;

/// Why Redis did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer before the deadline.
    #[error("no answer in time")]
    Timeout,
    /// Nothing listens at the port.
    #[error("connection refused")]
    Refused,
    /// No route, no host, connection closed or reset.
    #[error("{0}")]
    Unreachable(String),
    /// The answer is not Redis' protocol, or not an answer to what was asked.
    #[error("not an answer of Redis: {0}")]
    Garbage(String),
    /// `AUTH` was refused.
    #[error("login refused: {0}")]
    Login(String),
    /// Redis answered with an error: its first word, and all of it.
    #[error("{text}")]
    Reply {
        /// `LOADING`, `NOAUTH`, `ERR` …
        code: String,
        /// The line.
        text: String,
    },
    /// Redis said OK, but `ROLE` tells otherwise.
    #[error("ROLE does not confirm it: {0}")]
    Unconfirmed(String),
}

impl Error {
    /// What a health check makes of it.
    #[must_use]
    pub fn grade(&self) -> Grade {
        match self {
            Self::Timeout => Grade::Timeout,
            Self::Refused => Grade::Refused,
            Self::Unreachable(_) => Grade::Unreachable,
            Self::Garbage(_) => Grade::Garbage,
            Self::Login(_) => Grade::Auth,
            Self::Reply { code, .. } => match code.as_str() {
                "LOADING" => Grade::Loading,
                "BUSY" => Grade::Busy,
                // DENIED: protected mode. As with a wrong password, Redis lives and does not let us in.
                "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => Grade::Auth,
                "MISCONF" => Grade::Misconf,
                _ => Grade::Degraded,
            },
            Self::Unconfirmed(_) => Grade::Degraded,
        }
    }

    /// The connection is of no further use.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::Refused | Self::Unreachable(_) | Self::Garbage(_)
        )
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if let Some(code) = error.code() {
            let code = code.to_owned();
            let text = [code.as_str(), error.detail().unwrap_or("")]
                .join(" ")
                .trim_end()
                .to_owned();
            return Self::Reply { code, text };
        }
        match error.kind() {
            _ if error.is_connection_refusal() => Self::Refused,
            _ if error.is_timeout() => Self::Timeout,
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Garbage(error.to_string()),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Error {
        let value = redis::parse_redis_value(line.as_bytes()).unwrap();
        value.extract_error().unwrap_err().into()
    }

    #[test]
    fn error_replies_are_graded() {
        let graded = |line| reply(line).grade();
        assert_eq!(
            graded("-LOADING Redis is loading the dataset in memory\r\n"),
            Grade::Loading
        );
        assert_eq!(
            graded("-BUSY Redis is busy running a script.\r\n"),
            Grade::Busy
        );
        assert_eq!(graded("-NOAUTH Authentication required.\r\n"), Grade::Auth);
        assert_eq!(
            graded("-WRONGPASS invalid username-password pair\r\n"),
            Grade::Auth
        );
        assert_eq!(
            graded("-NOPERM this user has no permissions\r\n"),
            Grade::Auth
        );
        assert_eq!(
            graded("-DENIED Redis is running in protected mode\r\n"),
            Grade::Auth
        );
        assert_eq!(
            graded("-MISCONF Redis is configured to save RDB snapshots\r\n"),
            Grade::Misconf
        );
        assert_eq!(
            graded("-MASTERDOWN Link with MASTER is down\r\n"),
            Grade::Degraded
        );
        assert_eq!(
            graded("-ERR max number of clients reached\r\n"),
            Grade::Degraded
        );
        let unknown = reply("-ERR unknown command 'REPLICAOF'\r\n");
        assert_eq!(unknown.to_string(), "ERR unknown command 'REPLICAOF'");
    }
}
