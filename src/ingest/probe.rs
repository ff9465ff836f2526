//! Health checks of one Redis, at a steady pace, each with a deadline of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Incoming, exit};
use crate::model::event::Event;
use crate::model::redis::{Probe, Sign};
use crate::wire::info::Identity;
use crate::wire::redis::{Link, SharedLink, Target, probe};

/// From one check to the next while the local Redis receives or loads a data set. The last check shuts the
/// promotion gate until the next one, and the VIP may come in between.
const UNSETTLED: Duration = Duration::from_millis(50);

/// When, how long, how slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one check to the next. More than zero.
    pub interval: Duration,
    /// Deadline of a check, connecting included.
    pub timeout: Duration,
    /// An answer that takes longer is graded slow.
    pub slow: Duration,
}

/// Whose Redis is checked.
#[derive(Debug, Clone)]
pub enum Subject {
    /// This node's own: its process is watched too, and the warm connection is shared with the effects.
    Own(SharedLink),
    /// Another node's, by the name of that node.
    Peer(String),
}

/// The checker of one Redis.
#[derive(Debug)]
pub struct Prober {
    /// Name of the instance.
    pub instance: String,
    /// The Redis to check.
    pub target: Target,
    /// Whose it is.
    pub subject: Subject,
    /// How often.
    pub pace: Pace,
    /// Asks for one more check at once, such as after an effect.
    pub nudge: Arc<Notify>,
    /// Where the results go.
    pub events: mpsc::Sender<Incoming>,
}

impl Prober {
    /// Checks, the first time at once, until the receiver of the events is gone.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.pace.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut kept = None;
        let mut attached = None;
        let mut watches = JoinSet::new();
        let mut unsettled = false;
        let mut awaits = false;
        let mut shown = None;
        let mut more = 0;
        loop {
            let paced = tokio::select! {
                _ = ticks.tick() => true,
                () = self.nudge.notified() => {
                    more = self.looks_after_nudge();
                    false
                }
                () = tokio::time::sleep(UNSETTLED), if unsettled || more > 0 => {
                    more = more.saturating_sub(1);
                    false
                }
            };
            let result = probe(&mut kept, &self.target, self.pace.timeout, self.pace.slow).await;
            let result = Probe { paced, ..result };
            if let Subject::Own(shared) = &self.subject {
                let awaited = std::mem::replace(&mut awaits, awaits_first_write(&result));
                unsettled = awaits || is_unsettled(&result);
                shared.set(kept.clone());
                self.attach(kept.as_ref(), &mut attached, &mut watches)
                    .await;
                if awaited && awaits && !paced {
                    continue;
                }
            } else if let Some(link) = &mut kept {
                self.read_sign(link, &mut shown).await;
            }
            if self
                .events
                .send(self.incoming(self.fact(result)))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// Something is happening at the other node, and its Redis may be told of it a moment later; what it is now is believed at
    /// the second look.
    fn looks_after_nudge(&self) -> u8 {
        match self.subject {
            Subject::Own(_) => 0,
            Subject::Peer(_) => 3,
        }
    }

    /// A process that was not seen before is announced and watched.
    async fn attach(
        &self,
        link: Option<&Link>,
        attached: &mut Option<Identity>,
        watches: &mut JoinSet<()>,
    ) {
        let Some((link, identity)) = link.and_then(|link| Some((link, link.identity()?))) else {
            return;
        };
        if attached.as_ref() == Some(identity) {
            return;
        }
        let Ok(process) = exit::watch(link, identity.pid, self.pace.timeout).await else {
            // It died while it was looked at: whoever answers the next check is looked at then.
            return;
        };
        let event = Event::RedisAttached {
            pid: identity.pid,
            run_id: identity.run_id,
            version: identity.version.clone(),
            watched: process.is_some(),
        };
        *attached = Some(identity.clone());
        // A receiver that is gone ends the prober at its next result.
        let _ = self.events.send(self.incoming(event)).await;
        // The watches of earlier processes are done, or their processes still live.
        while watches.try_join_next().is_some() {}
        if let Some(process) = process {
            let exited = self.incoming(Event::RedisExited { pid: identity.pid });
            let events = self.events.clone();
            watches.spawn(async move {
                process.exited().await;
                let _ = events.send(exited).await;
            });
        }
    }

    /// What that node's agent shows, where it is not what was shown before. It is told before the check: who is seen to be a
    /// master is judged by it.
    async fn read_sign(&self, link: &mut Link, shown: &mut Option<Option<Sign>>) {
        let Ok(Ok(sign)) = tokio::time::timeout(self.pace.timeout, link.sign()).await else {
            // The next check tells what is the matter.
            return;
        };
        let Subject::Peer(peer) = &self.subject else {
            return;
        };
        if shown.replace(sign) != Some(sign) {
            let peer = peer.clone();
            // A receiver that is gone ends the prober at its next result.
            let _ = self
                .events
                .send(self.incoming(Event::PeerSigned { peer, sign }))
                .await;
        }
    }

    fn fact(&self, probe: Probe) -> Event {
        match &self.subject {
            Subject::Own(_) => Event::RedisProbed(probe),
            Subject::Peer(peer) => Event::PeerProbed {
                peer: peer.clone(),
                probe,
            },
        }
    }

    fn incoming(&self, event: Event) -> Incoming {
        Incoming {
            instance: self.instance.clone(),
            event,
            cause: None,
        }
    }
}

fn is_unsettled(probe: &Probe) -> bool {
    probe
        .observation
        .as_ref()
        .is_some_and(|seen| seen.sync_in_progress || seen.loading)
}

/// A new primary whose first write has yet to come: that is looked for often, and told when it has.
fn awaits_first_write(probe: &Probe) -> bool {
    let seen = probe.observation.as_ref();
    seen.is_some_and(|seen| seen.is_untouched() && seen.replicas_online == 0)
}
