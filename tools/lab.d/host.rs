//! One host: a network namespace with its own files and its own keepalived, Redis and rha.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::clock::wait_for;
use crate::config::{Paths, redis_conf, rha_toml};
use crate::plan::{BRIDGE, INSTANCE, INTERFACE, Plan};
use crate::redis_view::{self, Info};
use crate::run::{bounded_in_netns, checked, in_netns, ip, output, said, tail};

/// `rha redis start` waits until Redis is ready; nothing that rha is asked here takes longer.
const RHA_LIMIT: Duration = Duration::from_secs(75);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: Duration = Duration::from_secs(45);
const TAIL_LINES: usize = 40;

/// The long-lived processes of a host, Redis aside (that one is rha's to start).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// `rha-event --follow`.
    Recorder,
    /// `rha run`.
    Agent,
    /// keepalived, its VRRP process included.
    Keepalived,
}

impl Service {
    const ALL: [Self; 3] = [Self::Recorder, Self::Agent, Self::Keepalived];

    /// Its name in files and commands.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorder => "rha-event",
            Self::Agent => "rha",
            Self::Keepalived => "keepalived",
        }
    }

    /// The reverse of [`Service::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.word() == word)
    }
}

/// One host.
pub struct Host {
    /// Its name: of the node, of the namespace.
    pub name: String,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Its files.
    pub paths: Paths,
    bin_dir: PathBuf,
    running: BTreeMap<Service, Child>,
}

impl Host {
    /// Writes the files of a host; its namespace is there already.
    pub fn new(
        plan: Plan,
        name: String,
        address: Ipv4Addr,
        paths: Paths,
        bin_dir: &Path,
    ) -> anyhow::Result<Self> {
        for dir in [
            paths.runtime().join("track"),
            paths.state(),
            paths.redis_dir(),
        ] {
            fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        fs::write(paths.config(), rha_toml(plan, &name, &paths)?)?;
        fs::write(paths.redis_conf(), redis_conf(&paths))?;
        let host = Self {
            name,
            address,
            paths,
            bin_dir: bin_dir.to_owned(),
            running: BTreeMap::new(),
        };
        mkfifoat(CWD, host.fifo(), Mode::RUSR | Mode::WUSR)?;
        host.sysctls()?;
        Ok(host)
    }

    /// What `rha keepalived install` sets on a real host: nobody but the owner of the VIP may answer ARP for it.
    fn sysctls(&self) -> anyhow::Result<()> {
        let base = "/proc/sys/net/ipv4/conf";
        let script = format!(
            "echo 1 >{base}/all/arp_ignore && echo 2 >{base}/all/arp_announce \
             && echo 1 >{base}/{INTERFACE}/arp_ignore && echo 2 >{base}/{INTERFACE}/arp_announce"
        );
        checked(in_netns(&self.name, "sh").args(["-c", &script])).map(drop)
    }

    /// What keepalived writes into.
    pub fn fifo(&self) -> PathBuf {
        self.paths.runtime().join("keepalived.fifo")
    }

    /// Starts one of its services.
    pub fn start(&mut self, service: Service) -> anyhow::Result<()> {
        ensure!(
            !self.is_running(service)?,
            "{}: {} runs already",
            self.name,
            service.word()
        );
        let mut command = match service {
            Service::Recorder => self.recorder(),
            Service::Agent => {
                let mut agent = in_netns(&self.name, self.bin_dir.join("rha"));
                agent.arg("run").arg("--config").arg(self.paths.config());
                agent
            }
            Service::Keepalived => self.keepalived()?,
        };
        let log = self.append_log(service.word())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: starting {}", self.name, service.word()))?;
        self.running.insert(service, child);
        Ok(())
    }

    fn recorder(&self) -> Command {
        let mut command = in_netns(&self.name, self.bin_dir.join("rha-event"));
        command
            .arg("--spool")
            .arg(self.paths.state().join("spool"))
            .arg("--doorbell")
            .arg(self.paths.runtime().join("doorbell.sock"))
            .arg("--follow")
            .arg(self.fifo());
        command
    }

    /// keepalived with the configuration that rha renders. Its log goes to a file on tmpfs, without details:
    /// keepalived writes it synchronously, and a slow log is a slow failover.
    fn keepalived(&self) -> anyhow::Result<Command> {
        let text = self.rha_checked(&["keepalived", "render", "--node", &self.name])?;
        let conf = self.paths.keepalived_conf();
        fs::write(&conf, text)?;
        let mut command = in_netns(&self.name, "keepalived");
        command
            .args([
                "--dont-fork",
                "--log-console",
                "--no-syslog",
                "--vrrp",
                "--use-file",
            ])
            .arg(conf)
            .arg("--pid")
            .arg(self.paths.pidfile("keepalived"))
            .arg("--vrrp_pid")
            .arg(self.paths.pidfile("vrrp"))
            .arg("--checkers_pid")
            .arg(self.paths.pidfile("checkers"));
        Ok(command)
    }

    fn append_log(&self, of: &str) -> anyhow::Result<File> {
        Ok(OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.paths.log(of))?)
    }

    /// SIGTERM, and waits until it is gone.
    pub fn stop(&mut self, service: Service) -> anyhow::Result<()> {
        self.end(service, Signal::TERM)
    }

    /// SIGKILL. keepalived's two processes both die of it, with no last word to the others.
    pub fn kill(&mut self, service: Service) -> anyhow::Result<()> {
        if service == Service::Keepalived {
            // Held still, the parent cannot restart its child; its own death would make the child say goodbye.
            self.signal("keepalived", Signal::STOP)?;
            self.signal("vrrp", Signal::KILL)?;
        }
        self.kill_first(service)
    }

    /// SIGKILL to the process that was started and to none of its children.
    pub fn kill_first(&mut self, service: Service) -> anyhow::Result<()> {
        self.end(service, Signal::KILL)
    }

    /// A signal to the process that was started, which lives on.
    pub fn send(&self, service: Service, signal: Signal) -> anyhow::Result<()> {
        let child = self.running.get(&service);
        let child = child.with_context(|| format!("{} does not run", service.word()))?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    /// A service that a drill has started again is nobody's child here.
    pub fn hand_on(&mut self, service: Service) {
        if let Some(mut child) = self.running.remove(&service) {
            // It has ended: it was the drill's to end.
            let _ = child.wait();
        }
    }

    fn end(&mut self, service: Service, signal: Signal) -> anyhow::Result<()> {
        let Some(mut child) = self.running.remove(&service) else {
            bail!("{}: {} does not run", self.name, service.word());
        };
        kill_process(Pid::from_child(&child), signal)?;
        wait_for("its end", STOP_LIMIT, || {
            child.try_wait()?.context("it runs")
        })
        .with_context(|| format!("{}: {}", self.name, service.word()))
        .map(drop)
    }

    fn is_running(&mut self, service: Service) -> anyhow::Result<bool> {
        match self.running.get_mut(&service) {
            Some(child) => Ok(child.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// Services that were started and have ended by themselves.
    pub fn fallen(&mut self) -> anyhow::Result<Vec<&'static str>> {
        let mut fallen = Vec::new();
        for (service, child) in &mut self.running {
            if child.try_wait()?.is_some() {
                fallen.push(service.word());
            }
        }
        Ok(fallen)
    }

    /// Sends a signal to the process of a pidfile (`redis`, `vrrp`, `keepalived`).
    pub fn signal(&self, of: &str, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.pid(of)?, signal)?)
    }

    /// The process id in a pidfile.
    pub fn pid(&self, of: &str) -> anyhow::Result<Pid> {
        let path = self.paths.pidfile(of);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{}: {}", self.name, path.display()))?;
        Pid::from_raw(text.trim().parse()?).context("a process id is not 0")
    }

    /// `rha ARGS --config …` on this host, whatever its exit code.
    pub fn rha(&self, args: &[&str]) -> anyhow::Result<Output> {
        output(&mut self.rha_command(args))
    }

    /// The command that [`Host::rha`] runs.
    pub fn rha_command(&self, args: &[&str]) -> Command {
        let mut command = bounded_in_netns(&self.name, self.bin_dir.join("rha"), RHA_LIMIT);
        command.args(args).arg("--config").arg(self.paths.config());
        command
    }

    /// As [`Host::rha_command`], with nothing between: who kills its process kills rha.
    pub fn rha_alone(&self, args: &[&str]) -> Command {
        let mut command = in_netns(&self.name, self.bin_dir.join("rha"));
        command.args(args).arg("--config").arg(self.paths.config());
        command
    }

    /// As [`Host::rha`]; anything but exit 0 is an error. Returns stdout.
    pub fn rha_checked(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.rha(args)?;
        if !output.status.success() {
            bail!(
                "{}: rha {}: {}: {}",
                self.name,
                args.join(" "),
                output.status,
                said(&output)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `rha redis start|stop|restart` on this host.
    pub fn redis(&self, verb: &str) -> anyhow::Result<()> {
        self.rha_checked(&["redis", verb, INSTANCE]).map(drop)
    }

    /// What the agent says of the instance.
    pub fn status(&self) -> anyhow::Result<Status> {
        let output = self.rha(&["status", "--output", "json"])?;
        let status: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!(
                "{}: rha status: {}: {}",
                self.name,
                output.status,
                said(&output)
            )
        })?;
        let instance = status["instances"]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["name"] == INSTANCE))
            .with_context(|| format!("{}: rha status names no instance {INSTANCE}", self.name))?;
        Ok(Status(instance.clone()))
    }

    /// Waits until the agent answers.
    pub fn answers(&self) -> anyhow::Result<()> {
        wait_for("the agent to answer", ANSWER_LIMIT, || self.status()).map(drop)
    }

    /// INFO of its Redis, asked at the host's own address.
    pub fn info(&self) -> anyhow::Result<Info> {
        redis_view::info(self.address).with_context(|| self.name.clone())
    }

    /// Is the VIP on its interface?
    pub fn holds(&self, vip: Ipv4Addr) -> anyhow::Result<bool> {
        let addresses = ip(&format!("-n {} -o -4 addr show dev {INTERFACE}", self.name))?;
        let vip = vip.to_string();
        Ok(addresses
            .split_ascii_whitespace()
            .any(|word| word.split('/').next() == Some(&vip)))
    }

    /// Takes its port out of the switch: the carrier stays. Or puts it back.
    pub fn partition(&self, cut_off: bool) -> anyhow::Result<()> {
        let port = switch_port(&self.name);
        if cut_off {
            ip(&format!("link set {port} nomaster")).map(drop)
        } else {
            join(&self.name, BRIDGE)
        }
    }

    /// The other end of its cable: `up` or `down`. Down is a loss of carrier.
    pub fn link(&self, state: &str) -> anyhow::Result<()> {
        ip(&format!("link set {} {state}", switch_port(&self.name))).map(drop)
    }

    /// The end of each of its logs.
    pub fn tails(&self) -> String {
        let mut text = String::new();
        for of in ["rha-event", "rha", "keepalived", "redis"] {
            let log = tail(&self.paths.log(of), TAIL_LINES);
            text.push_str(&format!("--- {}: {of}\n{log}\n", self.name));
        }
        text
    }
}

/// The cable of `namespace` goes to the switch `bridge`.
pub fn join(namespace: &str, bridge: &str) -> anyhow::Result<()> {
    let port = switch_port(namespace);
    ip(&format!("link set {port} master {bridge}")).map(drop)
}

/// The switch's end of the cable to `namespace`.
pub fn switch_port(namespace: &str) -> String {
    format!("p-{namespace}")
}

/// One instance in `rha status --output json`.
pub struct Status(Value);

impl Status {
    /// The decided role, or "" where the agent does not say.
    pub fn role(&self) -> &str {
        self.0["role"].as_str().unwrap_or_default()
    }
    /// Number of promotions.
    pub fn epoch(&self) -> u64 {
        self.0["epoch"].as_u64().unwrap_or_default()
    }
    /// May keepalived hold the VIP here?
    pub fn eligible(&self) -> bool {
        self.0["eligible"] == true
    }
    /// It leads, or it follows over a link that was up at the last check.
    pub fn in_place(&self) -> bool {
        match self.role() {
            "primary" => true,
            "replica" => self.0["redis"]["link_up"] == true,
            _ => false,
        }
    }
    /// All of it, in one line.
    pub fn line(&self) -> String {
        self.0.to_string()
    }
}
