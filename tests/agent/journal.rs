//! A journal that is damaged, or whose disk is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::namespace::{inside, ip};
use crate::port::free_port;
use crate::world::{Sink, VIP, World, cli};

/// Takes every byte that is left on the file system of `state`.
fn fill(world: &World) {
    let mut filler = File::create(world.path("state/filler")).unwrap();
    for size in [64 * 1024, 512, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
}

fn small_disk(world: &World) {
    fs::create_dir_all(world.path("state")).unwrap();
    let state = world.text("state");
    let mount = ["-t", "tmpfs", "-o", "size=6m", "tmpfs", &state];
    assert!(
        Command::new("mount")
            .args(mount)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
#[ignore = "needs redis-server, and namespaces"]
fn a_full_disk_stops_the_journal_and_not_the_failover() {
    if !inside("journal::a_full_disk_stops_the_journal_and_not_the_failover") {
        return;
    }
    let sink = Sink::later().open();
    let world = World::with(|setup| {
        setup.instances.push(("queue".to_owned(), free_port()));
        setup.sink = Some(sink.port);
    });
    small_disk(&world);
    let (redis, agent) = world.replica();
    // The spool's file is there and has room within its last page.
    world.notify("BACKUP");
    world.until("the line is in", || {
        (world.count("--kind vrrp-notified") == 1).then_some(())
    });
    fill(&world);
    // Records about the other instance, until there is no room for one.
    world.until("the journal fails", || {
        world.rha("pause queue --reason fill");
        (world.said("the journal cannot be written") > 0).then_some(())
    });
    let text = world.wants(1, "pause queue --reason refused");
    assert!(text.contains("the journal cannot be written"), "{text}");

    world.notify("MASTER");
    world.until("Redis is promoted", || {
        (redis.role() == "master").then_some(())
    });
    world.until("the loudest alarm does not wait", || {
        sink.titles()
            .iter()
            .any(|title| title.contains("Journal trouble"))
            .then_some(())
    });
    // It goes on checking, tries to write, and says each thing once.
    redis.cli("SET key value");
    world.until_status("the check sees the key", |status| {
        status["redis"]["keys"] == 1
    });
    world.until_said("the journal is still out of use");
    // The promotion, and what it adds to the priority.
    assert_eq!(world.said("acting without a record"), 2, "{}", world.log());
    assert_eq!(
        world.said("the journal cannot be written"),
        1,
        "{}",
        world.log()
    );
    fs::remove_file(world.path("state/filler")).unwrap();
    world.until_said("the journal can be written again");
    world.until("what was done is recorded", || {
        (world.count("--kind acted-unrecorded") == 2).then_some(())
    });
    world.until_role("primary");
    assert_eq!(redis.role(), "master");
    assert_eq!(
        world.count("--kind vrrp-notified"),
        2,
        "no line is lost, none stands twice"
    );
    // The exit is still seen at once.
    redis.signal(rustix::process::Signal::KILL);
    world.until("the exit", || {
        (world.count("--kind redis-exited") == 1).then_some(())
    });
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

fn remount(world: &World, how: &str) {
    let state = world.text("state");
    let mut mount = Command::new("mount");
    let mount = mount.args(["-o", &format!("remount,{how}"), &state]);
    assert!(mount.status().unwrap().success());
}

/// As a failing disk is. It fails over all the same, says so at once, and records it when it can.
#[test]
#[ignore = "needs redis-server, and namespaces"]
fn an_agent_that_starts_on_a_read_only_disk_goes_on_without_its_journal() {
    if !inside("journal::an_agent_that_starts_on_a_read_only_disk_goes_on_without_its_journal") {
        return;
    }
    let sink = Sink::later().open();
    let world = World::with(|setup| {
        setup.sink = Some(sink.port);
        setup.interface = "eth9";
    });
    small_disk(&world);
    let (redis, agent) = world.replica();
    assert_eq!(agent.stop(), Some(0));
    let records = world.count("");
    remount(&world, "ro");
    let agent = world.start();
    world.until("the alarm does not wait", || {
        let titles = sink.titles();
        let said = titles.iter().any(|title| title.contains("Journal trouble"));
        said.then_some(())
    });
    // keepalived's line waits in its FIFO; the address speaks for itself.
    ip(&format!("addr add {VIP}/32 dev eth9"));
    world.until("Redis is promoted", || {
        (redis.role() == "master").then_some(())
    });
    let refused = world.wants(1, "pause --reason refused");
    assert!(
        refused.contains("the journal cannot be written"),
        "{refused}"
    );
    remount(&world, "rw");
    world.until_said("the journal can be written again");
    world.until_role("primary");
    world.until("the alarm is taken back", || {
        let titles = sink.titles();
        let over = titles
            .iter()
            .any(|title| title.contains("Resolved: Journal trouble"));
        over.then_some(())
    });
    assert!(world.count("") > records, "the journal is the old one");
    assert!(world.count("--kind acted-unrecorded") > 0);
    assert_eq!(world.count("--kind journal-failed"), 1);
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn a_damaged_journal_is_set_aside_and_alarmed() {
    let sink = Sink::later().open();
    let world = World::with(|setup| setup.sink = Some(sink.port));
    let (_redis, agent) = world.primary();
    assert_eq!(agent.stop(), Some(0));
    let log = File::options()
        .write(true)
        .open(world.path("state/journal/00000000000000000001/db"))
        .unwrap();
    let length = log.metadata().unwrap().len();
    for place in (0..length).step_by(512) {
        log.write_all_at(&[0x5a; 64], place).unwrap();
    }
    let agent = world.start();
    world.until("the alarm is sent", || {
        sink.titles()
            .iter()
            .any(|title| title.contains("Journal trouble"))
            .then_some(())
    });
    assert_eq!(world.count("--kind journal-quarantined"), 1);
    assert_eq!(world.said("set aside"), 1, "{}", world.log());
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
}

/// What was written and never acknowledged is on the disk: it counts, once, and what it ordered is looked at.
#[test]
#[ignore = "needs redis-server, and namespaces"]
fn a_disk_that_hangs_stops_no_promotion_and_leaves_no_record_twice() {
    if !inside("journal::a_disk_that_hangs_stops_no_promotion_and_leaves_no_record_twice") {
        return;
    }
    let world = World::with(|setup| setup.interface = "eth9");
    let (redis, agent) = world.replica();
    let tasks = fs::read_dir(format!("/proc/{}/task", agent.child.id())).unwrap();
    let is_journal = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "journal\n")
    };
    let task = tasks.flatten().find(is_journal).unwrap();
    let mut strace = Command::new("strace")
        .args(["-p", task.file_name().to_str().unwrap(), "-o", "/dev/null"])
        .args([
            "-e",
            "trace=fdatasync",
            "-e",
            "inject=fdatasync:delay_enter=6000000:when=1",
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.until("strace is at it", || {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        (!status.contains("TracerPid:\t0\n")).then_some(())
    });
    ip(&format!("addr add {VIP}/32 dev eth9"));
    world.notify("MASTER");
    world.until("Redis is promoted", || {
        (redis.role() == "master").then_some(())
    });
    assert_eq!(
        world.said("the journal can be written again"),
        0,
        "{}",
        world.log()
    );
    world.until_said("the journal can be written again");
    world.until_role("primary");
    strace.kill().unwrap();
    strace.wait().unwrap();
    assert_eq!(world.count("--kind vrrp-notified"), 1);
    // The promotion, and what it adds to the priority.
    assert_eq!(world.count("--kind acted-unrecorded"), 2);
    assert_eq!(world.said("acting without a record"), 2, "{}", world.log());
    world.is_sound();
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
}

/// A journal that is being read cannot keep it from being opened anew, nor the agent from stopping.
#[test]
#[ignore = "needs redis-server, and namespaces"]
fn a_pager_that_waits_keeps_nobody_waiting() {
    if !inside("journal::a_pager_that_waits_keeps_nobody_waiting") {
        return;
    }
    let world = World::with(|setup| setup.instances.push(("queue".to_owned(), free_port())));
    small_disk(&world);
    let (redis, agent) = world.replica();
    for _ in 0..2000 {
        // Enough that no buffer holds them all.
        if world.count("--kind operator-paused") > 300 {
            break;
        }
        for _ in 0..20 {
            world.rha(&format!("pause queue --reason {}", "x".repeat(400)));
        }
    }
    let mut pagers: Vec<_> = (0..3)
        .map(|_| {
            let mut history = world.command();
            history.args(["history", "-n", "0", "--output", "jsonl"]);
            history
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    fill(&world);
    world.until("the journal fails", || {
        world.rha("pause queue --reason fill");
        (world.said("the journal cannot be written") > 0).then_some(())
    });
    fs::remove_file(world.path("state/filler")).unwrap();
    world.until_said("the journal can be written again");
    world.notify("MASTER");
    world.until_role("primary");
    assert_eq!(cli(redis.port, "ROLE").lines().next(), Some("master"));
    assert_eq!(agent.stop(), Some(0));
    for pager in &mut pagers {
        let _ = pager.kill();
        let _ = pager.wait();
    }
}

/// What is written to removed files is nowhere: nothing more is acknowledged, and another journal begins.
#[test]
#[ignore = "needs redis-server"]
fn a_journal_that_is_removed_under_the_agent_is_noticed() {
    let hows: [fn(&Path) -> io::Result<()>; 2] = [
        |journal| fs::remove_dir_all(journal),
        |journal| fs::rename(journal, journal.with_extension("old")),
    ];
    for how in hows {
        let world = World::new();
        let (redis, agent) = world.primary();
        let before = world.history("--kind vrrp-notified");
        world.until("the black box has it", || {
            let told = world.history("--blackbox --kind vrrp-notified");
            (told == before).then_some(())
        });
        how(&world.path("state/journal")).unwrap();
        world.rha("pause --reason look");
        world.until_said("the journal can be written again");
        world.until("both are recorded", || {
            let failed = world.count("--kind journal-failed");
            let lost = world.count("--kind volume-damaged");
            (failed == 1 && lost == 1).then_some(())
        });
        let lost = world.history("--kind volume-damaged").remove(0);
        let why = lost["event"]["why"].as_str().unwrap();
        assert!(why.contains("the black box tells of record"), "{why}");
        world.is_sound();
        assert_eq!(redis.role(), "master");
        assert_eq!(agent.stop(), Some(0));
        world.is_sound();
        let told = world.history("--blackbox --kind vrrp-notified");
        assert_eq!(told[..before.len()], before);
    }
}
