//! The harm, and how it is undone.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::Signal;

use super::daemon::Daemon;
use super::plan::{Hung, Undo};
use crate::agent::direct::Direct;
use crate::agent::hands::own_target;
use crate::config::{Config, Instance};
use crate::model::drill::Drill;
use crate::model::effect::Effect;
use crate::wire::netlink::Netlink;
use crate::wire::process::{KEEPALIVED, Process, REDIS, find_here};
use crate::wire::redis::Link;

/// keepalived waits a second for its children.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// A route may need what the kernel puts in service a moment later.
const ROUTE_TRIES: u32 = 10;
const ROUTE_PAUSE: Duration = Duration::from_millis(200);

/// Done to one instance on this host.
pub struct Act<'config> {
    config: &'config Config,
    instance: &'config Instance,
    direct: Direct<'config>,
}

type Done<T = ()> = Result<T, String>;

impl<'config> Act<'config> {
    /// # Errors
    /// No runtime could be made.
    pub fn new(config: &'config Config, instance: &'config Instance) -> anyhow::Result<Self> {
        Ok(Self {
            config,
            instance,
            direct: Direct::new(config, instance)?,
        })
    }

    /// What there is to be undone afterwards. Changes nothing.
    ///
    /// # Errors
    /// It cannot be undone, or there is nothing to break.
    pub fn prepare(&self, drill: Drill) -> Done<Undo> {
        Ok(match drill {
            Drill::Link => {
                let interface = self.instance.interface.clone();
                let vips: Vec<_> = self.config.instances.iter().map(|one| one.vip).collect();
                let lost = self.direct.runtime().block_on(async {
                    let netlink = Netlink::open()?;
                    netlink.at_stake(&interface, &vips).await
                });
                let lost = lost.map_err(|error| error.to_string())?;
                Undo::Link { interface, lost }
            }
            Drill::RedisStop => Undo::Redis { hung: None },
            Drill::RedisKill | Drill::RedisHang => {
                let pid = self.redis()?;
                let hung = Hung::of(pid).map_err(|error| format!("process {pid}: {error}"))?;
                Undo::Redis { hung: Some(hung) }
            }
            Drill::KeepalivedStop => Undo::Daemon(daemon("keepalived", self.keepalived()?)?),
            Drill::AgentKill => Undo::Daemon(daemon("the agent", self.agent()?)?),
        })
    }

    /// Breaks it.
    ///
    /// # Errors
    /// It could not be done; some of it may have been.
    pub fn harm(&self, drill: Drill, undo: &Undo) -> Done {
        match (drill, undo) {
            (Drill::Link, Undo::Link { interface, .. }) => self.set_up(interface, false),
            (Drill::RedisStop, _) => self.carry_out(Effect::StopRedis).map(drop),
            (Drill::RedisKill, Undo::Redis { hung: Some(hung) }) => {
                let pid = hung.pid;
                self.carry_out(Effect::KillRedis { pid }).map(drop)
            }
            (Drill::RedisHang, Undo::Redis { hung: Some(hung) }) => {
                self.signal(hung.pid, REDIS, Signal::STOP)
            }
            (Drill::KeepalivedStop, Undo::Daemon(daemon)) => self.stop(daemon),
            (Drill::AgentKill, Undo::Daemon(daemon)) => {
                self.signal(daemon.pid, &["rha"], Signal::KILL)
            }
            _ => Err("it is not known how that is undone".to_owned()),
        }
    }

    /// Makes it as before; says what was done. It may be as before already.
    ///
    /// # Errors
    /// It is not.
    pub fn undo(&self, drill: Drill, undo: &Undo) -> Done<String> {
        match undo {
            Undo::Link { interface, lost } => {
                self.set_up(interface, true)?;
                let mut tries = 0;
                loop {
                    tries += 1;
                    let back = self.direct.runtime().block_on(async {
                        let netlink = Netlink::open()?;
                        netlink.bring_back(interface, lost).await
                    });
                    match back {
                        Ok(()) => return Ok(format!("{interface} is up")),
                        Err(_) if tries < ROUTE_TRIES => thread::sleep(ROUTE_PAUSE),
                        Err(error) => return Err(format!("{interface} is up, but {error}")),
                    }
                }
            }
            Undo::Redis { hung } => {
                let mut woken = false;
                if let Some(hung) = hung.filter(Hung::is_there) {
                    self.signal(hung.pid, REDIS, Signal::CONT)?;
                    woken = drill == Drill::RedisHang;
                }
                let started = self.carry_out(Effect::StartRedis)?;
                Ok(match (woken, started.as_str()) {
                    (true, _) => "Redis was woken".to_owned(),
                    (false, "") => "Redis was started".to_owned(),
                    (false, _) => "Redis was running again already".to_owned(),
                })
            }
            Undo::Daemon(daemon) => {
                let runs = match drill {
                    Drill::AgentKill => {
                        UnixStream::connect(self.config.paths.agent_socket()).is_ok()
                    }
                    _ => find_here(KEEPALIVED).is_some(),
                };
                let name = match drill {
                    Drill::AgentKill => "the agent",
                    _ => KEEPALIVED,
                };
                if runs {
                    return Ok(format!("{name} was running again already"));
                }
                daemon.start()?;
                Ok(format!("{name} was started"))
            }
        }
    }

    fn set_up(&self, interface: &str, up: bool) -> Done {
        let set = self.direct.runtime().block_on(async {
            let netlink = Netlink::open()?;
            netlink.set_up(interface, up).await
        });
        set.map_err(|error| error.to_string())
    }

    fn carry_out(&self, effect: Effect) -> Done<String> {
        use crate::model::effect::Outcome;
        let told = effect.to_string();
        match self.direct.carry_out(effect) {
            Ok(Outcome::Done(text)) => Ok(text),
            Ok(outcome) => Err(format!("{told}: {outcome}")),
            Err(error) => Err(format!("{told}: {error:#}")),
        }
    }

    fn signal(&self, pid: u32, names: &[&str], signal: Signal) -> Done {
        let _entered = self.direct.runtime().enter();
        let process =
            Process::open(pid, names).ok_or_else(|| format!("process {pid} is another one now"))?;
        process
            .signal(signal)
            .map_err(|error| format!("process {pid}: {error}"))
    }

    fn stop(&self, daemon: &Daemon) -> Done {
        if daemon.stop_unit()? {
            return Ok(());
        }
        let pid = daemon.pid;
        self.direct.runtime().block_on(async {
            let process = Process::open(pid, &[KEEPALIVED])
                .ok_or_else(|| format!("process {pid} is another one now"))?;
            process
                .signal(Signal::TERM)
                .map_err(|error| format!("process {pid}: {error}"))?;
            tokio::time::timeout(STOP_PATIENCE, process.exited())
                .await
                .map_err(|_| format!("keepalived (process {pid}) does not end"))
        })
    }

    /// The process of Redis, by its own word, if it is one of this host.
    pub fn redis(&self) -> Done<u32> {
        let target = own_target(self.instance).map_err(|error| error.to_string())?;
        let pid = self.direct.runtime().block_on(async {
            let link = Link::connect(&target, self.config.health.timeout).await;
            let told = link.map_err(|error| error.to_string())?.told_pid().await;
            let pid = told.map_err(|error| error.to_string())?;
            let is_here = Process::open(pid, REDIS).is_some();
            is_here.then_some(pid).ok_or_else(|| {
                format!("its process {pid} is no Redis of this host (a container's?)")
            })
        });
        pid.map_err(|why| format!("Redis at {}: {why}", target.endpoint))
    }

    /// The process of keepalived.
    pub fn keepalived(&self) -> Done<u32> {
        let file = &self.config.keepalived.pidfile;
        let Some(file) = file else {
            return Err("keepalived.pidfile is not set: which process is it?".to_owned());
        };
        let text = fs::read_to_string(file)
            .map_err(|error| format!("keepalived: {}: {error}", file.display()))?;
        let pid = text.trim().parse().unwrap_or(0);
        let _entered = self.direct.runtime().enter();
        let is_here =
            Process::open(pid, &[KEEPALIVED]).is_some() && find_here(KEEPALIVED).is_some();
        is_here
            .then_some(pid)
            .ok_or_else(|| format!("{} names no running keepalived", file.display()))
    }

    /// The process of the agent: who listens at its socket.
    pub fn agent(&self) -> Done<u32> {
        let socket = self.config.paths.agent_socket();
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", socket.display());
        let stream = UnixStream::connect(&socket).map_err(|error| failed(&error))?;
        let peer = socket_peercred(stream.as_fd()).map_err(|error| failed(&error))?;
        Ok(peer.pid.as_raw_pid().unsigned_abs())
    }
}

fn daemon(name: &str, pid: u32) -> Done<Daemon> {
    Daemon::of(pid).map_err(|error| format!("{name}, process {pid}: {error}"))
}
