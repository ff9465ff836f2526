//! A sealed volume of the journal, and what it says of itself.

use std::fs;

use rha::journal::sealed::Index;
use rha::journal::{Error, FrameReader, Order, Reader, codec, kind_index};
use rha::model::event::Event;
use rha::model::record::{Record, Seq};

use super::journal::{HASH, seal, show};

/// `RHAVOL`, version: see `src/journal/sealed.rs`.
const MAGIC: &[u8] = b"RHAVOL";
const VERSION: [u8; 2] = [0, 1];
const SEAL: &[u8] = b"RHASEAL";
/// Bits of the first byte of an open volume: what stays as it is told.
const LENGTHS: u8 = 1;
const HASHES: u8 = 2;

/// A file as it is, or what is in one: see [`build`].
pub fn volume(data: &[u8]) -> bool {
    if data.starts_with(MAGIC) {
        return read(1, data);
    }
    build(data).is_some_and(|(first, file)| read(first, &file))
}

/// A volume that lies open, for nothing that is changed at random unpacks: what stays as told (1 byte), length of the
/// index (2 bytes, big endian), index, chunks. Returns its number and the file, with checksums that are right.
fn build(data: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (told, rest) = data.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (index, mut open) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let mut index: Index = codec::deserialize(index).ok()?;
    let mut file = [MAGIC, &VERSION].concat();
    let mut before = index.anchor.0;
    let last = index.chunks.len();
    for (number, chunk) in (1..).zip(&mut index.chunks) {
        let length = open.len().min(chunk.raw as usize);
        let (raw, rest) = open.split_at(if number == last { open.len() } else { length });
        open = rest;
        let mut raw = raw.to_vec();
        if told & HASHES == 0 {
            before = seal(&mut raw, before);
        }
        let packed = pack(&raw)?;
        if told & LENGTHS == 0 {
            chunk.place = file.len() as u64;
            chunk.stored = packed.len() as u32;
            chunk.raw = raw.len() as u32;
        }
        file.extend(packed);
    }
    if told & HASHES == 0 {
        index.hash.0 = before;
    }
    let raw = codec::serialize(&index);
    let packed = pack(&raw)?;
    let hash = blake3::hash(&[&file[..MAGIC.len() + VERSION.len()], &packed].concat());
    let place = file.len() as u64;
    file.extend_from_slice(&packed);
    file.extend_from_slice(&place.to_be_bytes());
    file.extend_from_slice(&(packed.len() as u32).to_be_bytes());
    file.extend_from_slice(&(raw.len() as u32).to_be_bytes());
    file.extend_from_slice(&hash.as_bytes()[..HASH]);
    file.extend_from_slice(SEAL);
    Some((index.first, file))
}

fn pack(raw: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::compress(raw, 1).ok()
}

/// True if it is whole. All ways to read it come to the same then; and what one of them stumbles over, `verify` names.
fn read(first: u64, file: &[u8]) -> bool {
    let Ok(dir) = tempfile::tempdir() else {
        return false;
    };
    if fs::write(dir.path().join(format!("{first:020}.vol")), file).is_err() {
        return false;
    }
    let reader = match Reader::open(dir.path()) {
        Ok(reader) => reader,
        Err(Error::Damaged { .. } | Error::NewerFormat { .. }) => return false,
        Err(e) => panic!("{e}"),
    };
    let report = reader.verify();
    let all = every_way(&reader);
    match report.first_bad {
        None => {
            let records = all.expect("verify has found nothing");
            assert_eq!(records.len() as u64, report.records);
            told(&reader, &records);
            true
        }
        Some(bad) => {
            assert!(!bad.why.is_empty());
            false
        }
    }
}

/// The records; the first error of any way to read them.
fn every_way(reader: &Reader) -> Result<Vec<Record>, Error> {
    let mut failed = None;
    let forward = in_order(reader.records(Seq(0)), &mut failed);
    forward.iter().for_each(show);
    let mut backward: Vec<_> = until_error(reader.records_rev(Seq(u64::MAX)), &mut failed);
    backward.reverse();
    let kinds: Vec<u8> = Event::KINDS
        .iter()
        .filter_map(|kind| kind_index(kind))
        .collect();
    let range = Seq(0)..Seq(u64::MAX);
    let notable = reader.notable(&kinds, range.clone(), Order::OldestFirst);
    let notable = until_error(notable, &mut failed);
    let newest = reader.notable(&kinds, range, Order::NewestFirst);
    let mut newest = until_error(newest, &mut failed);
    newest.reverse();
    for seq in forward
        .iter()
        .map(|record| record.seq)
        .chain([Seq(0), reader.next_seq()])
    {
        failed = failed.or(reader.get(seq).err());
    }
    failed = failed.or(reader.seek_time(0).err());
    failed = failed.or(reader.volumes().err());
    match reader.frames(Seq(0)) {
        Ok(frames) => {
            let pieces = until_error(frames.into_stream(), &mut failed).concat();
            match FrameReader::new(pieces.as_slice()) {
                Ok(stream) => assert!(forward.starts_with(&in_order(stream, &mut failed))),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        Err(e) => failed = failed.or(Some(e)),
    }
    match failed {
        Some(e) => Err(e),
        None => {
            assert_eq!(forward, backward);
            assert_eq!(notable, newest);
            Ok(forward)
        }
    }
}

/// What a whole volume says of itself is so.
fn told(reader: &Reader, records: &[Record]) {
    let volumes = reader.volumes().expect("verify has found nothing");
    let [volume] = volumes.as_slice() else {
        panic!("{} volumes", volumes.len());
    };
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        panic!("a sealed volume has records");
    };
    assert_eq!(volume.first, first.seq);
    assert_eq!(volume.records, records.len() as u64);
    assert_eq!(volume.wall_us, Some((first.at.wall_us, last.at.wall_us)));
    assert_eq!(reader.next_seq(), last.seq.next());
    for record in records {
        let found = reader.get(record.seq).expect("verify has found nothing");
        assert_eq!(found.as_ref(), Some(record));
    }
}

/// Each follows the one before it; an error is the last.
pub fn in_order(
    records: impl Iterator<Item = Result<Record, Error>>,
    failed: &mut Option<Error>,
) -> Vec<Record> {
    let records = until_error(records, failed);
    for pair in records.windows(2) {
        assert_eq!(pair[0].seq.next(), pair[1].seq);
    }
    records
}

fn until_error<T>(
    items: impl Iterator<Item = Result<T, Error>>,
    failed: &mut Option<Error>,
) -> Vec<T> {
    let mut good = Vec::new();
    let mut over = false;
    for item in items {
        assert!(!over, "goes on behind an error");
        match item {
            Ok(item) => good.push(item),
            Err(e) => {
                over = true;
                failed.get_or_insert(e);
            }
        }
    }
    good
}
