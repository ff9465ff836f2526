//! Three ways in, one behaviour; and what people see of it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::thread;

use rha::ingest::notify;
use rha::ingest::spool::{Frame, Source};
use rha::model::vrrp::{VrrpState, Word};

use crate::world::{EVENT, PATIENCE, World, ok, refused};

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
