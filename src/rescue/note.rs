//! What is known of a saved data set: the small file beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is known of a saved data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Version of this form: 1.
    pub schema: u16,
    /// The instance whose Redis it was.
    pub instance: String,
    /// The node where it was.
    pub node: String,
    /// Promotions on that node so far.
    pub epoch: u64,
    /// When it was saved, RFC 3339 in UTC.
    pub at: String,
    /// Its replication stream, and how far it had come in it.
    pub replid: String,
    /// In bytes of that stream.
    pub offset: i64,
    /// The Redis that it was to follow, `host:port`.
    pub target: String,
    /// How many bytes of the stream that one lacked; `None` where this cannot be told.
    pub diverged_bytes: Option<u64>,
    /// Keys in all databases.
    pub keys: u64,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// `redis_version` of the Redis that wrote it; empty where it was not told.
    pub redis_version: String,
}

impl Note {
    /// One for tests.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            schema: 1,
            instance: "redis".to_owned(),
            node: "lvs1".to_owned(),
            epoch: 3,
            at: "2026-08-03T06:00:01.000123Z".to_owned(),
            replid: "09".repeat(20),
            offset: 98_765,
            target: "192.168.192.161:6379".to_owned(),
            diverged_bytes: Some(1_450),
            keys: 12,
            bytes: 1_187,
            redis_version: "7.0.15".to_owned(),
        }
    }

    /// The name of the data set's file: instance, epoch, offset and time.
    #[must_use]
    pub fn file_name(&self) -> String {
        let digits = |c: &char| c.is_ascii_alphanumeric();
        let seconds = self.at.split('.').next().unwrap_or_default();
        let time: String = seconds.chars().filter(digits).collect();
        let time = time.trim_end_matches('Z');
        format!(
            "{}-e{}-o{}-{time}Z.rdb",
            self.instance, self.epoch, self.offset
        )
    }

    /// Where the note of the data set at `rdb` is.
    #[must_use]
    pub fn place(rdb: &Path) -> PathBuf {
        rdb.with_extension("json")
    }

    /// The note beside `rdb`; `None` where there is none that can be read.
    #[must_use]
    pub fn beside(rdb: &Path) -> Option<Self> {
        let text = fs::read(Self::place(rdb)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The file's text.
    ///
    /// # Errors
    /// None that is known: there is nothing in it that JSON cannot tell.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}
