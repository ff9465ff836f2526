//! Promote and follow.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::{Hands, REDIS_PATIENCE, outcome_of};
use crate::model::effect::Outcome;
use crate::model::redis::{Endpoint, RedisRole};
use crate::wire::redis::{Error, Followed, Link};

/// How long a replica-to-be waits until its target is somewhere else: longer than any sensible drain.
const ELSEWHERE_PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const ELSEWHERE_LOOK: Duration = Duration::from_millis(50);

impl Hands {
    pub(super) async fn promote(&self) -> Outcome {
        let promote = self.on_link(|link| async move { link.promote().await });
        match timeout(REDIS_PATIENCE, promote).await {
            Ok(Ok(())) => Outcome::Done(String::new()),
            Ok(Err(error)) => outcome_of(error),
            Err(_) => Outcome::TimedOut,
        }
    }

    /// A Redis that is told to follow itself does so, silently and for ever. So it waits while the target
    /// is an address of this host: the VIP that is leaving, or its drain address. What was a master stops
    /// taking writes at once, for there is another one already.
    pub(super) async fn follow(&self, target: &Endpoint) -> Outcome {
        let mut stepped_down = false;
        let mut waited = Duration::ZERO;
        loop {
            match self.is_own(target).await {
                Ok(false) => break,
                Ok(true) => {}
                Err(why) => return Outcome::Failed(why),
            }
            if !stepped_down {
                match self.within_patience(step_down).await {
                    Ok(()) => stepped_down = true,
                    Err(error) => return outcome_of(error),
                }
            }
            if waited >= ELSEWHERE_PATIENCE {
                return Outcome::Refused(format!("{target} is an address of this host"));
            }
            tokio::time::sleep(ELSEWHERE_LOOK).await;
            waited += ELSEWHERE_LOOK;
        }
        match self
            .within_patience(|link| follow(link, target.clone()))
            .await
        {
            Ok(Followed::Already) => Outcome::Done("follows it already".to_owned()),
            Ok(Followed::Changed | Followed::SteppedDown) => Outcome::Done(String::new()),
            Err(error) => outcome_of(error),
        }
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

/// Makes a master a replica of nobody, which refuses writes and keeps its data and its place in the
/// replication stream; a replica stays what it is.
async fn step_down(link: Link) -> Result<(), Error> {
    if link.role().await?.role == RedisRole::Master {
        follow(link, nobody()).await?;
    }
    Ok(())
}

/// Clients that are connected to a former master would go on reading old data from it and be refused with
/// every write: closed, they come back through the VIP.
async fn follow(link: Link, master: Endpoint) -> Result<Followed, Error> {
    let followed = link.follow(&master).await?;
    if followed == Followed::SteppedDown
        && let Err(error) = link.kill_normal_clients().await
    {
        tracing::warn!(%error, %master, "clients of the former master stay connected");
    }
    Ok(followed)
}

/// Port 1 of the loopback: where no Redis is.
fn nobody() -> Endpoint {
    Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 1,
    }
}
