//! Who may not, and how it is told. Only root can be somebody else: tools/test knows this module by its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::world::{RHA, Sink, World, said};

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

/// Somebody ran the agent as root once, and the journal has files now that its own user may not write.
#[test]
#[ignore = "needs root, and redis-server"]
fn an_agent_that_lost_the_right_to_its_journal_serves_without_it() {
    let sink = Sink::later().open();
    let world = World::with(|setup| setup.sink = Some(sink.port));
    fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (_redis, agent) = world.replica();
    assert_eq!(agent.stop(), Some(0));
    let own = |owner: &str| {
        let mut chown = Command::new("chown");
        let given = chown.args(["-R", owner, &world.text("state")]).status();
        assert!(given.unwrap().success());
    };
    own("65534:65534");
    fs::remove_dir_all(world.path("run")).unwrap();
    fs::create_dir(world.path("run")).unwrap();
    fs::set_permissions(world.path("run"), fs::Permissions::from_mode(0o777)).unwrap();
    let log = world.path("state/journal/00000000000000000001/db");
    let owned = |owner| std::os::unix::fs::chown(&log, Some(owner), None).unwrap();
    owned(0);
    let agent = world.start_as(as_nobody(&world));
    world.until("the alarm does not wait", || {
        let titles = sink.titles();
        let said = titles.iter().any(|title| title.contains("Journal trouble"));
        said.then_some(())
    });
    world.until_role("replica");
    assert!(
        world
            .log()
            .contains("user 65534 needs read and write permission"),
        "{}",
        world.log()
    );
    owned(65534);
    world.until_said("the journal can be written again");
    world.until("the gap is recorded", || {
        (world.count("--kind journal-failed") == 1).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    world.is_sound();
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
