//! The files of one host: rha.toml and redis.conf.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::plan::{INSTANCE, INTERFACE, PORT, Plan};

/// Where a host has its things. Sockets and what systemd-tmpfiles would make are on tmpfs, with short paths
/// (a socket's path has at most 108 bytes); what survives a reboot is on the disk.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Everything volatile of this host.
    pub run: PathBuf,
    /// Journal and spool, Redis' working directory.
    pub disk: PathBuf,
}

impl Paths {
    /// rha's settings.
    pub fn config(&self) -> PathBuf {
        self.run.join("rha.toml")
    }
    /// `[paths] runtime`.
    pub fn runtime(&self) -> PathBuf {
        self.run.join("rha")
    }
    /// `[paths] state`.
    pub fn state(&self) -> PathBuf {
        self.disk.join("rha")
    }
    /// Redis' settings.
    pub fn redis_conf(&self) -> PathBuf {
        self.run.join("redis.conf")
    }
    /// Redis' `dir`.
    pub fn redis_dir(&self) -> PathBuf {
        self.disk.join("redis")
    }
    /// What `rha keepalived render` wrote.
    pub fn keepalived_conf(&self) -> PathBuf {
        self.run.join("keepalived.conf")
    }
    /// A process id file.
    pub fn pidfile(&self, of: &str) -> PathBuf {
        self.run.join(format!("{of}.pid"))
    }
    /// A log.
    pub fn log(&self, of: &str) -> PathBuf {
        self.run.join(format!("{of}.log"))
    }
}

/// rha.toml of the host `name`. Only addresses and paths differ from the shipped defaults, so that what the
/// lab measures is what an operator gets. (In a user namespace keepalived can run no script: it may not set groups.)
pub fn rha_toml(plan: Plan, name: &str, paths: &Paths) -> anyhow::Result<String> {
    let check_interval = if is_real_root()? { "1s" } else { "0s" };
    let mut toml = format!(
        r#"[node]
name = "{name}"

[paths]
state = {state}
runtime = {runtime}

[keepalived]
pidfile = {pidfile}
check_interval = "{check_interval}"
config = {keepalived_conf}

[[alarm.sink]]
name = "ops"
kind = "simplealarm"
url = "http://{sink}/simplealarm"
mail_to = "ops@example.org"

[[instance]]
name = "{INSTANCE}"
vip = "{vip}"
port = {PORT}
interface = "{INTERFACE}"
virtual_router_id = 51

[instance.redis]
start = ["redis-server", {redis_conf}, "--daemonize", "yes"]
"#,
        state = quoted(&paths.state()),
        runtime = quoted(&paths.runtime()),
        pidfile = quoted(&paths.pidfile("keepalived")),
        keepalived_conf = quoted(&paths.keepalived_conf()),
        redis_conf = quoted(&paths.redis_conf()),
        sink = plan.alarm_sink(),
        vip = plan.vip(),
    );
    for (node, address) in plan.hosts() {
        // Writing to a String cannot fail.
        let _ = write!(
            toml,
            "\n[[instance.node]]\nname = \"{node}\"\naddress = \"{address}\"\n"
        );
    }
    toml.push_str(&plan.quorum().toml(plan));
    Ok(toml)
}

/// Users here are those of the machine.
pub fn is_real_root() -> anyhow::Result<bool> {
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    Ok(map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// redis.conf: reachable at every address of the host, the VIP too, and nothing on disk, so that a restarted
/// Redis is empty and any data set that survives has come from a peer.
pub fn redis_conf(paths: &Paths) -> String {
    format!(
        "port {PORT}\n\
         protected-mode no\n\
         dir {dir}\n\
         pidfile {pidfile}\n\
         logfile {log}\n\
         save \"\"\n\
         appendonly no\n\
         repl-diskless-sync-delay 0\n",
        dir = paths.redis_dir().display(),
        pidfile = paths.pidfile("redis").display(),
        log = paths.log("redis").display(),
    )
}

/// A path as a TOML literal string.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
