//! The whole thing, in the lab: real keepalived, real Redis, real rha, in worlds of network namespaces.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// In the environment of every process of our worlds.
const PARENT: &str = "RHA_LAB_PARENT";

/// A world's life takes a third of this on two cores.
const LIMIT: Duration = Duration::from_secs(180);

/// One world at a time: each of them is as large as this machine can carry well.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn walkthrough_of_the_manual() {
    let _alone = machine();
    // Not ok where a step is not as in the manual.
    let figures = lab(&["walkthrough", "--json"]);
    assert_eq!(
        figures["lost"], 0,
        "acknowledged writes are lost: {figures}"
    );
}

#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn failovers_lose_nothing() {
    lose_nothing("failover", 3);
}

#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn switchovers_lose_nothing() {
    lose_nothing("switchover", 4);
}

fn lose_nothing(verb: &str, rounds: u32) {
    let _alone = machine();
    let figures = lab(&[verb, "--rounds", &rounds.to_string(), "--json"]);
    assert_eq!(figures["rounds"], rounds, "{figures}");
    assert_eq!(
        figures["lost"], 0,
        "acknowledged writes are lost: {figures}"
    );
}

/// One that is a failover, one that is none, one that nobody may take for one, and the partitions in which a write could be lost:
/// without a quorum, with writes that need a replica, and with etcd.
#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn faults_end_as_promised() {
    let _alone = machine();
    let names = [
        "kill-primary-redis",
        "kill-replica-redis",
        "partition-replica",
        "vip-added",
        "replicated-partition-replica",
        "quorum-partition",
    ];
    let only = names.iter().flat_map(|name| ["--only", name]);
    let args: Vec<&str> = ["faults", "--json"].into_iter().chain(only).collect();
    let figures = lab(&args);
    let faults = figures["faults"].as_array().unwrap();
    let played: Vec<_> = faults.iter().map(|fault| &fault["name"]).collect();
    assert_eq!(played, names);
    for fault in faults {
        assert_eq!(fault["lost"], 0, "{fault}");
        // Two nodes alone cannot tell a partition from a dead peer.
        if fault["name"] != "partition-replica" {
            assert_eq!(fault["two_masters_ms"], 0.0, "{fault}");
        }
    }
}

/// Whatever is broken is as before afterwards, and who looks at the pair finds no trouble.
#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn drills_end_restored() {
    let _alone = machine();
    let figures = lab(&["drills", "--json"]);
    assert_eq!(figures["drills"].as_array().unwrap().len(), 6, "{figures}");
}

/// Quotes, comments and pauses, as in a script; and the help for a narrow terminal.
#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn the_shell_reads_a_script() {
    let _alone = machine();
    let mut world = tools_lab()
        .arg("shell")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let script = "# what an operator does\nhelp\nrha lvs1 pause --reason \"two words\" --for 1h\n\
                  sleep 0.2\nrha lvs1 history -n 1 --kind operator-paused\nquit\n";
    world
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let (out, err) = bounded(world);
    assert!(out.contains(": two words"), "{out}\n{err}");
    let help = out.lines().skip_while(|line| !line.starts_with("show  "));
    let help: Vec<_> = help
        .take_while(|line| !line.starts_with("paused"))
        .collect();
    assert!(help.len() > 10, "{out}");
    assert_eq!(help.iter().find(|line| line.len() > 80), None);
    assert_eq!(err, "");
}

/// No line of it is wrapped by the terminal, and the picture is taken away as often as it is drawn.
#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn the_demo_fits_80_columns() {
    let _alone = machine();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/demo");
    let command = format!("stty cols 80 rows 24; exec {}", demo.display());
    let child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env(PARENT, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, err) = bounded(child);
    let lines = out.lines().map(without_escapes);
    let wide: Vec<_> = lines.filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let drawn = out.matches("\u{1b}[?7l").count();
    assert!(drawn > 50, "{out}\n{err}");
    assert_eq!(out.matches("A\u{1b}[J").count(), drawn);
    assert!(out.contains("no divergence"), "{out}\n{err}");
}

/// A line as a terminal shows it: without control sequences (ECMA-48 CSI).
fn without_escapes(line: &str) -> String {
    let mut shown = String::new();
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let text = match index {
            0 => part,
            _ => part.trim_start_matches(|c: char| !c.is_ascii_alphabetic()),
        };
        shown.extend(text.chars().skip(usize::from(index > 0)));
    }
    shown
}

/// SIGTERM to the first process, as an impatient `timeout` sends it, ends every other.
#[test]
#[ignore = "needs keepalived, redis-server, and namespaces"]
fn nothing_is_left_of_a_killed_world() {
    let _alone = machine();
    let mut world = tools_lab()
        .arg("shell")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = world.stdout.take().unwrap();
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    loop {
        let line = lines
            .recv_timeout(Duration::from_secs(120))
            .expect("the world does not come up");
        if line.contains("The world is up") {
            break;
        }
    }
    let namespace = world_namespace().expect("no process of the world has a pid namespace");
    let alive = processes_in(&namespace);
    for program in ["redis-server", "keepalived", "rha"] {
        let runs = alive.iter().any(|command| command.contains(program));
        assert!(runs, "no {program} in the world: {alive:?}");
    }
    kill_process(Pid::from_child(&world), Signal::TERM).unwrap();
    let status = world.wait().unwrap();
    assert!(status.signal().is_some(), "ended by itself: {status}");
    for _ in 0..100 {
        if processes_in(&namespace).is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("still there: {:?}", processes_in(&namespace));
}

fn tools_lab() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/lab"));
    command.env(PARENT, std::process::id().to_string());
    command
}

/// Runs `tools/lab`, which must end well, and returns the JSON object in the last line of stdout.
fn lab(args: &[&str]) -> Value {
    let child = tools_lab()
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, err) = bounded(child);
    let figures: Value = serde_json::from_str(out.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("no JSON in the last line: {error}\n{out}\n{err}"));
    assert_eq!(figures["ok"], true, "{out}\n{err}");
    figures
}

fn bounded(child: Child) -> (String, String) {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("not finished after {} s", LIMIT.as_secs());
    };
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The pid namespace of the world that this process started: that of a process which carries our mark in its
/// environment (Redis writes over its own, so the mark alone does not find everybody).
fn world_namespace() -> Option<PathBuf> {
    let mark = format!("{PARENT}={}", std::process::id());
    let own = pid_namespace(Path::new("/proc/self"));
    processes()
        .filter(|process| {
            fs::read(process.join("environ")).is_ok_and(|environment| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == mark.as_bytes())
            })
        })
        .filter_map(|process| pid_namespace(&process))
        .find(|namespace| Some(namespace) != own.as_ref())
}

/// The command lines of all processes in a pid namespace.
fn processes_in(namespace: &Path) -> Vec<String> {
    processes()
        .filter(|process| pid_namespace(process).is_some_and(|other| other == namespace))
        .map(|process| {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).replace('\0', " ")
        })
        .collect()
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn pid_namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/pid")).ok()
}
