//! What Redis itself answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role that Redis reports (`ROLE`, `INFO replication`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisRole {
    /// Takes writes.
    Master,
    /// Follows another Redis.
    Replica,
}

impl fmt::Display for RedisRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Master => "master",
            Self::Replica => "replica",
        })
    }
}

/// How a probe ended. Which grades count towards `fall` is in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// Answered in time.
    Ok,
    /// Answered, but slower than `slow`.
    Slow,
    /// `-LOADING`: reading its data set from disk.
    Loading,
    /// `-BUSY`: a script runs past its limit.
    Busy,
    /// No answer before the probe's deadline.
    Timeout,
    /// Nothing listens at the port.
    Refused,
    /// No route, no host, connection reset.
    Unreachable,
    /// `-NOAUTH`, `-WRONGPASS`, `-NOPERM`: alive, but our credentials are wrong.
    Auth,
    /// `-MISCONF`: cannot save to disk and refuses writes.
    Misconf,
    /// Answers something that is not Redis' protocol.
    Garbage,
    /// `-MASTERDOWN`, or another error reply that a live Redis gives.
    Degraded,
}

impl Grade {
    /// Every grade, in stored order.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Slow,
        Self::Loading,
        Self::Busy,
        Self::Timeout,
        Self::Refused,
        Self::Unreachable,
        Self::Auth,
        Self::Misconf,
        Self::Garbage,
        Self::Degraded,
    ];

    /// The word used in the configuration, history and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Loading => "loading",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Auth => "auth",
            Self::Misconf => "misconf",
            Self::Garbage => "garbage",
            Self::Degraded => "degraded",
        }
    }

    /// Redis answered and can be asked to do something.
    #[must_use]
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ok | Self::Slow | Self::Degraded)
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A 40-digit hexadecimal identity as Redis writes it (`run_id`, `master_replid`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RedisId(pub [u8; 20]);

impl RedisId {
    /// Reads the 40 hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut id = [0; 20];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for RedisId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RedisId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What an agent shows of itself, by the channel of its own Redis that it subscribes to. Whoever can ask that Redis sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// It is there, and has not decided that its node leads.
    Stands,
    /// It has decided that its node leads.
    Leads,
    /// It does not lead, and an operator has paused it: it would not.
    Paused,
    /// It was fenced, has more than who leads now, and would lead again.
    Returns,
}

impl Sign {
    /// Every sign, in stored order.
    pub const ALL: [Self; 4] = [Self::Stands, Self::Leads, Self::Paused, Self::Returns];

    /// The word in history, and at the end of the channel's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stands => "stands",
            Self::Leads => "leads",
            Self::Paused => "paused",
            Self::Returns => "returns",
        }
    }
}

/// Where a Redis can be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// IP address or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// Port 1 of the loopback: where no Redis is.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 1,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What a Redis said of itself (`INFO server`, `replication`, `persistence`, `keyspace`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The role that it reports.
    pub role: RedisRole,
    /// Identity of the process; a new one means that Redis was restarted.
    pub run_id: RedisId,
    /// `master_replid`: the history that its data set belongs to.
    pub replid: RedisId,
    /// `master_replid2`: the history that it was promoted out of.
    pub replid2: RedisId,
    /// `second_repl_offset`: up to where `replid2` holds; -1 for none.
    pub second_offset: i64,
    /// `master_repl_offset` of a master, `slave_repl_offset` of a replica, in bytes.
    pub offset: i64,
    /// Whom it follows, where it is a replica.
    pub master: Option<Endpoint>,
    /// `master_link_status:up`.
    pub link_up: bool,
    /// `master_sync_in_progress:1`: its data set is being replaced.
    pub sync_in_progress: bool,
    /// `loading:1`.
    pub loading: bool,
    /// Replicas with `state=online`.
    pub replicas_online: u16,
    /// Keys in all databases.
    pub keys: u64,
}

impl Observation {
    /// A master to which nothing was written since it was promoted: it is still where it was then (`second_repl_offset` is the
    /// first place that is not of the stream before). Its pings to replicas count as writes, for they cannot be told apart.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let is_promoted = self.role == RedisRole::Master && self.second_offset > 0;
        is_promoted && self.offset == self.second_offset - 1
    }
}

/// One health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// It came when it was due, and not at once for something that had just happened. Only such checks count
    /// towards `fall` and `rise`: so many in a row are then so many intervals.
    pub paced: bool,
    /// How it ended.
    pub grade: Grade,
    /// How long it took, in microseconds.
    pub latency_us: u32,
    /// What Redis said, where it answered.
    pub observation: Option<Observation>,
}
