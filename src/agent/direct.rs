//! Looks at the local Redis, or orders something, without an agent: for commands that must work while it is down.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use super::hands;
use crate::config::{Config, Instance};
use crate::effects::alarm::Alarms;
use crate::effects::{Executor, Tools};
use crate::ingest::QUEUE;
use crate::model::effect::{Effect, EffectId, Outcome};
use crate::model::event::Event;
use crate::model::record::Seq;
use crate::model::redis::Probe;
use crate::wire::netlink::Netlink;
use crate::wire::redis::{SharedLink, probe};

/// One instance, reached directly.
pub struct Direct<'config> {
    config: &'config Config,
    instance: &'config Instance,
    runtime: Runtime,
}

impl<'config> Direct<'config> {
    /// # Errors
    /// No runtime could be made.
    pub fn new(config: &'config Config, instance: &'config Instance) -> anyhow::Result<Self> {
        let runtime = super::runtime::runtime()?;
        Ok(Self {
            config,
            instance,
            runtime,
        })
    }

    /// What its work runs on, for work beside it.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// One health check, with the configured deadline.
    ///
    /// # Errors
    /// The password file cannot be read.
    pub fn probe(&self) -> anyhow::Result<Probe> {
        let target = hands::own_target(self.instance)?;
        let health = &self.config.health;
        let mut kept = None;
        Ok(self
            .runtime
            .block_on(probe(&mut kept, &target, health.timeout, health.slow)))
    }

    /// Carries out one effect and waits for its outcome.
    ///
    /// # Errors
    /// It could not even be tried.
    pub fn carry_out(&self, effect: Effect) -> anyhow::Result<Outcome> {
        self.runtime.block_on(async {
            let (events, mut outcomes) = mpsc::channel(QUEUE);
            let tools = Tools {
                netlink: Netlink::open()?,
                link: SharedLink::default(),
                nudge: Arc::new(Notify::new()),
                wish: Arc::default(),
                alarms: Alarms::start(Vec::new(), events.clone()),
                events,
            };
            let config = hands::instance_config(self.config, self.instance)?;
            let executor = Executor::new(config, tools);
            let id = EffectId {
                seq: Seq(0),
                index: 0,
            };
            // The time is for alarms, and there are no sinks here.
            executor.start(id, 0, effect);
            while let Some(incoming) = outcomes.recv().await {
                if let Event::EffectFinished { outcome, .. } = incoming.event {
                    return Ok(outcome);
                }
            }
            None.context("no outcome")
        })
    }
}
