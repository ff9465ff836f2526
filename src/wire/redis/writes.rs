//! Which writes Redis takes.

use std::time::Duration;

use super::link::words;
use super::{Error, Link};

impl Link {
    /// `CLIENT PAUSE … WRITE` (since 6.2): commands that write wait, for `hold` at most; all others are answered.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn pause_writes(&self, hold: Duration) -> Result<(), Error> {
        let ms = hold.as_millis().to_string();
        let pause = words(&["CLIENT", "PAUSE", &ms, "WRITE"]);
        self.ask(&pause).await.map(drop)
    }

    /// `CLIENT UNPAUSE`: what waits is taken, or refused where Redis is a replica by now.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn unpause(&self) -> Result<(), Error> {
        self.ask(&words(&["CLIENT", "UNPAUSE"])).await.map(drop)
    }

    /// `min-replicas-to-write`: 1, of replicas that were heard of within `lag`, or 0.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn guard_writes(&self, lag: Option<Duration>) -> Result<(), Error> {
        if let Some(lag) = lag {
            let seconds = lag.as_secs().to_string();
            let set = words(&["CONFIG", "SET", "min-replicas-max-lag", &seconds]);
            self.ask(&set).await?;
        }
        let replicas = if lag.is_some() { "1" } else { "0" };
        let set = words(&["CONFIG", "SET", "min-replicas-to-write", replicas]);
        self.ask(&set).await.map(drop)
    }
}
