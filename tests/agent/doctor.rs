//! `rha doctor` against real Redis with odd settings, with and without an agent.

use std::io::Write;
use std::net::TcpStream;

use serde_json::Value;

use crate::world::World;

/// What the doctor says, whatever its exit code.
fn look(world: &World) -> Vec<Value> {
    let output = world.rha("doctor --output json");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How a check is; the worst, where it is made of several things.
fn state(found: &[Value], subject: &str, check: &str) -> String {
    let same = |one: &&Value| one["subject"] == subject && one["check"] == check;
    let states: Vec<_> = found.iter().filter(same).map(|one| &one["state"]).collect();
    let worst = ["trouble", "warning", "ok"].into_iter();
    let mut worst = worst.filter(|state| states.iter().any(|one| *one == state));
    worst.next().unwrap_or("not looked at").to_owned()
}

#[test]
fn without_anything_it_says_so_and_changes_nothing() {
    let world = World::new();
    let found = look(&world);
    assert_eq!(state(&found, "agent", "runs"), "trouble");
    assert_eq!(state(&found, "redis", "reach"), "trouble");
    assert_eq!(state(&found, "keepalived", "fifo"), "trouble");
    assert_eq!(state(&found, "nodes", "reach"), "trouble");
    assert!(!world.path("state").exists() && !world.path("run").exists());
    world.wants(3, "doctor");
    let csv = world.wants(3, "doctor --output csv");
    assert!(
        csv.starts_with("state,subject,instance,check,text,todo\r\n"),
        "{csv}"
    );
    let quiet = world.wants(3, "doctor --quiet");
    assert!(
        !quiet.lines().any(|line| line.starts_with("ok ")),
        "{quiet}"
    );
}

#[test]
#[ignore = "needs redis-server"]
fn odd_settings_of_redis_are_found() {
    let world = World::new();
    let odd = [
        ("--replica-read-only", "no"),
        ("--min-replicas-to-write", "1"),
        ("--tcp-keepalive", "0"),
        ("--repl-timeout", "5"),
        ("--replica-serve-stale-data", "no"),
    ];
    let arguments: Vec<&str> = odd.iter().flat_map(|(key, value)| [*key, *value]).collect();
    let redis = world.redis(world.port(), &arguments);
    let mut sentinel = TcpStream::connect(("127.0.0.1", redis.port)).unwrap();
    sentinel
        .write_all(b"CLIENT SETNAME sentinel-abc-cmd\r\n")
        .unwrap();
    world.until("the name is set", || {
        redis
            .cli("CLIENT LIST")
            .contains("sentinel-abc")
            .then_some(())
    });
    let found = look(&world);
    for (check, wanted) in [
        ("reach", "ok"),
        ("version", "ok"),
        ("rights", "ok"),
        // Neither the VIP nor the node's own address but 127.0.0.1.
        ("bind", "trouble"),
        ("replica-read-only", "trouble"),
        ("min-replicas", "warning"),
        ("tcp-keepalive", "warning"),
        ("repl-timeout", "trouble"),
        ("stale-data", "warning"),
        ("persistence", "warning"),
        ("sentinel", "trouble"),
        ("masterauth", "ok"),
    ] {
        assert_eq!(state(&found, "redis", check), wanted, "{check}: {found:#?}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn missing_rights_are_named() {
    let world = World::new();
    let user = [
        "--user",
        "default",
        "on",
        "nopass",
        "~*",
        "&*",
        "+@all",
        "-replicaof",
        "-shutdown",
    ];
    let _redis = world.redis(world.port(), &user);
    let found = look(&world);
    assert_eq!(state(&found, "redis", "rights"), "trouble", "{found:#?}");
    let rights = found.iter().find(|one| one["check"] == "rights").unwrap();
    let text = rights["text"].as_str().unwrap();
    assert!(
        text.contains("REPLICAOF NO ONE") && text.contains("SHUTDOWN"),
        "{text}"
    );
    assert!(!text.contains("PING"), "{text}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_password_without_masterauth_and_a_cluster_are_trouble() {
    let world = World::with(|setup| setup.password_file = String::new());
    let _redis = world.redis(world.port(), &["--cluster-enabled", "yes"]);
    assert_eq!(state(&look(&world), "redis", "cluster"), "trouble");
    let mut setup = world.setup.clone();
    let file = world.path("password");
    std::fs::write(&file, "secret\n").unwrap();
    setup.password_file = file.display().to_string();
    let world = World::with(|one| *one = setup);
    let port = world.port();
    drop(_redis);
    let _redis = world.redis(port, &["--requirepass", "secret"]);
    assert_eq!(state(&look(&world), "redis", "masterauth"), "trouble");
}

#[test]
#[ignore = "needs redis-server"]
fn with_an_agent_what_it_runs_with_is_compared() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let found = look(&world);
    assert_eq!(state(&found, "agent", "runs"), "ok");
    assert_eq!(
        state(&found, "agent", "config-in-force"),
        "ok",
        "{found:#?}"
    );
    assert_eq!(state(&found, "agent", "journal"), "ok");
    assert_eq!(state(&found, "redis", "role"), "ok");
    // Nobody else is there.
    assert_eq!(state(&found, "nodes", "led"), "trouble");
    let mut changed = world.setup.clone();
    changed.fall = 7;
    std::fs::write(world.path("rha.toml"), world.toml(&changed)).unwrap();
    let found = look(&world);
    assert_eq!(state(&found, "agent", "config-in-force"), "warning");
    let said = found
        .iter()
        .find(|one| one["check"] == "config-in-force")
        .unwrap();
    assert!(
        said["text"].as_str().unwrap().contains("health.fall"),
        "{said}"
    );
    agent.signal(rustix::process::Signal::HUP);
    world.until("it is in force", || {
        (state(&look(&world), "agent", "config-in-force") == "ok").then_some(())
    });
}
