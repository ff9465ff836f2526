//! A part of a journal in one file, to be looked at elsewhere.
//!
//! ```text
//! line 1  "RHABUNDLE", version, blake3 of line 2 in hexadecimal
//! line 2  what it is: [`About`], as JSON
//! rest    zstd: a journal stream (see `frames.rs`), with the state before its first record
//! ```
//!
//! The stream carries the journal's own hash chain: a record of a bundle is as sure as one of the journal.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::seal::LEVEL;
use super::{Error, Fold, FrameReader};
use crate::model::record::{Record, Seq};

const MAGIC: &str = "RHABUNDLE";
/// The version that is written.
const VERSION: u8 = 1;
/// Neither line is longer: whatever else the file may be, no more of it is taken for one.
const MOST: u64 = 64 * 1024;

/// What a bundle is, in plain text at its beginning: `head -2 x.rha` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The node whose journal it was taken from.
    pub node: String,
    /// Its instances.
    pub instances: Vec<String>,
    /// The first record.
    pub first: Seq,
    /// The last record.
    pub last: Seq,
    /// When the first was decided, RFC 3339 in UTC.
    pub from: String,
    /// When the last was decided.
    pub to: String,
    /// The incident that it was made for.
    pub incident: Option<Seq>,
    /// The version of rha that made it.
    pub version: String,
    /// The version of the rules of that.
    pub ruleset: u16,
    /// The interval between keepalived's adverts that its configuration told when it was made, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advert_ms: Option<u64>,
}

impl About {
    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        (self.last.0 + 1).saturating_sub(self.first.0)
    }
}

/// What a compressed stream is written to: the third part of a bundle.
///
/// # Errors
/// There is not enough memory.
pub fn packer<W: Write>(out: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// What such a stream is read from.
///
/// # Errors
/// As above.
pub fn unpacker<R: Read>(input: R) -> io::Result<zstd::Decoder<'static, BufReader<R>>> {
    zstd::Decoder::new(input)
}

/// Writes the first two parts.
///
/// # Errors
/// Those of `out`.
pub fn head(about: &About, out: &mut dyn Write) -> io::Result<()> {
    let line = serde_json::to_string(about)?;
    let hash = blake3::hash(line.as_bytes());
    writeln!(out, "{MAGIC} {VERSION} {hash}\n{line}")
}

/// A bundle that is being read: its records, oldest first. An error is the last item.
pub struct Bundle<R: Read> {
    about: About,
    records: FrameReader<zstd::Decoder<'static, BufReader<R>>>,
    last: Option<Seq>,
}

impl Bundle<BufReader<File>> {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// `Io`, and those of [`Self::read`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        Self::read(BufReader::new(file))
    }
}

impl<R: BufRead> Bundle<R> {
    /// Reads what it is.
    ///
    /// # Errors
    /// `NotABundle`, `NewerBundle`, `NewerFormat`, `CutOff`, `Stream`.
    pub fn read(mut input: R) -> Result<Self, Error> {
        let about = about(&mut input)?;
        let stream = unpacker(input).map_err(Error::stream)?;
        let records = FrameReader::new(stream).map_err(|e| match e {
            // The head says that it is a bundle.
            Error::NotAStream => Error::damaged(about.first.0, "its records are no journal stream"),
            other => other,
        })?;
        Ok(Self {
            about,
            records,
            last: None,
        })
    }
}

impl<R: Read> Bundle<R> {
    /// What it is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What the records before its first come to.
    ///
    /// # Errors
    /// `NewerFormat`.
    pub fn before_first<F: Fold>(&self) -> Result<F, Error> {
        self.records.before_first()
    }
}

impl<R: Read> Iterator for Bundle<R> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let About { first, last, .. } = self.about;
        let record = self.records.next();
        match &record {
            Some(Ok(record)) => {
                if self.last.is_none() && record.seq != first {
                    return Some(Err(Error::damaged(
                        record.seq.0,
                        format!("it should begin with record {first}"),
                    )));
                }
                self.last = Some(record.seq);
            }
            None if self.last != Some(last) => {
                let last_read = self.last.replace(last).map_or(0, |seq| seq.0);
                return Some(Err(Error::damaged(
                    last_read,
                    format!("it should end with record {last}"),
                )));
            }
            _ => {}
        }
        record
    }
}

fn about(input: &mut impl BufRead) -> Result<About, Error> {
    let mut line = || -> Result<String, Error> {
        let mut bytes = Vec::new();
        let read = input.by_ref().take(MOST).read_until(b'\n', &mut bytes);
        read.map_err(Error::stream)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::NotABundle)?;
        text.strip_suffix('\n')
            .map(str::to_owned)
            .ok_or(Error::NotABundle)
    };
    let first = line()?;
    let mut words = first.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(Error::NotABundle);
    }
    let version: u8 = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or(Error::NotABundle)?;
    if version > VERSION {
        return Err(Error::NewerBundle {
            found: version,
            known: VERSION,
        });
    }
    let text = line()?;
    let hash = blake3::hash(text.as_bytes()).to_string();
    let damaged = || Error::damaged_somewhere("the head of the bundle is not what was written");
    if words.next() != Some(hash.as_str()) {
        return Err(damaged());
    }
    serde_json::from_str(&text).map_err(|_| damaged())
}
