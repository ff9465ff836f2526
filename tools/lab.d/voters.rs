//! Those whose votes are needed to lead: a namespace for each, with a real etcd or a Redis in it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::wait_for;
use crate::host::join;
use crate::plan::{ETCD_PORT, PORT, Plan};
use crate::redis_view;
use crate::run::{in_netns, ip, tail};

const START_LIMIT: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_millis(500);

/// Whose votes are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quorum {
    /// Nobody's.
    None,
    /// An etcd of one member.
    Etcd,
    /// An etcd of three members.
    Etcd3,
    /// A third Redis.
    Witness,
}

impl Quorum {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Etcd => "etcd",
            Self::Etcd3 => "etcd3",
            Self::Witness => "witness",
        }
    }

    /// So many hosts vote.
    pub fn voters(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Etcd | Self::Witness => 1,
            Self::Etcd3 => 3,
        }
    }

    /// What rha.toml says of it.
    pub fn toml(self, plan: Plan) -> String {
        let list = |scheme: &str, port: u16| {
            let urls = plan
                .voters()
                .map(|(_, ip)| format!("\"{scheme}://{ip}:{port}\""));
            urls.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::None => String::new(),
            Self::Witness => format!("\n[quorum]\nwitnesses = [{}]\n", list("tcp", PORT)),
            Self::Etcd | Self::Etcd3 => {
                format!("\n[quorum]\netcd = [{}]\n", list("http", ETCD_PORT))
            }
        }
    }
}

/// One of them.
pub struct Voter {
    /// Its name: of the namespace.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    kind: Quorum,
    dir: PathBuf,
    log: PathBuf,
    running: Option<Child>,
}

/// Starts all of them, and waits until they answer.
pub fn started(plan: Plan, run: &Path, disk: &Path) -> anyhow::Result<Vec<Voter>> {
    let mut voters = Vec::new();
    for (name, address) in plan.voters() {
        let dir = disk.join(&name);
        fs::create_dir_all(&dir)?;
        let log = run.join(format!("{name}.log"));
        let mut voter = Voter {
            name,
            address,
            kind: plan.quorum(),
            dir,
            log,
            running: None,
        };
        voter.start(plan)?;
        voters.push(voter);
    }
    for voter in &voters {
        voter.answers()?;
    }
    Ok(voters)
}

impl Voter {
    /// Starts its server.
    pub fn start(&mut self, plan: Plan) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = match self.kind {
            Quorum::Witness => self.redis(),
            _ => self.etcd(plan),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}: is etcd-server installed?", self.name))?;
        self.running = Some(child);
        Ok(())
    }

    fn redis(&self) -> Command {
        let mut command = in_netns(&self.name, "redis-server");
        let port = PORT.to_string();
        command.args([
            "--port",
            &port,
            "--protected-mode",
            "no",
            "--save",
            "",
            "--dir",
        ]);
        command.arg(&self.dir);
        command
    }

    fn etcd(&self, plan: Plan) -> Command {
        let url = |ip: Ipv4Addr, port: u16| format!("http://{ip}:{port}");
        let peers = plan.voters();
        let peers = peers.map(|(name, ip)| format!("{name}={}", url(ip, ETCD_PORT + 1)));
        let peers = peers.collect::<Vec<_>>().join(",");
        let (clients, own) = (
            url(self.address, ETCD_PORT),
            url(self.address, ETCD_PORT + 1),
        );
        let mut command = in_netns(&self.name, "etcd");
        command.args(["--name", &self.name, "--data-dir"]);
        command.arg(self.dir.join("etcd"));
        command.args([
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
        ]);
        command.args([
            "--listen-peer-urls",
            &own,
            "--initial-advertise-peer-urls",
            &own,
        ]);
        command.args(["--initial-cluster", &peers]);
        command
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.running.take().context("it does not run")?;
        kill_process(Pid::from_child(&child), Signal::KILL)?;
        child.wait()?;
        Ok(())
    }

    /// Waits until it answers.
    pub fn answers(&self) -> anyhow::Result<()> {
        let answers = || match self.kind {
            Quorum::Witness => redis_view::ask(self.address, &["PING"]).map(drop),
            _ => self.is_healthy(),
        };
        wait_for("a voter to answer", START_LIMIT, answers)
            .with_context(|| format!("{}\n{}", self.name, tail(&self.log, 20)))
    }

    fn is_healthy(&self) -> anyhow::Result<()> {
        let address = SocketAddrV4::new(self.address, ETCD_PORT);
        let mut stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.contains("\"health\":\"true\""), "not healthy");
        Ok(())
    }

    /// Its cable goes to that switch.
    pub fn join(&self, bridge: &str) -> anyhow::Result<()> {
        join(&self.name, bridge)
    }
}

/// Another switch, that is joined to nothing: the other side of a partition.
pub fn other_side(bridge: &str) -> anyhow::Result<()> {
    ip(&format!("link add name {bridge} type bridge"))?;
    ip(&format!("link set {bridge} up")).map(drop)
}
