//! What the whole agent takes in memory with a journal open: a process of its own, without a Redis.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rha::config::Config;

use crate::volume::rss_kib;

/// What it is waited for, and how long it runs then: some checks, and the black box is written.
const PATIENCE: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(5);

/// A child: an agent that runs until this is dropped, killed in the end: a journal can bear it.
pub struct Agent(Child);

impl Agent {
    /// With the journal that is in `state`; it answers when this returns.
    pub fn start(state: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut agent = Self(command.arg("agent").arg(state).spawn()?);
        let begun = Instant::now();
        while UnixStream::connect(state.join("run/agent.sock")).is_err() {
            anyhow::ensure!(agent.0.try_wait()?.is_none(), "the agent has ended");
            anyhow::ensure!(begun.elapsed() < PATIENCE, "the agent does not start");
            sleep(Duration::from_millis(20));
        }
        Ok(agent)
    }

    /// Resident memory, in MiB, when it has run for a while; what the kernel can take back is in it too.
    pub fn rss_mib(&self) -> Result<f64> {
        sleep(SETTLED);
        Ok(rss_kib(&self.0.id().to_string())? / 1024.0)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes the configuration of an agent whose journal is in `state`; its Redis is nowhere.
pub fn configure(state: &Path) -> Result<PathBuf> {
    let toml = format!(
        "[node]\nname = 'lvs1'\n[paths]\nstate = '{}'\nruntime = '{}'\n[keepalived]\npidfile = ''\n\
         [[instance]]\nname = 'redis'\nvip = '192.0.2.161'\nport = 1\ninterface = 'lo'\nvirtual_router_id = 51\n\
         [instance.redis]\nstart = ['true']\n\
         [[instance.node]]\nname = 'lvs1'\naddress = '127.0.0.1'\n\
         [[instance.node]]\nname = 'lvs2'\naddress = '127.0.0.2'\n",
        state.display(),
        state.join("run").display(),
    );
    let file = state.join("rha.toml");
    fs::write(&file, &toml)?;
    Ok(file)
}

/// The child: runs until it is killed.
pub fn run(state: &Path) -> Result<()> {
    let file = configure(state)?;
    let toml = fs::read_to_string(&file)?;
    let config = Config::parse(&toml, &file, None, "lvs1").context("its configuration")?;
    rha::agent::run(&file, config)
}
