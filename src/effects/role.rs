//! Promote and follow.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::elsewhere::served;
use super::handover::STRAGGLERS;
use super::{Hands, REDIS_PATIENCE, drain, outcome_of};
use crate::model::effect::Outcome;
use crate::model::redis::Endpoint;
use crate::wire::info::DataSet;
use crate::wire::redis::{Error, Followed, Link, Target};

/// How long a replica-to-be waits, beyond the drain address, until its target is somewhere else.
const ELSEWHERE_PATIENCE: Duration = Duration::from_secs(7);
/// How often it looks.
const ELSEWHERE_LOOK: Duration = Duration::from_millis(50);
/// How long a promotion waits for a master that goes on sending: one that lives steps down when it has lost the
/// VIP, and must not keep this node from serving if it does not.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(200);
/// How often it looks.
const CATCH_UP_LOOK: Duration = Duration::from_millis(1);
/// How long the VIP is lent to `lo` at least while clients are dismissed: their last segments go out at once.
pub(super) const FAREWELL: Duration = Duration::from_millis(50);

impl Hands {
    /// Has Redis take writes only while a replica is near, or without one.
    pub(super) async fn guard_writes(&self, on: bool) -> Outcome {
        let lag = self.config.replica_lag.filter(|_| on);
        let guarded = self.within_patience(|link| async move { link.guard_writes(lag).await });
        match guarded.await {
            Ok(()) => Outcome::Done(String::new()),
            Err(error) => outcome_of(error),
        }
    }

    /// Keeps the VIP on `lo` until another node has it.
    pub(super) async fn drain_for(&self, hold: Duration) -> Outcome {
        self.drain.up(hold, served(self.others())).await
    }

    /// The Redis of every other node.
    fn others(&self) -> Vec<Target> {
        self.config.peers.values().cloned().collect()
    }

    /// Where writes are taken with a replica only, Redis knows before it takes the first: the primary before may go on.
    pub(super) async fn promote(&self) -> Outcome {
        // Who else serves is no reason any more to dismiss clients here.
        self.drain.leave_it();
        if self.config.replica_lag.is_some() {
            let guarded = self.guard_writes(true).await;
            if !guarded.is_done() {
                return guarded;
            }
        }
        match self.within_patience(promote).await {
            Ok(Promotion::Confirmed) => {}
            Ok(Promotion::Harmful(why)) => return Outcome::Refused(why.to_owned()),
            Err(error) => return outcome_of(error),
        }
        // It may hold writes back, of the time when it was primary before.
        match self.take_again().await {
            Ok(()) => Outcome::Done(String::new()),
            Err(error) => outcome_of(error),
        }
    }

    /// What was a master stops taking writes at once, for there is another one already. Then, as a Redis that
    /// is told to follow itself does so, silently and for ever, it waits while the target is an address of
    /// this host: the VIP that is leaving, or its drain address. What it has and the target lacks is saved before it
    /// is told whom to follow, if anybody; `epoch` is that of a Redis that has led.
    pub(super) async fn follow(&self, target: &Endpoint, epoch: Option<u64>) -> Outcome {
        // Who has never led has no clients at the VIP.
        let led = epoch.is_some_and(|epoch| epoch > 0) || *target == Endpoint::nobody();
        let follows_nobody = match self.step_down(target).await {
            Ok(None) => false,
            Ok(Some(link)) => {
                self.dismiss_clients(&link, led).await;
                if *target == Endpoint::nobody() {
                    return Outcome::Done(String::new());
                }
                true
            }
            Err(error) => return outcome_of(error),
        };
        let drained = if led { drain::MOST } else { self.config.drain };
        let patience = drained + ELSEWHERE_PATIENCE;
        let mut waited = Duration::ZERO;
        loop {
            match self.is_own(target).await {
                Ok(false) => break,
                Ok(true) => {}
                Err(why) => return Outcome::Failed(why),
            }
            if waited >= patience {
                return Outcome::Refused(format!("{target} is an address of this host"));
            }
            sleep(ELSEWHERE_LOOK).await;
            waited += ELSEWHERE_LOOK;
        }
        if follows_nobody && let Err(outcome) = self.rescue(target, epoch).await {
            return outcome;
        }
        let followed = self
            .within_patience(|link| async move { link.follow(target).await })
            .await;
        match followed {
            Ok(Followed::Already) => Outcome::Done("follows it already".to_owned()),
            Ok(Followed::Changed | Followed::SteppedDown) => Outcome::Done(String::new()),
            Err(error) => outcome_of(error),
        }
    }

    /// Makes a master, and a replica of itself, a replica of nobody, which refuses writes and keeps its data and its
    /// place in the replication stream. Returns the link to a Redis that follows nobody now: it may have clients of
    /// the time when it was a master, also where an earlier order got no further than this.
    async fn step_down(&self, target: &Endpoint) -> Result<Option<Link>, Error> {
        let asked = self.within_patience(|link| async move { Ok((link.role().await?, link)) });
        let (standing, link) = asked.await?;
        match standing.master {
            Some(master) if master == Endpoint::nobody() => return Ok(Some(link)),
            Some(master) if master == *target => return Ok(None),
            Some(master) if !self.is_own(&master).await.unwrap_or(false) => return Ok(None),
            _ => {}
        }
        timeout(REDIS_PATIENCE, link.follow(&Endpoint::nobody()))
            .await
            .unwrap_or(Err(Error::Timeout))?;
        Ok(Some(link))
    }

    /// Clients that stay connected to a former master would go on reading old data from it and be refused with
    /// every write: closed, they come back through the VIP. As that leaves, nothing can be sent from its address, and a
    /// client that only waits for an answer would never be told: so it is lent to `lo`, until another node has it. Who
    /// has come back meanwhile is closed then.
    async fn dismiss_clients(&self, link: &Link, led: bool) {
        if !self.config.drain.is_zero() {
            let others = if led { self.others() } else { Vec::new() };
            let link = link.clone();
            let served = async move {
                served(others).await;
                sleep(STRAGGLERS).await;
                kill_clients(&link).await;
            };
            let lent = self.drain.up(FAREWELL, served).await;
            if !lent.is_done() {
                let vip = self.config.vip;
                tracing::warn!(%vip, %lent, "clients that only wait are not told that it has left");
            }
        }
        kill_clients(link).await;
    }

    async fn within_patience<T, F>(&self, work: impl Fn(Link) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        timeout(REDIS_PATIENCE, self.on_link(work))
            .await
            .unwrap_or(Err(Error::Timeout))
    }

    /// Would a connection to `target` end at the Redis of this instance?
    async fn is_own(&self, target: &Endpoint) -> Result<bool, String> {
        // Another port is another Redis, which may well be on this host.
        if target.port != self.config.redis.endpoint.port {
            return Ok(false);
        }
        let ips = resolve(target).await?;
        let netlink = &self.tools.netlink;
        for ip in &ips {
            if netlink
                .is_routed_here(*ip)
                .await
                .map_err(|error| error.to_string())?
            {
                return Ok(true);
            }
        }
        let own = netlink
            .addresses()
            .await
            .map_err(|error| error.to_string())?;
        Ok(own.iter().any(|address| ips.contains(&address.ip)))
    }
}

async fn kill_clients(link: &Link) {
    let kill = timeout(REDIS_PATIENCE, link.kill_clients());
    if let Err(error) = kill.await.unwrap_or(Err(Error::Timeout)) {
        tracing::warn!(%error, "clients of the former master stay connected");
    }
}

async fn resolve(target: &Endpoint) -> Result<Vec<IpAddr>, String> {
    if let Ok(ip) = target.host.parse() {
        return Ok(vec![ip]);
    }
    let lookup = tokio::net::lookup_host((target.host.as_str(), target.port));
    match timeout(REDIS_PATIENCE, lookup).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => Err(format!("{}: {error}", target.host)),
        Err(_) => Err(format!("{}: the name server does not answer", target.host)),
    }
}

/// What came of a promotion that Redis did not refuse.
enum Promotion {
    Confirmed,
    /// It was not ordered: the reason.
    Harmful(&'static str),
}

/// The gate was asked with a check that may be a second old, and Redis itself would say OK to a promotion in
/// mid synchronisation and be an empty master. So it is asked once more, with the order right behind.
async fn promote(link: Link) -> Result<Promotion, Error> {
    Ok(match caught_up(&link).await? {
        DataSet {
            sync_in_progress: true,
            ..
        } => Promotion::Harmful("Redis is receiving a data set: promoted now, it would be empty"),
        DataSet { loading: true, .. } => {
            Promotion::Harmful("Redis is reading its data set from disk")
        }
        _ => {
            link.promote().await?;
            Promotion::Confirmed
        }
    })
}

/// The data set once Redis has read what its master had sent: until then it is in the socket, and
/// `REPLICAOF NO ONE` would drop it. Where that master's process has ended, so does the connection behind its
/// last byte. Where its host is gone it does not, nor where it lives on: then there is no more if nothing was
/// read from one look to the next, for Redis reads what there is before it answers.
async fn caught_up(link: &Link) -> Result<DataSet, Error> {
    let deadline = Instant::now() + CATCH_UP_PATIENCE;
    let mut seen = link.data_set().await?;
    while seen.link_up && Instant::now() < deadline {
        sleep(CATCH_UP_LOOK).await;
        let before = std::mem::replace(&mut seen, link.data_set().await?);
        if seen.read_offset == before.read_offset {
            break;
        }
    }
    Ok(seen)
}
