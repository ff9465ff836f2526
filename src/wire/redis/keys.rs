//! Keys and their values, a batch at a time.

use redis::{Pipeline, Value};

use super::link::{accept, words};
use super::{Error, Link};
use crate::wire::info;

/// A key: any bytes.
pub type Key = Vec<u8>;

/// A value as Redis would write it to a file, and how long it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dumped {
    /// `DUMP`, without the version and the checksum at its end.
    pub value: Vec<u8>,
    /// `PTTL`: milliseconds; `None` for ever.
    pub ttl_ms: Option<i64>,
}

impl Link {
    /// The databases that have keys, and how many.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn databases(&self) -> Result<Vec<(u32, u64)>, Error> {
        Ok(info::databases(&self.section("keyspace").await?))
    }

    /// All further commands over this connection, and its clones, are about database `db`.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn select(&self, db: u32) -> Result<(), Error> {
        let select = words(&["SELECT", &db.to_string()]);
        self.ask(&select).await.map(drop)
    }

    /// The next keys behind `cursor`, about `count`, and the cursor behind them; 0 is the first and the last. A key may
    /// come twice.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn scan(&self, cursor: &str, count: usize) -> Result<(String, Vec<Key>), Error> {
        let scan = words(&["SCAN", cursor, "COUNT", &count.to_string()]);
        let answer = self.ask(&scan).await?;
        let found = match answer {
            Value::Array(parts) => <[Value; 2]>::try_from(parts).ok(),
            _ => None,
        };
        match found {
            Some([Value::BulkString(next), Value::Array(keys)]) => {
                let next = String::from_utf8_lossy(&next).into_owned();
                let keys = keys.into_iter().filter_map(bytes).collect();
                Ok((next, keys))
            }
            _ => Err(Error::Garbage("SCAN tells no keys".to_owned())),
        }
    }

    /// The values of `keys`; `None` for one that is not there.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn dumps(&self, keys: &[Key]) -> Result<Vec<Option<Dumped>>, Error> {
        let mut pipeline = Pipeline::new();
        for key in keys {
            pipeline.cmd("DUMP").arg(key).cmd("PTTL").arg(key);
        }
        let mut answers = self.all(&pipeline, keys.len() * 2).await?.into_iter();
        let mut found = Vec::with_capacity(keys.len());
        while let (Some(dump), Some(ttl)) = (answers.next(), answers.next()) {
            found.push(bytes(dump).map(|mut value| {
                // Two bytes of the format's version, and eight of checksum.
                value.truncate(value.len().saturating_sub(10));
                let ttl_ms = match ttl {
                    Value::Int(ms @ 0..) => Some(ms),
                    _ => None,
                };
                Dumped { value, ttl_ms }
            }));
        }
        Ok(found)
    }

    /// The type of a value, such as `hash`; `none` for what is not there.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn type_of(&self, key: &Key) -> Result<String, Error> {
        let mut command = redis::cmd("TYPE");
        super::link::text(&self.ask(command.arg(key)).await?)
    }

    /// What a value consists of, in an order that is the same for equal values; `None` for a type that is not known.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn parts(&self, key: &Key, kind: &str) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let (name, rest): (&str, &[&str]) = match kind {
            "string" => ("GET", &[]),
            "list" => ("LRANGE", &["0", "-1"]),
            "set" => ("SMEMBERS", &[]),
            "hash" => ("HGETALL", &[]),
            "zset" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
            "stream" => ("XRANGE", &["-", "+"]),
            _ => return Ok(None),
        };
        let mut command = redis::cmd(name);
        command.arg(key).arg(rest);
        let mut parts = Vec::new();
        flatten(self.ask(&command).await?, &mut parts);
        match kind {
            "set" => parts.sort_unstable(),
            "hash" => {
                let mut pairs: Vec<_> = parts.chunks(2).map(<[_]>::to_vec).collect();
                pairs.sort_unstable();
                parts = pairs.into_iter().flatten().collect();
            }
            _ => {}
        }
        Ok(Some(parts))
    }

    async fn all(&self, pipeline: &Pipeline, count: usize) -> Result<Vec<Value>, Error> {
        let mut connection = self.connection();
        let answers = connection
            .send_packed_commands(pipeline, 0, count)
            .await
            .map_err(Error::from)?;
        answers
            .into_iter()
            .map(|answer| accept(Ok(answer)))
            .collect()
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

fn flatten(value: Value, parts: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, parts)),
        other => parts.extend(bytes(other)),
    }
}
