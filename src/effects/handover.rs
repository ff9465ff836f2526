//! A planned switchover, on the side of the primary that gives way. Nothing is lost, for no write is taken before the other
//! node has all; no client sees an error, for those that wait are told to come back when the other node serves.
//!
//! ```text
//!  hold writes back ─> wait until the replica has all ─┐                                  (hand over)
//!                                 VIP leaves, the other node is promoted
//!                                                      └─> step down ─> dismiss clients   (let go)
//! ```

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Hands, REDIS_PATIENCE, outcome_of};
use crate::model::effect::Outcome;
use crate::model::redis::{Endpoint, RedisRole};
use crate::wire::redis::{Error, Link, Target};

/// From one look at an offset, or at a role, to the next.
const LOOK: Duration = Duration::from_millis(1);
/// Redis takes writes again by itself after this, should this process be gone; as long as it lives, it renews the pause.
const LEASE: Duration = Duration::from_secs(1);
/// How often.
const RENEWAL: Duration = Duration::from_millis(300);
/// Packets that were on their way to this host when the other one announced itself have arrived then.
pub(super) const STRAGGLERS: Duration = Duration::from_millis(20);

impl Hands {
    /// Holds writes back until `to` has all of them. Where it does not get so far, they are taken again.
    pub(super) async fn hand_over(&self, to: &str, within: Duration) -> Outcome {
        let Some(target) = self.config.peers.get(to) else {
            return Outcome::Refused(format!("there is no node {to}"));
        };
        let began = Instant::now();
        match timeout(within, self.hold_until_equal(target, within)).await {
            Ok(Ok(offset)) => {
                let took = began.elapsed().as_micros() / 100;
                let (ms, tenth) = (took / 10, took % 10);
                Outcome::Done(format!(
                    "{to} has all, offset {offset}, after {ms}.{tenth} ms"
                ))
            }
            Ok(Err(error)) => self.release().await.unwrap_or_else(|| outcome_of(error)),
            Err(_) => {
                let why = format!("{to} did not receive all within {} ms", within.as_millis());
                self.release().await.unwrap_or(Outcome::Failed(why))
            }
        }
    }

    async fn hold_until_equal(&self, target: &Target, within: Duration) -> Result<i64, Error> {
        // Before anything is held back: this is what may take long.
        let there = Link::connect(target, within).await?;
        self.on_link(|here| {
            let there = there.clone();
            async move {
                let mut renewed = self.hold_back(&here).await?;
                loop {
                    if renewed.elapsed() >= RENEWAL {
                        renewed = self.hold_back(&here).await?;
                    }
                    let (own, other) = tokio::try_join!(here.offset(), there.offset())?;
                    if other >= own {
                        return Ok(own);
                    }
                    sleep(LOOK).await;
                }
            }
        })
        .await
    }

    /// The VIP is on its way to `to`: when that serves, Redis here steps down and its clients are sent there.
    pub(super) async fn let_go(&self, to: &str, within: Duration) -> Outcome {
        let Some(target) = self.config.peers.get(to) else {
            return Outcome::Refused(format!("there is no node {to}"));
        };
        let serves = match timeout(within, self.hold_until_served(target, within)).await {
            Ok(Ok(())) => timeout(REDIS_PATIENCE, self.send_clients_away())
                .await
                .unwrap_or(Err(Error::Timeout)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let why = format!("{to} did not take over within {} ms", within.as_millis());
                return Outcome::Failed(why);
            }
        };
        // What failed is not undone here: the VIP is gone, and who waits with a write would be told that it is done. When the
        // VIP is back, the promotion takes writes again.
        match serves {
            Ok(()) => Outcome::Done(format!("{to} serves")),
            Err(error) => outcome_of(error),
        }
    }

    async fn hold_until_served(&self, target: &Target, within: Duration) -> Result<(), Error> {
        let hold = || self.on_link(|here| async move { self.hold_back(&here).await });
        let mut renewed = hold().await?;
        let there = Link::connect(target, within).await?;
        while there.role().await?.role != RedisRole::Master {
            if renewed.elapsed() >= RENEWAL {
                renewed = hold().await?;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Those who wait with a write would be refused by a replica: they are dismissed before it is let in.
    async fn send_clients_away(&self) -> Result<(), Error> {
        self.on_link(|link| async move {
            link.follow(&Endpoint::nobody()).await?;
            link.kill_clients().await?;
            sleep(STRAGGLERS).await;
            link.kill_clients().await
        })
        .await?;
        self.take_again().await?;
        if let Err(error) = self.drain.down().await {
            tracing::warn!(%error, "the drain address stays until its time is over");
        }
        Ok(())
    }

    async fn hold_back(&self, link: &Link) -> Result<Instant, Error> {
        self.holds_back.store(true, Ordering::Relaxed);
        link.pause_writes(LEASE).await?;
        Ok(Instant::now())
    }

    /// Ends what [`Self::hold_back`] began, also where that was given up in the middle.
    pub(super) async fn take_again(&self) -> Result<(), Error> {
        if self.holds_back.load(Ordering::Relaxed) {
            self.on_link(|link| async move { link.unpause().await })
                .await?;
            self.holds_back.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes are taken again; `Some` where that failed: they are when the pause ends.
    async fn release(&self) -> Option<Outcome> {
        let released = timeout(REDIS_PATIENCE, self.take_again());
        let error = released.await.unwrap_or(Err(Error::Timeout)).err()?;
        Some(Outcome::Failed(format!(
            "writes are held back until the pause is over: {error}"
        )))
    }
}
