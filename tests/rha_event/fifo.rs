//! Following a FIFO: whatever happens to the follower or to the FIFO.

#![allow(clippy::print_stdout)] // a test talks to whoever runs it

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;
use std::{fs, thread};

use rha::ingest::spool::Frame;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::Signal;

use crate::world::{World, eventually, numbered, refused};

/// A line is either in the FIFO or in the spool, whenever the follower is killed.
#[test]
fn a_killed_follower_loses_nothing_and_repeats_nothing() {
    const LINES: usize = 30_000;
    let seed = std::env::var("RHA_SEED").ok().and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761);
    println!("seed {seed}");
    let mut random = Random(seed);

    let world = World::new();
    let mut follower = world.follow();
    let mut keepalived = world.keepalived();
    let mut pace = Random(random.next());
    let writer = thread::spawn(move || {
        for line in numbered(0..LINES) {
            let line = [&line[..], b"\n"].concat();
            eventually("there is room", || keepalived.write_all(&line).ok());
            if pace.below(4) == 0 {
                thread::sleep(Duration::from_micros(pace.below(150)));
            }
        }
        // Stays open: a FIFO that nobody has open forgets everything.
        keepalived
    });
    let mut kills = 0;
    while !writer.is_finished() {
        thread::sleep(Duration::from_micros(random.below(15_000)));
        drop(follower);
        kills += 1;
        follower = world.follow();
    }
    let _keepalived = writer.join().expect("writes");
    eventually("the last line is in the spool", || {
        // A kill within a write leaves a torn frame behind; its line was still in the FIFO.
        let last = world
            .frames()
            .into_iter()
            .rev()
            .find_map(|frame| match frame {
                Frame::Line { line, .. } => Some(line),
                Frame::Damaged { .. } => None,
            });
        last.filter(|line| Some(line) == numbered(LINES - 1..LINES).last())
    });
    let mut lines = Vec::new();
    for frame in world.frames() {
        if let Frame::Line { line, .. } = frame {
            lines.push(line);
        }
    }
    assert!(kills > 20, "only {kills} kills");
    let first_wrong = lines
        .iter()
        .zip(numbered(0..LINES))
        .position(|(got, want)| *got != want);
    assert_eq!((first_wrong, lines.len()), (None, LINES), "{kills} kills");
}

/// What the kill test finds only now and then: killed between appending and taking out of the FIFO.
#[test]
fn a_follower_takes_up_what_another_left_half_done() {
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
    // As if the dead one had not come to take "one" out, and "two" had come with it.
    let mark = format!(
        "\x01rha {:016x} {:016x}\x02",
        stamped.wall_us, stamped.mono_us
    );
    keepalived
        .write_all(format!("one\ntwo\n{mark}one\n").as_bytes())
        .expect("room");
    let _follower = world.follow();
    let lines = world.wait_for_lines(3);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(world.lines(), lines);
    let want: [&[u8]; 3] = [b"one", b"two", b"one"];
    assert_eq!(lines, want);
    let Frame::Line { stamped: two, .. } = world.frames().remove(1) else {
        panic!("no line")
    };
    assert_eq!(two, stamped, "the time at which it was first seen");
}

#[test]
fn a_full_fifo_is_said_and_taken_in_order() {
    let world = World::new();
    mkfifoat(CWD, world.path("fifo"), Mode::RUSR | Mode::WUSR).expect("made");
    let mut keepalived = world.keepalived();
    fcntl_setpipe_size(&keepalived, 1 << 20).expect("allowed");
    let mut written = 0;
    while keepalived
        .write_all(format!("INSTANCE \"n{written}\" MASTER 150\n").as_bytes())
        .is_ok()
    {
        written += 1;
    }
    assert!(written > 20_000, "{written} fit");
    let follower = world.follow();
    let got = world.wait_for_lines(written);
    assert!(
        got == numbered(0..written),
        "lines are missing or out of order"
    );
    eventually("the FIFO is empty", || {
        ioctl_fionread(&keepalived).ok().filter(|n| *n == 0)
    });
    let (_, said) = follower.signal(Signal::KILL);
    assert_eq!(
        said,
        "rha-event: the FIFO is full: keepalived may have dropped lines\n"
    );
}

#[test]
fn sigterm_leaves_the_rest_in_the_fifo() {
    let world = World::new();
    let follower = world.follow();
    let mut keepalived = world.keepalived();
    let (code, said) = follower.signal(Signal::TERM);
    assert_eq!(
        (code, said.as_str()),
        (None, ""),
        "ended by the signal itself"
    );
    keepalived
        .write_all(b"while nobody looked\n")
        .expect("room");
    let _next = world.follow();
    let want: [&[u8]; 1] = [b"while nobody looked"];
    assert_eq!(world.wait_for_lines(1), want);
}

#[test]
fn a_fifo_that_is_made_anew_is_found() {
    let world = World::new();
    let follower = world.follow();
    let mut old = world.keepalived();
    old.write_all(b"into the old one\nand a line without end")
        .expect("room");
    for round in 0..2 {
        let before = fs::metadata(world.path("fifo")).expect("is there").ino();
        fs::remove_file(world.path("fifo")).expect("removable");
        if round == 0 {
            mkfifoat(CWD, world.path("fifo"), Mode::RUSR | Mode::WUSR).expect("made");
        } else {
            eventually("a FIFO is there again", || {
                fs::metadata(world.path("fifo")).ok()
            });
        }
        let mut new = world.keepalived();
        assert_ne!(
            before,
            fs::metadata(world.path("fifo")).expect("is there").ino()
        );
        new.write_all(b"into a new one\n").expect("room");
        world.wait_for_lines(3 + round);
    }
    let want: [&[u8]; 4] = [
        b"into the old one",
        b"and a line without end",
        b"into a new one",
        b"into a new one",
    ];
    assert_eq!(world.lines(), want);
    let (_, said) = follower.signal(Signal::KILL);
    assert_eq!(
        said.lines()
            .filter(|l| l.ends_with("was replaced: following the new one"))
            .count(),
        2,
        "{said}"
    );
}

/// Where somebody removed the FIFO, keepalived goes on writing into it until it is reloaded.
#[test]
fn a_keepalived_that_writes_into_the_old_fifo_is_heard() {
    let world = World::new();
    let _follower = world.follow();
    let mut old = world.keepalived();
    fs::remove_file(world.path("fifo")).expect("removable");
    eventually("a FIFO is there again", || {
        fs::metadata(world.path("fifo")).ok()
    });
    for (number, line) in (1..).zip(["one", "two", "three"]) {
        old.write_all(format!("{line}\n").as_bytes()).expect("room");
        world.wait_for_lines(number);
    }
    // Reloaded, it writes into the new one.
    let mut new = world.keepalived();
    new.write_all(b"four\n").expect("room");
    let lines = world.wait_for_lines(4);
    assert_eq!(lines, [&b"one"[..], b"two", b"three", b"four"]);
}

#[test]
fn what_is_no_fifo_is_refused() {
    let world = World::new();
    let target = world.path("fifo");
    let follow = || world.script(&["--follow", &target.to_string_lossy()]);
    fs::write(&target, "precious").expect("writable");
    refused(&follow(), 1, &["fifo: not a FIFO", "remove it"]);
    assert_eq!(fs::read(&target).expect("still there"), b"precious");
    fs::remove_file(&target).expect("removable");
    std::os::unix::fs::symlink("/dev/null", &target).expect("linkable");
    refused(&follow(), 1, &["fifo: not a FIFO"]);
    fs::remove_file(&target).expect("removable");
    let nowhere = world.path("no/such/fifo");
    refused(
        &world.script(&["--follow", &nowhere.to_string_lossy()]),
        1,
        &["no/such/fifo", "No such file"],
    );
}

#[test]
fn two_followers_of_one_fifo_refuse_each_other() {
    let world = World::new();
    let first = world.follow();
    let second = world.script(&["--follow", &world.path("fifo").to_string_lossy()]);
    refused(&second, 1, &["another rha-event follows this FIFO"]);
    drop(first);
    let _third = world.follow();
}

/// xorshift64*: enough to choose moments.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }
}
