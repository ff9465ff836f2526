//! SIGHUP: another configuration, or the old one and a record of why.

use super::hands::Hands;
use super::senses::Senses;
use super::signs::Signs;
use super::start::{names, of, started};
use super::{Agent, board, doorstep};
use crate::config::Config;
use crate::ingest::Incoming;
use crate::model::event::Event;
use crate::text::one_line;

/// What is kept of an error, in characters.
const ERROR_MAX: usize = 1000;

impl Agent {
    pub(super) async fn reload(&mut self) {
        doorstep::say_reloading();
        match self.reloaded().await {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(error) => {
                let error: String = one_line(&error).chars().take(ERROR_MAX).collect();
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
        if config.black_box != self.config.black_box {
            anyhow::bail!("[blackbox] cannot change while the agent runs: restart it");
        }
        let shown = config.show()?;
        let hands = Hands::new(&config, &self.fact_sender, Some(self.pilot.hands()))?;
        let senses = Senses::start(&config, &hands.nerves(), &self.fact_sender).await?;
        let signs = Signs::start(&config, &board::lock(&self.board))?;
        hands.prepare(&config, Some(self.pilot.hands())).await;
        hands.set_sinks(&config);
        *self.pilot.hands_mut() = hands;
        self.signs = signs;
        board::lock(&self.board).config = shown;
        let batch = self.adopt(config, senses);
        self.take(batch).await;
        Ok(())
    }

    /// Puts a configuration in force, and says what is to be recorded of that.
    fn adopt(&mut self, config: Config, senses: Senses) -> Vec<Incoming> {
        let (before, after) = (names(&self.config), names(&config));
        self.config = config;
        let former = std::mem::replace(&mut self.senses, senses);
        self.set_names();
        board::lock(&self.board).names.clone_from(&after);
        // An instance that is new, or gone: either way nothing is decided about it until it is ready.
        let mut batch: Vec<Incoming> = before
            .symmetric_difference(&after)
            .map(|name| of(name, started()))
            .collect();
        for instance in &self.config.instances {
            let settings = self.config.settings(instance);
            batch.push(of(&instance.name, Event::Configured(settings)));
        }
        for name in before.intersection(&after) {
            batch.extend(self.missed(&former, name));
        }
        self.unready.extend(after.difference(&before).cloned());
        self.unready.retain(|name| after.contains(name));
        self.seen.retain(|name, _| after.contains(name));
        batch
    }

    /// What changed between the last that the old watchers reported and the first look of the new ones.
    fn missed(&self, former: &Senses, name: &str) -> Vec<Incoming> {
        let mut events = Vec::new();
        let here = self.senses.vip_here.get(name);
        if let Some(here) = here.filter(|_| here != former.vip_here.get(name)) {
            events.push(of(name, Event::VipChanged { here: *here }));
        }
        let keepalived = self.senses.keepalived;
        if let Some(running) = keepalived.filter(|_| keepalived != former.keepalived) {
            events.push(of(name, Event::KeepalivedChanged { running }));
        }
        events
    }
}
