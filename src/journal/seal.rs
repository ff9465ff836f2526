//! Writes a sealed volume: every entry as it was, but for quiet checks, which are packed anew, as many together as
//! go. The chain stays the same.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::migrations;
use crate::model::record::Record;

use super::block::{Block, Packer};
use super::codec::{self, Chain, Entry, Hash};
use super::dir::sync_dir;
use super::error::Error;
use super::index;
use super::sealed::{self, Chunk, Index, Sealed};

/// Before compression. Large enough for what is said of many Redis to be said twice in it.
const CHUNK: usize = 512 << 10;
/// About what a block may take; far below [`codec::MAX_BODY`].
const BLOCK: u64 = 24 << 10;
/// zstd's own default.
pub(super) const LEVEL: i32 = 3;

/// A volume that is being sealed.
pub(super) struct Press {
    /// Where it is written, and its name when it is whole.
    temporary: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    /// The chain of what was taken.
    taken: Chain,
    /// The chain of what was given out.
    given: Chain,
    packer: Option<Packer>,
    raw: Vec<u8>,
    chunk_first: u64,
    index: Index,
    /// The last record of each kind.
    last: Vec<u64>,
}

impl Press {
    /// Begins the volume of the records from `first` on, behind the entry with the hash `anchor`.
    pub(super) fn new(path: &Path, first: u64, anchor: Hash) -> Result<Self, Error> {
        let temporary = path.with_extension("tmp");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o640);
        let file = options
            .open(&temporary)
            .map_err(|e| Error::io("create", &temporary, e))?;
        let kinds = usize::from(index::KINDS);
        let mut press = Self {
            temporary,
            path: path.to_owned(),
            file: BufWriter::new(file),
            at: 0,
            taken: Chain::behind(anchor, Some(first)),
            given: Chain::behind(anchor, Some(first)),
            packer: None,
            raw: Vec::with_capacity(CHUNK),
            chunk_first: first,
            index: Index {
                first,
                next: first,
                anchor,
                hash: anchor,
                wall_us: (0, 0),
                chunks: Vec::new(),
                notable: vec![Vec::new(); kinds],
            },
            last: vec![first; kinds],
        };
        press.write(&header())?;
        Ok(press)
    }

    /// Takes the next entry; each of its records is shown to `each`.
    pub(super) fn take(
        &mut self,
        key: u64,
        value: &[u8],
        mut each: impl FnMut(&Record),
    ) -> Result<(), Error> {
        match self.taken.admit(key, value)? {
            Entry::Record(record) => {
                self.give_block()?;
                self.note(&record);
                each(&record);
                self.seen(&record);
                self.give(
                    key,
                    value,
                    Chain::behind(self.taken.hash(), self.taken.due()),
                )
            }
            Entry::Quiet(block)
                if !value
                    .first()
                    .is_some_and(|format| migrations::links_checks(*format)) =>
            {
                self.give_block()?;
                self.unpack(block, |_, record| {
                    each(record);
                    Ok(())
                })?;
                self.give(
                    key,
                    value,
                    Chain::behind(self.taken.hash(), self.taken.due()),
                )
            }
            Entry::Quiet(block) => self.unpack(block, |press, record| {
                each(record);
                press.pack(record)
            }),
        }
    }

    fn unpack(
        &mut self,
        block: Block,
        mut each: impl FnMut(&mut Self, &Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for record in block.unpack() {
            let record = record?;
            self.seen(&record);
            each(self, &record)?;
        }
        Ok(())
    }

    fn pack(&mut self, record: &Record) -> Result<(), Error> {
        if let Some(packer) = &mut self.packer
            && packer.bytes() < BLOCK
            && packer.push(record)
        {
            return Ok(());
        }
        self.give_block()?;
        let mut packer = Packer::new(record);
        if !packer.push(record) {
            return Err(Error::damaged(record.seq.0, "it does not pack"));
        }
        self.packer = Some(packer);
        Ok(())
    }

    fn give_block(&mut self) -> Result<(), Error> {
        let Some(packer) = self.packer.take() else {
            return Ok(());
        };
        let entry = Entry::Quiet(packer.finish());
        let mut chain = self.given;
        let value = chain.seal(&entry)?;
        self.give(entry.first().0, &value, chain)
    }

    /// Puts an entry into the chunk; `behind` is the chain behind it.
    fn give(&mut self, key: u64, value: &[u8], behind: Chain) -> Result<(), Error> {
        if self.raw.is_empty() {
            self.chunk_first = key;
        }
        self.raw
            .extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.raw.extend_from_slice(&key.to_be_bytes());
        self.raw.extend_from_slice(value);
        self.given = behind;
        if self.raw.len() >= CHUNK {
            self.give_chunk()?;
        }
        Ok(())
    }

    fn give_chunk(&mut self) -> Result<(), Error> {
        let packed = self.compress(&self.raw)?;
        self.index.chunks.push(Chunk {
            first: self.chunk_first,
            place: self.at,
            stored: packed.len() as u32,
            raw: self.raw.len() as u32,
        });
        self.raw.clear();
        self.write(&packed)
    }

    fn note(&mut self, record: &Record) {
        let kind = usize::from(index::kind_of(&record.event));
        if let (Some(run), Some(last)) = (self.index.notable.get_mut(kind), self.last.get_mut(kind))
        {
            run.push(record.seq.0 - *last);
            *last = record.seq.0;
        }
    }

    fn seen(&mut self, record: &Record) {
        if record.seq.0 == self.index.first {
            self.index.wall_us.0 = record.at.wall_us;
        }
        self.index.wall_us.1 = record.at.wall_us;
    }

    /// Nothing was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.due() == Some(self.index.first)
    }

    /// Was all taken up to `end`?
    pub(super) fn check_end(&self, end: u64) -> Result<(), Error> {
        self.taken.check_due(end)
    }

    /// Puts the volume on the disk, where it has no name yet. It is read again.
    pub(super) fn finish(mut self) -> Result<Pressed, Error> {
        self.give_block()?;
        if !self.raw.is_empty() {
            self.give_chunk()?;
        }
        self.index.next = self.taken.due().unwrap_or(self.index.first);
        self.index.hash = self.taken.hash();
        let raw = codec::serialize(&self.index);
        let packed = self.compress(&raw)?;
        let place = self.at;
        self.write(&packed)?;
        let lengths = [packed.len() as u32, raw.len() as u32].map(u32::to_be_bytes);
        let hash = sealed::seal_of(&header(), &packed);
        let mut trailer = place.to_be_bytes().to_vec();
        trailer.extend(lengths.concat());
        trailer.extend_from_slice(&hash);
        trailer.extend_from_slice(sealed::SEAL);
        self.write(&trailer)?;
        let failed = |e| Error::io("write", &self.temporary, e);
        self.file.flush().map_err(failed)?;
        self.file.get_ref().sync_all().map_err(failed)?;
        #[cfg(test)]
        super::tests::power::synced(&self.temporary);
        self.read_again()?;
        Ok(Pressed {
            temporary: self.temporary,
            path: self.path,
            index: self.index,
        })
    }

    /// Nothing is thrown away for a copy that does not hold it. The disk is to blame then, and not what was copied.
    fn read_again(&self) -> Result<(), Error> {
        let sealed = Sealed::new(self.temporary.clone(), self.index.first, Arc::default());
        let other = match sealed.read_through() {
            Ok(index) if *index == self.index => return Ok(()),
            Ok(_) => "it is not what was written".to_owned(),
            Err(Error::Damaged { why, .. }) => why,
            Err(e) => return Err(e),
        };
        let other = io::Error::other(other);
        Err(Error::io("read back", &self.temporary, other))
    }

    fn compress(&self, raw: &[u8]) -> Result<Vec<u8>, Error> {
        zstd::bulk::compress(raw, LEVEL).map_err(|e| Error::io("compress", &self.temporary, e))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.at += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io("write", &self.temporary, e))
    }
}

/// A volume that is whole and on the disk, but not yet in its place.
pub(super) struct Pressed {
    temporary: PathBuf,
    path: PathBuf,
    index: Index,
}

impl Pressed {
    /// Puts it in its place.
    pub(super) fn name(self) -> Result<Index, Error> {
        std::fs::rename(&self.temporary, &self.path)
            .map_err(|e| Error::io("rename", &self.temporary, e))?;
        #[cfg(test)]
        super::tests::power::renamed(&self.temporary, &self.path);
        self.path.parent().map_or(Ok(()), sync_dir)?;
        Ok(self.index)
    }
}

fn header() -> Vec<u8> {
    [sealed::MAGIC.as_slice(), &sealed::VERSION.to_be_bytes()].concat()
}
