//! A connection and the commands that go over it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisError, Value,
};

use super::{Answer, Error, Secret, Target};
use crate::model::redis::{Endpoint, RedisRole};
use crate::wire::info::{self, DataSet, Identity};

/// A kept connection. Cheap to clone; commands of all clones share the one connection, in order.
#[derive(Debug, Clone)]
pub struct Link {
    connection: MultiplexedConnection,
    identity: Option<Identity>,
    /// It may not be asked for signs: once is enough to know.
    pub(super) signs_refused: bool,
}

impl Link {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`]; [`Error::Timeout`] after `timeout`.
    pub async fn connect(target: &Target, timeout: Duration) -> Result<Self, Error> {
        tokio::time::timeout(timeout, Self::dial(target))
            .await
            .unwrap_or(Err(Error::Timeout))
    }

    /// Which process answers; `None` until a [`probe`](super::probe) over this link has seen it.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Any answer at all, also an error reply, shows that the process lives.
    ///
    /// # Errors
    /// Those for which [`Error::is_broken`].
    pub async fn answers(&self) -> Result<(), Error> {
        match self.ask(&redis::cmd("PING")).await {
            Err(error) if error.is_broken() => Err(error),
            _ => Ok(()),
        }
    }

    /// The role that Redis reports, and whom it follows.
    ///
    /// # Errors
    /// Any.
    pub async fn role(&self) -> Result<Standing, Error> {
        let reply = self.ask(&redis::cmd("ROLE")).await?;
        standing(&reply).ok_or_else(|| Error::Garbage("ROLE tells no role".to_owned()))
    }

    /// Makes Redis a master, confirmed by `ROLE`. Harmless where it is one.
    ///
    /// # Errors
    /// Any.
    pub async fn promote(&self) -> Result<(), Error> {
        self.replicate("NO", "ONE").await?;
        match self.role().await? {
            Standing {
                role: RedisRole::Master,
                ..
            } => Ok(()),
            other => Err(Error::Unconfirmed(other.to_string())),
        }
    }

    /// Makes Redis a replica of `master`, confirmed by `ROLE`. Does nothing where it is one already, so that
    /// a running synchronisation goes on. The configuration file stays as it is: `CONFIG REWRITE` would
    /// make a promoted node boot as a master.
    ///
    /// # Errors
    /// Any.
    pub async fn follow(&self, master: &Endpoint) -> Result<Followed, Error> {
        let before = self.role().await?;
        if before.master.as_ref() == Some(master) {
            return Ok(Followed::Already);
        }
        self.replicate(&master.host, &master.port.to_string())
            .await?;
        let after = self.role().await?;
        if after.master.as_ref() != Some(master) {
            return Err(Error::Unconfirmed(after.to_string()));
        }
        Ok(match before.role {
            RedisRole::Master => Followed::SteppedDown,
            RedisRole::Replica => Followed::Changed,
        })
    }

    /// Whether the data set is whole at this moment, in one round trip.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn data_set(&self) -> Result<DataSet, Error> {
        let (replication, persistence) =
            tokio::try_join!(self.section("replication"), self.section("persistence"))?;
        info::data_set(&replication, &persistence)
            .ok_or_else(|| Error::Garbage("INFO tells no role".to_owned()))
    }

    /// How far its data set has come, in bytes of the replication stream.
    ///
    /// # Errors
    /// Any but [`Error::Unconfirmed`].
    pub async fn offset(&self) -> Result<i64, Error> {
        info::offset(&self.section("replication").await?)
            .ok_or_else(|| Error::Garbage("INFO tells no role".to_owned()))
    }

    /// Closes the connections of all clients but this one, subscribers too; replicas stay connected.
    ///
    /// # Errors
    /// Any.
    pub async fn kill_clients(&self) -> Result<(), Error> {
        for sort in ["normal", "pubsub"] {
            let kill = words(&["CLIENT", "KILL", "TYPE", sort, "SKIPME", "yes"]);
            self.ask(&kill).await?;
        }
        Ok(())
    }

    /// `SHUTDOWN`: Redis saves as its configuration says, and exits. `Ok` when it has closed the connection.
    ///
    /// # Errors
    /// [`Error::Reply`] where Redis refuses, such as after a failed save.
    pub async fn shutdown(&self) -> Result<(), Error> {
        match self.ask(&redis::cmd("SHUTDOWN")).await {
            Ok(_) | Err(Error::Unreachable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Connects to a Redis behind a Unix socket that asks for no password.
    ///
    /// # Errors
    /// Those of [`Self::connect`].
    pub async fn connect_unix(socket: &Path, timeout: Duration) -> Result<Self, Error> {
        let address = ConnectionAddr::Unix(socket.to_owned());
        tokio::time::timeout(timeout, Self::reach(address))
            .await
            .unwrap_or(Err(Error::Timeout))
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(super) async fn dial(target: &Target) -> Result<Self, Error> {
        let address = ConnectionAddr::Tcp(target.endpoint.host.clone(), target.endpoint.port);
        let link = Self::reach(address).await?;
        if let Some(password) = &target.password {
            link.login(target.username.as_deref(), password).await?;
        }
        Ok(link)
    }

    async fn reach(address: ConnectionAddr) -> Result<Self, Error> {
        let settings = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let info = address
            .into_connection_info()?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(settings);
        // Deadlines are set where the order is known, not here.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = Client::open(info)?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(Self {
            connection,
            identity: None,
            signs_refused: false,
        })
    }

    /// By hand and not by the library, so that each refusal can be told from the other.
    async fn login(&self, username: Option<&str>, Secret(password): &Secret) -> Result<(), Error> {
        let mut auth = redis::cmd("AUTH");
        if let Some(username) = username {
            auth.arg(username);
        }
        match self.ask(auth.arg(password)).await {
            // A Redis with `maxclients` connections answers the first command of the next one so.
            Err(Error::Reply { code, text })
                if code == "WRONGPASS"
                    || code == "ERR" && !text.contains("max number of clients") =>
            {
                Err(Error::Login(text))
            }
            other => other.map(drop),
        }
    }

    pub(super) async fn observe(&mut self) -> Result<Answer, Error> {
        let mut sections = vec!["replication", "persistence", "keyspace"];
        if self.identity.is_none() {
            sections.push("server");
        }
        let mut pipeline = redis::Pipeline::new();
        for section in &sections {
            pipeline.cmd("INFO").arg(section);
        }
        let (mut first, mut second) = (self.connection.clone(), self.connection.clone());
        // PING on its own: where Redis says one sentence and hangs up (maxclients, protected mode), the
        // sentence is the answer to the first command, and a pipeline would lose it.
        let ping = redis::cmd("PING");
        let pong = async {
            match accept(first.send_packed_command(&ping).await).and_then(pong_only) {
                Err(error) if error.is_broken() => Err(error),
                answer => Ok(answer.err()),
            }
        };
        let infos = async {
            Ok(second
                .send_packed_commands(&pipeline, 0, sections.len())
                .await)
        };
        match tokio::try_join!(pong, infos)? {
            (Some(trouble), Err(_)) => Ok((Some(trouble), None)),
            (trouble, infos) => self.understand(trouble, infos?),
        }
    }

    fn understand(&mut self, ping: Option<Error>, infos: Vec<Value>) -> Result<Answer, Error> {
        let mut texts = Vec::with_capacity(infos.len());
        for reply in infos {
            match accept(Ok(reply)) {
                Ok(reply) => texts.push(text(&reply)?),
                Err(error) => return Ok((Some(ping.unwrap_or(error)), None)),
            }
        }
        if let Some(server) = texts.get(3) {
            self.identity = info::identity(server);
        }
        let (Some(identity), [replication, persistence, keyspace, ..]) =
            (&self.identity, &texts[..])
        else {
            return Err(Error::Garbage("INFO tells no run_id".to_owned()));
        };
        let seen = info::observation(identity.run_id, replication, persistence, keyspace)
            .ok_or_else(|| Error::Garbage("INFO tells no role".to_owned()))?;
        Ok((ping, Some(seen)))
    }

    /// `REPLICAOF` (since 5.0), or its old name where that is unknown or renamed.
    async fn replicate(&self, host: &str, port: &str) -> Result<(), Error> {
        match self.ask(&words(&["REPLICAOF", host, port])).await {
            Err(Error::Reply { text, .. }) if text.contains("unknown command") => {
                self.ask(&words(&["SLAVEOF", host, port])).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    pub(super) async fn section(&self, name: &str) -> Result<String, Error> {
        text(&self.ask(&words(&["INFO", name])).await?)
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Error> {
        accept(self.connection.clone().send_packed_command(command).await)
    }
}

/// What `ROLE` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: RedisRole,
    /// Whom a replica follows.
    pub master: Option<Endpoint>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.master {
            Some(master) => write!(f, "{} of {master}", self.role),
            None => self.role.fmt(f),
        }
    }
}

/// What [`Link::follow`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Nothing: it followed that master already.
    Already,
    /// It followed another one before.
    Changed,
    /// It was a master before.
    SteppedDown,
}

pub(super) fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

/// An error reply is an error here, wherever the library puts it.
pub(super) fn accept(reply: Result<Value, RedisError>) -> Result<Value, Error> {
    Ok(reply?.extract_error()?)
}

fn pong_only(reply: Value) -> Result<(), Error> {
    match reply {
        Value::SimpleString(word) if word == "PONG" => Ok(()),
        other => Err(Error::Garbage(format!(
            "PING was answered by {}",
            kind(&other)
        ))),
    }
}

pub(super) fn text(reply: &Value) -> Result<String, Error> {
    match reply {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Ok(text.clone()),
        other => Err(Error::Garbage(format!(
            "text expected, not {}",
            kind(other)
        ))),
    }
}

fn standing(reply: &Value) -> Option<Standing> {
    let Value::Array(parts) = reply else {
        return None;
    };
    match (
        text(parts.first()?).ok()?.as_str(),
        parts.get(1),
        parts.get(2),
    ) {
        ("master", _, _) => Some(Standing {
            role: RedisRole::Master,
            master: None,
        }),
        ("slave" | "replica", Some(host), Some(Value::Int(port))) => Some(Standing {
            role: RedisRole::Replica,
            master: Some(Endpoint {
                host: text(host).ok()?,
                port: u16::try_from(*port).ok()?,
            }),
        }),
        _ => None,
    }
}

/// The sort of a value, for messages: its content may be anything.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) => "another text",
        Value::Okay => "OK",
        Value::Array(_) => "an array",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read() {
        let read = |text: &str| standing(&redis::parse_redis_value(text.as_bytes()).unwrap());
        let master = read("*3\r\n$6\r\nmaster\r\n:42\r\n*0\r\n").unwrap();
        assert_eq!(
            master,
            Standing {
                role: RedisRole::Master,
                master: None
            }
        );
        let replica =
            read("*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:42\r\n");
        assert_eq!(replica.unwrap().to_string(), "replica of 10.0.0.1:6379");
        assert_eq!(read("*2\r\n$8\r\nsentinel\r\n*0\r\n"), None);
        assert_eq!(read(":1\r\n"), None);
    }
}
