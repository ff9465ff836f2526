//! etcd, version 3 (3.4 and newer), by its JSON gateway: leases, and keys that are written if nobody else has written them.
//!
//! What the gateway does that JSON alone does not tell: keys and values are base64, 64-bit numbers are strings, a number that
//! is 0 is left out, and the keeping alive of a lease is a stream, of which one line is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};

use super::http;
use super::redis::Secret;

/// Longest answer, in bytes: all that is asked for is one key.
const ANSWER_MAX: usize = 64 << 10;

/// Why etcd did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No member answered: the reason of the last that was tried.
    #[error("{0}")]
    Unanswered(String),
    /// It said no.
    #[error("etcd says: {0}")]
    Refused(String),
    /// The answer is not etcd's.
    #[error("not an answer of etcd: {0}")]
    Garbage(String),
}

/// What stands at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its value.
    pub value: String,
    /// The lease that it goes with; 0 for none.
    pub lease: i64,
    /// Changes with every write of it.
    pub revision: i64,
}

/// The members of one etcd, tried in turn.
#[derive(Debug)]
pub struct Etcd {
    client: Client,
    members: Vec<Url>,
    login: Option<Login>,
    /// What the login was answered with.
    token: Mutex<Option<String>>,
    /// The one that answered last.
    first: AtomicUsize,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user.
    pub name: String,
    /// The password.
    pub password: Secret,
}

impl Etcd {
    /// Of `members`, each of which may take as long as `timeout`. At least one.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        members: Vec<Url>,
        login: Option<Login>,
        timeout: Duration,
    ) -> Result<Self, http::Error> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // A proxy for the web is none for this.
            .no_proxy()
            .timeout(timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| http::Error::Impossible(http::describe(error)))?;
        Ok(Self {
            client,
            members,
            login,
            token: Mutex::new(None),
            first: AtomicUsize::new(0),
        })
    }

    /// A lease that ends after `ttl` (etcd makes it longer where that is shorter than it allows, and in whole seconds), unless it
    /// is kept alive. Its number.
    ///
    /// # Errors
    /// Any.
    pub async fn grant(&self, ttl: Duration) -> Result<i64, Error> {
        let seconds = ttl.as_millis().div_ceil(1000).to_string();
        let answer = self.post("lease/grant", &json!({ "TTL": seconds })).await?;
        match number(&answer["ID"]) {
            0 => Err(garbage(&answer)),
            lease => Ok(lease),
        }
    }

    /// Has a lease begin anew. False if it is over.
    ///
    /// # Errors
    /// Any.
    pub async fn keep_alive(&self, lease: i64) -> Result<bool, Error> {
        let ask = json!({ "ID": lease.to_string() });
        let answer = self.post("lease/keepalive", &ask).await?;
        Ok(number(&answer["result"]["TTL"]) > 0)
    }

    /// Ends a lease, and what goes with it.
    ///
    /// # Errors
    /// Any; [`Error::Refused`] where it is over already.
    pub async fn revoke(&self, lease: i64) -> Result<(), Error> {
        let ask = json!({ "ID": lease.to_string() });
        self.post("lease/revoke", &ask).await.map(drop)
    }

    /// What stands at `key`, as a majority of the members knows it.
    ///
    /// # Errors
    /// Any.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, Error> {
        let answer = self
            .post("kv/range", &json!({ "key": encoded(key) }))
            .await?;
        let Some(found) = answer["kvs"].get(0) else {
            return Ok(None);
        };
        let value = found["value"].as_str().unwrap_or_default();
        let value = STANDARD.decode(value).map_err(|_| garbage(&answer))?;
        Ok(Some(Entry {
            value: String::from_utf8_lossy(&value).into_owned(),
            lease: number(&found["lease"]),
            revision: number(&found["mod_revision"]),
        }))
    }

    /// Writes `value` with `lease`, or with none, if nobody has written `key` since it was `found`. False if somebody has.
    ///
    /// # Errors
    /// Any; [`Error::Refused`] where the lease is over.
    pub async fn put_if(
        &self,
        key: &str,
        found: Option<&Entry>,
        value: &str,
        lease: Option<i64>,
    ) -> Result<bool, Error> {
        let key = encoded(key);
        let unchanged = match found {
            Some(entry) => json!({
                "key": key, "result": "EQUAL", "target": "MOD", "mod_revision": entry.revision.to_string(),
            }),
            None => json!({
                "key": key, "result": "EQUAL", "target": "CREATE", "create_revision": "0",
            }),
        };
        let put = json!({
            "key": key, "value": encoded(value), "lease": lease.unwrap_or(0).to_string(),
        });
        let ask = json!({ "compare": [unchanged], "success": [{ "request_put": put }] });
        let answer = self.post("kv/txn", &ask).await?;
        Ok(answer["succeeded"].as_bool().unwrap_or(false))
    }

    /// Logs in where that is asked for; a token lasts for some minutes only.
    async fn post(&self, method: &str, ask: &Value) -> Result<Value, Error> {
        match (&self.login, self.post_in_turn(method, ask).await) {
            (Some(login), Err(Error::Refused(_))) => {
                let who = json!({ "name": login.name, "password": login.password.0 });
                *self.token() = None;
                let answer = self.post_in_turn("auth/authenticate", &who).await?;
                *self.token() = answer["token"].as_str().map(str::to_owned);
                self.post_in_turn(method, ask).await
            }
            (_, answered) => answered,
        }
    }

    fn token(&self) -> MutexGuard<'_, Option<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of the first member that gives one.
    async fn post_in_turn(&self, method: &str, ask: &Value) -> Result<Value, Error> {
        let first = self.first.load(Ordering::Relaxed);
        let mut last = Error::Unanswered("there is no member".to_owned());
        for turn in 0..self.members.len() {
            let index = (first + turn) % self.members.len();
            match self.post_to(&self.members[index], method, ask).await {
                Err(error @ (Error::Unanswered(_) | Error::Garbage(_))) => last = error,
                answered => {
                    self.first.store(index, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last)
    }

    async fn post_to(&self, member: &Url, method: &str, ask: &Value) -> Result<Value, Error> {
        let at = |error: reqwest::Error| {
            let host = member.host_str().unwrap_or_default();
            Error::Unanswered(format!("{host}: {}", http::describe(error)))
        };
        let url = format!("{}/v3/{method}", member.as_str().trim_end_matches('/'));
        let mut request = self.client.post(url).json(ask);
        if let Some(token) = self.token().clone() {
            request = request.header("Authorization", token);
        }
        let answer = request.send().await.map_err(at)?;
        let status = answer.status();
        let line = first_line(answer).await.map_err(at)?;
        let said: Option<Value> = serde_json::Deserializer::from_slice(&line)
            .into_iter()
            .next()
            .and_then(Result::ok);
        let text = |said: &Value| said["error"].as_str().map(str::to_owned);
        match said {
            Some(said) if status.is_success() => Ok(said),
            // No leader, no majority, a request that was given up: another member may know better.
            _ if status.is_server_error() => {
                let why = said.as_ref().and_then(text);
                Err(Error::Unanswered(why.unwrap_or_else(|| status.to_string())))
            }
            Some(said) => Err(Error::Refused(
                text(&said).unwrap_or_else(|| status.to_string()),
            )),
            None => Err(Error::Garbage(status.to_string())),
        }
    }
}

/// A stream goes on behind it.
async fn first_line(mut answer: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut line = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        line.extend_from_slice(&piece);
        if line.contains(&b'\n') || line.len() > ANSWER_MAX {
            break;
        }
    }
    line.truncate(ANSWER_MAX);
    Ok(line)
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

fn number(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_i64()).unwrap_or(0)
}

fn garbage(answer: &Value) -> Error {
    Error::Garbage(answer.to_string().chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_strings_or_left_out() {
        let answer = json!({ "ID": "7587899213643145733", "TTL": 3 });
        assert_eq!(number(&answer["ID"]), 7_587_899_213_643_145_733);
        assert_eq!(number(&answer["TTL"]), 3);
        assert_eq!(number(&answer["lease"]), 0);
    }

    #[tokio::test]
    async fn a_member_that_is_not_there_is_named() {
        let members = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
        let members = members.iter().map(|url| url.parse().unwrap()).collect();
        let etcd = Etcd::new(members, None, Duration::from_secs(1)).unwrap();
        let error = etcd.get("key").await.unwrap_err();
        assert!(matches!(error, Error::Unanswered(_)), "{error}");
        assert!(error.to_string().starts_with("127.0.0.1: "), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
