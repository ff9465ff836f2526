//! Effect to outcome: orders carried out, at least once, each bounded in time. Decides nothing, and never
//! touches the journal: every order given to [`Executor::start`] ends in exactly one
//! [`Event::EffectFinished`].
//!
//! ```text
//!                 ┌─ fast ──── track files, drain, VIP, kill, votes   in order, below a millisecond
//!  start(order) ──┼─ role ──── promote, follow, hand over, let go     the last order counts
//!                 ├─ process ─ start and stop Redis, guard writes     in order
//!                 └─ alarms ── one queue for each sink of the node in order, until sent
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use crate::ingest::Incoming;
use crate::ingest::quorum::Wish;
use crate::model::effect::{Effect, EffectId, Outcome};
use crate::model::event::Event;
use crate::wire::netlink::Netlink;
use crate::wire::redis::{Error, Link, SharedLink, Target};

pub mod alarm;
mod drain;
mod elsewhere;
mod handover;
mod process;
mod rescue;
mod role;
mod track;

use alarm::{Alarms, Letter};
use drain::Drain;

/// How many orders of one sort may wait.
const LANE: usize = 256;
/// Bound of every exchange with Redis that is not otherwise bounded.
const REDIS_PATIENCE: Duration = Duration::from_secs(2);

/// What an outcome says at most, in characters: a Redis may answer anything, and the journal keeps it.
const SAID_MAX: usize = 500;

/// What the effects of one instance must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceConfig {
    /// Name of the instance.
    pub name: String,
    /// The VIP.
    pub vip: IpAddr,
    /// The interface where keepalived puts it.
    pub interface: String,
    /// The local Redis.
    pub redis: Target,
    /// The Redis of the other nodes, by their names.
    pub peers: BTreeMap<String, Target>,
    /// The command that starts Redis and puts itself in the background; may be empty.
    pub start: Vec<String>,
    /// What is added to it so that Redis boots as a replica.
    pub start_as_replica: Vec<String>,
    /// The systemd unit that is used in place of the command.
    pub unit: Option<String>,
    /// How long a start may take, loading included.
    pub start_timeout: Duration,
    /// How long a stop may take, saving included.
    pub stop_timeout: Duration,
    /// How long ago a replica may have been heard of last, where writes are taken only with one.
    pub replica_lag: Option<Duration>,
    /// How long the VIP is kept on `lo` when it has left; zero if it may not be put there.
    pub drain: Duration,
    /// The track file that says whether keepalived may hold the VIP here.
    pub eligible_file: PathBuf,
    /// The track file with what is added to the VRRP priority.
    pub bias_file: PathBuf,
    /// What is saved before it is overwritten.
    pub rescue: RescueConfig,
}

/// How a data set is saved that is about to be overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescueConfig {
    /// Where it is put.
    pub dir: PathBuf,
    /// Name of this node, for the note beside it.
    pub node: String,
    /// So many data sets stand there; none is saved if it is 0.
    pub keep: u16,
    /// So many bytes at most, all together.
    pub size: u64,
    /// How long one may take.
    pub timeout: Duration,
    /// What cannot be saved is not overwritten.
    pub waits: bool,
}

/// What the effects of an instance share with others.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The kernel's addresses.
    pub netlink: Netlink,
    /// The warm connection of this instance's own prober.
    pub link: SharedLink,
    /// Asks that prober for a check at once.
    pub nudge: Arc<Notify>,
    /// What is asked of the voters.
    pub wish: Arc<watch::Sender<Wish>>,
    /// The sinks of the node.
    pub alarms: Alarms,
    /// Where outcomes go.
    pub events: mpsc::Sender<Incoming>,
}

/// The hands of one instance.
#[derive(Debug)]
pub struct Executor {
    hands: Arc<Hands>,
    fast: mpsc::Sender<Order>,
    role: mpsc::Sender<Order>,
    process: mpsc::Sender<Order>,
}

impl Executor {
    /// Starts the lanes; they end, after what they are doing, when the executor is dropped.
    #[must_use]
    pub fn new(config: InstanceConfig, tools: Tools) -> Self {
        let drain = Drain::new(config.vip, config.interface.clone(), tools.netlink.clone());
        let hands = Arc::new(Hands {
            config,
            tools,
            drain,
            holds_back: AtomicBool::new(false),
        });
        let (fast, orders) = mpsc::channel(LANE);
        tokio::spawn(Arc::clone(&hands).in_order(orders));
        let (process, orders) = mpsc::channel(LANE);
        tokio::spawn(Arc::clone(&hands).in_order(orders));
        let (role, orders) = mpsc::channel(LANE);
        tokio::spawn(Arc::clone(&hands).last_counts(orders));
        Self {
            hands,
            fast,
            role,
            process,
        }
    }

    /// Gives an order that was decided at `decided_us` (wall time in microseconds); returns at once. Orders of
    /// one lane are carried out in the order of these calls.
    pub fn start(&self, id: EffectId, decided_us: i64, effect: Effect) {
        let lane = match effect {
            Effect::SetEligible { .. }
            | Effect::SetBias { .. }
            | Effect::Drain { .. }
            | Effect::RemoveVip
            | Effect::ClaimLead
            | Effect::ReleaseLead { .. }
            | Effect::KillRedis { .. } => &self.fast,
            Effect::Promote
            | Effect::Follow { .. }
            | Effect::Rejoin { .. }
            | Effect::HandOver { .. }
            | Effect::LetGo { .. } => &self.role,
            Effect::GuardWrites { .. } | Effect::StartRedis | Effect::StopRedis => &self.process,
            Effect::SendAlarm { sink, alarm } => {
                let Hands { config, tools, .. } = &*self.hands;
                let letter = Letter::new(&config.name, id, decided_us, &sink, alarm);
                tools.alarms.send(&sink, letter);
                return;
            }
        };
        if let Err(full) = lane.try_send((id, effect)) {
            let (id, effect) = full.into_inner();
            let hands = Arc::clone(&self.hands);
            let refused = Outcome::Refused(format!("{LANE} orders are waiting before it"));
            tokio::spawn(async move { hands.report(id, &effect, refused).await });
        }
    }

    /// Has the prober check Redis at once.
    pub fn look(&self) {
        self.hands.tools.nudge.notify_one();
    }

    /// Makes the host fit for a drain address: it must not answer ARP for it, nor announce it.
    ///
    /// # Errors
    /// One line that says what is not permitted and what to do. [`Effect::Drain`] is refused then.
    pub fn prepare_drain(&self) -> Result<(), String> {
        self.hands.drain.prepare()
    }

    /// Removes a drain address that an earlier agent left behind. True if there was one.
    ///
    /// # Errors
    /// One line.
    pub async fn remove_stale_drain(&self) -> Result<bool, String> {
        self.hands.drain.down().await
    }

    /// The clean end: takes the drain address away if it stands. Redis and the VIP stay as they are.
    pub async fn stop(&self) {
        if let Err(error) = self.hands.drain.down().await {
            tracing::warn!(instance = self.hands.config.name, %error, "the drain address stays");
        }
    }
}

type Order = (EffectId, Effect);

/// What the lanes share.
#[derive(Debug)]
struct Hands {
    config: InstanceConfig,
    tools: Tools,
    drain: Drain,
    /// Redis was told to hold writes back, and not yet to take them again.
    holds_back: AtomicBool,
}

impl Hands {
    async fn in_order(self: Arc<Self>, mut orders: mpsc::Receiver<Order>) {
        while let Some((id, effect)) = orders.recv().await {
            let outcome = self.carry_out(&effect).await;
            self.report(id, &effect, outcome).await;
        }
    }

    /// An order that is still being carried out when the next one comes is dropped.
    async fn last_counts(self: Arc<Self>, mut orders: mpsc::Receiver<Order>) {
        let mut newer = None;
        loop {
            let order = match newer.take() {
                Some(order) => Some(order),
                None => orders.recv().await,
            };
            let Some((id, effect)) = order else { return };
            let outcome = tokio::select! {
                biased;
                Some(order) = orders.recv() => {
                    newer = Some(order);
                    Outcome::Superseded
                }
                outcome = self.carry_out(&effect) => outcome,
            };
            self.report(id, &effect, outcome).await;
        }
    }

    async fn carry_out(&self, effect: &Effect) -> Outcome {
        let outcome = match effect {
            Effect::SetEligible { eligible } => {
                track::write(&self.config.eligible_file, i32::from(*eligible))
            }
            Effect::SetBias { bias } => track::write(&self.config.bias_file, i32::from(*bias)),
            Effect::Drain { hold_ms } => self.drain_for(Duration::from_millis(*hold_ms)).await,
            Effect::RemoveVip => self.remove_vip().await,
            Effect::Promote => self.promote().await,
            Effect::Follow { target } => self.follow(target, None).await,
            Effect::Rejoin { target, epoch } => self.follow(target, Some(*epoch)).await,
            Effect::HandOver { to, within_ms } => {
                self.hand_over(to, Duration::from_millis(*within_ms)).await
            }
            Effect::LetGo { to, within_ms } => {
                self.let_go(to, Duration::from_millis(*within_ms)).await
            }
            Effect::GuardWrites { on } => self.guard_writes(*on).await,
            Effect::StartRedis => self.start_redis().await,
            Effect::StopRedis => self.stop_redis().await,
            Effect::KillRedis { pid } => process::kill_redis(*pid),
            Effect::ClaimLead => self.ask_voters(Wish::Lead),
            Effect::ReleaseLead { at_once: false } => self.ask_voters(Wish::Nothing),
            Effect::ReleaseLead { at_once: true } => self.ask_voters(Wish::Release),
            // `Executor::start` puts alarms into no lane.
            Effect::SendAlarm { sink, .. } => Outcome::Failed(format!("{sink} has its own queue")),
        };
        if touches_redis(effect) {
            self.tools.nudge.notify_one();
        }
        outcome
    }

    /// The voters are asked by the sense that hears them, again and again: its events say what came of it.
    fn ask_voters(&self, wish: Wish) -> Outcome {
        self.tools.wish.send_replace(wish);
        Outcome::Done(String::new())
    }

    /// Lent to `lo` before it goes: in between, nothing that Redis sends from it would leave the host. A client's
    /// answer is sent again with the end of its connection; the replica's copy of that write would be too late.
    async fn remove_vip(&self) -> Outcome {
        let InstanceConfig { vip, interface, .. } = &self.config;
        if !self.config.drain.is_zero() {
            let lent = self.drain_for(role::FAREWELL).await;
            if !lent.is_done() {
                tracing::warn!(%vip, %lent, "the last answers from it may be lost");
            }
        }
        match self.tools.netlink.remove(*vip, interface).await {
            Ok(true) => Outcome::Done(format!("{vip} removed from {interface}")),
            Ok(false) => Outcome::Done(format!("{vip} was not on {interface}")),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// Does `work` over the warm connection, or over a new one where that is closed or missing.
    async fn on_link<T, F>(&self, work: impl Fn(Link) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if let Some(link) = self.tools.link.get() {
            match work(link).await {
                Err(Error::Unreachable(_)) => {}
                done => return done,
            }
        }
        work(Link::connect(&self.config.redis, REDIS_PATIENCE).await?).await
    }

    async fn report(&self, id: EffectId, effect: &Effect, outcome: Outcome) {
        let finished = finished(&self.config.name, id, effect.to_string(), outcome);
        // Without a receiver the agent is ending: the journal holds the order, and the next start looks.
        let _ = self.tools.events.send(finished).await;
    }
}

/// After these, Redis is asked at once what became of it.
fn touches_redis(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Promote
            | Effect::Follow { .. }
            | Effect::Rejoin { .. }
            | Effect::LetGo { .. }
            | Effect::StartRedis
            | Effect::StopRedis
    )
}

fn finished(instance: &str, id: EffectId, order: String, outcome: Outcome) -> Incoming {
    Incoming {
        instance: instance.to_owned(),
        event: Event::EffectFinished {
            effect: id,
            order,
            outcome: shortened(outcome),
        },
        cause: Some(id.seq),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SAID_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn shortened(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done(text) => Outcome::Done(cut(text)),
        Outcome::Refused(text) => Outcome::Refused(cut(text)),
        Outcome::Failed(text) => Outcome::Failed(cut(text)),
        Outcome::TimedOut | Outcome::Superseded => outcome,
    }
}

/// What a refusal, a missing answer or a broken connection means for the order.
fn outcome_of(error: Error) -> Outcome {
    match error {
        Error::Timeout => Outcome::TimedOut,
        Error::Reply { .. } | Error::Login(_) => Outcome::Refused(error.to_string()),
        Error::Refused | Error::Unreachable(_) | Error::Garbage(_) | Error::Unconfirmed(_) => {
            Outcome::Failed(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_is_cut() {
        let long = "ä".repeat(10_000);
        for outcome in [
            Outcome::Refused(long.clone()),
            Outcome::Failed(long.clone()),
            Outcome::Done(long.clone()),
        ] {
            let text = shortened(outcome).to_string();
            assert!(text.ends_with("ä…") && text.chars().count() < 520, "{text}");
        }
        let short = Outcome::Failed("refused".to_owned());
        assert_eq!(shortened(short.clone()), short);
    }
}
