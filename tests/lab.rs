//! The whole thing, in the lab: real keepalived, real Redis, real rha, in worlds of network namespaces.
//!
//! A machine that cannot carry a world skips these (they are "ignored", never "ok"); with
//! `--include-ignored` they run all the same and fail with the reason.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// In the environment of every process of our worlds.
const PARENT: &str = "RHA_LAB_PARENT";

type TestResult = Result<(), Failed>;

fn main() {
    let mut arguments = Arguments::from_args();
    // One world at a time: they measure time.
    arguments.test_threads = Some(1);
    let lacking = lacking();
    if let Some(why) = &lacking {
        #[allow(clippy::print_stderr)] // a skipped test says why
        {
            eprintln!("the lab's tests are skipped: {why}");
        }
    }
    let trial = |name: &str, test: fn() -> TestResult| {
        Trial::test(name, test).with_ignored_flag(lacking.is_some())
    };
    let trials = vec![
        trial("walkthrough_of_the_manual", walkthrough_of_the_manual),
        trial("failovers_lose_nothing", failovers_lose_nothing),
        trial(
            "nothing_is_left_of_a_killed_world",
            nothing_is_left_of_a_killed_world,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn walkthrough_of_the_manual() -> TestResult {
    let figures = lab(&["walkthrough", "--json"], Duration::from_secs(180))?;
    check(
        figures["ok"] == true,
        "every step is as in the manual",
        &figures,
    )?;
    check(
        figures["lost"] == 0,
        "no acknowledged write is lost",
        &figures,
    )
}

fn failovers_lose_nothing() -> TestResult {
    let figures = lab(
        &["failover", "--rounds", "3", "--json"],
        Duration::from_secs(180),
    )?;
    check(figures["ok"] == true, "every round ends well", &figures)?;
    check(figures["rounds"] == 3, "three rounds", &figures)?;
    check(
        figures["lost"] == 0,
        "no acknowledged write is lost",
        &figures,
    )?;
    // Ten times what it takes, for a machine that is busy with something else; the old scripts took 4 s.
    let median = figures["median_ms"].as_f64().unwrap_or(f64::MAX);
    check(median < 200.0, "a median outage below 200 ms", &figures)
}

/// SIGTERM to the first process, as an impatient `timeout` sends it, ends every other.
fn nothing_is_left_of_a_killed_world() -> TestResult {
    let mut world = tools_lab()
        .arg("shell")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = world.stdout.take().ok_or("stdout was piped")?;
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
            .map_err(|_| "the world does not come up")?;
        if line.contains("The world is up") {
            break;
        }
    }
    let namespace = world_namespace().ok_or("no process of the world has a pid namespace")?;
    let alive = processes_in(&namespace);
    for program in ["redis-server", "keepalived", "rha"] {
        if !alive.iter().any(|command| command.contains(program)) {
            return Err(format!("no {program} in the world: {alive:?}").into());
        }
    }
    kill_process(Pid::from_child(&world), Signal::TERM)?;
    let status = world.wait()?;
    if status.signal().is_none() {
        return Err(format!("ended by itself: {status}").into());
    }
    for _ in 0..100 {
        if processes_in(&namespace).is_empty() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("still there: {:?}", processes_in(&namespace)).into())
}

/// What a world needs and this machine lacks.
fn lacking() -> Option<String> {
    let output = tools_lab().arg("check").output();
    let why = match output {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Some(why)
}

fn tools_lab() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/lab"));
    command.env(PARENT, std::process::id().to_string());
    command
}

/// Runs `tools/lab`, at most for `limit`, and returns the JSON object in the last line of stdout.
fn lab(args: &[&str], limit: Duration) -> Result<Value, Failed> {
    if let Some(why) = lacking() {
        return Err(why.into());
    }
    let child = tools_lab()
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdout, stderr) = bounded(child, limit)?;
    let last = stdout.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(last)
        .map_err(|error| format!("no JSON in the last line: {error}\n{stdout}\n{stderr}"))?;
    if figures["ok"] != true {
        return Err(format!("{stdout}\n{stderr}").into());
    }
    Ok(figures)
}

fn bounded(child: Child, limit: Duration) -> Result<(String, String), Failed> {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(limit) else {
        kill_process(pid, Signal::KILL)?;
        return Err(format!("not finished after {} s", limit.as_secs()).into());
    };
    let output = output?;
    Ok((
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn check(holds: bool, what: &str, figures: &Value) -> TestResult {
    if holds {
        Ok(())
    } else {
        Err(format!("expected {what}: {figures}").into())
    }
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
