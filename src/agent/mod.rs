//! The loop that runs everything. Takes no decision: there is no `match` on a role here.
//!
//! One thread: queued events → stamp → `step` → append → flush → effects. What blocks (the flush) has
//! a thread of its own; everything that waits is a task that ends in an event.

pub mod api;
pub mod blackbox;
mod board;
pub mod clock;
mod connections;
pub mod direct;
mod doorstep;
mod drill;
pub mod hands;
mod housekeeping;
mod intake;
mod library;
pub mod lookup;
mod mend;
mod pilot;
mod pulse;
mod reading;
mod reload;
pub mod runtime;
mod senses;
mod serve;
mod signs;
mod start;
mod switchover;
mod unrecorded;
mod voters;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

pub use hands::own_target;

use blackbox::BlackBox;
use clock::Clock;
use housekeeping::Housekeeping;
use intake::Intake;
use library::Library;
use mend::Mending;
use pilot::{Ask, Pilot, Taken};
use pulse::Pulse;
use senses::Senses;
use signs::Signs;
use start::of;

use crate::config::Config;
use crate::ingest::Incoming;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::vrrp::{Notified, SpoolPosition, Word};

/// How many events go into one group commit at most.
const BATCH: usize = 256;

/// The belt under the doorbell, and how often a failing journal is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How long the journal may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the agent until SIGTERM or SIGINT. Redis and the VIP stay as they are.
///
/// # Errors
/// It cannot be started; one line says what, where and who needs what.
pub fn run(file: &Path, config: Config) -> anyhow::Result<()> {
    // What it may do, a Redis that it starts need not be able to. Where there are none, none is there to go.
    if let Err(error) = rustix::thread::clear_ambient_capability_set() {
        tracing::debug!(%error, "ambient capabilities");
    }
    let runtime = runtime::runtime()?;
    let result = runtime.block_on(async {
        // First of all: a signal that comes while the journal is being read is not to kill.
        let signals = Signals::new()?;
        let mut agent = Agent::start(file, config).await?;
        agent.run(signals).await;
        Ok(())
    });
    // A thread that hangs on a dead disk cannot be ended, and is not waited for.
    runtime.shutdown_background();
    result
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// The running agent.
struct Agent {
    file: PathBuf,
    config: Config,
    lender: Library,
    /// The journal failed and is being opened anew.
    mending: Option<Mending>,
    clock: Clock,
    pilot: Pilot,
    board: board::Shared,
    black_box: Option<BlackBox>,
    housekeeping: Housekeeping,
    intake: Intake,
    /// What was said last of a spool that cannot be read.
    spool_error: String,
    senses: Senses,
    signs: Signs,
    facts: mpsc::Receiver<Incoming>,
    fact_sender: mpsc::Sender<Incoming>,
    asks: mpsc::Receiver<Ask>,
    doorbell: UnixDatagram,
    /// The doorbell woke the loop, and the facts have not had their turn since.
    rung: bool,
    /// There may be more lines in the spool.
    backlog: bool,
    /// Instances whose first look at the world is not complete.
    unready: BTreeSet<String>,
    /// What is to be decided about as soon as they are ready.
    once_ready: BTreeMap<String, Vec<Event>>,
    /// The last that was seen of each local Redis.
    seen: BTreeMap<String, Seen>,
    _sockets: doorstep::Sockets,
}

/// The last that was seen of a local Redis, as events.
#[derive(Default)]
struct Seen {
    attached: Option<Event>,
    probed: Option<Event>,
}

/// Why the loop woke.
enum Wake {
    Facts,
    Asked(Ask),
    Doorbell,
    Deadline(Box<Incoming>),
    Tick,
    Reload,
    Stop,
}

impl Agent {
    async fn run(&mut self, mut signals: Signals) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut batch = Vec::with_capacity(BATCH);
        let pulse = Pulse::start(self.clock);
        loop {
            let wake = self.wake(&mut batch, &mut tick, &mut signals).await;
            if let Some((why, by_ms)) = pulse.noticed(self.clock.now()) {
                self.tilt(why, by_ms).await;
                if matches!(wake, Wake::Deadline(_)) {
                    // It may have been put off: else it is due at once again.
                    continue;
                }
            }
            match wake {
                Wake::Facts => self.take(std::mem::take(&mut batch)).await,
                Wake::Asked(ask) => self.answer(ask).await,
                Wake::Doorbell => self.take_in_spool().await,
                Wake::Deadline(incoming) => self.take(vec![*incoming]).await,
                Wake::Tick => self.tick().await,
                Wake::Reload => self.reload().await,
                Wake::Stop => break,
            }
        }
        self.stop().await;
    }

    /// What is rare comes first, so that a flood of rings or facts keeps none of it waiting; rings come before
    /// facts, for a promotion waits for them. But after each batch of lines the facts have their turn: who took in
    /// lines only, in a flood of them, would order without end and hear of no outcome.
    async fn wake(
        &mut self,
        batch: &mut Vec<Incoming>,
        tick: &mut tokio::time::Interval,
        signals: &mut Signals,
    ) -> Wake {
        let deadline = self.pilot.next_deadline();
        let wait = deadline
            .as_ref()
            .map(|(due_us, _)| self.clock.until(*due_us));
        let mut rung = [0; 64];
        let rings = !self.rung || self.facts.is_empty();
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => Wake::Stop,
            _ = signals.interrupt.recv() => Wake::Stop,
            _ = signals.hangup.recv() => Wake::Reload,
            _ = tick.tick() => Wake::Tick,
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                deadline.map_or(Wake::Tick, |(_, incoming)| Wake::Deadline(Box::new(incoming)))
            }
            // Before, nothing would be decided about it.
            Some(ask) = self.asks.recv(), if self.unready.is_empty() => Wake::Asked(ask),
            () = std::future::ready(()), if self.backlog && rings => {
                self.rung = true;
                Wake::Doorbell
            }
            _ = self.doorbell.recv(&mut rung), if rings => {
                self.rung = true;
                Wake::Doorbell
            }
            _ = self.facts.recv_many(batch, BATCH) => {
                // Not counted one by one: a smaller batch would wait for the disk as long.
                self.rung = self.intake.owes_after(BATCH);
                Wake::Facts
            }
        }
    }

    /// Records a batch and starts its effects; then whatever follows from the records themselves.
    async fn take(&mut self, mut batch: Vec<Incoming>) {
        while !batch.is_empty() {
            let taken = self.pilot.take(batch).await;
            batch = self.taken(taken);
        }
    }

    /// What follows from the records of a batch.
    fn taken(&mut self, Taken { records, failure }: Taken) -> Vec<Incoming> {
        let mut next = Vec::new();
        next.extend(failure.and_then(|failure| self.journal_failed(failure)));
        self.signs.follow(&board::lock(&self.board));
        log(&records);
        for record in &records {
            self.learn(record);
            if matches!(record.event, Event::RedisProbed(_))
                && self.unready.remove(&record.instance)
            {
                next.extend(self.ready(&record.instance));
            }
        }
        next
    }

    fn learn(&mut self, record: &Record) {
        let name = &record.instance;
        let event = || Some(record.event.clone());
        match &record.event {
            Event::VipChanged { here } => {
                self.senses.vip_moved(name, *here);
            }
            Event::KeepalivedChanged { running } => self.senses.keepalived = Some(*running),
            Event::RedisAttached { .. } => {
                self.seen.entry(name.clone()).or_default().attached = event();
            }
            Event::RedisExited { .. } => {
                self.seen.entry(name.clone()).or_default().attached = None;
            }
            Event::RedisProbed(_) => {
                let seen = self.seen.entry(name.clone()).or_default();
                let before = std::mem::replace(&mut seen.probed, event());
                // Whether its host still has a Redis is asked next.
                if before.and_then(|before| before.replicas()) > record.event.replicas() {
                    self.senses.look_at_others(name);
                }
            }
            // keepalived hears another master, or the agent does: who of the two is to stay, their Redis tell.
            Event::PeerAdvertised { heard: true, .. } => self.senses.look_at_others(name),
            Event::VrrpNotified(Notified { notification, .. })
                if notification.word == Word::RxLowerPriority =>
            {
                self.senses.look_at_others(name);
            }
            _ => {}
        }
    }

    /// An instance is ready once its Redis has been looked at; the rest was looked at before.
    fn ready(&mut self, name: &str) -> Vec<Incoming> {
        if self.unready.is_empty() {
            doorstep::say_ready(&self.config);
        }
        let ready = Event::AgentReady {
            vip_here: self.senses.vip_here.get(name).copied().unwrap_or(false),
            keepalived: self.senses.keepalived,
        };
        let then = self.once_ready.remove(name).unwrap_or_default();
        let events = std::iter::once(ready).chain(then);
        events.map(|event| of(name, event)).collect()
    }

    async fn answer(&mut self, ask: Ask) {
        let (incoming, reply) = match ask {
            Ask::Record { incoming, reply } => (*incoming, reply),
            Ask::Compact { reply } => {
                if let Some(committer) = self.pilot.committer() {
                    // Who asked may be gone.
                    let _ = reply.send(committer.compact());
                }
                return;
            }
        };
        let taken = self.pilot.take_ask(incoming).await;
        if let Some(record) = taken.records.first() {
            // Who asked may be gone.
            let _ = reply.send(record.clone());
        }
        let next = self.taken(taken);
        self.take(next).await;
    }

    /// Takes a batch of lines in; there may be more.
    async fn take_in_spool(&mut self) {
        let batch = match self.intake.read() {
            Ok(batch) => batch,
            Err(error) => {
                let error = error.to_string();
                if error != self.spool_error {
                    tracing::error!(error, "the spool cannot be read");
                    self.spool_error = error;
                }
                self.backlog = false;
                return;
            }
        };
        self.spool_error.clear();
        self.backlog = !batch.is_empty();
        if batch.is_empty() {
            return;
        }
        let position: Option<SpoolPosition> = batch
            .iter()
            .rev()
            .find_map(|incoming| incoming.event.spool());
        for incoming in &batch {
            self.pilot.hands().look(&incoming.instance);
        }
        let moved: BTreeSet<String> = batch.iter().map(|line| line.instance.clone()).collect();
        self.take(batch).await;
        // Who leads, or wants to, must know who else serves; the promotion itself does not wait for it.
        moved
            .iter()
            .for_each(|name| self.senses.look_at_others(name));
        if let Some(position) = position.filter(|_| self.pilot.is_recording())
            && let Err(error) = self.intake.committed(position)
        {
            tracing::warn!(%error, "an old spool segment cannot be removed");
        }
    }

    async fn tick(&mut self) {
        doorstep::say_alive();
        self.mend().await;
        self.keep_house().await;
        self.take_in_spool().await;
    }

    async fn stop(&mut self) {
        doorstep::say_stopping();
        self.take(vec![of("", Event::AgentStopping)]).await;
        self.pilot.hands().stop().await;
        if let Some(black_box) = self.black_box.take() {
            // What it cannot write now it writes after the next start.
            let _ = tokio::time::timeout(STOP_PATIENCE, black_box.stop()).await;
        }
        if let Some(committer) = self.pilot.close_journal() {
            let closing = self.lender.close(committer);
            if tokio::time::timeout(STOP_PATIENCE, closing).await.is_err() {
                tracing::error!("the journal does not end: the last health checks may be lost");
            }
        }
        tracing::info!("stopped: Redis and the VIP stay as they are");
    }
}

fn log(records: &[Record]) {
    for record in records {
        let decision = &record.decision;
        let (Some(rule), Some(change)) = (&decision.rule, decision.transition) else {
            continue;
        };
        let because = crate::machine::table::row(rule.as_str()).map_or("", |row| row.because);
        tracing::info!(
            instance = record.instance, seq = record.seq.0, %rule,
            "{} -> {}: {because}", change.from, change.to
        );
    }
}
