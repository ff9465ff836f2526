//! A private place for one test, and the program running in it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rha::ingest::spool::{Frame, Reader, Source};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub const EVENT: &str = env!("CARGO_BIN_EXE_rha-event");

/// Longest wait for something that takes milliseconds on a machine at rest.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A spool, a FIFO and a doorbell in a directory of their own.
pub struct World(pub TempDir);

impl World {
    pub fn new() -> Self {
        Self(TempDir::new().expect("temp dir"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(EVENT);
        command
            .env("RHA_SPOOL", self.path("spool"))
            .env("RHA_DOORBELL", self.path("doorbell"));
        command
    }

    /// One call as keepalived makes it for a notify script.
    pub fn script(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("runs")
    }

    pub fn stdin(&self, lines: &[u8]) -> Output {
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
    pub fn follow(&self) -> Follower {
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
    pub fn keepalived(&self) -> File {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a small flag");
        let mut options = File::options();
        options.read(true).write(true).custom_flags(nonblocking);
        options.open(self.path("fifo")).expect("opens")
    }

    pub fn frames(&self) -> Vec<Frame> {
        Reader::open(&self.path("spool"), None)
            .and_then(|mut r| r.read(usize::MAX))
            .expect("readable")
    }

    /// The lines in the spool; a damaged one fails the test.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.frames()
            .into_iter()
            .map(|frame| line_of(frame).1)
            .collect()
    }

    pub fn wait_for_lines(&self, count: usize) -> Vec<Vec<u8>> {
        eventually("the lines are in the spool", || {
            Some(self.lines()).filter(|lines| lines.len() >= count)
        })
    }
}

/// Ended with the test, however that ends.
pub struct Follower(pub Child);

impl Follower {
    pub fn signal(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.0), signal).expect("alive");
        self.0.wait().expect("ends");
        self.end()
    }

    /// Exit code and what it said.
    pub fn end(mut self) -> (Option<i32>, String) {
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

pub fn line_of(frame: Frame) -> (Source, Vec<u8>) {
    match frame {
        Frame::Line { source, line, .. } => (source, line),
        Frame::Damaged { .. } => panic!("{frame:?}"),
    }
}

/// Tries every millisecond until there is something.
pub fn eventually<T>(what: &str, mut try_it: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() {
        if let Some(found) = try_it() {
            return found;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("in vain: {what}");
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// Ran, said nothing.
pub fn ok(output: &Output) {
    assert_eq!(
        (output.status.code(), stderr(output)),
        (Some(0), String::new())
    );
    assert_eq!(output.stdout, b"");
}

/// Failed with one line on stderr, which holds all of these.
pub fn refused(output: &Output, code: i32, says: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("rha-event: "), "{said}");
    for word in says {
        assert!(said.contains(word), "{said} lacks {word}");
    }
}

pub fn numbered(range: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    range
        .map(|n| format!("INSTANCE \"n{n}\" MASTER 150").into_bytes())
        .collect()
}
