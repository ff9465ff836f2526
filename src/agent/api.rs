//! What travels over the Unix socket: paths and bodies, shared by the server and the command line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::journal::{Error, Reader, VolumeStats, verify};
use crate::model::event::RedisRequest;
use crate::model::record::Seq;
use crate::views::json::SCHEMA;
use crate::views::rfc3339;

/// `GET`: the whole node, as [`crate::views::status::Status`].
pub const STATUS: &str = "/v1/status";
/// `GET`: records that match a query, one JSON object a line.
pub const HISTORY: &str = "/v1/history";
/// `GET`: the journal's entries as they are on the disk, framed.
pub const FRAMES: &str = "/v1/frames";
/// `GET`: how much the journal holds, as [`JournalStats`].
pub const JOURNAL: &str = "/v1/journal";
/// `POST` [`Compact`]: seals everything that is there; answers when it is done.
pub const COMPACT: &str = "/v1/journal/compact";
/// `GET`: reads all of the journal and tells the first thing that is wrong, as [`Verified`].
pub const VERIFY: &str = "/v1/journal/verify";
/// `GET`, followed by the name of an instance: 200 if Redis is well there, else 503.
pub const CHECK: &str = "/v1/check";
/// `POST` [`Pause`].
pub const PAUSE: &str = "/v1/pause";
/// `POST` [`Resume`].
pub const RESUME: &str = "/v1/resume";
/// `POST` [`Ack`].
pub const ACK: &str = "/v1/ack";
/// `POST` [`RedisAsk`]; answers when it is done.
pub const REDIS: &str = "/v1/redis";
/// `GET`, followed by the name of an instance and perhaps [`SwitchoverTo`]: each thing that must be so, as
/// [`SwitchoverCheck`]s. `POST` [`SwitchoverAsk`]: does it; answers when it is over.
pub const SWITCHOVER: &str = "/v1/switchover";
/// So long each half of a switchover may take: clients are made to wait.
pub const SWITCHOVER_LONGEST: Duration = Duration::from_secs(60);
/// `GET`: the configuration in force, as `rha config show` prints it.
pub const CONFIG: &str = "/v1/config";
/// `POST` [`DrillBegun`]: it is recorded before anything is broken.
pub const DRILL: &str = "/v1/drill";
/// `POST` [`DrillDone`].
pub const DRILL_END: &str = "/v1/drill/end";
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

/// Take notice of what is wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Which instance; all where there is none.
    pub instance: Option<String>,
    /// What is known or done about it.
    #[serde(default)]
    pub note: String,
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

/// To which node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchoverTo {
    /// Its name; the one that VRRP chooses where there is none.
    pub to: Option<String>,
}

/// Hand the VIP and the writes to another node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchoverAsk {
    /// Which instance.
    pub instance: String,
    /// To which node; the one that VRRP chooses where there is none.
    pub to: Option<String>,
    /// How long each half may take, in milliseconds.
    pub within_ms: u64,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// Something is about to be broken on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillBegun {
    /// Which instance.
    pub instance: String,
    /// Which drill, by its word.
    pub drill: String,
    /// For how long at most, in milliseconds.
    pub for_ms: u64,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// It is as before again, or could not be put right.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillDone {
    /// Which instance.
    pub instance: String,
    /// Which drill, by its word.
    pub drill: String,
    /// It is as before.
    pub restored: bool,
    /// Why it ended then, and what was done or failed.
    pub how: String,
    /// The command line, for the record.
    #[serde(default)]
    pub command: String,
}

/// Something that must be so before a switchover.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SwitchoverCheck {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub asks: String,
    /// It is so.
    pub passes: bool,
}

/// Seal what the journal holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compact {}

/// How much the journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStats {
    /// Number of the JSON schema.
    pub schema: u16,
    /// Records, those held included.
    pub records: u64,
    /// Quiet checks that are held back and not on the disk yet.
    pub held: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Oldest first.
    pub volumes: Vec<Volume>,
}

/// What a full reading of the journal found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Good records, up to the first bad one.
    pub records: u64,
    /// Packed runs of quiet checks among them.
    pub blocks: u64,
    /// The first record.
    pub first: Option<Seq>,
    /// The last good record.
    pub last: Option<Seq>,
    /// The first that is bad.
    pub first_bad: Option<Bad>,
    /// The first that is bad in each volume behind that.
    #[serde(default)]
    pub more_bad: Vec<Bad>,
}

/// A bad record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Which.
    pub seq: Seq,
    /// What is wrong with it.
    pub why: String,
}

impl Verified {
    /// Reads all of the journal.
    ///
    /// # Errors
    /// I/O.
    pub fn of(reader: &Reader) -> Result<Self, Error> {
        let report = reader.verify();
        let bad = |bad: verify::Bad| Bad {
            seq: bad.seq,
            why: bad.why,
        };
        let first_bad = match reader.check_beginning() {
            Err(Error::Damaged { seq, why }) => Some(Bad {
                seq: seq.unwrap_or(Seq(1)),
                why,
            }),
            Err(error) => return Err(error),
            Ok(()) => report.first_bad.map(bad),
        };
        let behind = first_bad
            .as_ref()
            .map(|first| reader.verify_behind(first.seq));
        let more_bad = behind.into_iter().flatten().map(bad).collect();
        // Else it was not read to its end.
        reader.lent()?;
        Ok(Self {
            records: report.records,
            blocks: report.blocks,
            first: report.first,
            last: report.last,
            first_bad,
            more_bad,
        })
    }
}

/// One volume of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its first record.
    pub first: u64,
    /// Records on the disk.
    pub records: u64,
    /// What they take there.
    pub bytes: u64,
    /// It never changes again.
    pub sealed: bool,
    /// Time of its first record, RFC 3339 in UTC; none while it is empty.
    pub from: Option<String>,
    /// Time of its last record.
    pub to: Option<String>,
}

impl JournalStats {
    /// Looks at a journal.
    ///
    /// # Errors
    /// Damage, I/O.
    pub fn of(journal: &Reader) -> Result<Self, Error> {
        let stats = journal.stats()?;
        let volume = |volume: VolumeStats| Volume {
            first: volume.first.0,
            records: volume.records,
            bytes: volume.bytes,
            sealed: volume.sealed,
            from: volume.wall_us.map(|(from, _)| rfc3339(from)),
            to: volume.wall_us.map(|(_, to)| rfc3339(to)),
        };
        Ok(Self {
            schema: SCHEMA,
            records: stats.records,
            held: stats.held,
            bytes: stats.bytes,
            volumes: journal.volumes()?.into_iter().map(volume).collect(),
        })
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// It was done.
    pub ok: bool,
    /// One line.
    pub text: String,
}
