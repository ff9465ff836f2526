//! What the journal stores: entries, blocks, and the stream that carries them to another process.

use rha::journal::FrameReader;
use rha::journal::block::{Block, MAX_ROWS};
use rha::journal::codec::{self, Entry};
use rha::model::record::Record;
use rha::views::json::RecordJson;
use rha::{migrations, replay};

/// `RHAJRNL`, version, anchor: see `src/journal/frames.rs`.
const HEADER: usize = 24;
/// Length and key before a value.
const FRAME_HEAD: usize = 12;
const HASH: usize = 16;

/// A format number and a body.
pub fn entry(data: &[u8]) -> bool {
    let Some((format, body)) = data.split_first() else {
        return false;
    };
    match migrations::decode(*format, body) {
        Ok(Entry::Record(record)) => {
            show(&record);
            true
        }
        Ok(Entry::Quiet(block)) => unpack(block),
        Err(_) => false,
    }
}

/// A block without its entry.
pub fn block(data: &[u8]) -> bool {
    codec::deserialize::<Block>(data).is_ok_and(unpack)
}

/// A stream as it comes, and once more with every hash set right: else hardly anything passes the chain.
pub fn frames(data: &[u8]) -> bool {
    let resealed = reseal(data.to_vec());
    read_stream(data) | read_stream(&resealed)
}

fn unpack(block: Block) -> bool {
    let told = block.count();
    // A few bytes of a row may stand for kilobytes of names: the count is what bounds the memory of a reader.
    assert!(
        told <= MAX_ROWS as u64,
        "{told} rows, {MAX_ROWS} are allowed"
    );
    let first = block.first();
    let mut records = Vec::new();
    for found in block.unpack() {
        let Ok(record) = found else {
            return false;
        };
        assert!((records.len() as u64) < told, "more rows than told");
        assert_eq!(record.seq.0, first.0 + records.len() as u64);
        records.push(record);
    }
    assert_eq!(
        records.len() as u64,
        told,
        "rows are missing without a word"
    );
    records.iter().for_each(show);
    // What was garbled may not pack any more; what packs comes back.
    if let Some(again) = Block::pack(&records) {
        let again: Vec<_> = again.unpack().map_while(Result::ok).collect();
        assert_eq!(again, records);
    }
    true
}

/// Whatever was read can be told.
fn show(record: &Record) {
    let told = serde_json::to_string(&RecordJson::from(record));
    assert!(told.is_ok(), "{told:?}");
}

fn read_stream(data: &[u8]) -> bool {
    let Ok(reader) = FrameReader::new(data) else {
        return false;
    };
    let mut failed = false;
    let mut read = 0_usize;
    let records = reader.map_while(|found| {
        assert!(!failed, "goes on behind an error");
        failed = found.is_err();
        read += 1;
        // A row takes four bytes at least.
        assert!(read <= 1 + data.len() / 4, "more records than bytes");
        let record = found.ok()?;
        show(&record);
        Some(record)
    });
    // To the first divergence, and then to the end.
    let mut records = records;
    let _ = replay::rerun(replay::Recovered::default(), records.by_ref());
    records.for_each(drop);
    !failed
}

/// Sets each hash to what it should be, by the layout that `src/journal/codec.rs` documents.
fn reseal(mut stream: Vec<u8>) -> Vec<u8> {
    let Some((header, mut rest)) = stream.split_at_mut_checked(HEADER) else {
        return stream;
    };
    let mut before: [u8; HASH] = header[HEADER - HASH..].try_into().unwrap_or_default();
    while let Some((head, behind)) = rest.split_at_mut_checked(FRAME_HEAD) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((value, next)) = behind.split_at_mut_checked(length) else {
            break;
        };
        let Some((content, hash)) = value.split_last_chunk_mut::<HASH>() else {
            break;
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&before).update(&head[4..]).update(content);
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..HASH]);
        before = *hash;
        rest = next;
    }
    stream
}
