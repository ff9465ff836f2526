//! The real `rha-event`, in all its forms, with everything happening to it that can happen.
//!
//! The random test prints its seed first; `RHA_SEED` runs it again with that one.

#![allow(clippy::print_stdout)] // a test talks to whoever runs it

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rha::ingest::notify;
use rha::ingest::spool::{Frame, Reader, Source};
use rha::model::vrrp::{VrrpState, Word};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;

const EVENT: &str = env!("CARGO_BIN_EXE_rha-event");

/// Longest wait for something that takes milliseconds on a machine at rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// A spool, a FIFO and a doorbell in a directory of their own.
struct World(TempDir);

impl World {
    fn new() -> Self {
        Self(TempDir::new().expect("temp dir"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(EVENT);
        command
            .env("RHA_SPOOL", self.path("spool"))
            .env("RHA_DOORBELL", self.path("doorbell"));
        command
    }

    /// One call as keepalived makes it for a notify script.
    fn script(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("runs")
    }

    fn stdin(&self, lines: &[u8]) -> Output {
        let mut command = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("runs");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(lines)
            .expect("takes it all");
        child.wait_with_output().expect("ends")
    }

    /// Starts a follower and waits until it has made and locked its FIFO.
    fn follow(&self) -> Follower {
        let mut command = self.command();
        command
            .arg("--follow")
            .arg(self.path("fifo"))
            .stderr(Stdio::piped());
        let follower = Follower(command.spawn().expect("runs"));
        eventually("the FIFO is there and held", || {
            let fds = fs::read_dir(format!("/proc/{}/fd", follower.0.id())).ok()?;
            let fifo = fs::canonicalize(self.path("fifo")).ok()?;
            fds.flatten()
                .find(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == fifo))
        });
        follower
    }

    /// The FIFO as keepalived opens it.
    fn keepalived(&self) -> File {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a small flag");
        let mut options = File::options();
        options.read(true).write(true).custom_flags(nonblocking);
        options.open(self.path("fifo")).expect("opens")
    }

    fn frames(&self) -> Vec<Frame> {
        Reader::open(&self.path("spool"), None)
            .and_then(|mut r| r.read(usize::MAX))
            .expect("readable")
    }

    /// The lines in the spool; a damaged one fails the test.
    fn lines(&self) -> Vec<Vec<u8>> {
        self.frames()
            .into_iter()
            .map(|frame| line_of(frame).1)
            .collect()
    }

    fn wait_for_lines(&self, count: usize) -> Vec<Vec<u8>> {
        eventually("the lines are in the spool", || {
            Some(self.lines()).filter(|lines| lines.len() >= count)
        })
    }
}

/// Ended with the test, however that ends.
struct Follower(Child);

impl Follower {
    fn signal(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.0), signal).expect("alive");
        self.0.wait().expect("ends");
        self.end()
    }

    /// Exit code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.0.wait().expect("ends");
        let mut said = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut said).expect("text");
        }
        (status.code(), said)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line_of(frame: Frame) -> (Source, Vec<u8>) {
    match frame {
        Frame::Line { source, line, .. } => (source, line),
        Frame::Damaged { .. } => panic!("{frame:?}"),
    }
}

/// Tries every millisecond until there is something.
fn eventually<T>(what: &str, mut try_it: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() {
        if let Some(found) = try_it() {
            return found;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("in vain: {what}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// Ran, said nothing.
fn ok(output: &Output) {
    assert_eq!(
        (output.status.code(), stderr(output)),
        (Some(0), String::new())
    );
    assert_eq!(output.stdout, b"");
}

/// Failed with one line on stderr, which holds all of these.
fn refused(output: &Output, code: i32, says: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("rha-event: "), "{said}");
    for word in says {
        assert!(said.contains(word), "{said} lacks {word}");
    }
}

fn numbered(range: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    range
        .map(|n| format!("INSTANCE \"n{n}\" MASTER 150").into_bytes())
        .collect()
}

#[test]
fn three_forms_are_one_behaviour() {
    let world = World::new();
    let follower = world.follow();
    let fifo = fs::metadata(world.path("fifo")).expect("made");
    assert!(fifo.file_type().is_fifo());
    assert_eq!(fifo.permissions().mode() & 0o777, 0o600);

    ok(&world.script(&["INSTANCE", "my vip", "MASTER", "150"]));
    ok(&world.stdin(b"INSTANCE \"my vip\" MASTER 150\n"));
    world
        .keepalived()
        .write_all(b"INSTANCE \"my vip\" MASTER 150\n")
        .expect("room");
    world.wait_for_lines(3);
    drop(follower);

    let mut last = None;
    for (frame, from) in world
        .frames()
        .into_iter()
        .zip([Source::Args, Source::Stdin, Source::Fifo])
    {
        let Frame::Line {
            stamped,
            source,
            line,
            truncated,
            ..
        } = frame
        else {
            panic!("{frame:?}");
        };
        assert_eq!(source, from);
        assert_eq!(line, b"INSTANCE \"my vip\" MASTER 150");
        assert_eq!(truncated, None);
        let n = notify::parse(&line).expect("a notification");
        assert_eq!(
            (n.name.as_str(), n.word),
            ("my vip", Word::State(VrrpState::Master))
        );
        assert!(
            stamped.wall_us > 1_700_000_000_000_000 && stamped.boot.0 != 0,
            "{stamped:?}"
        );
        let since = last.map(|last| stamped.since(&last));
        assert!(
            since.is_none_or(|us| us.is_some_and(|us| us < 60_000_000)),
            "{since:?}"
        );
        last = Some(stamped);
    }
}

#[test]
fn whatever_a_script_is_called_with_is_recorded() {
    let world = World::new();
    ok(&world.script(&["GROUP", "VG_1", "STOP"]));
    ok(&world.script(&["INSTANCE", "VI_1", "{UNKNOWN}", "7"]));
    ok(&world.script(&["PLANET", "--help", "x", "y", "z", "--spool"]));
    let want: [&[u8]; 3] = [
        b"GROUP \"VG_1\" STOP",
        b"INSTANCE \"VI_1\" {UNKNOWN} 7",
        b"PLANET \"--help\" x y z --spool",
    ];
    assert_eq!(world.lines(), want);
}

#[test]
fn the_last_line_needs_no_newline() {
    let world = World::new();
    ok(&world.stdin(b"one\n\ntwo\r\nthree"));
    let want: [&[u8]; 4] = [b"one", b"", b"two\r", b"three"];
    assert_eq!(world.lines(), want);
    ok(&world.stdin(b""));
    assert_eq!(world.lines().len(), 4);
}

#[test]
fn flags_go_before_the_environment() {
    let world = World::new();
    let spool = world.path("elsewhere");
    let flag = format!("--spool={}", spool.display());
    ok(&world.script(&[&flag, "INSTANCE", "VI_1", "FAULT", "0"]));
    assert!(spool.join("notify-0000000000000001.spool").exists());
    assert!(!world.path("spool").exists());
}

/// A line that is longer than the FIFO, junk, and the good lines around them.
#[test]
fn long_lines_and_junk_cost_only_themselves() {
    let mut stream = b"INSTANCE \"a\" MASTER 1\n".to_vec();
    stream.extend(vec![b'x'; 2_500_000]);
    stream.extend(b"\nINSTANCE \"b\" MASTER 1\n");
    let junk: Vec<u8> = (0..=255).filter(|b| *b != b'\n').collect();
    stream.extend(&junk);
    stream.extend(b"\nINSTANCE \"c\" MASTER 1\n");

    let by_stdin = World::new();
    ok(&by_stdin.stdin(&stream));
    let by_fifo = World::new();
    let _follower = by_fifo.follow();
    // Blocking, as a shell would write it, and in pieces as the FIFO takes them.
    let mut fifo = File::options()
        .write(true)
        .open(by_fifo.path("fifo"))
        .expect("opens");
    fifo.write_all(&stream).expect("taken");
    by_fifo.wait_for_lines(5);

    for world in [by_stdin, by_fifo] {
        let frames = world.frames();
        let Frame::Line {
            line, truncated, ..
        } = &frames[1]
        else {
            panic!("{:?}", frames[1])
        };
        assert_eq!((line.len(), *truncated), (4096, Some(2_500_000)));
        let lines = world.lines();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[2], b"INSTANCE \"b\" MASTER 1");
        assert_eq!(lines[3], junk);
        assert_eq!(lines[4], b"INSTANCE \"c\" MASTER 1");
    }
}

#[test]
fn the_doorbell_rings_once_the_line_is_there() {
    let world = World::new();
    let doorbell = UnixDatagram::bind(world.path("doorbell")).expect("binds");
    doorbell.set_read_timeout(Some(PATIENCE)).expect("settable");
    let _follower = world.follow();
    let mut keepalived = world.keepalived();
    for lines in 1..=20 {
        keepalived
            .write_all(b"INSTANCE \"VI_1\" BACKUP 1\n")
            .expect("room");
        assert_eq!(doorbell.recv(&mut [0; 2]).expect("rings"), 1);
        assert_eq!(world.lines().len(), lines);
    }
    // An agent that does not look does not stop anybody: its queue holds a few rings only.
    for _ in 0..2000 {
        keepalived
            .write_all(b"INSTANCE \"VI_1\" BACKUP 1\n")
            .expect("room");
        thread::yield_now();
    }
    world.wait_for_lines(2020);
}

#[test]
fn fifty_scripts_and_a_follower_lose_nothing() {
    let world = World::new();
    let _follower = world.follow();
    let mut keepalived = world.keepalived();
    let scripts: Vec<_> = (0..50)
        .map(|n| {
            let name = format!("n{n}");
            let mut command = world.command();
            command
                .args(["INSTANCE", &name, "MASTER", "150"])
                .spawn()
                .expect("runs")
        })
        .collect();
    for line in numbered(50..250) {
        keepalived
            .write_all(&[&line[..], b"\n"].concat())
            .expect("room");
    }
    for mut script in scripts {
        assert_eq!(script.wait().expect("ends").code(), Some(0));
    }
    let got = world.wait_for_lines(250);
    assert_eq!(got.len(), 250);
    assert_eq!(
        got.into_iter().collect::<BTreeSet<_>>(),
        numbered(0..250).into_iter().collect()
    );
}

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

#[test]
fn a_spool_that_cannot_be_written_is_said_in_one_line() {
    let world = World::new();
    fs::write(world.path("file"), "").expect("writable");
    let spool = world.path("file/spool");
    let spool = spool.to_string_lossy();
    refused(
        &world.script(&["--spool", &spool, "INSTANCE", "VI_1", "MASTER"]),
        1,
        &[&spool, "Not a directory", "lost"],
    );
    // Root is denied nothing, so that somebody else has to try.
    fs::create_dir(world.path("spool")).expect("made");
    for (name, mode) in [("", 0o755), ("spool", 0o555)] {
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).expect("settable");
    }
    fs::copy(EVENT, world.path("rha-event")).expect("copied");
    let mut command = Command::new(world.path("rha-event"));
    command
        .args(["--spool", &world.path("spool").to_string_lossy()])
        .args(["INSTANCE", "VI_1", "MASTER"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534);
    }
    let spool = world.path("spool").to_string_lossy().into_owned();
    let output = command.output().expect("runs");
    refused(
        &output,
        1,
        &[
            "Permission denied",
            "user id",
            "needs write and search",
            &spool,
        ],
    );
}

/// A disk that fills up in the middle of a write, played by a limit on the size of files.
#[test]
fn a_full_disk_loses_nothing_and_is_said_once() {
    let world = World::new();
    // What exceeds the limit is cut short and then fails; SIGXFSZ must not end the process first.
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "trap '' XFSZ; ulimit -S -f 4; exec \"$@\"",
        "sh",
        EVENT,
        "--follow",
    ]);
    shell
        .arg(world.path("fifo"))
        .env("RHA_SPOOL", world.path("spool"))
        .stderr(Stdio::piped());
    let follower = Follower(shell.spawn().expect("runs"));
    eventually("the FIFO is there", || {
        fs::metadata(world.path("fifo")).ok()
    });
    let mut keepalived = world.keepalived();
    let mut written = 0;
    let mut write = |count: usize| {
        for line in numbered(written..written + count) {
            eventually("there is room", || {
                keepalived.write_all(&[&line[..], b"\n"].concat()).ok()
            });
        }
        written += count;
    };
    write(5);
    world.wait_for_lines(5);
    write(300);
    thread::sleep(Duration::from_millis(700));
    write(20);
    thread::sleep(Duration::from_millis(300));
    let stuck = world.lines().len();
    assert!(stuck < 305, "nothing was stuck");

    let pid = Pid::from_child(&follower.0);
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, unlimited).expect("own child");
    let lines = world.wait_for_lines(325);
    assert_eq!(lines, numbered(0..325));
    write(1);
    world.wait_for_lines(326);
    let stamps: Vec<_> = world
        .frames()
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Line { stamped, .. } => Some(stamped.mono_us),
            Frame::Damaged { .. } => None,
        })
        .collect();
    assert!(
        stamps[310] - stamps[300] > 500_000,
        "stamped when they were first seen"
    );
    let (_, said) = follower.signal(Signal::KILL);
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("File too large") && said[0].contains("lines wait in"),
        "{said:?}"
    );
    assert!(said[1].contains("well again"), "{said:?}");
}

#[test]
fn a_torn_frame_costs_only_itself() {
    let world = World::new();
    ok(&world.script(&["INSTANCE", "a", "MASTER", "1"]));
    let segment = world.path("spool/notify-0000000000000001.spool");
    let mut file = File::options()
        .append(true)
        .open(segment)
        .expect("is there");
    file.write_all(b"\n1 12345678 17").expect("writable");
    ok(&world.script(&["INSTANCE", "b", "MASTER", "1"]));
    let frames = world.frames();
    assert_eq!(frames.len(), 3);
    assert!(
        matches!(
            frames[1],
            Frame::Damaged {
                skipped_bytes: 14,
                ..
            }
        ),
        "{:?}",
        frames[1]
    );
    assert_eq!(line_of(frames[2].clone()).1, b"INSTANCE \"b\" MASTER 1");
}

#[test]
fn segments_come_and_go_under_running_processes() {
    let world = World::new();
    let _follower = world.follow();
    let spool = world.path("spool");
    let mut keepalived = world.keepalived();
    let mut reader = Reader::open(&spool, None).expect("opens");
    let mut got = Vec::new();
    let mut rotations = 0;
    for round in 0..40 {
        for line in numbered(round * 10..round * 10 + 9) {
            keepalived
                .write_all(&[&line[..], b"\n"].concat())
                .expect("room");
        }
        let last = round * 10 + 9;
        ok(&world.script(&["INSTANCE", &format!("n{last}"), "MASTER", "150"]));
        eventually("all are read", || {
            for frame in reader.read(7).expect("readable") {
                let Frame::Line {
                    position, ref line, ..
                } = frame
                else {
                    panic!("{frame:?}")
                };
                got.push(line.clone());
                reader.remove_done(position).expect("removable");
            }
            rotations += usize::from(reader.rotate_if(600).expect("possible"));
            (got.len() > last).then_some(())
        });
    }
    assert_eq!(got.len(), 400);
    got.sort();
    let mut want = numbered(0..400);
    want.sort();
    assert_eq!(got, want);
    let left = fs::read_dir(spool).expect("is there").count();
    assert!(
        rotations > 5 && left <= 3,
        "{rotations} rotations, {left} segments left"
    );
}

#[test]
fn the_help_is_for_a_newcomer() {
    let world = World::new();
    let help = world.script(&["--help"]);
    insta::assert_snapshot!(String::from_utf8(help.stdout).expect("text"));
    assert_eq!((help.status.code(), help.stderr), (Some(0), vec![]));
    let version = world.script(&["-V"]).stdout;
    assert_eq!(
        version,
        concat!("rha-event ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
    );
}

#[test]
fn wrong_usage_is_exit_2_and_touches_nothing() {
    let world = World::new();
    refused(
        &world.script(&["--folow", "x"]),
        2,
        &["unknown option \"--folow\"", "--help"],
    );
    refused(&world.script(&["--spool"]), 2, &["--spool needs a path"]);
    refused(&world.script(&["--spool="]), 2, &["--spool needs a path"]);
    refused(
        &world.script(&["start"]),
        2,
        &["\"start\" is no event", "INSTANCE NAME STATE"],
    );
    refused(
        &world.script(&["--follow", "x", "INSTANCE", "a", "b"]),
        2,
        &["--follow takes no event"],
    );
    assert!(!world.path("spool").exists());
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut help = Command::new(EVENT);
    let mut child = help
        .arg("--help")
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().map(|s| s.code()).expect("ends"), Some(0));
}

/// xorshift64*: enough to choose moments.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }
}
