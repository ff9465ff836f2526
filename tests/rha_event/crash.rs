//! Ends of the follower and of the agent at the worst moments: each line is in the journal once all the same.

#![allow(clippy::print_stdout)] // a test talks to whoever runs it

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rha::ingest::spool::{Frame, Line, Reader, Source, Writer};
use rha::model::time::At;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;

use crate::fifo::Random;
use crate::world::{World, eventually, numbered};

/// What a follower writes behind the lines that it is about to append.
fn mark(stamped: At) -> String {
    format!(
        "\x01rha {:016x} {:016x}\x02",
        stamped.wall_us, stamped.mono_us
    )
}

/// The segments, or what a follower keeps of them.
fn files(world: &World, prefix: &str) -> usize {
    let entries = fs::read_dir(world.path("spool")).expect("is there");
    let is_one = |name: &[u8]| name.starts_with(prefix.as_bytes());
    entries
        .filter(|entry| is_one(entry.as_ref().expect("listed").file_name().as_bytes()))
        .count()
}

/// What the agent does when all of a segment is journaled. Returns the lines.
fn take_in_and_remove(world: &World, reader: &mut Reader) -> Vec<Vec<u8>> {
    let frames = reader.read(1000).expect("readable");
    assert!(reader.rotate_if(0).expect("possible"));
    assert_eq!(reader.read(9).expect("readable"), []);
    // Nothing of the next segment is journaled yet, but the agent has others that write into it.
    let mut position = frames.last().map(position).expect("lines");
    position.segment += 1;
    assert_eq!(reader.remove_done(position).expect("possible"), 1);
    assert_eq!(files(world, "notify-"), 1);
    frames.iter().map(text).collect()
}

fn position(frame: &Frame) -> rha::model::vrrp::SpoolPosition {
    match frame {
        Frame::Line { position, .. } | Frame::Damaged { position, .. } => *position,
    }
}

fn text(frame: &Frame) -> Vec<u8> {
    match frame {
        Frame::Line { line, .. } => line.clone(),
        Frame::Damaged { .. } => panic!("{frame:?}"),
    }
}

#[test]
fn what_the_agent_has_removed_already_is_not_appended_again() {
    let world = World::new();
    let follower = world.follow();
    let mut keepalived = world.keepalived();
    keepalived.write_all(b"one\n").expect("room");
    eventually("the FIFO is empty", || {
        ioctl_fionread(&keepalived).ok().filter(|n| *n == 0)
    });
    drop(follower);
    let Frame::Line { stamped, .. } = world.frames().remove(0) else {
        panic!("no line")
    };
    let mut agent = Reader::open(&world.path("spool"), None).expect("opens");
    assert_eq!(take_in_and_remove(&world, &mut agent), [b"one"]);
    // As if the dead one had not come to take "one" out.
    let half_done = format!("one\n{}two\n", mark(stamped));
    keepalived.write_all(half_done.as_bytes()).expect("room");
    let _follower = world.follow();
    let lines = world.wait_for_lines(1);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(world.lines(), lines);
    assert_eq!(lines, [b"two"]);
}

/// Killed twice over the same lines, and what each has appended is in a segment that is gone.
#[test]
fn what_is_left_half_done_twice_is_done_once() {
    let world = World::new();
    drop(world.follow());
    let mut keepalived = world.keepalived();
    let stamped = At {
        wall_us: 17,
        mono_us: 4,
        boot: this_boot(&world),
    };
    let mut agent = Reader::open(&world.path("spool"), None).expect("opens");
    for line in ["one", "two"] {
        let mut dead = Writer::keeping(&world.path("spool"), &world.path("fifo"));
        let line = Line::new(stamped, Source::Fifo, line.as_bytes());
        dead.append(&[line]).expect("appended");
        take_in_and_remove(&world, &mut agent);
    }
    assert_eq!(files(&world, "kept-"), 2);
    let half_done = format!("one\ntwo\nthree\n{}", mark(stamped));
    keepalived.write_all(half_done.as_bytes()).expect("room");
    let _follower = world.follow();
    eventually("the FIFO is empty", || {
        ioctl_fionread(&keepalived).ok().filter(|n| *n == 0)
    });
    assert_eq!(world.lines(), [b"three"]);
    eventually("one segment is kept", || {
        (files(&world, "kept-") == 1).then_some(())
    });
}

/// A kill within a write leaves a beginning of it. Wherever that ends, each line is there once, and at once.
#[test]
fn a_write_that_was_cut_anywhere_is_completed_once() {
    let stamped = At {
        wall_us: 17,
        mono_us: 4,
        boot: this_boot(&World::new()),
    };
    let write = |world: &World| {
        let mut dead = Writer::keeping(&world.path("spool"), &world.path("fifo"));
        let lines = [&b"one"[..], b"two"].map(|line| Line::new(stamped, Source::Fifo, line));
        dead.append(&lines).expect("appended");
        let segment = world.path("spool/notify-0000000000000001.spool");
        let length = fs::metadata(&segment).expect("is there").len();
        (segment, length)
    };
    let (_, whole) = write(&World::new());
    for cut in (0..=whole).rev() {
        let world = World::new();
        let (segment, _) = write(&world);
        let file = fs::File::options().write(true).open(segment);
        file.expect("opens").set_len(cut).expect("cut");
        drop(world.follow());
        let mut keepalived = world.keepalived();
        let half_done = format!("one\ntwo\n{}", mark(stamped));
        let _follower = world.follow();
        let mut due = vec![b"one".to_vec(), b"two".to_vec()];
        for (written, more) in [(&half_done[..], None), ("three\n", Some(b"three"))] {
            keepalived.write_all(written.as_bytes()).expect("room");
            eventually("the FIFO is empty", || {
                ioctl_fionread(&keepalived).ok().filter(|n| *n == 0)
            });
            due.extend(more.map(|line| line.to_vec()));
            let frames = world.frames();
            let is_line = |frame: &&Frame| matches!(frame, Frame::Line { .. });
            let lines: Vec<_> = frames.iter().filter(is_line).map(text).collect();
            assert_eq!(lines, due, "cut to {cut} of {whole}");
        }
    }
}

/// The boot as `rha-event` stamps it.
fn this_boot(world: &World) -> rha::model::time::BootId {
    let other = World::new();
    assert!(
        other
            .script(&["INSTANCE", "VI_1", "MASTER"])
            .status
            .success()
    );
    assert!(!world.path("spool").exists(), "to be made by the test");
    let Frame::Line { stamped, .. } = other.frames().remove(0) else {
        panic!("no line")
    };
    stamped.boot
}

/// The follower is killed, and the agent ends and goes on where its journal ends, all the time.
#[test]
fn each_line_is_taken_in_once_whoever_is_killed() {
    const LINES: usize = 20_000;
    /// Between two kills at most, however slowly followers start.
    const STRETCH: usize = 800;
    let seed = std::env::var("RHA_SEED").ok().and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761);
    println!("seed {seed}");
    let world = World::new();
    let first = world.follow();
    let mut keepalived = world.keepalived();
    let is_written = AtomicBool::new(false);
    let (mut random, mut pace, mut whims) = (Random(seed), Random(seed ^ 1), Random(seed ^ 2));
    let kills = AtomicUsize::new(0);
    let (got, removed) = thread::scope(|scope| {
        let mut follower = first;
        let agent = scope.spawn(|| take_in_and_crash(&world, LINES, &mut whims));
        scope.spawn(|| {
            for (number, line) in numbered(0..LINES).iter().enumerate() {
                eventually("it is killed again", || {
                    (kills.load(Ordering::SeqCst) >= number / STRETCH).then_some(())
                });
                let line = [&line[..], b"\n"].concat();
                eventually("there is room", || keepalived.write_all(&line).ok());
                if pace.below(4) == 0 {
                    thread::sleep(Duration::from_micros(pace.below(150)));
                }
            }
            is_written.store(true, Ordering::SeqCst);
        });
        while !is_written.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_micros(random.below(15_000)));
            drop(follower);
            kills.fetch_add(1, Ordering::SeqCst);
            follower = world.follow();
        }
        agent.join().expect("takes all in")
    });
    let kills = kills.into_inner();
    assert!(kills > 20 && removed > 3, "{kills} kills, {removed} gone");
    let first_wrong = got
        .iter()
        .zip(numbered(0..LINES))
        .position(|(got, want)| *got != want);
    assert_eq!((first_wrong, got.len()), (None, LINES), "{kills} kills");
    assert!(files(&world, "kept-") <= 2);
}

/// The agent's side: what it has read is journaled or, where it crashes, read again. Returns what is journaled,
/// and how many segments it removed.
fn take_in_and_crash(world: &World, lines: usize, whims: &mut Random) -> (Vec<Vec<u8>>, usize) {
    let open = |at| Reader::open(&world.path("spool"), at).expect("opens");
    let (mut got, mut removed, mut journaled) = (Vec::new(), 0, None);
    let mut reader = open(None);
    eventually("all are taken in", || {
        let max = usize::try_from(whims.below(64) + 1).expect("small");
        let frames = reader.read(max).expect("readable");
        if whims.below(10) == 0 {
            reader = open(journaled);
            return None;
        }
        // A kill within a write leaves a torn frame behind; its line was still in the FIFO.
        let is_line = |frame: &&Frame| matches!(frame, Frame::Line { .. });
        got.extend(frames.iter().filter(is_line).map(text));
        if let Some(last) = frames.last().map(position) {
            journaled = Some(last);
            reader.rotate_if(2000).expect("possible");
            removed += reader.remove_done(last).expect("removable");
        }
        (got.len() >= lines).then_some(())
    });
    thread::sleep(Duration::from_millis(100));
    got.extend(reader.read(9).expect("readable").iter().map(text));
    (got, removed)
}

/// There is no room for a mark then, and a FIFO tells nobody what was taken out of it.
#[test]
fn a_kill_over_a_full_fifo_repeats_eight_kibibytes_at_most() {
    const PIECE: usize = 8 * 1024;
    let world = World::new();
    mkfifoat(CWD, world.path("fifo"), Mode::RUSR | Mode::WUSR).expect("made");
    let mut keepalived = world.keepalived();
    fcntl_setpipe_size(&keepalived, 1 << 20).expect("allowed");
    let mut written = Vec::new();
    loop {
        let line = format!("INSTANCE \"n{:06}\" MASTER 150", written.len()).into_bytes();
        if keepalived.write_all(&[&line[..], b"\n"].concat()).is_err() {
            break;
        }
        written.push(line);
    }
    // What the follower appends first, and was killed before it could take it out.
    let twice = PIECE / (written[0].len() + 1);
    let stamped = At::default();
    let lines: Vec<_> = written[..twice]
        .iter()
        .map(|line| Line::new(stamped, Source::Fifo, line))
        .collect();
    let mut dead = Writer::keeping(&world.path("spool"), &world.path("fifo"));
    dead.append(&lines).expect("appended");
    let _follower = world.follow();
    let got = world.wait_for_lines(twice + written.len());
    assert!(got[..twice] == written[..twice] && got[twice..] == written[..]);
}
