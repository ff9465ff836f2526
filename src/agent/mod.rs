//! The loop that runs everything. Takes no decision: there is no `match` on a role here.
//!
//! One thread: queued events → stamp → `step` → append → flush → effects. What blocks (the flush) has
//! a thread of its own; everything that waits is a task that ends in an event.

pub mod api;
mod clock;
pub mod direct;
mod doorstep;
mod hands;
mod intake;
mod library;
pub mod lookup;
mod pilot;
mod recover;
mod senses;
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use tokio::net::UnixDatagram;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use clock::Clock;
use doorstep::Bound;
use hands::Hands;
use intake::Intake;
use library::Library;
use pilot::{Ask, Pilot, Taken};
use senses::{Nerve, Senses};

use crate::config::Config;
use crate::ingest::{Incoming, QUEUE};
use crate::journal::{Committer, Quarantined};
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::vrrp::SpoolPosition;

/// How many events go into one group commit at most.
const BATCH: usize = 256;

/// The belt under the doorbell, and how often a failing journal is tried again.
const TICK: Duration = Duration::from_secs(1);

/// How long the journal may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the agent until SIGTERM or SIGINT. Redis and the VIP stay as they are.
///
/// # Errors
/// It cannot be started; one line says what, where and who needs what.
pub fn run(file: &Path, config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut agent = Agent::start(file, config).await?;
        agent.run().await
    })
}

/// The running agent.
struct Agent {
    file: PathBuf,
    config: Config,
    library: Library,
    /// The journal's thread, ending after a failure.
    closing: Option<JoinHandle<()>>,
    clock: Clock,
    pilot: Pilot,
    intake: Intake,
    senses: Senses,
    facts: mpsc::Receiver<Incoming>,
    fact_sender: mpsc::Sender<Incoming>,
    asks: mpsc::Receiver<Ask>,
    doorbell: UnixDatagram,
    /// Instances whose first look at the world is not complete.
    unready: BTreeSet<String>,
    /// The journal failed at the last try.
    failing: bool,
    sockets: doorstep::Sockets,
}

/// Why the loop woke.
enum Wake {
    Facts,
    Asked(Ask),
    Doorbell,
    Deadline(Incoming),
    Tick,
    Reload,
    Stop,
}

impl Agent {
    async fn start(file: &Path, config: Config) -> anyhow::Result<Self> {
        let clock = Clock::new().context("/proc/sys/kernel/random/boot_id")?;
        let Bound {
            doorbell,
            listener,
            sockets,
        } = doorstep::bind(&config)?;
        let suffix = clock.now().wall_us.to_string();
        let (library, journal, quarantined) = Library::open(&config.paths.journal(), &suffix)?;
        let recovered = recover::recover(&journal.reader()).context("the journal")?;
        let next = journal.next_seq();
        let unknown = recovered.unknown;
        tracing::info!(
            records = next.0 - 1,
            unknown_outcomes = unknown,
            "journal folded"
        );
        let intake = Intake::new(doorstep::spool(&config, recovered.spool)?);
        let states = Arc::new(Mutex::new(recovered.states));
        let (fact_sender, facts) = mpsc::channel(QUEUE);
        let (ask_sender, asks) = mpsc::channel(64);
        let nerves = nerves(&config);
        let hands = Hands::new(&config, &nerves, &fact_sender, None)?;
        hands.prepare(&config).await;
        for (id, order) in &recovered.alarms {
            hands.start(&order.instance, *id, order.decided_us, &order.effect);
        }
        let senses = Senses::start(&config, &nerves, &fact_sender).await?;
        let committer = Committer::start(journal)?;
        let pilot = Pilot::new(clock, states.clone(), next, committer, hands);
        let app = serve::App {
            node: config.node.name.clone(),
            states,
            asks: ask_sender,
            committed: pilot.committed(),
            library: library.clone(),
            clock,
        };
        tokio::spawn(serve::serve(listener, app));
        let mut agent = Self {
            file: file.to_owned(),
            library,
            closing: None,
            clock,
            pilot,
            intake,
            senses,
            facts,
            fact_sender,
            asks,
            doorbell,
            unready: names(&config),
            failing: false,
            sockets,
            config,
        };
        agent.announce(quarantined).await;
        Ok(agent)
    }

    /// The first records of a run: what was set aside, who runs, with which settings; then the backlog.
    async fn announce(&mut self, quarantined: Option<Quarantined>) {
        let mut batch = Vec::new();
        batch.push(of("", started()));
        for instance in &self.config.instances {
            batch.push(of(&instance.name, started()));
            batch.push(of(
                &instance.name,
                Event::Configured(self.config.settings(instance)),
            ));
            if let Some(Quarantined { path, why }) = &quarantined {
                let (path, why) = (path.display().to_string(), why.clone());
                batch.push(of(&instance.name, Event::JournalQuarantined { path, why }));
            }
        }
        self.set_names();
        self.take(batch).await;
        self.take_in_spool().await;
    }

    fn set_names(&mut self) {
        let pairs = self
            .config
            .instances
            .iter()
            .map(|instance| (instance.vrrp_instance.clone(), instance.name.clone()));
        self.intake.set_names(pairs);
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let mut stop = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let mut reload = signal(SignalKind::hangup())?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            match self
                .wake(&mut batch, &mut tick, &mut reload, &mut stop)
                .await
            {
                Wake::Facts => self.take(std::mem::take(&mut batch)).await,
                Wake::Asked(ask) => self.answer(ask).await,
                Wake::Doorbell => self.take_in_spool().await,
                Wake::Deadline(incoming) => self.take(vec![incoming]).await,
                Wake::Tick => self.tick().await,
                Wake::Reload => self.reload().await,
                Wake::Stop => break,
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn wake(
        &mut self,
        batch: &mut Vec<Incoming>,
        tick: &mut tokio::time::Interval,
        reload: &mut Signal,
        stop: &mut (Signal, Signal),
    ) -> Wake {
        let deadline = self.pilot.next_deadline();
        let wait = deadline
            .as_ref()
            .map(|(due_us, _)| pilot::until(*due_us, &self.clock.now()));
        let mut rung = [0; 64];
        tokio::select! {
            biased;
            _ = self.doorbell.recv(&mut rung) => Wake::Doorbell,
            _ = self.facts.recv_many(batch, BATCH) => Wake::Facts,
            Some(ask) = self.asks.recv() => Wake::Asked(ask),
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                deadline.map_or(Wake::Tick, |(_, incoming)| Wake::Deadline(incoming))
            }
            _ = tick.tick() => Wake::Tick,
            _ = reload.recv() => Wake::Reload,
            _ = stop.0.recv() => Wake::Stop,
            _ = stop.1.recv() => Wake::Stop,
        }
    }

    /// Records a batch and starts its effects; then whatever follows from the records themselves.
    async fn take(&mut self, batch: Vec<Incoming>) {
        let (taken, records) = self.pilot.take(batch).await;
        match taken {
            Taken::Recorded if self.failing => {
                self.failing = false;
                tracing::warn!("the journal can be written again");
            }
            Taken::Recorded => {}
            Taken::JournalFailed(error) => {
                if !self.failing {
                    tracing::error!(
                        error,
                        "the journal cannot be written: nothing is decided but what keeps the pair served"
                    );
                }
                self.failing = true;
            }
        }
        self.log(&records);
        let ready = self.newly_ready(&records);
        if !ready.is_empty() {
            Box::pin(self.take(ready)).await;
        }
    }

    fn log(&self, records: &[Record]) {
        for record in records {
            let decision = &record.decision;
            let Some(rule) = decision
                .rule
                .as_ref()
                .filter(|_| decision.transition.is_some())
            else {
                continue;
            };
            let because = crate::machine::table::row(rule.as_str()).map_or("", |row| row.because);
            if let Some(change) = decision.transition {
                tracing::info!(
                    instance = record.instance, seq = record.seq.0, %rule,
                    "{} -> {}: {because}", change.from, change.to
                );
            }
        }
    }

    /// An instance is ready once its Redis has been looked at; the rest was looked at before.
    fn newly_ready(&mut self, records: &[Record]) -> Vec<Incoming> {
        let mut ready = Vec::new();
        for record in records {
            match &record.event {
                Event::VipChanged { here } => {
                    self.senses.vip_here.insert(record.instance.clone(), *here);
                }
                Event::KeepalivedChanged { running } => self.senses.keepalived = Some(*running),
                Event::RedisProbed(_) if self.unready.remove(&record.instance) => {
                    let vip_here = self
                        .senses
                        .vip_here
                        .get(&record.instance)
                        .copied()
                        .unwrap_or(false);
                    let keepalived = self.senses.keepalived;
                    ready.push(of(
                        &record.instance,
                        Event::AgentReady {
                            vip_here,
                            keepalived,
                        },
                    ));
                    if self.unready.is_empty() {
                        doorstep::say_ready(&self.config);
                    }
                }
                _ => {}
            }
        }
        ready
    }

    async fn answer(&mut self, ask: Ask) {
        let Ask { incoming, reply } = ask;
        let (_, records) = self.pilot.take(vec![incoming]).await;
        self.log(&records);
        if let Some(record) = records.into_iter().next() {
            // Who asked may be gone.
            let _ = reply.send(record);
        }
    }

    async fn take_in_spool(&mut self) {
        loop {
            let batch = match self.intake.read() {
                Ok(batch) if batch.is_empty() => return,
                Ok(batch) => batch,
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read");
                    return;
                }
            };
            let position: Option<SpoolPosition> = batch
                .iter()
                .filter_map(|incoming| incoming.event.spool())
                .max();
            for incoming in &batch {
                self.pilot.hands().look(&incoming.instance);
            }
            self.take(batch).await;
            if self.failing {
                return;
            }
            if let Some(Err(error)) = position.map(|position| self.intake.committed(position)) {
                tracing::warn!(%error, "an old spool segment cannot be removed");
            }
        }
    }

    async fn tick(&mut self) {
        doorstep::say_alive();
        if self.failing {
            self.reopen_journal();
            let waiting = self.pilot.take_waiting();
            self.take(waiting).await;
        }
        self.take_in_spool().await;
    }

    fn reopen_journal(&mut self) {
        if let Some(committer) = self.pilot.close_journal() {
            self.closing = Some(self.library.close(committer));
        }
        if self
            .closing
            .as_ref()
            .is_some_and(|closing| !closing.is_finished())
        {
            return;
        }
        match self.library.reopen() {
            Ok(committer) => self.pilot.resume(committer),
            Err(error) => tracing::error!(%error, "the journal cannot be opened again"),
        }
    }

    async fn reload(&mut self) {
        doorstep::say_reloading();
        match self.reloaded().await {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "reload refused: the old configuration stays in force"
                );
                self.take(vec![of("", Event::ConfigRejected { error })])
                    .await;
            }
        }
        doorstep::say_ready(&self.config);
    }

    async fn reloaded(&mut self) -> anyhow::Result<()> {
        let config = Config::load(&self.file)?;
        if config.paths != self.config.paths || config.node != self.config.node {
            anyhow::bail!("[paths] and [node] cannot change while the agent runs: restart it");
        }
        let nerves = nerves(&config);
        let hands = Hands::new(
            &config,
            &nerves,
            &self.fact_sender,
            Some(self.pilot.hands()),
        )?;
        let senses = Senses::start(&config, &nerves, &self.fact_sender).await?;
        hands.prepare(&config).await;
        let known = names(&self.config);
        *self.pilot.hands_mut() = hands;
        (self.config, self.senses) = (config, senses);
        self.set_names();
        let new: Vec<String> = names(&self.config).difference(&known).cloned().collect();
        let mut batch = Vec::new();
        for instance in &self.config.instances {
            if new.contains(&instance.name) {
                batch.push(of(&instance.name, started()));
            }
            batch.push(of(
                &instance.name,
                Event::Configured(self.config.settings(instance)),
            ));
        }
        self.unready.extend(new);
        self.take(batch).await;
        Ok(())
    }

    async fn stop(&mut self) {
        doorstep::say_stopping();
        self.take(vec![of("", Event::AgentStopping)]).await;
        self.pilot.hands().stop().await;
        if let Some(committer) = self.pilot.close_journal() {
            let closing = self.library.close(committer);
            if tokio::time::timeout(STOP_PATIENCE, closing).await.is_err() {
                tracing::error!("the journal does not end: the last health checks may be lost");
            }
        }
        self.sockets.remove();
        tracing::info!("stopped: Redis and the VIP stay as they are");
    }
}

fn started() -> Event {
    Event::AgentStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }
}

fn of(instance: &str, event: Event) -> Incoming {
    Incoming {
        instance: instance.to_owned(),
        event,
        cause: None,
    }
}

fn nerves(config: &Config) -> BTreeMap<String, Nerve> {
    names(config)
        .into_iter()
        .map(|name| (name, Nerve::default()))
        .collect()
}

fn names(config: &Config) -> BTreeSet<String> {
    config
        .instances
        .iter()
        .map(|instance| instance.name.clone())
        .collect()
}
