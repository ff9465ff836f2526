//! Who may not, and how it is told. Only root can be somebody else: tools/test knows this module by its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::world::{RHA, World, said};

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
#[ignore = "needs root, and redis-server"]
fn who_lacks_permission_is_told_which_user_needs_what() {
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
    let output = as_nobody(&world).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("the agent's socket may not be used"),
        "{text}"
    );
    assert_eq!(agent.stop(), Some(0));
}
