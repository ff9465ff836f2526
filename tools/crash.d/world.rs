//! One world: a Redis, an agent, a follower of the FIFO, and the directories that they share.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::until;
use crate::sink::Sink;
use crate::stage::Places;

/// Room for a journal, its spool, and little more.
const SMALL_DISK: &str = "size=16m";

/// A child that is killed in the end.
pub struct Process(Child);

impl Process {
    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// Ends it without a last word.
    pub fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.0.try_wait()? {
            bail!("ended by itself before it was killed: {status}");
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// SIGTERM, and it ends well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let status = until("the agent stops", || Ok(self.0.try_wait()?))?;
        ensure!(status.success(), "the agent stopped with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stays over the rounds: Redis, directories, and the ends of pipes and sockets.
pub struct World {
    /// keepalived's end of the FIFO: as long as it is open, what is in there stays.
    pub fifo: File,
    /// Where alarms go.
    pub sink: Sink,
    _redis: Process,
    places: Directories,
}

/// Where a world's files and rha's programs are.
struct Directories {
    bin: PathBuf,
    disk: PathBuf,
    run: PathBuf,
    is_small: bool,
}

/// What is killed and started again.
pub struct Crew<'world> {
    world: &'world World,
    /// Runs, but for the moments between a kill and the next start.
    pub agent: Option<Process>,
    follower: Option<Process>,
}

impl World {
    /// A world in which Redis answers.
    pub fn new(places: &Places, number: usize, is_small: bool) -> anyhow::Result<Self> {
        let exe = std::env::current_exe()?;
        // target/release/examples/crash
        let bin = exe.ancestors().nth(2).context("no directory of programs")?;
        let places = Directories {
            bin: bin.to_owned(),
            disk: places.disk.join(number.to_string()),
            run: places.run.join(number.to_string()),
            is_small,
        };
        places.make()?;
        let sink = Sink::listen()?;
        let port = free_port()?;
        let redis = places.start_redis(port)?;
        fs::write(places.config(), places.toml(port, sink.port))?;
        Ok(Self {
            fifo: places.make_fifo()?,
            sink,
            _redis: redis,
            places,
        })
    }

    /// `state` in the configuration.
    pub fn state(&self) -> PathBuf {
        self.places.state()
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.places.run.join("agent.sock")
    }

    /// What the agents have said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.places.disk.join("log")).unwrap_or_default()
    }

    /// The log, to be appended to.
    pub fn open_log(&self) -> anyhow::Result<File> {
        self.places.open_log()
    }

    /// `rha` with this world's configuration.
    pub fn rha(&self) -> Command {
        let mut command = Command::new(self.places.bin.join("rha"));
        command.arg("--config").arg(self.places.config());
        command.env_remove("RHA_LOG").env("RUST_BACKTRACE", "0");
        command
    }

    /// `rha-event` with this world's spool.
    pub fn event(&self) -> Command {
        let mut command = Command::new(self.places.bin.join("rha-event"));
        command.env("RHA_SPOOL", self.state().join("spool"));
        command.env("RHA_DOORBELL", self.places.run.join("doorbell.sock"));
        command
    }

    /// Takes every byte that is left on a small disk, until this file is removed.
    pub fn fill_disk(&self) -> anyhow::Result<PathBuf> {
        let path = self.state().join("filler");
        let mut filler = File::create(&path)?;
        for size in [64 * 1024, 512, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.places.is_small {
            let mut umount = Command::new("umount");
            // The namespace's end would do it as well.
            let _ = umount.arg("-l").arg(self.state()).status();
        }
    }
}

impl<'world> Crew<'world> {
    /// An agent that listens, and a follower of the FIFO.
    pub fn start(world: &'world World) -> anyhow::Result<Self> {
        let mut crew = Self {
            world,
            agent: None,
            follower: None,
        };
        crew.launch_agent()?;
        crew.agent_listens()?;
        crew.start_follower()?;
        Ok(crew)
    }

    /// Starts the agent; does not wait for it.
    pub fn launch_agent(&mut self) -> anyhow::Result<()> {
        let mut command = self.world.rha();
        command.arg("run").stderr(self.world.open_log()?);
        self.agent = Some(Process(command.stdin(Stdio::null()).spawn()?));
        Ok(())
    }

    /// Waits until the agent listens.
    pub fn agent_listens(&mut self) -> anyhow::Result<()> {
        let socket = self.world.socket();
        let agent = self.agent.as_mut().context("no agent")?;
        until("the agent listens", || {
            if let Some(status) = agent.0.try_wait()? {
                bail!("the agent ended: {status}");
            }
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        })
    }

    /// Starts `rha-event --follow`; lines wait in the FIFO until it reads.
    pub fn start_follower(&mut self) -> anyhow::Result<()> {
        let mut command = self.world.event();
        command.arg("--follow").arg(self.world.places.fifo());
        command.stdin(Stdio::null()).stderr(self.world.open_log()?);
        self.follower = Some(Process(command.spawn()?));
        Ok(())
    }

    /// SIGKILL to the agent.
    pub fn kill_agent(&mut self) -> anyhow::Result<()> {
        self.agent.take().map_or(Ok(()), Process::kill)
    }

    /// SIGKILL to the follower.
    pub fn kill_follower(&mut self) -> anyhow::Result<()> {
        self.follower.take().map_or(Ok(()), Process::kill)
    }

    /// SIGTERM to the agent, and it ends well.
    pub fn stop_agent(&mut self) -> anyhow::Result<()> {
        self.agent.take().map_or(Ok(()), Process::stop)
    }
}

impl Directories {
    fn make(&self) -> anyhow::Result<()> {
        fs::create_dir_all(self.state())?;
        fs::create_dir_all(&self.run)?;
        if self.is_small {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs"]);
            let status = mount.arg(self.state()).status()?;
            ensure!(status.success(), "mounting a small disk: {status}");
        }
        Ok(())
    }

    fn state(&self) -> PathBuf {
        self.disk.join("state")
    }

    fn config(&self) -> PathBuf {
        self.disk.join("rha.toml")
    }

    fn fifo(&self) -> PathBuf {
        self.run.join("keepalived.fifo")
    }

    fn open_log(&self) -> anyhow::Result<File> {
        let log = self.disk.join("log");
        Ok(File::options().create(true).append(true).open(log)?)
    }

    /// Makes the FIFO and opens it as keepalived does.
    fn make_fifo(&self) -> anyhow::Result<File> {
        let path = self.fifo();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let mut options = File::options();
        options.read(true).write(true).custom_flags(nonblocking);
        Ok(options.open(&path)?)
    }

    fn start_redis(&self, port: u16) -> anyhow::Result<Process> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--dir"]).arg(&self.disk);
        command.stdin(Stdio::null()).stdout(self.open_log()?);
        let mut redis = Process(command.spawn().context("redis-server")?);
        until("Redis listens", || {
            if let Some(status) = redis.0.try_wait()? {
                bail!("redis-server ended: {status}");
            }
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
        })?;
        Ok(redis)
    }

    /// Checks as often as may be, and an alarm for everything, as soon as may be.
    fn toml(&self, port: u16, sink: u16) -> String {
        let (state, run) = (self.state(), &self.run);
        format!(
            "[node]\nname = \"a\"\n\
             [paths]\nstate = '{}'\nruntime = '{}'\n\
             [keepalived]\npidfile = ''\n\
             [health]\ninterval = \"100ms\"\ntimeout = \"100ms\"\nslow = \"100ms\"\nfall = 3\nrise = 2\n\
             [failover]\ndrain = \"0s\"\nretry = \"20ms\"\nkeepalived_gone_wait = \"10ms\"\n\
             [alarm]\nunserved_wait = \"10ms\"\nredundancy_wait = \"10ms\"\n\
             [[alarm.sink]]\nname = \"crash\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{sink}/\"\n\
             [[instance]]\nname = \"redis\"\nvip = \"192.0.2.161\"\nport = {port}\n\
             interface = \"lo\"\nvirtual_router_id = 51\n\
             [instance.redis]\nstart = [\"redis-server\", \"--daemonize\", \"yes\"]\n\
             [[instance.node]]\nname = \"a\"\naddress = \"127.0.0.1\"\n\
             [[instance.node]]\nname = \"b\"\naddress = \"127.0.0.2\"\n",
            state.display(),
            run.display(),
        )
    }
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
