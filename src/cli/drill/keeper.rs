//! The keeper of a drill: a process of its own that breaks something and makes it as before, whatever becomes of the
//! shell, the command and the agent. The command tells it when to begin, and may tell it to end; where nobody tells it
//! anything any more, it ends the drill at its time.
//!
//! ```text
//!  rha drill ──plan, go, end──> keeper: lock, drill.json, "ready" · recorded, harm, "broken"
//!            <──ready, broken, over──          … time, word or SIGTERM … undo, recorded, "over"
//! ```

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::act::Act;
use super::plan::{Lock, Plan, Undo, end_of};
use crate::agent::api::{self, DrillBegun, DrillDone};
use crate::agent::clock::Clock;
use crate::agent::runtime::runtime;
use crate::cli::client::Client;
use crate::cli::render::Problem;
use crate::cli::source;
use crate::config::Config;

/// How often the clock is looked at: the time of a host that sleeps counts too.
const LOOK: Duration = Duration::from_millis(100);
/// How often what could not be undone, or told, is tried again, and how many times.
const PAUSE: Duration = Duration::from_secs(1);
const TRIES: u32 = 60;

/// What the keeper says, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// It knows how to undo it, and waits for the word.
    Ready,
    /// It is broken.
    Broken,
    /// It is as before, and how that came.
    Over(String),
    /// It could not be done or undone, and why.
    Failed(String),
}

/// What it is told, a line each.
const GO: &str = "go";
const END: &str = "end";

/// The command's side of a keeper.
pub struct Keeper {
    child: Child,
}

impl Keeper {
    /// Starts it, and gives it the plan.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(config: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let child = Command::new(program)
            .arg("--config")
            .arg(config)
            .args(["drill", "--keep"])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A terminal that is gone must not hold it up.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the process that would undo it")?;
        let mut keeper = Self { child };
        let plan = serde_json::to_string(plan)?;
        keeper.tell(&plan)?;
        Ok(keeper)
    }

    /// Break it.
    ///
    /// # Errors
    /// The keeper is gone.
    pub fn go(&mut self) -> io::Result<()> {
        self.tell(GO)
    }

    /// Make it as before now.
    ///
    /// # Errors
    /// The keeper is gone.
    pub fn end(&mut self) -> io::Result<()> {
        self.tell(END)
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.child.stdin.as_mut();
        let stdin = stdin.ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{line}")
    }

    /// What it says, as it says it; ends with it.
    pub fn said(&mut self) -> mpsc::Receiver<Said> {
        let (sender, receiver) = mpsc::channel(8);
        if let Some(stdout) = self.child.stdout.take() {
            thread::spawn(move || {
                let lines = io::BufReader::new(stdout).lines().map_while(Result::ok);
                let said = lines.filter_map(|line| serde_json::from_str(&line).ok());
                for said in said {
                    if sender.blocking_send(said).is_err() {
                        return;
                    }
                }
            });
        }
        receiver
    }
}

/// `rha drill --keep`.
///
/// # Errors
/// Nothing was broken.
pub fn keep(file: &Path) -> anyhow::Result<u8> {
    // A session of its own: no terminal's signals. Where it is a group's leader already, it has one.
    let _ = rustix::process::setsid();
    // Not this one, when memory is short. Only root may.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;
    let said = Config::load(file)
        .map_err(anyhow::Error::from)
        .and_then(|config| kept(&config, plan));
    match said {
        Ok(said) => {
            let failed = matches!(said, Said::Failed(_));
            say(&said);
            Ok(u8::from(failed))
        }
        Err(error) => {
            say(&Said::Failed(format!("{error:#}")));
            Ok(1)
        }
    }
}

fn kept(config: &Config, mut plan: Plan) -> anyhow::Result<Said> {
    let instance = source::instance(config, Some(&plan.instance))?;
    let mut ears = Ears::open()?;
    let lock = Lock::take(&config.paths)?.ok_or_else(|| Problem::failed("another drill runs"))?;
    let act = Act::new(config, instance)?;
    let undo = act.prepare(plan.drill).map_err(Problem::failed)?;
    plan.undo = Some(undo.clone());
    plan.keeper = std::process::id();
    lock.write(&plan)?;
    say(&Said::Ready);
    if ears.words.blocking_recv() != Some(Word::Go) {
        lock.forget()?;
        return Ok(Said::Over("nothing was done".to_owned()));
    }
    if !plan.unrecorded
        && let Err(error) = tell_beginning(config, &plan)
    {
        lock.forget()?;
        return Err(error.context("it could not be recorded, so nothing was done"));
    }
    let end = end_of(&Clock::new()?.now(), plan.for_ms);
    let why = match act.harm(plan.drill, &undo) {
        Ok(()) => {
            say(&Said::Broken);
            ears.wait(end)?.to_owned()
        }
        Err(why) => format!("it could not be done ({why})"),
    };
    finish(config, &act, &lock, &plan, &undo, &why)
}

/// Undoes it, and says so to the agent. What is not undone stays in the file.
///
/// # Errors
/// The file cannot be removed.
pub fn finish(
    config: &Config,
    act: &Act,
    lock: &Lock,
    plan: &Plan,
    undo: &Undo,
    why: &str,
) -> anyhow::Result<Said> {
    let mut undone = act.undo(plan.drill, undo);
    for _ in 1..TRIES {
        if undone.is_ok() {
            break;
        }
        thread::sleep(PAUSE);
        undone = act.undo(plan.drill, undo);
    }
    let (restored, how) = match undone {
        Ok(what) => (true, format!("{why}; {what}")),
        Err(error) => (false, format!("{why}; {error}")),
    };
    if restored {
        lock.forget()?;
    }
    if !plan.unrecorded {
        tell_end(config, plan, restored, &how);
    }
    Ok(match restored {
        true => Said::Over(how),
        false => Said::Failed(how),
    })
}

fn tell_beginning(config: &Config, plan: &Plan) -> anyhow::Result<()> {
    let begun = DrillBegun {
        instance: plan.instance.clone(),
        drill: plan.drill.word().to_owned(),
        for_ms: plan.for_ms,
        command: plan.command.clone(),
    };
    let client = Client::require(&config.paths.agent_socket())?;
    client.post(api::DRILL, &begun).map(drop)
}

/// The agent may be down just then; where it stays down, its own timer ends the drill.
fn tell_end(config: &Config, plan: &Plan, restored: bool, how: &str) {
    let done = DrillDone {
        instance: plan.instance.clone(),
        drill: plan.drill.word().to_owned(),
        restored,
        how: how.to_owned(),
        command: plan.command.clone(),
    };
    let told = || Client::require(&config.paths.agent_socket())?.post(api::DRILL_END, &done);
    for _ in 0..TRIES {
        if told().is_ok() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Go,
    End,
}

/// What the command says; closed when it is gone.
fn words() -> mpsc::Receiver<Word> {
    let (sender, receiver) = mpsc::channel(8);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let word = match line.as_str() {
                GO => Word::Go,
                END => Word::End,
                _ => continue,
            };
            if sender.blocking_send(word).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What can end a drill. Open before anything is broken: a signal that nobody hears would end the keeper.
struct Ears {
    runtime: Runtime,
    words: mpsc::Receiver<Word>,
    terminate: Signal,
    interrupt: Signal,
    /// Where a terminal goes, the drill stays.
    _hangups: Signal,
}

impl Ears {
    fn open() -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let entered = runtime.enter();
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        let (terminate, interrupt) = (signal(terminate)?, signal(interrupt)?);
        let hangups = signal(SignalKind::hangup())?;
        drop(entered);
        Ok(Self {
            runtime,
            words: words(),
            terminate,
            interrupt,
            _hangups: hangups,
        })
    }

    /// Waits until it is to end, and says why.
    fn wait(&mut self, end_us: u64) -> anyhow::Result<&'static str> {
        let clock = Clock::new()?;
        let Self {
            runtime,
            words,
            terminate,
            interrupt,
            ..
        } = self;
        Ok(runtime.block_on(async {
            let mut listening = true;
            loop {
                let left = clock.until(end_us);
                if left.is_zero() {
                    return "its time was over";
                }
                tokio::select! {
                    word = words.recv(), if listening => match word {
                        Some(Word::End) => return "it was ended early",
                        Some(Word::Go) => {}
                        // The command is gone: the time decides.
                        None => listening = false,
                    },
                    _ = terminate.recv() => return "it was told to end",
                    _ = interrupt.recv() => return "it was told to end",
                    () = tokio::time::sleep(left.min(LOOK)) => {}
                }
            }
        }))
    }
}

fn say(said: &Said) {
    let mut out = io::stdout();
    // Nobody may listen any more.
    let _ = serde_json::to_string(said).map(|line| writeln!(out, "{line}"));
    let _ = out.flush();
}
