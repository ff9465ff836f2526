//! What is only ever asked by somebody who looks, never by the agent.

use std::collections::BTreeMap;

use redis::Value;

use super::link::{text, words};
use super::{Error, Link};
use crate::wire::info;

impl Link {
    /// The process that answers, by its own word; 0 where it does not tell.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn told_pid(&self) -> Result<u32, Error> {
        let server = self.info("server").await?;
        Ok(info::identity(&server).map_or(0, |identity| identity.pid))
    }

    /// A section of `INFO` by key.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn facts(&self, section: &str) -> Result<BTreeMap<String, String>, Error> {
        let text = self.info(section).await?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let owned = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(owned.collect())
    }

    async fn info(&self, section: &str) -> Result<String, Error> {
        text(&self.ask(&words(&["INFO", section])).await?)
    }

    /// All settings (`CONFIG GET *`).
    ///
    /// # Errors
    /// Any of [`Error`]; `NOPERM` and `unknown command` where that is not allowed.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>, Error> {
        let reply = self.ask(&words(&["CONFIG", "GET", "*"])).await?;
        let Value::Array(items) = reply else {
            return Err(Error::Garbage("CONFIG GET is no list".to_owned()));
        };
        let pairs = items.chunks_exact(2);
        pairs
            .map(|pair| Ok((text(&pair[0])?, text(&pair[1])?)))
            .collect()
    }

    /// How many Sentinels are connected.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn sentinels(&self) -> Result<usize, Error> {
        let clients = text(&self.ask(&words(&["CLIENT", "LIST"])).await?)?;
        let of_sentinel = |line: &&str| line.contains(" name=sentinel-");
        // Two connections each: one for commands, one that listens.
        Ok(clients.lines().filter(of_sentinel).count().div_ceil(2))
    }

    /// Its clock: wall time in microseconds (`TIME`).
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn clock(&self) -> Result<i64, Error> {
        let reply = self.ask(&words(&["TIME"])).await?;
        let number = |part: &Value| text(part).ok()?.parse::<i64>().ok();
        let told = match &reply {
            Value::Array(parts) => match parts.as_slice() {
                [seconds, micros] => number(seconds).zip(number(micros)),
                _ => None,
            },
            _ => None,
        };
        told.map(|(seconds, micros)| seconds.saturating_mul(1_000_000).saturating_add(micros))
            .ok_or_else(|| Error::Garbage("TIME tells no time".to_owned()))
    }

    /// Could `user` run this command? `None` where Redis cannot tell (before 7.0), else why not, or nothing.
    ///
    /// # Errors
    /// Any of [`Error`]; `NOPERM` where even this may not be asked.
    pub async fn may(
        &self,
        user: &str,
        command: &[&str],
    ) -> Result<Option<Result<(), String>>, Error> {
        let asked = [&["ACL", "DRYRUN", user], command].concat();
        match self.ask(&words(&asked)).await {
            Ok(Value::Okay) => Ok(Some(Ok(()))),
            Ok(Value::SimpleString(said)) if said == "OK" => Ok(Some(Ok(()))),
            Ok(reply) => Ok(Some(Err(text(&reply)?))),
            Err(Error::Reply { text, .. })
                if text.contains("unknown") || text.contains("Unknown") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
