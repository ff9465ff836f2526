//! What the tool asks the agent over its Unix socket. Every question has an end.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rha::agent::api;
use rha::journal::FrameReader;
use rha::model::record::{Record, Seq};
use serde::Serialize;
use tokio::runtime::Runtime;

/// An agent that was stopped for a moment answers when it goes on.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client of the agent's socket, for one thread.
pub struct Ask {
    runtime: Runtime,
    client: reqwest::Client,
}

impl Ask {
    /// For the agent that listens at `socket`, now or later.
    pub fn new(socket: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            // A connection to an agent that was killed is of no use to the next question.
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { runtime, client })
    }

    /// The records from `from` on, the held checks included.
    pub fn records(&self, from: Seq) -> anyhow::Result<Vec<Record>> {
        let url = format!("http://rha{}?from={}", api::FRAMES, from.0);
        let bytes = self.runtime.block_on(async {
            let answer = self.client.get(url).send().await?;
            answer.error_for_status()?.bytes().await
        })?;
        let records: Result<Vec<Record>, _> = FrameReader::new(&bytes[..])?.collect();
        let mut records = records.context("the agent's stream of records")?;
        records.retain(|record| record.seq >= from);
        Ok(records)
    }

    /// Pauses or resumes all instances; `mark` tells this order from all others in the journal.
    pub fn order(&self, pause: bool, mark: &str) -> anyhow::Result<()> {
        if pause {
            let order = api::Pause {
                instance: None,
                for_ms: Some(60_000),
                reason: mark.to_owned(),
                command: mark.to_owned(),
            };
            self.post(api::PAUSE, &order)
        } else {
            let order = api::Resume {
                instance: None,
                command: mark.to_owned(),
            };
            self.post(api::RESUME, &order)
        }
    }

    /// Has the journal sealed.
    pub fn compact(&self) -> anyhow::Result<()> {
        self.post(api::COMPACT, &api::Compact {})
    }

    fn post(&self, path: &str, order: &impl Serialize) -> anyhow::Result<()> {
        let answer: api::Answer = self.runtime.block_on(async {
            let request = self.client.post(format!("http://rha{path}")).json(order);
            request.send().await?.json().await
        })?;
        ensure!(answer.ok, "refused: {}", answer.text);
        Ok(())
    }
}
