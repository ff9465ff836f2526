//! What comes in from the world: the spool, notify lines, the text of Redis.

use std::fs;
use std::path::Path;

use rha::ingest::notify;
use rha::ingest::spool::{Frame, Reader};
use rha::model::redis::RedisId;
use rha::model::vrrp::SpoolPosition;
use rha::wire::info;

/// `1 `, eight digits of CRC and a space: see `src/ingest/spool/v1.rs`.
const CRC_END: usize = 11;

/// One notify line.
pub fn notify(data: &[u8]) -> bool {
    let raw = notify::escaped(data);
    assert!(!raw.contains(|c: char| c.is_control()));
    let Ok(found) = notify::parse(data) else {
        return false;
    };
    assert!(!found.name.is_empty());
    assert!(found.priority.is_none_or(|priority| priority <= 255));
    assert!(
        found
            .raw
            .is_none_or(|raw| !raw.contains(|c: char| c.is_control()))
    );
    true
}

/// Sections of `INFO`, told apart by nothing: each reader is given all of the text.
pub fn info(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let seen = info::observation(RedisId::default(), &text, &text, &text);
    let data_set = info::data_set(&text, &text);
    assert!(seen.is_none() || data_set.is_some());
    info::identity(&text).is_some() | seen.is_some()
}

/// The bytes of a segment, as they come and with every checksum set right; as one segment and cut into two.
pub fn spool(data: &[u8]) -> bool {
    let repaired = repair(data);
    let one = lines_of(&[data]);
    let cut = data.len() / 2;
    lines_of(&[&data[..cut], &data[cut..]]);
    if repaired == data {
        return one > 0;
    }
    lines_of(&[&repaired]) + one > 0
}

/// How many lines are read; however the reader is asked, they are the same.
fn lines_of(segments: &[&[u8]]) -> usize {
    let Ok(dir) = tempfile::tempdir() else {
        return 0;
    };
    for (number, bytes) in (1..).zip(segments) {
        let path = dir.path().join(format!("notify-{number:016}.spool"));
        if fs::write(path, bytes).is_err() {
            return 0;
        }
    }
    let at_once = read(dir.path(), None, usize::MAX);
    let one_by_one = read(dir.path(), None, 1);
    assert_eq!(at_once, one_by_one);
    if let Some((position, _)) = at_once.get(at_once.len() / 2) {
        let rest = read(dir.path(), Some(*position), 7);
        assert_eq!(rest, at_once[at_once.len() / 2 + 1..]);
    }
    // A journal may know of more than the disk has kept, and of a place that is in the middle of a frame.
    for offset in [1, 77, u64::MAX] {
        let segment = segments.len() as u64;
        read(dir.path(), Some(SpoolPosition { segment, offset }), 7);
    }
    at_once.len()
}

/// The lines and where they end, from a position on.
fn read(dir: &Path, from: Option<SpoolPosition>, max: usize) -> Vec<(SpoolPosition, Vec<u8>)> {
    let mut lines = Vec::new();
    let Ok(mut reader) = Reader::open(dir, from) else {
        return lines;
    };
    let mut last = None;
    loop {
        let frames = match reader.read(max) {
            Ok(frames) if !frames.is_empty() => frames,
            _ => return lines,
        };
        assert!(frames.len() <= max.max(2), "more than was asked for");
        for frame in frames {
            let position = match frame {
                Frame::Line { position, line, .. } => {
                    assert!(!line.contains(&b'\n'));
                    lines.push((position, line));
                    position
                }
                Frame::Damaged { position, .. } => position,
            };
            let resumed = last.is_none() && from.is_some();
            assert!(
                resumed || last.is_none_or(|last| last < position),
                "it reads the same again: {last:?}, {position:?}"
            );
            last = Some(position);
        }
    }
}

/// Sets the checksum of each frame to what it should be.
fn repair(segment: &[u8]) -> Vec<u8> {
    let mut repaired = Vec::with_capacity(segment.len());
    for text in segment.split_inclusive(|byte| *byte == b'\n') {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        match line.split_at_checked(CRC_END) {
            Some((head, checked)) if head.starts_with(b"1 ") => {
                let crc = format!("1 {:08x} ", crc32fast::hash(checked));
                repaired.extend_from_slice(crc.as_bytes());
                repaired.extend_from_slice(&text[CRC_END..]);
            }
            _ => repaired.extend_from_slice(text),
        }
    }
    repaired
}
