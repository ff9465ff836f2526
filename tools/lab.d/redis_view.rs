//! Looking at a Redis from outside: INFO, and reading keys back.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::Context;
use redis::{Client, Connection, Value, cmd};

const LIMIT: Duration = Duration::from_millis(500);
/// Reading back thousands of keys may take longer than a look.
const BULK_LIMIT: Duration = Duration::from_secs(10);
/// How long one look waits for acknowledgements.
const WAIT_MS: u64 = 100;
const CHUNK: usize = 1000;

/// The lines `name:value` of INFO.
#[derive(Debug, Clone, Default)]
pub struct Info(BTreeMap<String, String>);

/// One `slaveN:` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slave {
    /// Its address.
    pub ip: String,
    /// Its port.
    pub port: String,
    /// `online` when it has the data set.
    pub state: String,
}

impl Info {
    /// Reads what Redis or redis-cli printed.
    pub fn parse(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.trim_end().split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A value, or "" where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The replicas, in the order of their numbers.
    pub fn slaves(&self) -> Vec<Slave> {
        (0..)
            .map_while(|number: u32| self.0.get(&format!("slave{number}")))
            .map(|line| Slave {
                ip: field(line, "ip"),
                port: field(line, "port"),
                state: field(line, "state"),
            })
            .collect()
    }

    /// How many replicas have the data set.
    pub fn slaves_online(&self) -> usize {
        self.slaves()
            .iter()
            .filter(|slave| slave.state == "online")
            .count()
    }
}

fn field(line: &str, name: &str) -> String {
    line.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map_or_else(String::new, |(_, value)| value.to_owned())
}

/// INFO of the Redis at `address`.
pub fn info(address: Ipv4Addr) -> anyhow::Result<Info> {
    let mut connection = connect(SocketAddrV4::new(address, crate::plan::PORT), LIMIT)?;
    let text: String = cmd("INFO").query(&mut connection)?;
    Ok(Info::parse(&text))
}

/// The answer of the Redis at `address` to a command.
pub fn ask(address: Ipv4Addr, words: &[&str]) -> anyhow::Result<Value> {
    let redis = SocketAddrV4::new(address, crate::plan::PORT);
    let mut connection = connect(redis, BULK_LIMIT)?;
    let mut command = redis::Cmd::new();
    command.arg(words);
    let answer = command.query(&mut connection);
    answer.with_context(|| format!("Redis at {redis}: {}", words.join(" ")))
}

/// The value of a setting (`CONFIG GET`).
pub fn setting(address: Ipv4Addr, name: &str) -> anyhow::Result<String> {
    let answer = ask(address, &["CONFIG", "GET", name])?;
    let pair: (String, String) = redis::from_redis_value(answer)?;
    Ok(pair.1)
}

/// Writes a key and asks how many replicas acknowledge it. `state=online` in INFO is not enough: after a
/// diskless full sync Redis sends a replica nothing before its first acknowledgement, up to a second later.
pub fn replicated_to(address: Ipv4Addr, wanted: usize) -> anyhow::Result<usize> {
    let mut connection = connect(SocketAddrV4::new(address, crate::plan::PORT), LIMIT)?;
    cmd("SET").arg("lab:settled").arg(1).exec(&mut connection)?;
    Ok(cmd("WAIT")
        .arg(wanted)
        .arg(WAIT_MS)
        .query(&mut connection)?)
}

/// Which of the keys `prefix` + number do not hold their number; every key is removed afterwards.
pub fn missing(
    redis: SocketAddrV4,
    prefix: &str,
    numbers: impl Iterator<Item = u64>,
) -> anyhow::Result<Vec<u64>> {
    let mut connection = connect(redis, BULK_LIMIT)?;
    let mut missing = Vec::new();
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        let chunk: Vec<u64> = numbers.by_ref().take(CHUNK).collect();
        let keys: Vec<String> = chunk.iter().map(|n| format!("{prefix}{n}")).collect();
        let values: Vec<Option<u64>> = cmd("MGET").arg(&keys).query(&mut connection)?;
        missing.extend(
            chunk
                .iter()
                .zip(values)
                .filter(|(number, value)| *value != Some(**number))
                .map(|(number, _)| *number),
        );
        cmd("UNLINK").arg(&keys).exec(&mut connection)?;
    }
    Ok(missing)
}

fn connect(redis: SocketAddrV4, limit: Duration) -> anyhow::Result<Connection> {
    let connection = Client::open(format!("redis://{redis}/"))?
        .get_connection_with_timeout(limit)
        .with_context(|| format!("Redis at {redis}"))?;
    connection.set_read_timeout(Some(limit))?;
    connection.set_write_timeout(Some(limit))?;
    Ok(connection)
}
