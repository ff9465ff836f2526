//! Start-up: sockets, journal, senses and hands in their order, and the first records of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use tokio::sync::mpsc;

use super::blackbox::BlackBox;
use super::board::{self, Board};
use super::clock::Clock;
use super::doorstep::{self, Bound};
use super::hands::Hands;
use super::housekeeping::Housekeeping;
use super::intake::Intake;
use super::library::{Library, Opened};
use super::mend::Mending;
use super::pilot::Pilot;
use super::senses::Senses;
use super::signs::Signs;
use super::{Agent, connections, serve};
use crate::config::Config;
use crate::ingest::{Incoming, QUEUE};
use crate::journal::{Committer, Damage, Error, Reader};
use crate::machine::State;
use crate::model::event::Event;
use crate::model::time::At;
use crate::replay::Recovered;

impl Agent {
    pub(super) async fn start(file: &Path, config: Config) -> anyhow::Result<Self> {
        let clock = Clock::new().context("/proc/sys/kernel/random/boot_id")?;
        let Bound {
            doorbell,
            listener,
            sockets,
        } = doorstep::bind(&config)?;
        let lender = Library::new(&config.paths);
        let (opened, mending) = open_journal(&lender, clock.now()).await?;
        let (journal, recovered, damage) = opened.map_or_else(Default::default, |one| {
            (Some(one.journal), one.recovered, one.damage)
        });
        let intake = Intake::new(doorstep::spool(&config, recovered.spool)?);
        let board = Arc::new(Mutex::new(Board {
            states: recovered.states.clone(),
            names: names(&config),
            config: config.show()?,
        }));
        let (fact_sender, facts) = mpsc::channel(QUEUE);
        let (ask_sender, asks) = mpsc::channel(64);
        let hands = Hands::new(&config, &fact_sender, None)?;
        hands.prepare(&config, None).await;
        let senses = Senses::start(&config, &hands.nerves(), &fact_sender).await?;
        for (id, order) in recovered.alarms() {
            hands.start(&order.instance, id, order.decided_us, &order.effect);
        }
        let committer = journal.map(Committer::start::<Recovered>).transpose()?;
        if let Some(committer) = &committer {
            lender.opened(folded(committer, &recovered));
        }
        let pilot = Pilot::new(clock, board.clone(), committer, hands);
        let black_box = BlackBox::start(&config, &pilot.committed(), lender.clone());
        let app = serve::App::new(
            &config.node.name,
            board.clone(),
            ask_sender,
            pilot.committed(),
            lender.clone(),
            clock,
        );
        let signs = Signs::start(&config, &board::lock(&board))?;
        tokio::spawn(connections::serve(listener, serve::router(app)));
        let mut agent = Self {
            file: file.to_owned(),
            lender,
            mending,
            clock,
            pilot,
            board,
            black_box,
            housekeeping: Housekeeping::default(),
            intake,
            spool_error: String::new(),
            senses,
            signs,
            facts,
            fact_sender,
            asks,
            doorbell,
            rung: false,
            backlog: false,
            unready: names(&config),
            once_ready: BTreeMap::new(),
            seen: BTreeMap::new(),
            _sockets: sockets,
            config,
        };
        agent.announce(damage).await;
        Ok(agent)
    }

    /// The first records of a run: who runs, with which settings; then the backlog.
    async fn announce(&mut self, damage: Option<Damage>) {
        self.note_damage(damage);
        if let Some(event) = self.mending.as_ref().map(|mending| mending.event(false)) {
            self.decide_once_ready(event);
        }
        self.set_names();
        let batch = self.beginning(&board::lock(&self.board).states);
        self.take(batch).await;
        // All of it: what is folded now is history, what comes later is news.
        self.take_in_spool().await;
        while self.backlog {
            doorstep::say_starting();
            self.take_in_spool().await;
        }
    }

    /// That the journal was damaged is an alarm, and so waits until decisions are made.
    pub(super) fn note_damage(&mut self, damage: Option<Damage>) {
        let Some(Damage { why, set_aside }) = damage else {
            return;
        };
        let why = if self.config.black_box.keep == 0 {
            why
        } else {
            let black_box = self.config.paths.black_box();
            format!(
                "{why}; what it told is in the black box, {} (rha history --blackbox)",
                black_box.display()
            )
        };
        self.decide_once_ready(if let Some(path) = set_aside {
            let path = path.display().to_string();
            tracing::error!(
                path,
                why,
                "the journal was damaged, and that part is set aside"
            );
            Event::JournalQuarantined { path, why }
        } else {
            let path = self.config.paths.journal().display().to_string();
            tracing::error!(path, why, "the journal has lost a part");
            Event::VolumeDamaged { path, why }
        });
    }

    fn decide_once_ready(&mut self, event: Event) {
        if let Some(name) = self.spokesman() {
            self.once_ready.entry(name).or_default().push(event);
        }
    }

    /// Who runs, and with which settings; also for instances that are configured no more, so that nothing
    /// is decided about them.
    pub(super) fn beginning(&self, states: &BTreeMap<String, State>) -> Vec<Incoming> {
        let mut known = names(&self.config);
        known.extend(states.keys().cloned());
        known.insert(String::new());
        let started = known.iter().map(|name| of(name, started()));
        let settings = self.config.instances.iter().map(|instance| {
            let settings = self.config.settings(instance);
            of(&instance.name, Event::Configured(settings))
        });
        started.chain(settings).collect()
    }

    pub(super) fn set_names(&mut self) {
        let pairs = self
            .config
            .instances
            .iter()
            .map(|instance| (instance.vrrp_instance.clone(), instance.name.clone()));
        self.intake.set_names(pairs);
    }
}

/// Opens the journal. Where its disk is full or failing, or somebody took the right to it away, the agent starts without
/// it, for it has more to do than to write. Where there is none yet, who may not make one has named a wrong place.
async fn open_journal(
    lender: &Library,
    now: At,
) -> Result<(Option<Opened>, Option<Mending>), Error> {
    match lender.open(&now.wall_us.to_string()).await {
        Ok(opened) => Ok((Some(opened), None)),
        Err(error) if error.may_pass() || (error.is_forbidden() && lender.has_journal()) => {
            let why = error.to_string();
            tracing::error!(why, "starting without a journal");
            Ok((None, Some(Mending::new(now, why))))
        }
        Err(error) => Err(error),
    }
}

/// Says what the journal was folded to.
fn folded(committer: &Committer, recovered: &Recovered) -> Reader {
    let reader = committer.reader();
    let (records, unknown_outcomes) = (reader.next_seq().0 - 1, recovered.unknown());
    tracing::info!(records, unknown_outcomes, "journal folded");
    reader
}

/// The agent began.
pub(super) fn started() -> Event {
    Event::AgentStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }
}

/// A fact of `instance`, or of the node.
pub(super) fn of(instance: &str, event: Event) -> Incoming {
    Incoming {
        instance: instance.to_owned(),
        event,
        cause: None,
    }
}

/// Names of the instances.
pub(super) fn names(config: &Config) -> BTreeSet<String> {
    config
        .instances
        .iter()
        .map(|instance| instance.name.clone())
        .collect()
}
