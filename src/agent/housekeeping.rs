//! What is done to the journal now and then: the oldest records go, and one sealed volume after the other is read again.
//! That it is done is recorded before it is done.

use std::collections::BTreeSet;

use tokio::task::JoinHandle;

use super::Agent;
use super::library::Lent;
use super::start::of;
use crate::journal::{Error, Expired, Retention};
use crate::model::event::Event;

/// Ticks from the start to the first look, and from one look to the next.
const FIRST: u32 = 60;
const EVERY: u32 = 3600;

/// When the next look is due, and what the last has found.
pub(super) struct Housekeeping {
    rest: u32,
    /// Which volume is read next.
    turn: usize,
    looking: Option<JoinHandle<Found>>,
    /// Damaged volumes that were told of.
    told: BTreeSet<String>,
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            rest: FIRST,
            turn: 0,
            looking: None,
            told: BTreeSet::new(),
        }
    }
}

/// What one look cannot tell keeps nobody from what the other does.
struct Found {
    expired: Result<Option<Expired>, Error>,
    /// Volumes, and what is wrong with them.
    damaged: Result<Vec<(String, String)>, Error>,
}

fn say(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "the journal's volumes cannot be looked at");
}

impl Agent {
    /// Once a tick.
    pub(super) async fn keep_house(&mut self) {
        let house = &mut self.housekeeping;
        if let Some(looking) = house.looking.take_if(|looking| looking.is_finished()) {
            match looking.await {
                Ok(found) => self.found(found).await,
                Err(error) => say(&error),
            }
            return;
        }
        house.rest = house.rest.saturating_sub(1);
        if house.rest > 0 || house.looking.is_some() {
            return;
        }
        house.rest = EVERY;
        // Without one there is nothing to be kept.
        let Some(Lent { reader, .. }) = self.lender.lend() else {
            return;
        };
        let retention = Retention {
            keep: self.config.journal.keep,
            size: self.config.journal.size,
        };
        let (now_us, turn) = (self.clock.now().wall_us, house.turn);
        house.turn = turn.wrapping_add(1);
        house.looking = Some(tokio::task::spawn_blocking(move || Found {
            expired: reader.expired(retention, now_us),
            damaged: reader.inspect(turn),
        }));
    }

    async fn found(&mut self, Found { expired, damaged }: Found) {
        for error in [expired.as_ref().err(), damaged.as_ref().err()] {
            error.into_iter().for_each(|error| say(error));
        }
        for (path, why) in damaged.unwrap_or_default() {
            if self.housekeeping.told.insert(path.clone())
                && let Some(name) = self.spokesman()
            {
                tracing::error!(path, why, "a part of the journal is damaged");
                self.take(vec![of(&name, Event::VolumeDamaged { path, why })])
                    .await;
            }
        }
        let Ok(Some(expired)) = expired else { return };
        let Expired {
            below,
            records,
            bytes,
            why,
        } = expired;
        let event = Event::RecordsRemoved {
            below,
            records,
            bytes,
            why: why.to_owned(),
        };
        self.take(vec![of("", event)]).await;
        // Only what is recorded is done.
        if let Some(committer) = self.pilot.committer() {
            tracing::info!(
                below = below.0,
                records,
                bytes,
                why,
                "old records are removed"
            );
            // The thread that does it says what goes wrong.
            drop(committer.trim(below));
        }
    }
}
