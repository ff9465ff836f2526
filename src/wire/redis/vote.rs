//! A Redis as a witness: one key that says who leads, and for how long.

use std::time::Duration;

use redis::Value;

use super::{Error, Link};

/// Who has it keeps it; a key that is not there, or was given back, is taken. The answer is what stood there before.
const TAKE: &str = "\
local found = redis.call('get', KEYS[1])
if not found or found == ARGV[1] or string.sub(found, 1, string.len(ARGV[3])) == ARGV[3] then
  redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
end
return found";

/// Who has it writes what is to stand there for ever.
const GIVE_BACK: &str = "\
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], ARGV[2]) end
return redis.call('get', KEYS[1])";

impl Link {
    /// What stands at `key`.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn vote(&self, key: &str) -> Result<Option<String>, Error> {
        found(self.ask(redis::cmd("GET").arg(key)).await?)
    }

    /// Writes `own` there for `ttl`, unless another one stands there that does not begin with `free`. What stood there before.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn take_vote(
        &self,
        key: &str,
        own: &str,
        free: &str,
        ttl: Duration,
    ) -> Result<Option<String>, Error> {
        let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut take = redis::cmd("EVAL");
        take.arg(TAKE).arg(1).arg(key).arg(own).arg(ms).arg(free);
        found(self.ask(&take).await?)
    }

    /// Writes `free` there, if `own` stands there. What stands there then.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn give_vote_back(
        &self,
        key: &str,
        own: &str,
        free: &str,
    ) -> Result<Option<String>, Error> {
        let mut give = redis::cmd("EVAL");
        give.arg(GIVE_BACK).arg(1).arg(key).arg(own).arg(free);
        found(self.ask(&give).await?)
    }

    /// How long the process has run: what it had given before, it may have forgotten.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn uptime(&self) -> Result<Duration, Error> {
        let text = self.section("server").await?;
        let seconds = text
            .lines()
            .find_map(|line| line.strip_prefix("uptime_in_seconds:"));
        let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok());
        seconds
            .map(Duration::from_secs)
            .ok_or_else(|| Error::Garbage("INFO tells no uptime".to_owned()))
    }
}

fn found(reply: Value) -> Result<Option<String>, Error> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        _ => Err(Error::Garbage("a text was expected".to_owned())),
    }
}
