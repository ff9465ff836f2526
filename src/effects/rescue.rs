//! Before an old primary is overwritten, what it has and the new one lacks is saved.
//!
//! The order is: no writes, save, follow. Redis is a replica of nobody by then (`role::step_down`): it refuses writes, also
//! when this process is gone, keeps its data set and its place in the stream, and is a master for nobody. In that state it
//! refuses `SYNC` (`-NOMASTERLINK`), so it is asked for its own `BGSAVE`, and that file is copied. As a master it would
//! answer `SYNC`, with its writes held back by a pause as long as that takes: a lease that ends with this process, on a
//! second primary. And one that was restarted is no master.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::{Hands, REDIS_PATIENCE, RescueConfig};
use crate::ingest::Incoming;
use crate::model::effect::Outcome;
use crate::model::event::Event;
use crate::model::redis::{Endpoint, Observation, RedisRole};
use crate::model::rescue::Diverged;
use crate::rescue::shelf::{self, Bounds};
use crate::rescue::{self, Lack, Note, Stop, lack};
use crate::views::rfc3339;
use crate::wire::redis::{Link, Target, probe};

/// How long a target is waited for that is no master yet, or does not answer. Nothing overwrites Redis meanwhile.
const TARGET_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const TARGET_LOOK: Duration = Duration::from_millis(50);
/// The clock of a file system may be behind by this.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// What was saved.
struct Saved {
    path: String,
    bytes: u64,
}

impl Hands {
    /// Saves what Redis here has and `target` lacks. `epoch` is of a Redis that may have what nobody else has: it is saved,
    /// too, where the two cannot be compared. An error is the outcome of the order: Redis must not be overwritten.
    pub(super) async fn rescue(
        &self,
        target: &Endpoint,
        epoch: Option<u64>,
    ) -> Result<(), Outcome> {
        let rules = &self.config.rescue;
        if rules.keep == 0 {
            return Ok(());
        }
        let Some((own, version)) = self.own_data_set().await else {
            let why = "Redis does not say what it has".to_owned();
            return Err(Outcome::Failed(why));
        };
        if own.loading {
            let why = "Redis is reading its data set from disk".to_owned();
            return Err(Outcome::Refused(why));
        }
        if own.keys == 0 {
            return Ok(());
        }
        let there = self.master_at(target, epoch.is_some()).await;
        let lacks = match there.map_or(Lack::Unknown, |there| lack(&own, &there)) {
            Lack::Nothing => return Ok(()),
            Lack::Bytes(bytes) => Some(bytes),
            Lack::Unknown if epoch.is_none() => return Ok(()),
            Lack::Unknown => None,
        };
        let diverged = Diverged {
            target: target.clone(),
            replid: own.replid,
            offset: own.offset,
            lacks,
            keys: own.keys,
        };
        let saving = self.save(&diverged, epoch.unwrap_or_default(), version);
        let saved = timeout(rules.timeout, saving).await;
        let saved = saved.unwrap_or_else(|_| {
            let seconds = rules.timeout.as_secs();
            Err(format!("not done within {seconds} s ([rescue] timeout)"))
        });
        match saved {
            Ok(None) => Ok(()),
            Ok(Some(Saved { path, bytes })) => {
                self.tell(Event::Rescued {
                    diverged,
                    path,
                    bytes,
                })
                .await;
                Ok(())
            }
            Err(why) => {
                let refused = Outcome::Refused(format!("what it has is not saved: {why}"));
                let waits = rules.waits;
                self.tell(Event::NotRescued {
                    diverged,
                    why: super::cut(why),
                    waits,
                })
                .await;
                if waits { Err(refused) } else { Ok(()) }
            }
        }
    }

    async fn own_data_set(&self) -> Option<(Observation, String)> {
        let mut kept = None;
        let seen = look(&mut kept, &self.config.redis).await?;
        let version = kept?.identity().map(|identity| identity.version.clone());
        Some((seen, version.unwrap_or_default()))
    }

    /// What the Redis at `target` says of itself: once it is a master, or, where that takes too long, what it is. Where it
    /// `matters`, it is waited for.
    async fn master_at(&self, target: &Endpoint, matters: bool) -> Option<Observation> {
        let target = Target {
            endpoint: target.clone(),
            ..self.config.redis.clone()
        };
        let deadline = Instant::now() + TARGET_PATIENCE;
        loop {
            let seen = look(&mut None, &target).await;
            let is_master = seen
                .as_ref()
                .is_some_and(|seen| seen.role == RedisRole::Master && !seen.loading);
            if is_master || !matters || Instant::now() >= deadline {
                return seen;
            }
            sleep(TARGET_LOOK).await;
        }
    }

    /// `None` where it stands on the shelf already: an order is given again after a restart, or when it failed.
    async fn save(
        &self,
        diverged: &Diverged,
        epoch: u64,
        version: String,
    ) -> Result<Option<Saved>, String> {
        let RescueConfig { dir, node, .. } = &self.config.rescue;
        let mut note = Note {
            schema: 1,
            instance: self.config.name.clone(),
            node: node.clone(),
            epoch,
            at: String::new(),
            replid: diverged.replid.to_string(),
            offset: diverged.offset,
            target: diverged.target.to_string(),
            diverged_bytes: diverged.lacks,
            keys: diverged.keys,
            bytes: 0,
            redis_version: version,
        };
        if stands_there(dir, &note)? {
            return Ok(None);
        }
        let link = Link::connect(&self.config.redis, REDIS_PATIENCE)
            .await
            .map_err(|error| error.to_string())?;
        let in_words = |error: crate::wire::redis::Error| error.to_string();
        let saved = link.save().await.map_err(in_words)?;
        let path = link.save_file().await.map_err(in_words)?;
        let (dump, written) = opened(&path, saved)?;
        let about = dump.metadata().map_err(|error| at(&path, &error))?;
        note.bytes = about.len();
        note.at = rfc3339(micros(written));
        self.shelve(dump, note).await.map(Some)
    }

    /// A thread of its own: it may take minutes, and ends when this future is dropped.
    async fn shelve(&self, dump: File, note: Note) -> Result<Saved, String> {
        let RescueConfig {
            dir, keep, size, ..
        } = self.config.rescue.clone();
        let stop = Stop::default();
        let wanted = stop.flag();
        let shelved = spawn_blocking(move || {
            let bytes = note.bytes;
            let bounds = Bounds { keep, size };
            rescue::prepare(&dir).map_err(|error| at(&dir, &error))?;
            shelf::make_room(&dir, bounds, bytes)?;
            let path =
                rescue::copy(dump, &dir, &note, &wanted).map_err(|error| at(&dir, &error))?;
            let path = path.display().to_string();
            Ok(Saved { path, bytes })
        });
        shelved.await.map_err(|error| error.to_string())?
    }

    async fn tell(&self, event: Event) {
        let instance = self.config.name.clone();
        let incoming = Incoming {
            instance,
            event,
            cause: None,
        };
        // Without a receiver the agent is ending; what was saved stands on the shelf.
        let _ = self.tools.events.send(incoming).await;
    }
}

async fn look(kept: &mut Option<Link>, target: &Target) -> Option<Observation> {
    probe(kept, target, REDIS_PATIENCE, REDIS_PATIENCE)
        .await
        .observation
}

/// The same data set is there: nothing is written to a replica of nobody.
fn stands_there(dir: &Path, note: &Note) -> Result<bool, String> {
    let entries = rescue::list(dir).map_err(|error| at(dir, &error))?;
    let same = |known: &Note| {
        known.instance == note.instance
            && known.replid == note.replid
            && known.offset == note.offset
            && known.keys == note.keys
    };
    let mut notes = entries.iter().filter_map(|entry| entry.note.as_ref());
    Ok(notes.any(same))
}

/// The file, and when it was written; `saved` is when Redis wrote it, as it says. One in a container may tell a path that means
/// another file here.
fn opened(path: &Path, saved: Duration) -> Result<(File, SystemTime), String> {
    let dump = File::open(path).map_err(|error| at(path, &error))?;
    let written = dump.metadata().and_then(|about| about.modified());
    let written = written.map_err(|error| at(path, &error))?;
    if written + CLOCK_STEP < SystemTime::UNIX_EPOCH + saved {
        let path = path.display();
        return Err(format!(
            "{path}: it is older than the save: Redis means another file"
        ));
    }
    Ok((dump, written))
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn micros(time: SystemTime) -> i64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
