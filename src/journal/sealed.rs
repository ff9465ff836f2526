//! A sealed volume: a plain file that is written once, compressed, with all of its entries.
//!
//! ```text
//! header   "RHAVOL" version (2 bytes, big endian)
//! chunk    zstd frame of entries: length of the value (u32 big endian), key (u64 big endian), value
//! …
//! index    zstd frame of Index (bincode)
//! trailer  place, stored and raw length of the index (u64, u32, u32; big endian),
//!          blake3 of header and index (first 16 bytes), "RHASEAL"
//! ```
//!
//! Values are those of the journal, chained as ever: see [`super::codec`]. Damage in one chunk costs that chunk.

mod index;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::cache::Cache;
use super::codec::Chain;
use super::error::Error;
use super::store::Pair;
pub use index::{Chunk, Index};

/// What a sealed volume begins with, but for its version.
pub(super) const MAGIC: &[u8; 6] = b"RHAVOL";
/// The layout that is written.
pub(super) const VERSION: u16 = 1;
/// Length of magic and version.
pub(super) const HEADER: usize = 8;
/// What a sealed volume ends with.
pub(super) const SEAL: &[u8; 7] = b"RHASEAL";
/// Length of the trailer.
pub(super) const TRAILER: usize = 8 + 4 + 4 + 16 + SEAL.len();
/// The longest chunk that is read, uncompressed: twice of what is written.
const CHUNK_MAX: usize = 1 << 20;

/// Entries as they stand in a chunk.
#[derive(Debug)]
pub(super) struct Entries {
    raw: Bytes,
    places: Vec<(u64, Range<usize>)>,
}

impl Entries {
    /// `None` if these are not entries in order, from the first key in `keys` on. Whoever searches relies on that.
    fn read(raw: Vec<u8>, keys: &Range<u64>) -> Option<Self> {
        let raw = Bytes::from(raw);
        let mut places: Vec<(u64, Range<usize>)> = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            let (length, rest) = raw[at..].split_first_chunk()?;
            let (key, _) = rest.split_first_chunk()?;
            let key = u64::from_be_bytes(*key);
            let follows = places
                .last()
                .map_or(key == keys.start, |(last, _)| key > *last);
            (follows && key < keys.end).then_some(())?;
            let start = at + 12;
            at = start.checked_add(u32::from_be_bytes(*length) as usize)?;
            raw.get(start..at)?;
            places.push((key, start..at));
        }
        Some(Self { raw, places })
    }

    fn pair(&self, index: usize) -> Pair {
        let (key, place) = &self.places[index];
        (*key, self.raw.slice(place.clone()))
    }

    /// The places of the entries with keys in `keys`.
    fn within(&self, keys: &Range<u64>) -> Range<usize> {
        let at = |key: u64| self.places.partition_point(|(found, _)| *found < key);
        at(keys.start)..at(keys.end)
    }
}

/// A sealed volume. Cheap until it is read.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    path: PathBuf,
    first: u64,
    cache: Arc<Cache>,
}

impl Sealed {
    pub(super) fn new(path: PathBuf, first: u64, cache: Arc<Cache>) -> Self {
        Self { path, first, cache }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The first record, as its name says.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok(found.len()),
            // Somebody removed it: that is told by who reads it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(self.failed("look at", e)),
        }
    }

    /// What is in it.
    pub(super) fn index(&self) -> Result<Arc<Index>, Error> {
        self.cache.index(self.first, || self.read_index())
    }

    fn read_index(&self) -> Result<Index, Error> {
        let file = self.open()?;
        let length = file
            .metadata()
            .map_err(|e| self.failed("look at", e))?
            .len();
        let mut header = [0; HEADER];
        self.fill(&file, &mut header, 0)?;
        let (magic, version) = header.split_at(MAGIC.len());
        let version = version.try_into().map_or(0, u16::from_be_bytes);
        if magic != MAGIC || version == 0 {
            return Err(self.damaged("it does not begin as one"));
        }
        if version > VERSION {
            return Err(Error::NewerFormat {
                found: u8::try_from(version).unwrap_or(u8::MAX),
                known: VERSION as u8,
            });
        }
        let mut trailer = [0; TRAILER];
        let end = length
            .checked_sub(TRAILER as u64)
            .ok_or_else(|| self.damaged("it is too short"))?;
        self.fill(&file, &mut trailer, end)?;
        let (numbers, rest) = trailer.split_at(16);
        let (hash, seal) = rest.split_at(16);
        if seal != SEAL {
            return Err(self.damaged("it does not end as one"));
        }
        let place = numbers[..8].try_into().map_or(0, u64::from_be_bytes);
        let stored = numbers[8..12].try_into().map_or(0, u32::from_be_bytes);
        let raw = numbers[12..].try_into().map_or(0, u32::from_be_bytes);
        if place.checked_add(stored.into()) != Some(end) {
            return Err(self.damaged("its index is not where it should be"));
        }
        let packed = self.bytes_at(&file, place, stored, index::MOST)?;
        if hash != seal_of(&header, &packed) {
            return Err(self.damaged("its index is not what was written"));
        }
        let raw = self.unpack(&packed, raw, index::MOST)?;
        Index::read(&raw, self.first, place).map_err(|why| self.damaged(&why))
    }

    /// Reads all of it. What is in it, if that is what it says.
    pub(super) fn read_through(&self) -> Result<Arc<Index>, Error> {
        let index = self.index()?;
        let mut chain = Chain::behind(index.anchor, Some(self.first));
        for pair in self.range(self.first..index.next) {
            let (key, value) = pair?;
            chain.admit(key, &value)?;
        }
        chain.check_due(index.next)?;
        if chain.hash() != index.hash {
            return Err(self.damaged("it does not end with the entry that it says"));
        }
        Ok(index)
    }

    /// The entry with the greatest key below `key`, which is beyond the first.
    pub(super) fn before(&self, key: u64) -> Result<Option<Pair>, Error> {
        let index = self.index()?;
        let Some(chunk) = key.checked_sub(1).and_then(|key| index.holding(key)) else {
            return Ok(None);
        };
        let entries = self.chunk(&index, chunk)?;
        let within = entries.within(&(0..key));
        Ok(within.end.checked_sub(1).map(|last| entries.pair(last)))
    }

    /// The entries with keys in `keys`, oldest first. An error is the last item.
    pub(super) fn range(
        &self,
        keys: Range<u64>,
    ) -> impl Iterator<Item = Result<Pair, Error>> + Send + use<> {
        let chunks = self.chunks(&keys);
        self.clone().flat(chunks, move |entries| {
            let within = entries.within(&keys);
            within.map(|at| entries.pair(at)).collect()
        })
    }

    /// The same, newest first.
    pub(super) fn range_rev(
        &self,
        keys: Range<u64>,
    ) -> impl Iterator<Item = Result<Pair, Error>> + Send + use<> {
        let chunks = self
            .chunks(&keys)
            .map(|(index, chunks)| (index, chunks.rev()));
        self.clone().flat(chunks, move |entries| {
            let within = entries.within(&keys);
            within.rev().map(|at| entries.pair(at)).collect()
        })
    }

    fn chunks(&self, keys: &Range<u64>) -> Result<(Arc<Index>, Range<usize>), Error> {
        let index = self.index()?;
        let start = index.holding(keys.start).unwrap_or(0);
        let end = index.chunks.partition_point(|chunk| chunk.first < keys.end);
        Ok((index, start..end.max(start)))
    }

    fn flat(
        self,
        chunks: Result<(Arc<Index>, impl Iterator<Item = usize> + Send), Error>,
        entries: impl Fn(&Entries) -> Vec<Pair> + Send,
    ) -> impl Iterator<Item = Result<Pair, Error>> + Send {
        let (chunks, failed) = match chunks {
            Ok(chunks) => (Some(chunks), None),
            Err(e) => (None, Some(Err(e))),
        };
        let found = chunks.into_iter().flat_map(move |(index, places)| {
            let volume = self.clone();
            places.map(move |place| volume.chunk(&index, place))
        });
        let found = found.flat_map(move |chunk| match chunk {
            Ok(chunk) => entries(&chunk).into_iter().map(Ok).collect(),
            Err(e) => vec![Err(e)],
        });
        failed.into_iter().chain(found)
    }

    fn chunk(&self, index: &Index, place: usize) -> Result<Arc<Entries>, Error> {
        let chunk = &index.chunks[place];
        self.cache.chunk(chunk.first, || {
            let damaged = |e: Error| match e {
                Error::Damaged { why, .. } => Error::damaged(chunk.first, why),
                other => other,
            };
            let packed = self
                .bytes_at(&self.open()?, chunk.place, chunk.stored, CHUNK_MAX)
                .map_err(damaged)?;
            let raw = self
                .unpack(&packed, chunk.raw, CHUNK_MAX)
                .map_err(damaged)?;
            Entries::read(raw, &index.keys(place))
                .ok_or_else(|| damaged(self.damaged("a chunk is garbled")))
        })
    }

    fn unpack(&self, packed: &[u8], raw: u32, most: usize) -> Result<Vec<u8>, Error> {
        let raw = raw as usize;
        if raw > most {
            return Err(self.damaged("a length in it is beyond all bounds"));
        }
        match zstd::bulk::decompress(packed, raw) {
            Ok(found) if found.len() == raw => Ok(found),
            Ok(_) => Err(self.damaged("a chunk has not its length")),
            Err(e) => Err(self.damaged(&e.to_string())),
        }
    }

    fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => self.damaged("it is gone"),
            _ => self.failed("open", e),
        })
    }

    fn bytes_at(
        &self,
        file: &File,
        place: u64,
        length: u32,
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        if length as usize > most {
            return Err(self.damaged("a length in it is beyond all bounds"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(file, &mut bytes, place)?;
        Ok(bytes)
    }

    fn fill(&self, file: &File, into: &mut [u8], place: u64) -> Result<(), Error> {
        file.read_exact_at(into, place).map_err(|e| {
            let lost = e.kind() == io::ErrorKind::UnexpectedEof
                || e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
            if lost {
                self.damaged(&format!("it cannot be read at byte {place}: {e}"))
            } else {
                self.failed("read", e)
            }
        })
    }

    fn failed(&self, doing: &'static str, e: io::Error) -> Error {
        Error::io(doing, &self.path, e)
    }

    fn damaged(&self, why: &str) -> Error {
        Error::damaged(self.first, format!("{}: {why}", self.path.display()))
    }
}

/// The hash in the trailer.
pub(super) fn seal_of(header: &[u8], packed_index: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header).update(packed_index);
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    hash
}
