//! The spool under the real program: full, torn, shared, rotated.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rha::ingest::spool::{Frame, Reader};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::world::{EVENT, Follower, World, eventually, line_of, numbered, ok, refused};

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
