//! One clear line, and which user needs what.

use std::fs;
use std::process::Command;

use crate::world::{RHA, World, said};

#[test]
#[ignore = "needs redis-server"]
fn a_second_agent_is_refused_and_harms_nothing() {
    let world = World::new();
    let (_redis, agent) = world.replica();
    let output = world.rha("run");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("another agent runs already") && text.contains(&world.text("run")),
        "{text}"
    );
    // The same journal by way of another runtime directory.
    let toml = fs::read_to_string(world.path("rha.toml")).unwrap();
    let toml = toml.replace(
        &format!("'{}'", world.text("run")),
        &format!("'{}'", world.text("run2")),
    );
    fs::write(world.path("other.toml"), toml).unwrap();
    let output = Command::new(RHA)
        .arg("--config")
        .arg(world.path("other.toml"))
        .arg("run")
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("is in use by process"), "{text}");
    assert!(!world.path("run2/agent.sock").exists());
    world.notify("MASTER");
    world.until_role("primary");
    assert_eq!(agent.stop(), Some(0));
}

#[test]
fn a_wrong_configuration_is_told_by_file_line_and_key() {
    let mut world = World::new();
    world.setup.junk = "[alarm]\n";
    world.configure();
    let text = world.wants(2, "run");
    assert!(text.contains("rha.toml:"), "{text}");
    world.setup.junk = "\npriorty = 7\n";
    world.configure();
    let text = world.wants(2, "run");
    assert!(
        text.contains("rha.toml:") && text.contains("priorty") && text.contains("priority"),
        "{text}"
    );
    assert!(!world.path("run/agent.sock").exists());
}
