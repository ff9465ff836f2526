//! The writing client: a process of its own in the client's namespace, with default time-outs, that writes
//! one key after the other and says when it could not.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddrV4;
use std::process::{Child, ChildStdin, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use redis::{Client, Connection, RedisError, cmd};
use serde::{Deserialize, Serialize};

use crate::clock::{now, now_us};
use crate::plan::CLIENT;
use crate::redis_view;
use crate::run::in_netns;

/// From here on the client counts as writing steadily.
const WARM: u64 = 500;
/// An interval between two accepted writes is told from here on, even if no write failed.
const LONG_US: u64 = 5_000;
/// After a refused connection: at once, but other processes must get the processor too.
const BREATH: Duration = Duration::from_micros(200);
/// No run of the lab writes more; the keys fit into memory.
const MAX_WRITES: u64 = 2_000_000;
/// So often it says how far it is.
const PROGRESS_US: u64 = 100_000;
/// Lines that nobody has looked at yet: hours of progress.
const MAX_UNREAD: usize = 100_000;
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// A client that is to stop waits so long for the answer that it is waiting for.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// Without an accepted write for so long, it is not told of one because there was none.
const SILENCE_US: u64 = 10 * PROGRESS_US;

/// `lab client`.
#[derive(Args)]
pub struct ClientArgs {
    /// Where to write
    #[arg(long)]
    redis: SocketAddrV4,
    /// What each key begins with
    #[arg(long)]
    prefix: String,
    /// How long to wait between two writes, in microseconds
    #[arg(long)]
    pause_us: u64,
}

/// What the client says, one JSON object in each line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It writes steadily.
    Warm,
    /// So many writes were acknowledged by then.
    Progress {
        /// When the last of them was.
        accepted_us: u64,
        /// How many.
        acknowledged: u64,
    },
    /// No write was accepted for a while. All times are `CLOCK_MONOTONIC` in microseconds.
    Gap(Gap),
    /// It was asked to stop and has.
    Done(Done),
}

/// An interval without an accepted write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gap {
    /// When the write before it was accepted.
    pub from_us: u64,
    /// When the first operation failed; `None` if none did and it was merely slow.
    pub failed_us: Option<u64>,
    /// When the write behind it was accepted.
    pub accepted_us: u64,
    /// How many operations failed.
    pub errors: u64,
    /// The first failure in words.
    pub error: String,
}

impl Gap {
    /// Its length.
    pub fn length_us(&self) -> u64 {
        self.accepted_us.saturating_sub(self.from_us)
    }
}

/// The end of a client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Done {
    /// Writes are numbered 1 to this.
    pub written: u64,
    /// Those that were sent and never acknowledged: they may be there or not.
    pub unacknowledged: Vec<u64>,
}

impl Done {
    /// The number of the next write, which is not acknowledged yet.
    fn send(&mut self) -> u64 {
        self.written += 1;
        self.unacknowledged.push(self.written);
        self.written
    }

    /// The last one is. How many are by now.
    fn acknowledge(&mut self) -> u64 {
        self.unacknowledged.pop();
        self.written - self.unacknowledged.len() as u64
    }
}

/// The body of `lab client`: writes until stdin ends.
pub fn run(args: &ClientArgs) -> anyhow::Result<ExitCode> {
    let mut writer = Writer::new(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopper, done) = (Arc::clone(&stop), Arc::clone(&writer.done));
    thread::spawn(move || {
        // Whatever ends stdin, an error too, ends the client.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopper.store(true, Ordering::Relaxed);
        sleep(LAST_ANSWER);
        // Still here: it waits for a Redis that never answers, and nobody else can tell what was acknowledged.
        let _ = tell(&Said::Done(locked(&done).clone()));
        std::process::exit(0);
    });
    while !stop.load(Ordering::Relaxed) && locked(&writer.done).written < MAX_WRITES {
        writer.write_one()?;
        if args.pause_us > 0 {
            sleep(Duration::from_micros(args.pause_us));
        }
    }
    tell(&Said::Done(locked(&writer.done).clone()))?;
    Ok(ExitCode::SUCCESS)
}

fn locked(done: &Mutex<Done>) -> MutexGuard<'_, Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer<'a> {
    args: &'a ClientArgs,
    client: Client,
    connection: Option<Connection>,
    last_accepted_us: u64,
    told_us: u64,
    failure: Option<(u64, u64, String)>,
    done: Arc<Mutex<Done>>,
}

impl<'a> Writer<'a> {
    fn new(args: &'a ClientArgs) -> anyhow::Result<Self> {
        Ok(Self {
            args,
            client: Client::open(format!("redis://{}/", args.redis))?,
            connection: None,
            last_accepted_us: now_us(),
            told_us: 0,
            failure: None,
            done: Arc::default(),
        })
    }

    /// One attempt: connects where there is no connection, sends the next write, tells of a gap that it ends.
    fn write_one(&mut self) -> anyhow::Result<()> {
        let Some(connection) = &mut self.connection else {
            match self.client.get_connection() {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    self.failed(&error);
                    sleep(BREATH);
                }
            }
            return Ok(());
        };
        let number = locked(&self.done).send();
        let key = format!("{}{number}", self.args.prefix);
        match cmd("SET").arg(key).arg(number).exec(connection) {
            Ok(()) => self.accepted(number),
            Err(error) => {
                self.connection = None;
                self.failed(&error);
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: &RedisError) {
        let at = now_us();
        let failure = self
            .failure
            .get_or_insert_with(|| (at, 0, error.to_string()));
        failure.1 += 1;
    }

    fn accepted(&mut self, number: u64) -> anyhow::Result<()> {
        let accepted_us = now_us();
        let acknowledged = locked(&self.done).acknowledge();
        let from_us = std::mem::replace(&mut self.last_accepted_us, accepted_us);
        let failure = self.failure.take();
        if number == WARM {
            tell(&Said::Warm)?;
        }
        if failure.is_some() || accepted_us - from_us >= LONG_US {
            let (failed_us, errors, error) = failure.map_or_else(
                || (None, 0, String::new()),
                |(at, errors, error)| (Some(at), errors, error),
            );
            tell(&Said::Gap(Gap {
                from_us,
                failed_us,
                accepted_us,
                errors,
                error,
            }))?;
        }
        if accepted_us - self.told_us >= PROGRESS_US {
            self.told_us = accepted_us;
            tell(&Said::Progress {
                accepted_us,
                acknowledged,
            })?;
        }
        Ok(())
    }
}

fn tell(said: &Said) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    std::io::stdout().write_all(&line)?;
    Ok(())
}

/// A running client, seen from the lab.
pub struct Writing {
    redis: SocketAddrV4,
    prefix: String,
    child: Child,
    stdin: Option<ChildStdin>,
    acknowledged: Cell<u64>,
    accepted_us: Cell<u64>,
    gaps: RefCell<Vec<Gap>>,
    lines: Receiver<anyhow::Result<Said>>,
}

impl Writing {
    /// Starts a client and waits until it writes steadily.
    pub fn start(redis: SocketAddrV4, prefix: &str, pause_us: u64) -> anyhow::Result<Self> {
        let mut child = in_netns(CLIENT, std::env::current_exe()?)
            .arg("client")
            .arg(format!("--redis={redis}"))
            .arg(format!("--prefix={prefix}"))
            .arg(format!("--pause-us={pause_us}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("stdout was piped")?;
        let (sender, lines) = sync_channel(MAX_UNREAD);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let said = line
                    .map_err(anyhow::Error::from)
                    .and_then(|line| Ok(serde_json::from_str(&line)?));
                if sender.send(said).is_err() {
                    break;
                }
            }
        });
        let writing = Self {
            redis,
            prefix: prefix.to_owned(),
            stdin: child.stdin.take(),
            child,
            acknowledged: Cell::new(0),
            accepted_us: Cell::new(0),
            gaps: RefCell::default(),
            lines,
        };
        writing
            .until(STOP_LIMIT, |said| matches!(said, Said::Warm).then_some(()))
            .context("the client does not get to write")?;
        Ok(writing)
    }

    /// The gap that a failure at or after `after_us` made: it ends with the next accepted write.
    pub fn outage(&self, after_us: u64, limit: Duration) -> anyhow::Result<Gap> {
        self.until(limit, |said| match said {
            Said::Gap(gap) if gap.errors > 0 && gap.accepted_us > after_us => Some(gap),
            _ => None,
        })
        .context("the client waits for a write to be accepted again")
    }

    /// How many writes were acknowledged, as last told.
    pub fn progress(&self) -> u64 {
        while let Ok(said) = self.lines.try_recv() {
            // An unreadable line or the client's end is for the next call that waits for something.
            if let Ok(said) = said {
                self.note(&said);
            }
        }
        self.acknowledged.get()
    }

    /// The longest gap told until a write is accepted after `after_us`; `None` where none was worth telling.
    pub fn longest_gap(&self, after_us: u64, limit: Duration) -> anyhow::Result<Option<Gap>> {
        let told = self.gaps.borrow().len();
        self.accepted(after_us, limit)?;
        let gaps = self.gaps.borrow();
        Ok(gaps[told..]
            .iter()
            .max_by_key(|gap| gap.length_us())
            .cloned())
    }

    /// Waits until a write is accepted after `after_us`.
    pub fn accepted(&self, after_us: u64, limit: Duration) -> anyhow::Result<()> {
        self.until(limit, |said| match said {
            Said::Progress { accepted_us, .. } => (accepted_us > after_us).then_some(()),
            _ => None,
        })
        .context("the client waits for a write to be accepted")
    }

    /// The longest time without an accepted write, counted from `since_us` on; `None` where it is not over.
    pub fn longest_outage(&self, since_us: u64) -> Option<u64> {
        self.progress();
        if now_us() > self.accepted_us.get() + SILENCE_US {
            return None;
        }
        let gaps = self.gaps.borrow();
        let outages = gaps
            .iter()
            .map(|gap| gap.accepted_us.saturating_sub(gap.from_us.max(since_us)));
        Some(outages.max().unwrap_or(0))
    }

    fn note(&self, said: &Said) {
        match said {
            Said::Progress {
                accepted_us,
                acknowledged,
            } => {
                self.accepted_us.set(*accepted_us);
                self.acknowledged.set(*acknowledged);
            }
            Said::Gap(gap) => {
                self.accepted_us.set(gap.accepted_us);
                self.gaps.borrow_mut().push(gap.clone());
            }
            Said::Warm | Said::Done(_) => {}
        }
    }

    /// Stops the client and reads back what was acknowledged to it.
    pub fn finish(mut self) -> anyhow::Result<Tally> {
        drop(self.stdin.take());
        let done = self.until(STOP_LIMIT, |said| match said {
            Said::Done(done) => Some(done),
            _ => None,
        })?;
        self.child.wait()?;
        let acknowledged =
            (1..=done.written).filter(|number| done.unacknowledged.binary_search(number).is_err());
        let lost = redis_view::missing(self.redis, &self.prefix, acknowledged)?;
        Ok(Tally {
            acknowledged: done.written - done.unacknowledged.len() as u64,
            lost: lost
                .iter()
                .map(|number| format!("{}{number}", self.prefix))
                .collect(),
        })
    }

    fn until<T>(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(Said) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = now() + limit;
        loop {
            match self.lines.recv_timeout(end.saturating_sub(now())) {
                Ok(said) => {
                    let said = said?;
                    self.note(&said);
                    if let Some(found) = wanted(said) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("not within {} s", limit.as_secs_f32()),
                Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the client has ended")),
            }
        }
    }
}

/// What became of a client's writes.
#[derive(Debug, Clone)]
pub struct Tally {
    /// So many were acknowledged.
    pub acknowledged: u64,
    /// Those of these that were not there in the end.
    pub lost: Vec<String>,
}
