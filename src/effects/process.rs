//! Starting and stopping Redis. The port and the process decide whether it runs, never a pidfile: one that
//! was left behind by a crash would keep Redis down for ever.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Hands, outcome_of};
use crate::model::effect::Outcome;
use crate::model::redis::Grade;
use crate::wire::process::{Process, REDIS};
use crate::wire::redis::{Link, probe};

/// One look at the port.
const LOOK: Duration = Duration::from_millis(500);
/// From one look to the next: doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);
/// What systemd says to this process, not to its children (sd_notify(3), sd_listen_fds(3)).
const NOT_FOR_CHILDREN: [&str; 5] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
];

/// Sends SIGKILL and does not wait: the exit is an event of its own, and what follows this order must not be late.
pub(super) fn kill_redis(pid: u32) -> Outcome {
    let Some(process) = Process::open(pid, REDIS) else {
        return Outcome::Refused(format!("process {pid} is no Redis of this host"));
    };
    match process.kill() {
        Ok(()) => Outcome::Done(format!("killed process {pid}")),
        Err(error) => Outcome::Failed(format!(
            "process {pid}: {error}: the agent needs CAP_KILL or its user"
        )),
    }
}

impl Hands {
    pub(super) async fn start_redis(&self) -> Outcome {
        ended(timeout(self.config.start_timeout, self.start_and_wait()).await)
    }

    pub(super) async fn stop_redis(&self) -> Outcome {
        ended(timeout(self.config.stop_timeout, self.stop_and_wait()).await)
    }

    async fn start_and_wait(&self) -> Result<String, Outcome> {
        let mut link = None;
        let done = match self.look(&mut link).await {
            grade if grade.is_ready() => return Ok("already running".to_owned()),
            Grade::Refused | Grade::Unreachable => {
                let child = self.launch().await?;
                return self.until_ready(child).await.map(|()| String::new());
            }
            Grade::Loading | Grade::Busy => "was already running",
            grade => return Err(self.occupied(grade)),
        };
        self.until_ready(None).await.map(|()| done.to_owned())
    }

    /// Starts it; `Some` is the command, which may have ended or be Redis itself.
    async fn launch(&self) -> Result<Option<Child>, Outcome> {
        if let Some(unit) = &self.config.unit {
            return systemctl("start", unit).await.map(|()| None);
        }
        let Some((program, arguments)) = self.config.start.split_first() else {
            let why = "neither start nor unit is set in [instance.redis]: rha cannot start it";
            return Err(Outcome::Refused(why.to_owned()));
        };
        let mut command = Command::new(program);
        command.args(arguments).args(&self.config.start_as_replica);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A signal to the agent's group is not for Redis.
        command.process_group(0);
        for name in NOT_FOR_CHILDREN {
            command.env_remove(name);
        }
        let child = command.spawn();
        child
            .map(Some)
            .map_err(|error| Outcome::Failed(format!("{program}: {error}")))
    }

    async fn until_ready(&self, mut child: Option<Child>) -> Result<(), Outcome> {
        let mut link = None;
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            match self.look(&mut link).await {
                grade if grade.is_ready() => return Ok(()),
                grade @ (Grade::Auth | Grade::Garbage) => return Err(self.occupied(grade)),
                _ => {}
            }
            let ended = child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended.filter(|status| !status.success()) {
                let command = [&self.config.start[..], &self.config.start_as_replica].concat();
                let command = command.join(" ");
                return Err(Outcome::Failed(format!(
                    "{status}: run it by hand to see why: {command}"
                )));
            }
        }
    }

    async fn stop_and_wait(&self) -> Result<String, Outcome> {
        let mut link = None;
        let grade = self.look(&mut link).await;
        let was_running = grade != Grade::Refused;
        let process = link
            .as_ref()
            .and_then(Link::identity)
            .and_then(|identity| Process::open(identity.pid, REDIS));
        match (&self.config.unit, &link) {
            // Also where the port is closed already: else systemd might be about to start it again.
            (Some(unit), _) => systemctl("stop", unit).await?,
            (None, Some(link)) => link.shutdown().await.map_err(outcome_of)?,
            (None, None) if was_running => return Err(self.occupied(grade)),
            (None, None) => {}
        }
        if let Some(process) = process {
            process.exited().await;
        }
        let mut pause = FIRST_PAUSE;
        while self.look(&mut None).await != Grade::Refused {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
        Ok(if was_running {
            String::new()
        } else {
            "already stopped".to_owned()
        })
    }

    async fn look(&self, link: &mut Option<Link>) -> Grade {
        probe(link, &self.config.redis, LOOK, LOOK).await.grade
    }

    fn occupied(&self, grade: Grade) -> Outcome {
        let endpoint = &self.config.redis.endpoint;
        let what = match grade {
            Grade::Auth => "refuses the login: check username and password_file",
            Grade::Timeout => "does not answer: kill the process that holds the port",
            _ => "does not answer like Redis: see which process holds the port",
        };
        Outcome::Failed(format!("{endpoint} {what}"))
    }
}

fn ended(result: Result<Result<String, Outcome>, tokio::time::error::Elapsed>) -> Outcome {
    match result {
        Ok(Ok(done)) => Outcome::Done(done),
        Ok(Err(outcome)) => outcome,
        Err(_) => Outcome::TimedOut,
    }
}

/// `systemctl VERB UNIT`, which returns when it is done; the caller bounds it.
async fn systemctl(verb: &str, unit: &str) -> Result<(), Outcome> {
    let failed = |why: String| Outcome::Failed(format!("systemctl {verb} {unit}: {why}"));
    let mut command = Command::new("systemctl");
    command
        .args([verb, unit])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read is not worth failing for: the exit status decides.
        let _ = stderr.take(4096).read_to_end(&mut said).await;
    }
    let status = child
        .wait()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    Err(failed(format!(
        "{status}: {}",
        said.lines().next().unwrap_or("")
    )))
}
