//! The spool as the agent takes it in: more lines at once than a keepalived ever wrote, and lines that it cannot read.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::world::{Agent, World};

/// Enough that what grows with them would be seen.
const LINES: usize = 24_000;

/// In KiB. At rest the agent has some 12 MiB, sled's cache another 14 once it is full.
const MOST: u64 = 64 * 1024;

/// The most memory that it ever had, in KiB (proc_pid_status(5)).
fn peak(agent: &Agent<'_>) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.child.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Each line takes back what the one before it ordered, and an order's outcome is an event as well.
#[test]
#[ignore = "needs redis-server"]
fn a_flood_of_lines_comes_in_once_and_in_order_and_is_not_hoarded() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let line = |number: usize| {
        let word = ["MASTER", "BACKUP"][number % 2];
        let last = number + 1 == LINES;
        (word, if last { 255 } else { 1 + number % 251 })
    };
    let text: String = (0..LINES)
        .map(line)
        .map(|(word, priority)| format!("INSTANCE \"RHA_REDIS\" {word} {priority}\n"))
        .collect();
    let mut event = world.event_command().stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = event.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    assert!(event.wait().unwrap().success());
    world.until("the last line is in", || {
        let newest = world.rha("history -n 1 --kind vrrp-notified --output jsonl");
        let is_last = String::from_utf8_lossy(&newest.stdout).contains("\"priority\":255");
        is_last.then_some(())
    });
    let peak = peak(&agent);
    let lines = world.history("--kind vrrp-notified");
    let (mut got, mut want) = (Vec::new(), Vec::new());
    for (number, record) in lines.iter().enumerate() {
        let event = &record["event"];
        let word = event["word"].as_str().unwrap().to_owned();
        got.push((word, event["priority"].as_u64().unwrap()));
        let (word, priority) = line(number);
        want.push((word.to_owned(), priority as u64));
    }
    assert_eq!(got.len(), LINES);
    let first_wrong = got.iter().zip(&want).position(|(got, want)| got != want);
    assert_eq!(first_wrong, None);
    assert!(peak < MOST, "{peak} KiB");
    eprintln!("{LINES} lines, {peak} KiB");
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}

/// As an update that was taken back leaves it behind.
#[test]
#[ignore = "needs redis-server"]
fn lines_from_the_future_wait_and_the_agent_goes_on() {
    let world = World::new();
    let spool = world.path("state/spool");
    let future = spool.join("notify-0000000000000001.spool");
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/spool/future.spool"
    );
    fs::create_dir_all(&spool).unwrap();
    fs::copy(golden, &future).unwrap();
    let (_redis, agent) = world.replica();
    world.notify("MASTER");
    world.until_said("the spool cannot be read");
    // Longer than it takes to try again.
    thread::sleep(Duration::from_millis(2500));
    for what in [
        "the spool cannot be read",
        "spool format 2",
        &future.display().to_string(),
    ] {
        assert_eq!(world.said(what), 1, "{what}: {}", world.log());
    }
    assert_eq!(world.count("--kind vrrp-notified"), 0, "not out of order");
    assert_eq!(fs::read(&future).unwrap(), fs::read(golden).unwrap());
    // What the line says.
    fs::rename(&future, world.path("future.spool")).unwrap();
    world.until_role("primary");
    assert_eq!(world.count("--kind vrrp-notified"), 1);
    assert_eq!(
        world.count("--kind spool-damaged"),
        1,
        "the gap is on record"
    );
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}
