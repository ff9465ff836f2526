//! What is asked of a journal afterwards, with and without an agent.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::world::World;

/// Also over a kill, behind which numbers of quiet checks that were held are given again.
#[test]
#[ignore = "needs redis-server"]
fn following_tells_what_comes_and_outlives_the_agent() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let told = world.path("told");
    let mut following = world
        .command()
        .args(["history", "--follow", "-n", "1", "--output", "jsonl"])
        .stdout(fs::File::create(&told).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&told).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    };
    let has = |kind: &str, count: usize| {
        world.until(kind, || {
            let found = lines().iter().filter(|line| line["kind"] == kind).count();
            (found >= count).then_some(())
        });
    };
    world.until("the first line", || (!lines().is_empty()).then_some(()));
    world.wants(0, "pause --for 1m --reason test");
    has("operator-paused", 1);
    agent.kill();
    let agent = world.start();
    world.until_role("replica");
    has("agent-started", 1);
    has("agent-ready", 1);
    world.wants(0, "resume");
    has("operator-resumed", 1);
    following.kill().unwrap();
    following.wait().unwrap();
    let all = lines();
    let marks: Vec<_> = all.iter().map(|line| (&line["seq"], &line["at"])).collect();
    for (index, mark) in marks.iter().enumerate() {
        assert!(!marks[..index].contains(mark), "{mark:?} is told twice");
    }
    agent.kill();
}

/// The same bundle, whoever writes it; and it is told, replayed and kept elsewhere as here.
#[test]
#[ignore = "needs redis-server"]
fn a_bundle_is_the_same_from_the_agent_and_from_the_journal() {
    let world = World::new();
    let (_redis, agent) = world.primary();
    world.wants(0, "pause --for 1m --reason test");
    let [live, rest] = ["live.rha", "rest.rha"].map(|name| world.path(name));
    let export = |to: &std::path::Path| format!("export --since 1h --out {}", to.display());
    world.wants(0, &export(&live));
    agent.stop();
    world.wants(0, &export(&rest));
    let count =
        |bundle: &std::path::Path| world.wants(0, &format!("replay --bundle {}", bundle.display()));
    assert!(count(&live).contains("no divergence"));
    assert!(count(&rest).contains("no divergence"));
    let seqs = |source: &str| -> Vec<u64> {
        let records = world.history(format!("--all {source}").trim_end());
        let records = records.iter();
        records
            .map(|record| record["seq"].as_u64().unwrap())
            .collect()
    };
    let (here, there) = (seqs(""), seqs(&format!("--bundle {}", rest.display())));
    assert_eq!(here, there);
    assert!(there.starts_with(&seqs(&format!("--bundle {}", live.display()))));

    let kept = world.wants(0, &format!("import {} --as a-1", live.display()));
    assert!(kept.contains("kept as a-1"), "{kept}");
    world.wants(0, &format!("import {} --as a-2", rest.display()));
    assert!(
        world
            .wants(1, &format!("import {} --as a-1", rest.display()))
            .contains("already")
    );
    assert_eq!(seqs("--bundle a-2"), here, "each by its own name");
    assert_eq!(world.wants(0, "import --list").lines().count(), 2);
    let lines = world.wants(0, "export --format jsonl");
    assert_eq!(lines.lines().count(), here.len());
    let none = world.wants(1, "postmortem");
    assert!(none.contains("there are no incidents"), "{none}");
}
