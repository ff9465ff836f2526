//! What an agent shows of itself at its own Redis: it subscribes to a channel. Redis forgets it with the connection, so a
//! sign never outlives its agent; nothing is ever published.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, Value};

use super::link::words;
use super::{Error, Link, Secret, Target};
use crate::model::redis::Sign;

fn channel(sign: Sign) -> String {
    format!("rha:{}", sign.word())
}

/// A subscription that is the sign.
pub struct SignPost {
    sink: PubSubSink,
    stream: PubSubStream,
    sign: Sign,
}

impl SignPost {
    /// Connects, logs in and shows `sign`, within `timeout`.
    ///
    /// # Errors
    /// Any; [`Error::Reply`] where the user may not subscribe to `rha:*`.
    pub async fn raise(target: &Target, sign: Sign, timeout: Duration) -> Result<Self, Error> {
        let raise = async {
            let mut post = dial(target).await?;
            post.subscribe(channel(sign)).await?;
            let (sink, stream) = post.split();
            Ok(Self { sink, stream, sign })
        };
        tokio::time::timeout(timeout, raise)
            .await
            .unwrap_or(Err(Error::Timeout))
    }

    /// Shows another sign: both for a moment, for none would be a sign of its own.
    ///
    /// # Errors
    /// Any.
    pub async fn change(&mut self, sign: Sign, timeout: Duration) -> Result<(), Error> {
        if sign == self.sign {
            return Ok(());
        }
        let change = async {
            self.sink.subscribe(channel(sign)).await?;
            Ok(self.sink.unsubscribe(channel(self.sign)).await?)
        };
        tokio::time::timeout(timeout, change)
            .await
            .unwrap_or(Err(Error::Timeout))?;
        self.sign = sign;
        Ok(())
    }

    /// Ends when the connection does. What others publish here is of no interest.
    pub async fn gone(&mut self) {
        while self.stream.next().await.is_some() {}
    }
}

impl Link {
    /// What the agent of that Redis shows; `None` where it shows nothing, or this user may not ask.
    ///
    /// # Errors
    /// Those for which [`Error::is_broken`].
    pub async fn sign(&mut self) -> Result<Option<Sign>, Error> {
        if self.signs_refused {
            return Ok(None);
        }
        let channels = Sign::ALL.map(channel);
        let mut ask = vec!["PUBSUB", "NUMSUB"];
        ask.extend(channels.iter().map(String::as_str));
        match self.ask(&words(&ask)).await {
            Ok(reply) => Ok(shown(&reply)),
            Err(error) if error.is_broken() => Err(error),
            Err(_) => {
                self.signs_refused = true;
                Ok(None)
            }
        }
    }
}

/// `[channel, subscribers, …]`, in the order in which it was asked. While one sign takes the place of another, the one that
/// says more counts.
fn shown(reply: &Value) -> Option<Sign> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let counts = parts.iter().skip(1).step_by(2);
    let mut up = Sign::ALL.into_iter().zip(counts);
    let is_up = |count: &Value| matches!(count, Value::Int(1..));
    let up: Vec<Sign> = up
        .by_ref()
        .filter_map(|(sign, count)| is_up(count).then_some(sign))
        .collect();
    let leads = up.iter().find(|sign| **sign == Sign::Leads);
    leads.or(up.last()).copied()
}

async fn dial(target: &Target) -> Result<PubSub, Error> {
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(Secret(password)) = &target.password {
        login = login.set_password(password);
        if let Some(username) = &target.username {
            login = login.set_username(username);
        }
    }
    let address = ConnectionAddr::Tcp(target.endpoint.host.clone(), target.endpoint.port);
    let info = address.into_connection_info()?.set_redis_settings(login);
    Ok(Client::open(info)?.get_async_pubsub().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_read() {
        let read = |counts: [i64; 4]| {
            let parts = counts
                .into_iter()
                .flat_map(|count| [Value::BulkString(b"rha:x".to_vec()), Value::Int(count)]);
            shown(&Value::Array(parts.collect()))
        };
        assert_eq!(read([0, 0, 0, 0]), None);
        assert_eq!(read([1, 0, 0, 0]), Some(Sign::Stands));
        assert_eq!(read([1, 1, 0, 0]), Some(Sign::Leads));
        assert_eq!(read([0, 2, 1, 0]), Some(Sign::Leads));
        assert_eq!(read([1, 0, 1, 0]), Some(Sign::Paused));
        assert_eq!(read([1, 0, 0, 1]), Some(Sign::Returns));
        assert_eq!(shown(&Value::Nil), None);
    }
}
