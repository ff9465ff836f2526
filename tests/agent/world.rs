//! A private place for one test: configuration, Redis, agent, and what is asked of them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::namespace::is_inside;
use crate::port::free_port;
pub use crate::servers::{Redis, Sink, cli};

pub const RHA: &str = env!("CARGO_BIN_EXE_rha");
pub const EVENT: &str = env!("CARGO_BIN_EXE_rha-event");
/// TEST-NET-1 (RFC 5737): never an address of this machine, unless a test puts it there.
pub const VIP: &str = "192.0.2.161";
/// Longest wait for what takes milliseconds on a machine at rest.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub fn has_address(interface: &str) -> bool {
    let shown = Command::new("ip")
        .args(["addr", "show", "dev", interface])
        .output();
    String::from_utf8_lossy(&shown.unwrap().stdout).contains(VIP)
}

/// What is in the configuration file.
#[derive(Clone)]
pub struct Setup {
    pub instances: Vec<(String, u16)>,
    pub interface: &'static str,
    pub fall: u16,
    pub drain: &'static str,
    /// keepalived's; empty for "not watched".
    pub pidfile: String,
    pub password_file: String,
    pub sink: Option<u16>,
    /// How long a first start may take until it is alarmed, and a primary may be alone.
    pub redundancy: &'static str,
    /// Ends the file.
    pub junk: &'static str,
}

pub struct World {
    pub dir: TempDir,
    pub setup: Setup,
    redis: RefCell<Vec<u16>>,
}

impl World {
    /// One instance, "redis", on a port of its own, configured and without a Redis.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup {
            instances: vec![("redis".to_owned(), free_port())],
            interface: "lo",
            fall: 4,
            drain: "0s",
            pidfile: String::new(),
            password_file: String::new(),
            sink: None,
            redundancy: "30s",
            junk: "",
        };
        change(&mut setup);
        let dir = tempfile::Builder::new().prefix("rha").tempdir().unwrap();
        let redis = RefCell::default();
        let world = Self { dir, setup, redis };
        world.configure();
        world
    }

    pub fn port(&self) -> u16 {
        self.setup.instances[0].1
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes the configuration file.
    pub fn configure(&self) {
        fs::write(self.path("rha.toml"), self.toml(&self.setup)).unwrap();
    }

    /// A configuration file, and the files that it names.
    pub fn toml(&self, setup: &Setup) -> String {
        let Setup {
            instances,
            interface,
            fall,
            drain,
            pidfile,
            password_file,
            sink,
            redundancy,
            junk,
        } = setup;
        let mut toml = format!(
            "[node]\nname = \"a\"\n[paths]\nstate = '{}'\nruntime = '{}'\n[keepalived]\npidfile = '{pidfile}'\n\
             [health]\ninterval = \"250ms\"\ntimeout = \"250ms\"\nslow = \"250ms\"\nfall = {fall}\nrise = 2\n\
             [failover]\ndrain = \"{drain}\"\nretry = \"100ms\"\nkeepalived_gone_wait = \"100ms\"\n\
             [alarm]\nunserved_wait = \"300ms\"\nredundancy_wait = \"{redundancy}\"\n",
            self.text("state"),
            self.text("run"),
        );
        if let Some(port) = sink {
            let _ = write!(
                toml,
                "[[alarm.sink]]\nname = \"ops\"\nkind = \"simplealarm\"\nurl = \"http://127.0.0.1:{port}/x\"\n"
            );
        }
        for (number, (name, port)) in instances.iter().enumerate() {
            let router = 51 + number;
            let vip = if number == 0 {
                VIP.to_owned()
            } else {
                format!("192.0.2.{}", 170 + number)
            };
            let conf = self.text(&format!("{name}.conf"));
            let _ = write!(
                toml,
                "[[instance]]\nname = \"{name}\"\nvip = \"{vip}\"\nport = {port}\ninterface = \"{interface}\"\n\
                 virtual_router_id = {router}\n[instance.redis]\npassword_file = '{password_file}'\n\
                 start = [\"redis-server\", '{conf}', \"--daemonize\", \"yes\"]\n\
                 [[instance.node]]\nname = \"a\"\naddress = \"127.0.0.1\"\n\
                 [[instance.node]]\nname = \"b\"\naddress = \"127.0.0.2\"\n"
            );
            let redis = format!(
                "port {port}\nbind 127.0.0.1\nsave \"\"\ndir {}\n",
                self.text(".")
            );
            fs::write(conf, redis).unwrap();
        }
        toml.push_str(junk);
        toml
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(RHA);
        command.arg("--config").arg(self.path("rha.toml"));
        command.env_remove("RHA_LOG").env("RUST_BACKTRACE", "0");
        command
    }

    pub fn rha(&self, arguments: &str) -> Output {
        self.command().args(arguments.split(' ')).output().unwrap()
    }

    /// Runs it, wants this exit code, and returns what it printed, both ways.
    pub fn wants(&self, code: i32, arguments: &str) -> String {
        let output = self.rha(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "rha {arguments}: {said}");
        said
    }

    /// Starts the agent; what it says goes to a file.
    pub fn start(&self) -> Agent<'_> {
        self.start_as(self.command())
    }

    pub fn start_as(&self, mut command: Command) -> Agent<'_> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let child = command
            .arg("run")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut agent = Agent { world: self, child };
        // From here on the command line asks the agent.
        self.until("the agent listens, or has ended", || {
            let listens = UnixStream::connect(self.path("run/agent.sock")).is_ok();
            (listens || agent.child.try_wait().unwrap().is_some()).then_some(())
        });
        agent
    }

    /// The agent and a Redis that it has brought to a role of "replica".
    pub fn replica(&self) -> (Redis, Agent<'_>) {
        let redis = self.redis(self.port(), &[]);
        let agent = self.start();
        self.until_role("replica");
        (redis, agent)
    }

    /// And then to "primary".
    pub fn primary(&self) -> (Redis, Agent<'_>) {
        let both = self.replica();
        self.notify("MASTER");
        self.until_role("primary");
        both
    }

    pub fn redis(&self, port: u16, arguments: &[&str]) -> Redis {
        self.redis.borrow_mut().push(port);
        Redis::start(port, self.dir.path(), arguments)
    }

    /// A line of keepalived's about the first instance.
    pub fn notify(&self, word: &str) {
        let vrrp = format!("RHA_{}", self.setup.instances[0].0.to_uppercase());
        self.event(&["INSTANCE", &vrrp, word, "150"]);
    }

    pub fn event(&self, words: &[&str]) {
        let status = self.event_command().args(words).status().unwrap();
        assert!(status.success(), "rha-event {words:?}");
    }

    pub fn event_command(&self) -> Command {
        let mut command = Command::new(EVENT);
        command.env("RHA_SPOOL", self.path("state/spool"));
        command.env("RHA_DOORBELL", self.path("run/doorbell.sock"));
        command
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn said(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    pub fn until_said(&self, what: &str) {
        self.until(&format!("the log says {what:?}"), || {
            (self.said(what) > 0).then_some(())
        });
    }

    /// An instance as the running agent shows it.
    pub fn status(&self, instance: &str) -> Option<Value> {
        let output = self.rha("status --output json");
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        let instances = status["instances"].as_array()?.clone();
        instances.into_iter().find(|one| one["name"] == instance)
    }

    pub fn until_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let name = self.setup.instances[0].0.clone();
        self.until(what, || self.status(&name).filter(|status| wanted(status)))
    }

    pub fn until_role(&self, role: &str) {
        self.until_status(role, |status| status["role"] == role);
    }

    /// A Redis of the other node.
    pub fn redis_of_b(&self) -> Redis {
        let arguments = ["--bind", "127.0.0.2", "--replicaof", "127.0.0.1", "1"];
        Redis::start(self.port(), self.dir.path(), &arguments)
    }

    /// Every record that is selected, from the agent or the journal.
    pub fn history(&self, arguments: &str) -> Vec<Value> {
        let output = self.rha(format!("history -n 0 --output jsonl {arguments}").trim_end());
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn count(&self, arguments: &str) -> usize {
        self.history(arguments).len()
    }

    /// The orders of alarms: kind, status.
    pub fn alarms(&self) -> Vec<String> {
        let effects = self
            .history("")
            .into_iter()
            .flat_map(|r| r["effects"].as_array().unwrap().clone());
        let alarms = effects.filter(|effect| effect["effect"] == "send-alarm");
        alarms
            .map(|a| {
                format!(
                    "{} {}",
                    a["alarm"].as_str().unwrap(),
                    a["status"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// The journal is whole, and every decision in it is the machine's.
    pub fn is_sound(&self) {
        self.wants(0, "verify");
        self.wants(0, "replay");
    }

    /// Waits for it; where that is in vain, shows what the agent said.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = tokio::time::Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(found) = look() {
                return found;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "in vain: {what}\n{}\n{}",
            self.log(),
            said(&self.rha("history -n 40"))
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if is_inside() {
            // A disk of the test's own would keep the directory from being removed.
            let mut umount = Command::new("umount");
            let umount = umount.arg("-l").arg(self.path("state"));
            let _ = umount.stderr(Stdio::null()).status();
        }
        // Those that rha started put themselves into the background.
        for (_, port) in &self.setup.instances {
            if !self.redis.borrow().contains(port) && self.path("log").exists() {
                cli(*port, "SHUTDOWN NOSAVE");
            }
        }
    }
}

/// A running agent, killed in the end.
pub struct Agent<'world> {
    world: &'world World,
    pub child: Child,
}

impl Agent<'_> {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }

    pub fn ended(&mut self) -> Option<i32> {
        let world = self.world;
        world
            .until("the agent ends", || self.child.try_wait().unwrap())
            .code()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}
