//! Entries on their way to another process: the socket's answer, and the body of an export.
//!
//! ```text
//! header  "RHAJRNL" version (1 byte) anchor (16 bytes: the hash before the first entry)
//! state   length (u32 big endian), 0 (u64), what the records before the first fold to: a snapshot file. If any
//! frame   length of the value (u32 big endian, not 0), key (u64 big endian), value as stored
//! end     0 (u32), number of frames (u64 big endian)
//! ```
//!
//! Who reads the stream checks the same chain as who reads the disk.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use crate::model::record::{Record, Seq};

use super::codec::{Chain, FORMAT, Hash, MAX_VALUE};
use super::error::Error;
use super::records::Flat;
use super::snapshot::{self, Fold};
use super::store::Pair;

const MAGIC: &[u8; 7] = b"RHAJRNL";
/// That of the newest entries in it.
const VERSION: u8 = FORMAT;

/// One entry: its key and its stored value.
pub type Frame = (u64, Vec<u8>);

/// Entries as stored, oldest first. See [`super::Reader::frames`]. An error is the last item.
pub struct Frames {
    anchor: Hash,
    snapshot: Option<Vec<u8>>,
    frames: Box<dyn Iterator<Item = Result<Frame, Error>> + Send>,
}

impl Frames {
    pub(super) fn new(
        anchor: Hash,
        snapshot: Option<Vec<u8>>,
        stored: impl Iterator<Item = Result<Pair, Error>> + Send + 'static,
        held: Option<Frame>,
    ) -> Self {
        let stored = stored.map(|pair| pair.map(|(key, value)| (key, value.to_vec())));
        Self {
            anchor,
            snapshot,
            frames: Box::new(stored.chain(held.map(Ok))),
        }
    }

    /// Leaves out the entries that begin at `end` or later.
    #[must_use]
    pub fn below(self, end: Seq) -> Self {
        let inside =
            move |frame: &Result<Frame, Error>| !matches!(frame, Ok((key, _)) if *key >= end.0);
        Self {
            anchor: self.anchor,
            snapshot: self.snapshot,
            frames: Box::new(self.frames.take_while(inside)),
        }
    }

    /// The bytes to send, a piece for each entry: header, frames, end. After an error nothing
    /// follows, so that the other side sees a stream that was cut off.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        Stream {
            frames: Some(self),
            begun: false,
            sent: 0,
        }
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.frames.next()
    }
}

/// The bytes of a journal stream, in pieces. See [`Frames::into_stream`].
pub struct Stream {
    /// Gone when the end is written.
    frames: Option<Frames>,
    begun: bool,
    sent: u64,
}

impl Iterator for Stream {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let frames = self.frames.as_mut()?;
        if !self.begun {
            self.begun = true;
            return Some(Ok([MAGIC.as_slice(), &[VERSION], &frames.anchor.0].concat()));
        }
        if let Some(snapshot) = frames.snapshot.take() {
            return Some(Ok(piece(snapshot.len() as u32, 0, &snapshot)));
        }
        match frames.next() {
            Some(Ok((key, value))) => {
                self.sent += 1;
                Some(Ok(piece(value.len() as u32, key, &value)))
            }
            Some(Err(e)) => {
                self.frames = None;
                Some(Err(e))
            }
            None => {
                self.frames = None;
                Some(Ok(piece(0, self.sent, &[])))
            }
        }
    }
}

/// A stored value is at most [`MAX_VALUE`] long, so its length fits.
fn piece(length: u32, key: u64, value: &[u8]) -> Vec<u8> {
    [length.to_be_bytes().as_slice(), &key.to_be_bytes(), value].concat()
}

/// Reads a stream back into records, as safely as from the disk. An error is the last item.
#[derive(Debug)]
pub struct FrameReader<R: Read> {
    records: Flat<Input<R>>,
    snapshot: Option<Snapshot>,
}

/// A state that came with a stream.
#[derive(Debug)]
struct Snapshot {
    bytes: Vec<u8>,
    first: u64,
    before: Hash,
}

impl<R: Read> FrameReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// `NotAStream`, `NewerFormat`, `CutOff`, `Stream`.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut input = Input {
            input: BufReader::new(input),
            frames: 0,
            ahead: None,
        };
        if input.exact()? != *MAGIC {
            return Err(Error::NotAStream);
        }
        let [version] = input.exact()?;
        if version == 0 {
            return Err(Error::NotAStream);
        }
        if version > VERSION {
            return Err(Error::NewerFormat {
                found: version,
                known: VERSION,
            });
        }
        let anchor = Hash(input.exact()?);
        let snapshot = input.state()?.map(|bytes| Snapshot {
            bytes,
            first: input.first(),
            before: anchor,
        });
        Ok(Self {
            records: Flat::new(input, Chain::behind(anchor, None)),
            snapshot,
        })
    }

    /// What the records before the first fold to; the default where nothing is said of that.
    ///
    /// # Errors
    /// `NewerFormat`.
    pub fn before_first<F: Fold>(&self) -> Result<F, Error> {
        let snapshot = self.snapshot.as_ref();
        let fold = snapshot.map_or(Ok(None), |told| {
            snapshot::decode(&told.bytes, told.first, told.before)
        });
        fold.map(Option::unwrap_or_default)
    }
}

impl<R: Read> Iterator for FrameReader<R> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.records.next()
    }
}

/// The frames of a stream, unchecked. Not to be asked again after the end or an error.
#[derive(Debug)]
struct Input<R> {
    input: BufReader<R>,
    frames: u64,
    /// Length and key of the next frame, already read.
    ahead: Option<(usize, u64)>,
}

impl<R: Read> Input<R> {
    /// The state at the beginning, if there is one.
    fn state(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let (length, key) = self.head()?;
        let is_state = key == 0 && length > 0;
        if !is_state {
            self.ahead = Some((length, key));
            return Ok(None);
        }
        if length > snapshot::MOST {
            return Err(Error::damaged(key, format!("a state of {length} bytes")));
        }
        // Not taken at its word: what is said and does not come takes no memory.
        let mut bytes = Vec::new();
        let told = self
            .input
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut bytes);
        told.map_err(|e| Error::Stream {
            source: Arc::new(e),
        })?;
        if bytes.len() < length {
            return Err(Error::CutOff { frames: 0 });
        }
        self.ahead = Some(self.head()?);
        Ok(Some(bytes))
    }

    /// The key of the next frame.
    fn first(&self) -> u64 {
        self.ahead.map_or(0, |(_, key)| key)
    }

    fn head(&mut self) -> Result<(usize, u64), Error> {
        match self.ahead.take() {
            Some(head) => Ok(head),
            None => Ok((
                u32::from_be_bytes(self.exact()?) as usize,
                u64::from_be_bytes(self.exact()?),
            )),
        }
    }

    fn frame(&mut self) -> Result<Option<Frame>, Error> {
        let (length, key) = self.head()?;
        if length == 0 {
            let whole = key == self.frames;
            return if whole {
                Ok(None)
            } else {
                Err(Error::CutOff {
                    frames: self.frames,
                })
            };
        }
        if length > MAX_VALUE {
            return Err(Error::damaged(key, format!("an entry of {length} bytes")));
        }
        let mut value = vec![0; length];
        self.fill(&mut value)?;
        self.frames += 1;
        Ok(Some((key, value)))
    }

    fn exact<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), Error> {
        self.input.read_exact(into).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Error::CutOff {
                frames: self.frames,
            },
            _ => Error::Stream {
                source: Arc::new(e),
            },
        })
    }
}

impl<R: Read> Iterator for Input<R> {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.frame().transpose()
    }
}
