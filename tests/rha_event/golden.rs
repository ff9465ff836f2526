//! Spools as they were written, and as they will be: the files in `tests/golden/spool` never change.

use std::fs;
use std::path::{Path, PathBuf};

use rha::ingest::spool::{Error, FORMAT, Frame, Line, MAX_LINE, Reader, Source, Writer};
use rha::model::time::{At, BootId};
use rha::model::vrrp::SpoolPosition;

use crate::world::{World, ok};

const BOOT: BootId = BootId(0x8d3c_0e6f_2b1a_4c5d);

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/spool")
        .join(name)
}

fn segment(number: u64) -> String {
    format!("notify-{number:016}.spool")
}

fn put(world: &World, name: &str, number: u64) -> PathBuf {
    let path = world.path("spool").join(segment(number));
    fs::create_dir_all(world.path("spool")).expect("made");
    fs::copy(golden(name), &path).expect("copied");
    path
}

/// Time, source and line of each frame in `v1/whole.spool`.
fn whole() -> Vec<(At, Source, Vec<u8>)> {
    let at = |wall_us, mono_us| At {
        wall_us,
        mono_us,
        boot: BOOT,
    };
    let now = at(1_700_000_000_000_000, 123_456_789);
    vec![
        (now, Source::Fifo, b"INSTANCE \"VI_1\" MASTER 150".to_vec()),
        (now, Source::Fifo, b"GROUP \"VG_1\" BACKUP 0".to_vec()),
        (at(-5, 0), Source::Stdin, b"".to_vec()),
        (
            at(i64::MAX, u64::MAX),
            Source::Args,
            b"INSTANCE \"\xff\xfe \\\" FAULT\t1".to_vec(),
        ),
        (now, Source::Stdin, vec![b'x'; MAX_LINE]),
        (now, Source::Stdin, vec![b'y'; MAX_LINE + 1]),
    ]
}

#[test]
fn format_1_is_read_to_the_lines_that_were_written() {
    let world = World::new();
    put(&world, "v1/whole.spool", 1);
    let got: Vec<_> = world
        .frames()
        .into_iter()
        .map(|frame| match frame {
            Frame::Line {
                stamped,
                source,
                line,
                truncated,
                ..
            } => (stamped, source, line, truncated),
            Frame::Damaged { .. } => panic!("{frame:?}"),
        })
        .collect();
    let want: Vec<_> = whole()
        .into_iter()
        .map(|(stamped, source, mut line)| {
            let truncated = (line.len() > MAX_LINE).then_some(line.len() as u64);
            line.truncate(MAX_LINE);
            (stamped, source, line, truncated)
        })
        .collect();
    assert_eq!(got, want);
}

/// Or it is format 2.
#[test]
fn format_1_is_written_to_the_same_bytes() {
    assert_eq!(FORMAT, 1, "what is written now has golden bytes of its own");
    let world = World::new();
    let mut writer = Writer::new(&world.path("spool"));
    for (stamped, source, line) in whole() {
        let line = Line::new(stamped, source, &line);
        writer.append(&[line]).expect("appended");
    }
    let written = fs::read(world.path("spool").join(segment(1))).expect("is there");
    assert!(written == fs::read(golden("v1/whole.spool")).expect("is there"));
}

#[test]
fn format_1_with_damage_costs_the_damaged_lines_only() {
    let world = World::new();
    put(&world, "v1/damaged.spool", 1);
    let got: Vec<_> = world
        .frames()
        .into_iter()
        .map(|frame| match frame {
            Frame::Line { line, .. } => String::from_utf8(line).expect("text"),
            Frame::Damaged { skipped_bytes, .. } => format!("!{skipped_bytes}"),
        })
        .collect();
    // A torn write, and a priority that reads 15 where 150 was written.
    assert_eq!(
        got,
        [
            "INSTANCE \"VI_1\" MASTER 150",
            "!25",
            "INSTANCE \"VI_1\" BACKUP 100",
            "!86",
            "INSTANCE \"VI_1\" FAULT 100"
        ]
    );
}

#[test]
fn a_segment_from_the_future_waits_and_is_left_as_it_is() {
    let world = World::new();
    put(&world, "v1/whole.spool", 1);
    let future = put(&world, "future.spool", 2);
    let before = fs::read(&future).expect("is there");
    ok(&world.script(&["INSTANCE", "behind", "MASTER", "1"]));
    assert!(
        world.path("spool").join(segment(3)).exists(),
        "a segment of its own"
    );

    let spool = world.path("spool");
    let mut reader = Reader::open(&spool, None).expect("opens");
    let frames = reader.read(1000).expect("the first segment can be read");
    assert_eq!(frames.len(), whole().len());
    let error = reader.read(1000).expect_err("format 2");
    assert!(matches!(&error, Error::Newer { path, found: 2 } if *path == future));
    let said = error.to_string();
    for word in [&*future.to_string_lossy(), "spool format 2", "Update rha"] {
        assert!(said.contains(word), "{said} lacks {word}");
    }
    let at = |offset| Some(SpoolPosition { segment: 2, offset });
    let middle = Reader::open(&spool, at(40)).expect("opens").read(9);
    assert!(
        matches!(middle, Err(Error::Newer { .. })),
        "also from the middle on: {middle:?}"
    );

    // A newer agent has taken all of it in before rha was set back: then there is nothing to wait for.
    let mut after = Reader::open(&spool, at(before.len() as u64)).expect("opens");
    let frames = after.read(9).expect("readable");
    assert_eq!(frames.len(), 1, "{frames:?}");

    assert_eq!(reader.read(9).expect_err("still").to_string(), said);
    assert_eq!(fs::read(&future).expect("is there"), before);
    fs::rename(&future, world.path("moved")).expect("movable");
    let frames = reader.read(9).expect("readable");
    assert!(
        matches!(&frames[..], [Frame::Damaged { .. }, Frame::Line { line, .. }] if line == b"INSTANCE \"behind\" MASTER 1"),
        "{frames:?}"
    );
}
