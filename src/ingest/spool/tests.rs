//! Writer and reader against each other, and against everything that can happen to a file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::time::BootId;

const BOOT: BootId = BootId(7);

fn at(boot: BootId) -> At {
    At {
        wall_us: 1,
        mono_us: 2,
        boot,
    }
}

fn line(text: &str) -> Line {
    Line::new(at(BOOT), Source::Args, text.as_bytes())
}

fn spool_of(texts: &[&str]) -> (TempDir, Writer) {
    let dir = TempDir::new().expect("temp dir");
    let mut writer = Writer::new(dir.path());
    for text in texts {
        writer.append(&[line(text)]).expect("append");
    }
    (dir, writer)
}

fn reader(dir: &TempDir, resume: Option<SpoolPosition>) -> Reader {
    Reader::open(dir.path(), resume).expect("open")
}

/// Lines as text, damage as `!bytes`.
fn texts(frames: &[Frame]) -> Vec<String> {
    let text = |frame: &Frame| match frame {
        Frame::Line { line, .. } => String::from_utf8_lossy(line).into_owned(),
        Frame::Damaged { skipped_bytes, .. } => format!("!{skipped_bytes}"),
    };
    frames.iter().map(text).collect()
}

fn read(reader: &mut Reader) -> Vec<String> {
    texts(&reader.read(1000).expect("read"))
}

fn position(frame: &Frame) -> SpoolPosition {
    match frame {
        Frame::Line { position, .. } | Frame::Damaged { position, .. } => *position,
    }
}

fn names(dir: &TempDir) -> Vec<u64> {
    segments(dir.path()).expect("list").into_iter().collect()
}

/// Writes bytes to the end of a segment as no writer would.
fn scribble(dir: &TempDir, number: u64, bytes: &[u8]) {
    let mut file = create_segment(dir.path(), number).expect("open");
    file.write_all(bytes).expect("write");
}

#[test]
fn reading_goes_on_behind_any_frame() {
    let (dir, mut writer) = spool_of(&["a", "", "c d "]);
    writer.append(&[line("e"), line("f")]).expect("append");
    writer.sync().expect("sync");
    let all = reader(&dir, None).read(1000).expect("read");
    assert_eq!(texts(&all), ["a", "", "c d ", "e", "f"]);
    for (done, frame) in all.iter().enumerate() {
        let mut rest = reader(&dir, Some(position(frame)));
        assert_eq!(rest.read(1000).expect("read"), all[done + 1..]);
    }
    let mut one_by_one = reader(&dir, None);
    for frame in &all {
        assert_eq!(
            one_by_one.read(1).expect("read"),
            std::slice::from_ref(frame)
        );
    }
    assert_eq!(one_by_one.read(1).expect("read"), []);
    writer.append(&[line("g")]).expect("append");
    assert_eq!(read(&mut one_by_one), ["g"]);
}

#[test]
fn a_long_line_is_cut_and_says_so() {
    let (dir, mut writer) = spool_of(&[]);
    let long = vec![b'x'; MAX_LINE + 1];
    writer
        .append(&[Line::new(at(BOOT), Source::Stdin, &long)])
        .expect("append");
    writer
        .append(&[Line::new(at(BOOT), Source::Stdin, &long[1..])])
        .expect("append");
    let frames = reader(&dir, None).read(9).expect("read");
    let cut = |frame: &Frame| match frame {
        Frame::Line {
            line, truncated, ..
        } => (line.len(), *truncated),
        Frame::Damaged { .. } => panic!("{frame:?}"),
    };
    assert_eq!(
        frames.iter().map(cut).collect::<Vec<_>>(),
        [(4096, Some(4097)), (4096, None)]
    );
}

#[test]
fn a_stream_is_cut_into_lines_wherever_it_is_read() {
    let stream: &[u8] = b"one\n\ntwo\r\n\xff\x00\nrest";
    for size in 1..=stream.len() {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for piece in stream.chunks(size) {
            splitter.feed(piece, at(BOOT), Source::Stdin, &mut lines);
        }
        lines.extend(splitter.finish(at(BOOT), Source::Stdin));
        let lines: Vec<_> = lines.into_iter().map(|l| l.bytes).collect();
        assert_eq!(
            lines,
            [&b"one"[..], b"", b"two\r", b"\xff\x00", b"rest"],
            "pieces of {size}"
        );
        assert_eq!(splitter.finish(at(BOOT), Source::Stdin), None);
    }
}

#[test]
fn a_torn_tail_waits_and_costs_only_itself() {
    let (dir, mut writer) = spool_of(&["a"]);
    scribble(&dir, 1, b"\n1 0123abcd 17000");
    let mut reader = reader(&dir, None);
    assert_eq!(read(&mut reader), ["a"]);
    assert_eq!(read(&mut reader), [""; 0]);
    writer.append(&[line("b")]).expect("append");
    assert_eq!(read(&mut reader), ["!17", "b"]);
}

#[test]
fn a_torn_tail_before_another_segment_is_passed_over() {
    let (dir, mut writer) = spool_of(&["a"]);
    scribble(&dir, 1, b"\n1 0123abcd 17000");
    writer
        .append(&[Line::new(at(BootId(8)), Source::Args, b"b")])
        .expect("append");
    assert_eq!(read(&mut reader(&dir, None)), ["a", "!16", "b"]);
}

#[test]
fn junk_without_end_is_passed_over_in_bounded_steps() {
    let (dir, mut writer) = spool_of(&["a"]);
    scribble(&dir, 1, &vec![0; 300_000]);
    writer.append(&[line("b")]).expect("append");
    assert_eq!(read(&mut reader(&dir, None)), ["a", "!300001", "b"]);
}

#[test]
fn each_boot_has_segments_of_its_own() {
    let (dir, mut writer) = spool_of(&["a"]);
    let resume = reader(&dir, None)
        .read(1)
        .map(|f| position(&f[0]))
        .expect("read");
    // The power failed before the disk had the line, and the agent had it journaled.
    File::options()
        .write(true)
        .open(segment_path(dir.path(), 1))
        .expect("open")
        .set_len(30)
        .expect("cut");
    writer
        .append(&[Line::new(at(BootId(8)), Source::Args, b"after the boot")])
        .expect("append");
    assert_eq!(names(&dir), [1, 2]);
    assert_eq!(
        read(&mut reader(&dir, Some(resume))),
        ["!0", "after the boot"]
    );
}

#[test]
fn a_segment_that_is_emptied_is_begun_again() {
    let (dir, mut writer) = spool_of(&["a"]);
    let mut reader = reader(&dir, None);
    assert_eq!(read(&mut reader), ["a"]);
    File::options()
        .write(true)
        .open(segment_path(dir.path(), 1))
        .expect("open")
        .set_len(0)
        .expect("cut");
    assert_eq!(read(&mut reader), ["!0"]);
    writer.append(&[line("b")]).expect("append");
    assert_eq!(read(&mut reader), ["b"]);
}

#[test]
fn segments_that_are_removed_are_damage_and_no_end() {
    let (dir, mut writer) = spool_of(&["a"]);
    let mut running = reader(&dir, None);
    let resume = running.read(1).map(|f| position(&f[0])).expect("read");
    fs::remove_file(segment_path(dir.path(), 1)).expect("remove");
    assert_eq!(read(&mut running), ["!0"]);
    writer.append(&[line("b")]).expect("append");
    assert_eq!(names(&dir), [1]);
    assert_eq!(read(&mut running), ["b"]);

    // The agent was down, and the whole spool was begun again, in lower numbers.
    let resume = SpoolPosition {
        segment: 9,
        ..resume
    };
    assert_eq!(read(&mut reader(&dir, Some(resume))), ["!0", "b"]);
    writer
        .append(&[Line::new(at(BootId(8)), Source::Args, b"c")])
        .expect("append");
    assert_eq!(read(&mut reader(&dir, Some(resume))), ["!0", "b", "c"]);
    // Or in higher ones.
    let resume = SpoolPosition {
        segment: 0,
        ..resume
    };
    assert_eq!(read(&mut reader(&dir, Some(resume))), ["!0", "b", "c"]);
}

#[test]
fn what_is_left_of_a_segment_is_read_and_committed_before_it_goes() {
    let (dir, mut writer) = spool_of(&["a", "b"]);
    let size = fs::metadata(segment_path(dir.path(), 1))
        .expect("is there")
        .len();
    let mut reader = reader(&dir, None);
    assert!(
        !reader.rotate_if(0).expect("rotate"),
        "nothing was read yet"
    );
    assert_eq!(texts(&reader.read(1).expect("read")), ["a"]);
    assert!(!reader.rotate_if(size).expect("rotate"), "not larger");
    assert!(reader.rotate_if(size - 1).expect("rotate"));
    assert!(!reader.rotate_if(0).expect("rotate"), "not the newest");
    assert_eq!(names(&dir), [1, 2]);
    writer.append(&[line("c")]).expect("append");
    let frames = reader.read(9).expect("read");
    assert_eq!(texts(&frames), ["b", "c"]);
    let (b, c) = (position(&frames[0]), position(&frames[1]));
    assert_eq!(
        reader.remove_done(b).expect("remove"),
        0,
        "c is not committed"
    );
    let held = File::open(segment_path(dir.path(), 1)).expect("open");
    flock(&held, FlockOperation::LockShared).expect("lock");
    assert_eq!(
        reader.remove_done(c).expect("remove"),
        0,
        "a writer is busy"
    );
    drop(held);
    assert_eq!(reader.remove_done(c).expect("remove"), 1);
    assert_eq!(names(&dir), [2]);
    let beyond = SpoolPosition {
        segment: 99,
        offset: 0,
    };
    assert_eq!(reader.remove_done(beyond).expect("remove"), 0);
}

#[test]
fn a_spool_that_cannot_be_written_says_where_and_why() {
    let file = tempfile::NamedTempFile::new().expect("temp file");
    let dir = file.path().join("spool");
    let error = Writer::new(&dir)
        .append(&[line("a")])
        .expect_err("not a directory")
        .to_string();
    assert!(
        error.contains(&*dir.to_string_lossy()) && error.contains("Not a directory"),
        "{error}"
    );

    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let text = explain(&file.path().with_file_name("none/x"), &denied).to_string();
    assert!(
        text.contains("user id") && text.contains("needs write and search permission on"),
        "{text}"
    );
    let text = explain(file.path(), &denied).to_string();
    assert!(
        text.contains("needs read and write permission on"),
        "{text}"
    );
}

#[test]
fn a_lock_that_is_never_given_back_is_an_error() {
    let (dir, mut writer) = spool_of(&["a"]);
    let held = File::open(segment_path(dir.path(), 1)).expect("open");
    flock(&held, FlockOperation::LockExclusive).expect("lock");
    let error = writer.append(&[line("b")]).expect_err("locked").to_string();
    assert!(error.contains("locked by another process"), "{error}");
    drop(held);
    writer.append(&[line("b")]).expect("append");
    assert_eq!(read(&mut reader(&dir, None)), ["a", "b"]);
}

#[test]
fn writers_lose_nothing_while_segments_come_and_go() {
    const WRITERS: usize = 4;
    const LINES: usize = 1500;
    let dir = TempDir::new().expect("temp dir");
    let done = AtomicBool::new(false);
    let seen = AtomicUsize::new(0); // no writer is far ahead, on a busy machine either
    let mut got: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut removed = 0;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|who| {
                let (dir, seen) = (dir.path(), &seen);
                scope.spawn(move || {
                    let mut writer = Writer::new(dir);
                    for what in 0..LINES {
                        while what > seen.load(Ordering::SeqCst) / WRITERS + 50 {
                            std::thread::yield_now();
                        }
                        let text = format!("{who} {what}");
                        writer.append(&[line(&text)]).expect("append");
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            for writer in writers {
                writer.join().expect("writer");
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut reader = reader(&dir, None);
        loop {
            let is_last = done.load(Ordering::SeqCst);
            let frames = reader.read(100).expect("read");
            seen.fetch_add(frames.len(), Ordering::SeqCst);
            for text in texts(&frames) {
                let (who, what) = text.split_once(' ').expect("no damage");
                got.entry(who.parse().expect("who"))
                    .or_default()
                    .push(what.parse().expect("what"));
            }
            if let Some(last) = frames.last() {
                removed += reader.remove_done(position(last)).expect("remove");
                reader.rotate_if(2000).expect("rotate");
            } else if is_last {
                break;
            }
        }
    });
    assert_eq!(got.len(), WRITERS);
    for (who, lines) in got {
        assert_eq!(lines, (0..LINES).collect::<Vec<_>>(), "writer {who}");
    }
    assert!(removed > 3, "only {removed} segments came and went");
}

proptest! {
    #[test]
    fn one_wrong_byte_costs_one_line(which in 0_usize..10_000, wrong: u8) {
        let all = ["one", "two", "three", "four"];
        let (dir, _) = spool_of(&all);
        let path = segment_path(dir.path(), 1);
        let mut bytes = fs::read(&path).expect("read");
        let start = v1::header(BOOT).len();
        let which = start + which % (bytes.len() - start);
        let is_changed = std::mem::replace(&mut bytes[which], wrong) != wrong;
        bytes.extend(b"\n");
        fs::write(&path, bytes).expect("write");
        let found = read(&mut reader(&dir, None));
        let lost = all.iter().filter(|text| !found.contains(&(**text).to_owned())).count();
        let damages = found.iter().filter(|text| text.starts_with('!')).count();
        prop_assert!(lost <= usize::from(is_changed), "{:?}", found);
        prop_assert!(lost <= damages && damages <= 1, "{:?}", found);
    }
}
