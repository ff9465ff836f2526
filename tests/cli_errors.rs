//! How the command line speaks of what is wrong: a configuration that cannot be read or used, orders that mean nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const RHA: &str = env!("CARGO_BIN_EXE_rha");

/// A directory to work in.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn pipe(&self, name: &str) {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, self.path(name), kind, mode, 0).unwrap();
    }

    /// Exit code, stdout and stderr, where the configuration is `rha.toml`.
    fn rha(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(RHA)
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("RHA_CONFIG", "rha.toml")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    /// What is said on stderr, by a command that must end with this code and print nothing.
    fn refused(&self, code: i32, args: &[&str]) -> String {
        let (found, printed, said) = self.rha(args);
        assert_eq!((found, printed.as_str()), (code, ""), "{args:?}: {said}");
        said
    }
}

#[test]
fn a_missing_configuration_is_told_with_where_one_comes_from() {
    let desk = Desk::new();
    let commands = [
        &["status"][..],
        &["history"],
        &["check"],
        &["run"],
        &["pause", "--reason", "x"],
        &["config", "check"],
        &["config", "show"],
        &["keepalived", "render"],
    ];
    for args in commands {
        assert_eq!(
            desk.refused(2, args),
            "error: rha.toml: cannot read the configuration: there is no such file\n\
             hint: Begin with rha's own config/rha.toml, or with `rha config import` from the old scripts; \
             --config names a file elsewhere.\n"
        );
    }
}

#[test]
fn what_cannot_be_a_configuration_is_named_and_not_waited_for() {
    let desk = Desk::new();
    fs::create_dir(desk.path("folder")).unwrap();
    desk.pipe("pipe");
    desk.write("huge", vec![b'#'; (1 << 20) + 1]);
    for (name, why) in [
        ("folder", "it is a directory, not a regular file"),
        ("pipe", "it is a pipe, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
        ("huge", "it is larger than 1048576 bytes"),
    ] {
        assert_eq!(
            desk.refused(2, &["--config", name, "config", "check"]),
            format!("error: {name}: cannot read the configuration: {why}\n")
        );
    }
    desk.write("rha.toml", b"# caf\xc3\xa9\n\n# caf\xe9\n");
    assert_eq!(
        desk.refused(2, &["status"]),
        "rha.toml:3: syntax: byte 0xe9 is not UTF-8; save the file as UTF-8\n"
    );
}

#[test]
fn what_cannot_be_imported_is_named_and_not_waited_for() {
    let desk = Desk::new();
    desk.pipe("pipe");
    desk.write("config.sh", "VIP=10.0.0.9\n");
    for (args, name, why) in [
        (
            &["/dev/zero"][..],
            "/dev/zero",
            "it is a device, not a regular file",
        ),
        (&["pipe"], "pipe", "it is a pipe, not a regular file"),
        (&["none.sh"], "none.sh", "there is no such file"),
        (
            &["config.sh", "--keepalived", "pipe"],
            "pipe",
            "it is a pipe, not a regular file",
        ),
    ] {
        assert_eq!(
            desk.refused(1, &[&["config", "import"], args].concat()),
            format!("error: cannot read {name}\ncaused by: {why}\n")
        );
    }
}

#[test]
fn a_file_that_is_another_than_it_was_taken_for_is_refused() {
    let desk = Desk::new();
    desk.write("config.sh", "VIP=10.0.0.9\n");
    desk.write("k.conf", "vrrp_instance A {\n    priority 100\n}\n");
    desk.write("empty", "");
    for (args, why) in [
        (&["k.conf"][..], "k.conf sets none of VIP, LOCALIP, "),
        (&["empty"], "empty sets none of VIP, LOCALIP, "),
        (
            &["config.sh", "--keepalived", "config.sh"],
            "config.sh has no vrrp_instance: is it the old keepalived.conf?\n",
        ),
    ] {
        let said = desk.refused(2, &[&["config", "import"], args].concat());
        assert!(said.starts_with(&format!("error: {why}")), "{said}");
    }
}

/// What `install` or `redis start` would stumble over later.
#[test]
fn what_this_host_lacks_is_told_by_the_check() {
    let desk = Desk::new();
    let toml = toml(&desk).replace("\"lo\"", "\"eth77\"");
    desk.write(
        "rha.toml",
        toml.replace("[keepalived]", "[keepalived]\nuser = \"nobody-here\""),
    );
    let (code, _, said) = desk.rha(&["config", "check"]);
    assert_eq!(code, 0, "{said}");
    for lack in [
        "rha.toml: warning: keepalived.user: there is no user \"nobody-here\" here\n",
        "rha.toml: warning: instance.interface: there is no \"eth77\" here (instance \"redis\"); `ip link`",
        "rha.toml: warning: instance.redis.start: there is no \"/nowhere/redis-server\" here",
    ] {
        assert!(said.contains(lack), "{said}");
    }
    let (_, _, elsewhere) = desk.rha(&["config", "check", "--node", "a"]);
    assert!(!elsewhere.contains("there is no"), "{elsewhere}");
}

/// An agent without a Redis, and the directory that it runs in.
struct Agent(Desk, Child);

impl Agent {
    fn new() -> Self {
        let desk = Desk::new();
        desk.write("rha.toml", toml(&desk));
        let child = Command::new(RHA)
            .args(["--config", "rha.toml", "run"])
            .current_dir(desk.0.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self(desk, child);
        // It is asked from its first moment on: the commands wait for what is not known yet.
        for _ in 0..200 {
            if agent.0.rha(&["history", "-n", "1"]).1.lines().count() > 1 {
                return agent;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the agent does not answer");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.1.kill();
        let _ = self.1.wait();
    }
}

/// A configuration for which nothing has to be there but a directory.
fn toml(desk: &Desk) -> String {
    format!(
        "[node]\nname = \"a\"\n[paths]\nstate = '{}'\nruntime = '{}'\n[keepalived]\npidfile = \"\"\n\
         [[instance]]\nname = \"redis\"\nvip = \"192.0.2.161\"\nport = 1\ninterface = \"lo\"\nvirtual_router_id = 51\n\
         [instance.redis]\nstart = [\"/nowhere/redis-server\"]\n\
         [[instance.node]]\nname = \"a\"\naddress = \"127.0.0.1\"\n",
        desk.path("state").display(),
        desk.path("run").display()
    )
}

#[test]
fn a_running_agent_is_asked_although_its_file_is_spoiled() {
    let agent = Agent::new();
    let desk = &agent.0;
    let line = toml(desk).lines().count() + 1;
    desk.write("rha.toml", format!("{}priorty = 7\n", toml(desk)));
    for (code, args) in [
        (3, &["status"][..]),
        (0, &["history"]),
        (0, &["replay"]),
        (0, &["verify"]),
        (0, &["pause", "--reason", "x"]),
        (0, &["resume"]),
        (1, &["redis", "start"]),
    ] {
        let (found, printed, said) = desk.rha(args);
        assert_eq!(found, code, "{args:?}: {said}");
        let warning = format!(
            "warning: rha.toml:{line}: instance.node.priorty: unknown key; did you mean \"priority\"?\n\
             hint: The running agent answers, with the settings that it has; correct the file before it starts again.\n"
        );
        assert!(said.starts_with(&warning), "{args:?}: {said}");
        let rest = &said[warning.len()..];
        assert_eq!(rest.is_empty(), code != 1, "{args:?}: {rest}");
        assert_eq!(printed.is_empty(), code == 1, "{args:?}: {printed}");
    }
    // Asking Redis itself needs its address and password, which the agent does not tell.
    assert!(
        desk.refused(2, &["redis", "status"])
            .starts_with("rha.toml:")
    );
    drop(agent);
}

#[test]
fn orders_that_mean_nothing_are_refused() {
    let agent = Agent::new();
    let desk = &agent.0;
    for (args, why) in [
        (&["pause"][..], "--reason"),
        (&["pause", "--reason", " "], "say why"),
        (&["pause", "--reason", "x", "--for", "0s"], "at least 1s"),
        (&["pause", "--reason", "x", "--for", "999ms"], "at least 1s"),
        (&["pause", "--reason", "x", "--for", "soon"], "such as 30m"),
        (&["pause", "--reason", "x", "nobody"], "there are: redis"),
        (&["resume", "nobody"], "there are: redis"),
        (&["redis", "start", "nobody"], "there are: redis"),
    ] {
        let said = desk.refused(2, args);
        assert!(said.contains(why), "{args:?}: {said}");
    }
    let said = |args: &[&str]| desk.rha(args).1;
    assert_eq!(said(&["resume"]), "not paused: redis\n");
    assert_eq!(said(&["pause", "--reason", "x"]), "paused: redis\n");
    assert_eq!(said(&["resume"]), "resumed: redis\n");
    assert_eq!(said(&["resume", "redis"]), "not paused: redis\n");
}

#[test]
fn a_spoiled_file_without_an_agent_is_an_error() {
    let desk = Desk::new();
    desk.write("rha.toml", format!("{}priorty = 7\n", toml(&desk)));
    for args in [&["status"][..], &["history"], &["redis", "start"]] {
        let said = desk.refused(2, args);
        assert!(said.starts_with("rha.toml:"), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}
