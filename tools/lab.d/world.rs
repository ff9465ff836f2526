//! The world: a switch, the hosts, the client, and the lab itself on the switch.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::WorldArgs;
use crate::alarms::Alarms;
use crate::clock::wait_for;
use crate::config::Paths;
use crate::host::{Host, Service, switch_port};
use crate::plan::{BRIDGE, CLIENT, INTERFACE, Plan};
use crate::redis_view;
use crate::report::{Verdict, say};
use crate::run::{checked, ip};
use crate::stage;
use crate::voters::{self, Voter};

/// Long enough for a slow machine, short enough for a test.
pub const LIMIT: Duration = Duration::from_secs(45);
const RUN_DIR: &str = "/run/lab";

/// Everything.
pub struct World {
    /// Who has which address.
    pub plan: Plan,
    /// The hosts, the one of highest priority first.
    pub hosts: Vec<Host>,
    /// Who votes beside them.
    pub voters: Vec<Voter>,
    /// What the hosts have said to the alarm sink.
    pub alarms: Alarms,
}

/// Builds a world, does `work` in it, and shows every log where that fails.
pub fn within(
    args: &WorldArgs,
    work: impl FnOnce(&mut World) -> anyhow::Result<Verdict>,
) -> anyhow::Result<Verdict> {
    let disk = stage::disk()?;
    let mut world = World::build(args, &disk)?;
    let result = world.bring_up().and_then(|()| work(&mut world));
    if !matches!(&result, Ok(verdict) if verdict.ok || verdict.told) {
        for host in &world.hosts {
            say(host.tails());
        }
    }
    if let Some(keep) = &args.keep {
        std::fs::create_dir_all(keep)?;
        checked(
            Command::new("cp")
                .arg("-r")
                .args([RUN_DIR.as_ref(), disk.as_path(), keep]),
        )
        .context("keeping logs and journals")?;
    }
    result
}

/// Copies the programs to where only root can replace them: keepalived runs no others.
fn installed(from: &Path) -> anyhow::Result<PathBuf> {
    let to = Path::new(RUN_DIR).join("bin");
    std::fs::create_dir_all(&to)?;
    for program in ["rha", "rha-event"] {
        let path = from.join(program);
        std::fs::copy(&path, to.join(program)).with_context(|| path.display().to_string())?;
    }
    Ok(to)
}

impl World {
    fn build(args: &WorldArgs, disk: &Path) -> anyhow::Result<Self> {
        let plan = Plan::new(args.network, args.hosts, args.quorum)?;
        let bin_dir = match &args.bin_dir {
            Some(dir) => dir
                .canonicalize()
                .with_context(|| dir.display().to_string())?,
            None => built_here()?,
        };
        let bin_dir = installed(&bin_dir)?;
        build_switch(plan)?;
        let hosts = plan
            .hosts()
            .map(|(name, address)| {
                let paths = Paths {
                    run: Path::new(RUN_DIR).join(&name),
                    disk: disk.join(&name),
                };
                Host::new(plan, name, address, paths, &bin_dir)
            })
            .collect::<anyhow::Result<_>>()?;
        let voters = voters::started(plan, Path::new(RUN_DIR), disk)?;
        let alarms = Alarms::listen(plan.alarm_sink())?;
        Ok(Self {
            plan,
            hosts,
            voters,
            alarms,
        })
    }

    /// Starts everything on every host, and waits until the first host is primary and the others follow it.
    fn bring_up(&mut self) -> anyhow::Result<()> {
        for host in &mut self.hosts {
            host.start(Service::Recorder)?;
            host.start(Service::Agent)?;
        }
        for host in &self.hosts {
            host.answers()?;
            host.redis("start")?;
        }
        for host in &mut self.hosts {
            host.start(Service::Keepalived)?;
        }
        let everybody: Vec<usize> = (0..self.hosts.len()).collect();
        let primary = self.settled(&everybody)?;
        ensure!(
            primary == 0,
            "{} became primary instead of the node with the highest priority",
            self.hosts[primary].name
        );
        Ok(())
    }

    /// Waits until exactly one of `living` serves at the VIP, all others of them are its online replicas, and
    /// each could take over. Returns the primary's index.
    pub fn settled(&mut self, living: &[usize]) -> anyhow::Result<usize> {
        for host in &mut self.hosts {
            let fallen = host.fallen()?;
            ensure!(
                fallen.is_empty(),
                "{}: ended by itself: {}",
                host.name,
                fallen.join(", ")
            );
        }
        wait_for("one primary with all its replicas", LIMIT, || {
            self.look_settled(living)
        })
    }

    /// One look for [`World::settled`].
    pub fn look_settled(&self, living: &[usize]) -> anyhow::Result<usize> {
        let primary = self.holder()?;
        let host = &self.hosts[primary];
        let info = host.info()?;
        let role = info.get("role");
        ensure!(
            role == "master",
            "{} has the VIP and its Redis is a {role}",
            host.name
        );
        let replicas = living.len() - 1;
        let online = info.slaves_online();
        ensure!(
            online == replicas,
            "{} has {online} online replicas",
            host.name
        );
        for &index in living {
            let host = &self.hosts[index];
            let status = host.status()?;
            ensure!(
                status.eligible() && status.in_place(),
                "{} is not eligible, or neither leads nor follows: {}",
                host.name,
                status.line()
            );
        }
        let acknowledged = redis_view::replicated_to(host.address, replicas)?;
        ensure!(
            acknowledged == replicas,
            "{acknowledged} replicas acknowledge a write to {}",
            host.name
        );
        Ok(primary)
    }

    /// Index of the one host that has the VIP on its interface.
    pub fn holder(&self) -> anyhow::Result<usize> {
        let mut holders = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            if host.holds(self.plan.vip())? {
                holders.push(index);
            }
        }
        match holders[..] {
            [one] => Ok(one),
            [] => bail!("nobody has the VIP"),
            _ => bail!("{} hosts have the VIP", holders.len()),
        }
    }

    /// The host of that name.
    pub fn host(&mut self, name: &str) -> anyhow::Result<&mut Host> {
        self.hosts
            .iter_mut()
            .find(|host| host.name == name)
            .with_context(|| format!("no host {name}"))
    }

    /// `rha replay` and `rha verify` on every host: what they said, and whether all were content.
    pub fn audit(&self) -> anyhow::Result<Vec<Audit>> {
        let mut audits = Vec::new();
        for host in &self.hosts {
            for verb in ["replay", "verify"] {
                let output = host.rha(&[verb])?;
                audits.push(Audit {
                    host: host.name.clone(),
                    command: format!("rha {verb}"),
                    ok: output.status.success(),
                    exit: output.status.to_string(),
                    said: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                });
            }
        }
        Ok(audits)
    }
}

/// What one of the checks at the end said.
pub struct Audit {
    /// On which host.
    pub host: String,
    /// The command, without its path and configuration.
    pub command: String,
    /// Exit code 0.
    pub ok: bool,
    /// The exit status in words.
    pub exit: String,
    /// stdout.
    pub said: String,
}

/// The directory above `examples/lab`: rha and rha-event of the same build.
fn built_here() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let dir = exe.parent().and_then(Path::parent);
    Ok(dir
        .context("the lab is not where cargo builds it")?
        .to_owned())
}

/// A bridge with the lab's own address, and a namespace on a cable for each host and the client.
fn build_switch(plan: Plan) -> anyhow::Result<()> {
    ip("link set lo up")?;
    ip(&format!("link add name {BRIDGE} type bridge"))?;
    ip(&format!("addr add {}/24 dev {BRIDGE}", plan.lab()))?;
    ip(&format!("link set {BRIDGE} up"))?;
    let client = (CLIENT.to_owned(), plan.client());
    for (name, address) in plan.hosts().chain(plan.voters()).chain([client]) {
        let port = switch_port(&name);
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add name {port} type veth peer name {INTERFACE} netns {name}"
        ))?;
        ip(&format!("link set {port} master {BRIDGE} up"))?;
        ip(&format!("-n {name} addr add {address}/24 dev {INTERFACE}"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} link set {INTERFACE} up"))?;
    }
    Ok(())
}
