//! One clear line, and which user needs what.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::world::{RHA, World, has, possible, said};

#[test]
fn a_second_agent_is_refused_and_harms_nothing() {
    if !possible() {
        return;
    }
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

/// As nobody, the program at a place where nobody may run it.
fn as_nobody(world: &World) -> Command {
    let binary = world.path("rha");
    if !binary.exists() {
        fs::copy(RHA, &binary).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(binary);
    command.arg("--config").arg(world.path("rha.toml"));
    command
}

#[test]
fn who_lacks_permission_is_told_which_user_needs_what() {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "true"];
    if !has("setpriv", &nobody) {
        return;
    }
    let world = World::new();
    fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = |what: &str| {
        let output = as_nobody(&world).arg("run").output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(&world.text(what)), "{text} names {what}");
        assert!(text.contains("65534"), "{text}");
        assert!(!world.path("run/agent.sock").exists(), "{text}");
    };
    // Nothing is there, and nothing may be made.
    refused("run");
    let open = |name: &str, mode| {
        fs::create_dir_all(world.path(name)).unwrap();
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    open("run", 0o755);
    refused("run");
    open("run", 0o777);
    open("run/track", 0o777);
    refused("state");
    open("state", 0o755);
    refused("state");
    open("state", 0o777);
    open("state/journal", 0o755);
    refused("state/journal");
    open("state/journal", 0o777);
    open("state/spool", 0o700);
    refused("state/spool");
    // The socket of a running agent that is another user's.
    open("run", 0o755);
    open("state/spool", 0o777);
    if !possible() {
        return;
    }
    fs::remove_dir_all(world.path("state/journal")).unwrap();
    let (_redis, agent) = world.replica();
    let output = as_nobody(&world)
        .args(["pause", "--reason", "x"])
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("agent.sock") && text.contains("permission denied"),
        "{text}"
    );
    // keepalived's user may always ask how Redis is.
    let output = as_nobody(&world).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(agent.stop(), Some(0));
}
