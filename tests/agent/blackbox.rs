//! The story outlives the journal.

use std::fs;

use serde_json::Value;

use crate::world::World;

/// As `rha history -n 0 --output jsonl` prints it, from the journal or the black box.
fn story(world: &World, arguments: &str) -> Vec<String> {
    let line = format!("history -n 0 --output jsonl {arguments}");
    let text = world.wants(0, line.trim_end());
    text.lines().map(str::to_owned).collect()
}

fn has(lines: &[String], kind: &str) -> usize {
    let is = |line: &&String| serde_json::from_str::<Value>(line).unwrap()["kind"] == kind;
    lines.iter().filter(is).count()
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_journal_told_is_in_the_black_box_when_the_journal_is_gone() {
    let world = World::new();
    let (_redis, agent) = world.primary();
    agent.kill();
    // What the black box has not written by then is read from the journal.
    let agent = world.start();
    world.notify("BACKUP");
    world.until("the line is in", || {
        (world.count("--kind vrrp-notified") == 2).then_some(())
    });
    // The VIP is not really here.
    world.until_role("replica");
    let told = story(&world, "");
    assert!(told.len() > 20 && has(&told, "agent-started") > 1);
    world.until("the black box is as far", || {
        (story(&world, "--blackbox").len() >= told.len()).then_some(())
    });
    agent.kill();
    fs::remove_dir_all(world.path("state/journal")).unwrap();

    let saved = story(&world, "--blackbox");
    assert_eq!(saved[..told.len()], told);
    world.wants(0, "history --blackbox --why -n 5");

    // Another journal begins, and is told behind that, once, over a restart too.
    for _ in 0..2 {
        let agent = world.start();
        world.until_role("replica");
        assert_eq!(agent.stop(), Some(0));
    }
    let told = story(&world, "");
    assert_eq!(
        has(&told, "agent-stopping"),
        has(&told, "agent-started") / 2
    );
    assert_eq!(story(&world, "--blackbox"), [saved, told].concat());
}

/// A journal that is set aside says where the story is.
#[test]
#[ignore = "needs redis-server"]
fn a_damaged_journal_names_the_black_box() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    assert_eq!(agent.stop(), Some(0));
    let told = story(&world, "");
    let log = world.path("state/journal/00000000000000000001/db");
    let length = fs::metadata(&log).unwrap().len();
    fs::write(&log, vec![0xa5; length as usize]).unwrap();
    let agent = world.start();
    world.until("it is recorded", || {
        (world.count("--kind journal-quarantined") == 1).then_some(())
    });
    let quarantined = world.history("--kind journal-quarantined").remove(0);
    let why = quarantined["event"]["why"].as_str().unwrap();
    let place = world.text("state/blackbox");
    let named = format!("what it told is in the black box, {place} (rha history --blackbox)");
    assert!(why.ends_with(&named), "{why}");
    assert_eq!(agent.stop(), Some(0));
    assert_eq!(
        story(&world, "--blackbox"),
        [told, story(&world, "")].concat()
    );
}
