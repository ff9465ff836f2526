//! What somebody else than rha does to a host: an operator, an init system, an accident.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use rustix::process::Signal;

use crate::clock::wait_for;
use crate::host::{Host, Service};
use crate::plan::{INTERFACE, PORT};
use crate::redis_view;
use crate::run::{checked, in_netns, ip};

/// Small enough to be filled in a moment, and ten times what the journal of a world takes.
const SMALL_DISK: &str = "32m";
/// Redis waits up to 10 s for its replicas before it ends by itself.
const END_LIMIT: Duration = Duration::from_secs(15);
/// Characters in a line; keepalived's are shorter, and all that is written at once stays in one piece (pipe(7)).
const SCRIBBLE: usize = 400;

impl Host {
    /// A command to its Redis.
    pub fn tell_redis(&self, words: &[&str]) -> anyhow::Result<()> {
        redis_view::ask(self.address, words).map(drop)
    }

    /// A client on this host writes one key to its Redis, which must take it.
    pub fn write_locally(&self) -> anyhow::Result<()> {
        let mut client = in_netns(&self.name, "redis-cli");
        client.args(["-e", "-p", &PORT.to_string(), "SET", "lab:local", "1"]);
        checked(&mut client).map(drop)
    }

    /// From now on writes are taken only with a replica.
    pub fn replicate_writes(&self) -> anyhow::Result<()> {
        let section = "[[alarm.sink]]";
        let config = fs::read_to_string(self.paths.config())?;
        ensure!(config.contains(section), "rha.toml has no {section}");
        let wanted = format!("[failover]\nreplicated_writes = true\n\n{section}");
        fs::write(self.paths.config(), config.replacen(section, &wanted, 1))?;
        self.send(Service::Agent, Signal::HUP)
    }

    /// Does the process live that Redis' pidfile names? A killed Redis leaves the file behind.
    pub fn redis_lives(&self) -> bool {
        let Ok(pid) = self.pid("redis") else {
            return false;
        };
        let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
        name.is_ok_and(|name| name.trim_end() == "redis-server")
    }

    /// kill -9 of its Redis, where that lives, and waits until it is gone.
    pub fn kill_redis(&self) -> anyhow::Result<()> {
        if self.redis_lives() {
            self.signal("redis", Signal::KILL)?;
        }
        self.redis_ends()
    }

    /// Waits until its Redis is gone.
    pub fn redis_ends(&self) -> anyhow::Result<()> {
        wait_for("the end of Redis", END_LIMIT, || {
            ensure!(!self.redis_lives(), "it lives");
            Ok(())
        })
    }

    /// Starts Redis by rha, unless it lives.
    pub fn revive_redis(&self) -> anyhow::Result<()> {
        if !self.redis_lives() {
            self.redis("start")?;
        }
        Ok(())
    }

    /// Starts Redis as an init system does that knows nothing of rha: as a master.
    pub fn start_redis_as_master(&self) -> anyhow::Result<()> {
        let mut command = in_netns(&self.name, "redis-server");
        command
            .arg(self.paths.redis_conf())
            .args(["--daemonize", "yes"]);
        checked(&mut command).map(drop)
    }

    /// Adds a line to redis.conf, for the next start.
    pub fn add_to_redis_conf(&self, line: &str) -> anyhow::Result<()> {
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.paths.redis_conf())?;
        Ok(writeln!(file, "{line}")?)
    }

    /// `ip` in its namespace.
    pub fn ip(&self, words: &str) -> anyhow::Result<String> {
        ip(&format!("-n {} {words}", self.name))
    }

    /// The power fails: nothing says goodbye, and nothing that was in memory is left.
    pub fn power_off(&mut self, vip: Ipv4Addr) -> anyhow::Result<()> {
        self.partition(true)?;
        for service in [Service::Agent, Service::Keepalived, Service::Recorder] {
            self.kill(service)?;
        }
        self.kill_redis()?;
        for interface in [INTERFACE, "lo"] {
            // It is on one of them or on none.
            let _ = self.ip(&format!("addr del {vip}/32 dev {interface}"));
        }
        // /run is empty after a boot.
        for file in fs::read_dir(self.paths.runtime().join("track"))? {
            fs::remove_file(file?.path())?;
        }
        Ok(())
    }

    /// The boot after that: the network, then all services.
    pub fn power_on(&mut self) -> anyhow::Result<()> {
        self.partition(false)?;
        for service in [Service::Recorder, Service::Agent, Service::Keepalived] {
            self.start(service)?;
        }
        self.answers()?;
        self.redis("start")
    }

    /// Puts its journal on a small disk of its own, and returns where that is.
    pub fn journal_to_small_disk(&mut self) -> anyhow::Result<PathBuf> {
        let journal = self.paths.state().join("journal");
        let aside = journal.with_extension("aside");
        self.stop(Service::Agent)?;
        fs::rename(&journal, &aside)?;
        fs::create_dir(&journal)?;
        let options = format!("size={SMALL_DISK}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "small"]);
        checked(mount.arg(&journal))?;
        copy_all(&aside, &journal)?;
        fs::remove_dir_all(aside)?;
        self.start(Service::Agent)?;
        self.answers()?;
        Ok(journal)
    }

    /// The reverse: a world's directory can only be removed with nothing mounted in it.
    pub fn journal_from_small_disk(&mut self) -> anyhow::Result<()> {
        let journal = self.paths.state().join("journal");
        let aside = journal.with_extension("aside");
        self.stop(Service::Agent)?;
        fs::create_dir(&aside)?;
        copy_all(&journal, &aside)?;
        checked(Command::new("umount").arg(&journal))?;
        fs::remove_dir(&journal)?;
        fs::rename(aside, journal)?;
        self.start(Service::Agent)?;
        self.answers()
    }

    /// Lines that are none of keepalived's, each of which becomes a record.
    pub fn scribble(&self, lines: usize) -> anyhow::Result<()> {
        let mut fifo = OpenOptions::new().write(true).open(self.fifo())?;
        for number in 0..lines {
            writeln!(fifo, "SCRIBBLE {number} {}", "x".repeat(SCRIBBLE))?;
        }
        Ok(())
    }
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut copy = Command::new("cp");
    checked(copy.arg("-a").arg(from.join(".")).arg(to)).map(drop)
}
