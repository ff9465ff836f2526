//! A data set to a file of Redis' own.

use std::path::PathBuf;
use std::time::Duration;

use redis::Value;

use super::link::{text, words};
use super::{Error, Link};
use crate::wire::info::{self, Saving};

/// From one look whether it is saved to the next.
const LOOK: Duration = Duration::from_millis(50);

impl Link {
    /// `BGSAVE`, and waits until the file is there: the data set as it was when this was asked, or later. A save that is
    /// under way is waited for, and another one made. Returns when it was written, since 1970, by the clock of Redis.
    ///
    /// # Errors
    /// Any; [`Error::Reply`], too, where Redis could not write it.
    pub async fn save(&self) -> Result<Duration, Error> {
        loop {
            match self.ask(&redis::cmd("BGSAVE")).await {
                Ok(_) => break,
                Err(Error::Reply { text, .. })
                    if text.contains("in progress") || text.contains("child process") =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => return Err(error),
            }
        }
        loop {
            match info::saving(&self.section("persistence").await?) {
                Saving::UnderWay => tokio::time::sleep(LOOK).await,
                Saving::Done(at) => return Ok(at),
                Saving::Failed => {
                    return Err(Error::Reply {
                        code: "ERR".to_owned(),
                        text: "Redis could not save its data set (BGSAVE); its log says why"
                            .to_owned(),
                    });
                }
            }
        }
    }

    /// Where that file is, as Redis sees it (`dir` and `dbfilename`).
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn save_file(&self) -> Result<PathBuf, Error> {
        let dir = self.setting("dir").await?;
        Ok(PathBuf::from(dir).join(self.setting("dbfilename").await?))
    }

    async fn setting(&self, name: &str) -> Result<String, Error> {
        let reply = self.ask(&words(&["CONFIG", "GET", name])).await?;
        match &reply {
            Value::Array(pair) if pair.len() == 2 => text(&pair[1]),
            _ => Err(Error::Garbage(format!("CONFIG GET {name} tells nothing"))),
        }
    }
}
