//! Redis and what speaks its protocol (Valkey, KeyDB): the only place that spells its commands.
//!
//! No call here sets a deadline of its own but [`probe`] and [`Link::connect`]: whoever orders something
//! bounds it. A future that is dropped leaves the link usable, though the command may still be carried out.

mod error;
mod inspect;
mod keys;
mod link;
mod save;
mod sign;
mod vote;
mod writes;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

pub use self::error::Error;
pub use self::keys::{Dumped, Key};
pub use self::link::{Followed, Link, Standing};
pub use self::sign::SignPost;
use crate::model::redis::{Endpoint, Grade, Observation, Probe};

/// A Redis and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// ACL user (Redis 6); `None` for the default user.
    pub username: Option<String>,
    /// Its password; `None` where none is asked for.
    pub password: Option<Secret>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One health check: `PING` and the sections of `INFO` that matter, in one round trip over the `kept`
/// connection, which is made anew where there is none or it turns out to be closed. All within `timeout`;
/// an answer that takes longer than `slow` is graded [`Grade::Slow`]. A connection that failed is not kept. Whether
/// it was due is for the caller to say: it is told as paced.
pub async fn probe(
    kept: &mut Option<Link>,
    target: &Target,
    timeout: Duration,
    slow: Duration,
) -> Probe {
    let began = Instant::now();
    let answer = timeout_at(began + timeout, look(kept, target)).await;
    let latency = began.elapsed();
    let (trouble, observation) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => (Some(error), None),
        Err(_) => (Some(Error::Timeout), None),
    };
    if trouble
        .as_ref()
        .is_some_and(|error| error.is_broken() || error.grade() == Grade::Auth)
    {
        *kept = None;
    }
    let loading = observation.as_ref().is_some_and(|seen| seen.loading);
    let grade = match trouble {
        Some(error) => error.grade(),
        None if loading => Grade::Loading,
        None if latency > slow => Grade::Slow,
        None => Grade::Ok,
    };
    let latency_us = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
    Probe {
        paced: true,
        grade,
        latency_us,
        observation,
    }
}

/// What a Redis that answers said: the first error reply, and what it told nevertheless.
type Answer = (Option<Error>, Option<Observation>);

async fn look(kept: &mut Option<Link>, target: &Target) -> Result<Answer, Error> {
    if let Some(link) = kept {
        match link.observe().await {
            // Redis was restarted, or it closed an idle connection: that alone is no trouble.
            Err(Error::Unreachable(_)) => *kept = None,
            answer => return answer,
        }
    }
    let mut link = Link::dial(target).await?;
    let answer = link.observe().await?;
    *kept = Some(link);
    Ok(answer)
}

/// The warm connection of the prober, for those who must not lose the time for making one.
#[derive(Debug, Clone, Default)]
pub struct SharedLink(Arc<Mutex<Option<Link>>>);

impl SharedLink {
    /// A clone of the connection, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<Link> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Shares another one.
    pub fn set(&self, link: Option<Link>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let target = Target {
            endpoint: Endpoint {
                host: "h".to_owned(),
                port: 1,
            },
            username: None,
            password: Some(Secret("hunter2".to_owned())),
        };
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
