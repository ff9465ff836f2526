//! What the journal stores: entries, blocks, and the stream that carries them to another process.

use rha::journal::FrameReader;
use rha::journal::block::{Block, MAX_ROWS};
use rha::journal::codec::{self, Entry};
use rha::migrations;
use rha::model::record::Record;
use rha::replay::{self, Recovered};
use rha::views::json::RecordJson;

/// `RHAJRNL`, version, anchor: see `src/journal/frames.rs`.
const HEADER: usize = 24;
/// Length and key before a value.
const FRAME_HEAD: usize = 12;
/// `RHASTAT`, format: see `src/journal/snapshot.rs`. Behind it, the key of the first entry and the hash before.
const STATE_HEAD: usize = 8;
const KEY: usize = 8;
/// What is kept of a hash.
pub const HASH: usize = 16;

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
pub fn show(record: &Record) {
    let told = serde_json::to_string(&RecordJson::from(record));
    assert!(told.is_ok(), "{told:?}");
}

fn read_stream(data: &[u8]) -> bool {
    let Ok(reader) = FrameReader::new(data) else {
        return false;
    };
    let Ok(before) = reader.before_first::<Recovered>() else {
        return false;
    };
    let mut failed = false;
    let mut read = 0_usize;
    let mut last = None;
    let records = reader.map_while(|found| {
        assert!(!failed, "goes on behind an error");
        failed = found.is_err();
        read += 1;
        // A row takes four bytes at least.
        assert!(read <= 1 + data.len() / 4, "more records than bytes");
        let record = found.ok()?;
        assert!(
            last.replace(record.seq)
                .is_none_or(|last| last.next() == record.seq)
        );
        show(&record);
        Some(record)
    });
    // To the first divergence, and then to the end.
    let mut records = records;
    let _ = replay::rerun(before, records.by_ref());
    records.for_each(drop);
    !failed
}

/// Sets each hash to what it should be, and the place of the state at the beginning.
fn reseal(mut stream: Vec<u8>) -> Vec<u8> {
    let Some((header, frames)) = stream.split_at_mut_checked(HEADER) else {
        return stream;
    };
    let anchor: [u8; HASH] = header[HEADER - HASH..].try_into().unwrap_or_default();
    let (state, entries) = frames.split_at_mut(state_length(frames));
    if let Some((_, file)) = state.split_at_mut_checked(FRAME_HEAD) {
        let key = entries
            .get(FRAME_HEAD - KEY..FRAME_HEAD)
            .unwrap_or_default();
        place_state(file, &[key, &anchor].concat());
    }
    seal(entries, anchor);
    stream
}

/// A frame with the key 0, if it comes first.
fn state_length(frames: &[u8]) -> usize {
    let Some((head, behind)) = frames.split_first_chunk::<FRAME_HEAD>() else {
        return 0;
    };
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if head[FRAME_HEAD - KEY..] == [0; KEY] && length > 0 {
        FRAME_HEAD + length.min(behind.len())
    } else {
        0
    }
}

fn place_state(file: &mut [u8], place: &[u8]) {
    let Some((told, hash)) = file.split_last_chunk_mut::<HASH>() else {
        return;
    };
    if let Some(into) = told.get_mut(STATE_HEAD..STATE_HEAD + place.len()) {
        into.copy_from_slice(place);
    }
    hash.copy_from_slice(&blake3::hash(told).as_bytes()[..HASH]);
}

/// Sets the hash of each entry of a row to what it should be, by the layout that `src/journal/codec.rs` documents.
/// Returns the last.
pub fn seal(mut entries: &mut [u8], mut before: [u8; HASH]) -> [u8; HASH] {
    while let Some((head, behind)) = entries.split_at_mut_checked(FRAME_HEAD) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((value, next)) = behind.split_at_mut_checked(length) else {
            break;
        };
        let Some((content, hash)) = value.split_last_chunk_mut::<HASH>() else {
            break;
        };
        *hash = hash_of(before, &head[FRAME_HEAD - KEY..], content);
        before = *hash;
        entries = next;
    }
    before
}

/// Through quiet checks the chain has a link for each, but in the first format.
fn hash_of(before: [u8; HASH], key: &[u8], content: &[u8]) -> [u8; HASH] {
    if let Some((format, body)) = content.split_first()
        && migrations::links_checks(*format)
        && let Ok(Entry::Quiet(block)) = migrations::decode(*format, body)
        && let Ok(hash) = block.link(before)
    {
        return hash;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before).update(key).update(content);
    let mut hash = [0; HASH];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..HASH]);
    hash
}
