//! How far the journal had come, beside the log: tells a log that lost its end from a shorter one.
//!
//! sled takes damage near the end of its log for a write that was cut off and quietly goes back
//! before it. The mark is written when the log is on the disk and not synced itself, so it is never
//! ahead of what was acknowledged; a power cut may set it back.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// The file `mark`: a number (u64 big endian) and the first eight bytes of its blake3 hash.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    path: PathBuf,
}

impl Mark {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("mark");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options
            .open(&path)
            .map_err(|e| Error::io("open", &path, e))?;
        Ok(Self { file, path })
    }

    /// All records below this number were on the disk; 0 if that is not known.
    pub(super) fn read(&self) -> u64 {
        let mut bytes = [0; 16];
        let read = self.file.read_exact_at(&mut bytes, 0);
        let (next, _) = bytes.split_at(8);
        let next = next.try_into().map_or(0, u64::from_be_bytes);
        if read.is_ok() && bytes == encode(next) {
            next
        } else {
            0
        }
    }

    pub(super) fn write(&self, next: u64) -> Result<(), Error> {
        let written = self.file.write_all_at(&encode(next), 0);
        written.map_err(|e| Error::io("write", &self.path, e))
    }
}

fn encode(next: u64) -> [u8; 16] {
    let number = next.to_be_bytes();
    let hash = blake3::hash(&number);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&hash.as_bytes()[..8]);
    bytes
}
