//! What travels over the Unix socket: paths and bodies, shared by the server and the command line.

use serde::{Deserialize, Serialize};

use crate::model::event::RedisRequest;

/// `GET`: the whole node, as [`crate::views::status::Status`].
pub const STATUS: &str = "/v1/status";
/// `GET`: records that match a query, one JSON object a line.
pub const HISTORY: &str = "/v1/history";
/// `GET`: the journal's entries as they are on the disk, framed.
pub const FRAMES: &str = "/v1/frames";
/// `GET`, followed by the name of an instance: 200 if Redis is well there, else 503.
pub const CHECK: &str = "/v1/check";
/// `POST` [`Pause`].
pub const PAUSE: &str = "/v1/pause";
/// `POST` [`Resume`].
pub const RESUME: &str = "/v1/resume";
/// `POST` [`RedisAsk`]; answers when it is done.
pub const REDIS: &str = "/v1/redis";
/// `GET`: the agent is alive.
pub const HEALTHZ: &str = "/healthz";

/// Suspend automatic actions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which instance; all where there is none.
    pub instance: Option<String>,
    /// For how long, in milliseconds; until resumed where there is none.
    pub for_ms: Option<u64>,
    /// Why.
    pub reason: String,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// End a pause.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Which instance; all where there is none.
    pub instance: Option<String>,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// Start, stop or restart the local Redis.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisAsk {
    /// Which instance.
    pub instance: String,
    /// What.
    pub request: RedisRequest,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// It was done.
    pub ok: bool,
    /// One line.
    pub text: String,
}
