//! Starts what turns the world into events, for all instances of the node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::config::{Config, Instance};
use crate::ingest::address::{AddressWatch, Vip};
use crate::ingest::adverts::{AdvertWatch, Speaker};
use crate::ingest::claims::ClaimWatch;
use crate::ingest::keepalived_watch::KeepalivedWatch;
use crate::ingest::probe::{Pace, Prober, Subject};
use crate::ingest::quorum::{Ballot, Canvasser, Wish};
use crate::ingest::{Incoming, QUEUE};
use crate::wire::netlink::Netlink;
use crate::wire::redis::SharedLink;

/// keepalived moves the VIP some fifty microseconds before it writes its line. The line is what a
/// promotion waits for, and must not queue behind the record of the address.
const VIP_COMES_AFTER: Duration = Duration::from_millis(25);

/// The running watchers; dropping them stops them.
pub struct Senses {
    tasks: JoinSet<()>,
    /// What the interfaces showed when the watch began.
    pub vip_here: BTreeMap<String, bool>,
    /// Whether keepalived ran when the watch began; `None` where that is not known.
    pub keepalived: Option<bool>,
    /// Tells who looks for other hosts with the VIP whether it is here.
    claims: BTreeMap<String, watch::Sender<bool>>,
    /// Ask for a check of the other nodes' Redis.
    others: BTreeMap<String, Vec<Arc<Notify>>>,
}

/// What the senses share with the hands, for each instance.
#[derive(Clone, Default)]
pub struct Nerve {
    /// The prober's warm connection.
    pub link: SharedLink,
    /// Asks for a check at once.
    pub nudge: Arc<Notify>,
    /// What is asked of the voters.
    pub wish: Arc<watch::Sender<Wish>>,
}

impl Senses {
    /// Starts everything.
    ///
    /// # Errors
    /// Netlink cannot be used, or a password file cannot be read.
    pub async fn start(
        config: &Config,
        nerves: &BTreeMap<String, Nerve>,
        events: &mpsc::Sender<Incoming>,
    ) -> anyhow::Result<Self> {
        let mut senses = Self {
            tasks: JoinSet::new(),
            vip_here: BTreeMap::new(),
            keepalived: None,
            claims: BTreeMap::new(),
            others: BTreeMap::new(),
        };
        senses.watch_addresses(config, events).await?;
        senses.watch_keepalived(config, events);
        senses.hear_adverts(config, events);
        senses.look_for_claims(config, events);
        senses.ask_voters(config, nerves, events)?;
        for instance in &config.instances {
            senses.probe(config, instance, &nerves[&instance.name], events)?;
        }
        Ok(senses)
    }

    async fn watch_addresses(
        &mut self,
        config: &Config,
        events: &mpsc::Sender<Incoming>,
    ) -> anyhow::Result<()> {
        let vips: BTreeMap<String, Vip> = config
            .instances
            .iter()
            .map(|instance| {
                let vip = Vip {
                    ip: instance.vip,
                    interface: instance.interface.clone(),
                };
                (instance.name.clone(), vip)
            })
            .collect();
        let names: Vec<String> = vips.keys().cloned().collect();
        let watch = AddressWatch::open(Netlink::open()?, vips).await?;
        self.vip_here = names
            .into_iter()
            .map(|name| (name.clone(), watch.vip_here(&name)))
            .collect();
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.tasks.spawn(watch.run(sender));
        self.tasks.spawn(hold_back(receiver, events.clone()));
        Ok(())
    }

    fn watch_keepalived(&mut self, config: &Config, events: &mpsc::Sender<Incoming>) {
        let Some(pidfile) = config.keepalived.pidfile.clone() else {
            return;
        };
        let watch = KeepalivedWatch::open(pidfile);
        self.keepalived = watch.running();
        let names = config
            .instances
            .iter()
            .map(|instance| instance.name.clone())
            .collect();
        self.tasks.spawn(watch.run(names, events.clone()));
    }

    /// Without the right to, a node that gave way to another one comes back only when that one serves no more.
    fn hear_adverts(&mut self, config: &Config, events: &mpsc::Sender<Incoming>) {
        let speakers = config.instances.iter().flat_map(|instance| {
            instance.others(&config.node.name).map(|peer| {
                let speaker = Speaker {
                    instance: instance.name.clone(),
                    peer: peer.name.clone(),
                };
                ((peer.address, instance.virtual_router_id), speaker)
            })
        });
        let interval = config.keepalived.advert_interval;
        match AdvertWatch::open(speakers.collect(), interval) {
            Ok(watch) => {
                // As with the VIP: keepalived's line must not queue behind the record of it.
                let (sender, receiver) = mpsc::channel(QUEUE);
                self.tasks.spawn(watch.run(sender));
                self.tasks.spawn(hold_back(receiver, events.clone()));
            }
            Err(error) => tracing::warn!(
                "{error}: adverts cannot be heard (CAP_NET_RAW): after two nodes have served at once, the one that gave \
                 way takes part again only when the other one serves no more"
            ),
        }
    }

    fn look_for_claims(&mut self, config: &Config, events: &mpsc::Sender<Incoming>) {
        for instance in &config.instances {
            let name = &instance.name;
            let is_here = self.vip_here.get(name).copied().unwrap_or(false);
            let (here, receiver) = watch::channel(is_here);
            let watch = ClaimWatch {
                instance: name.clone(),
                interface: instance.interface.clone(),
                here: receiver,
            };
            self.tasks.spawn(watch.run(instance.vip, events.clone()));
            self.claims.insert(name.clone(), here);
        }
    }

    /// The VIP appeared or vanished.
    pub fn vip_moved(&mut self, instance: &str, here: bool) {
        self.vip_here.insert(instance.to_owned(), here);
        if let Some(claims) = self.claims.get(instance) {
            claims.send_replace(here);
        }
    }

    /// Has the others' Redis checked at once.
    pub fn look_at_others(&self, instance: &str) {
        let others = self.others.get(instance).into_iter().flatten();
        others.for_each(|nudge| nudge.notify_one());
    }

    /// One for each instance and voter.
    fn ask_voters(
        &mut self,
        config: &Config,
        nerves: &BTreeMap<String, Nerve>,
        events: &mpsc::Sender<Incoming>,
    ) -> anyhow::Result<()> {
        let Some(quorum) = &config.quorum else {
            return Ok(());
        };
        let voters = super::voters::of(quorum)?;
        for instance in &config.instances {
            for (name, voter) in &voters {
                let (node, ttl) = (config.node.name.clone(), quorum.ttl);
                let canvasser = Canvasser {
                    instance: instance.name.clone(),
                    voter: name.clone(),
                    ballot: Ballot::new(voter.clone(), quorum.key(instance), node, ttl),
                    ttl,
                    wish: nerves[&instance.name].wish.clone(),
                    events: events.clone(),
                };
                self.tasks.spawn(canvasser.run());
            }
        }
        Ok(())
    }

    fn probe(
        &mut self,
        config: &Config,
        instance: &Instance,
        nerve: &Nerve,
        events: &mpsc::Sender<Incoming>,
    ) -> anyhow::Result<()> {
        let pace = Pace {
            interval: config.health.interval,
            timeout: config.health.timeout,
            slow: config.health.slow,
        };
        let own = Prober {
            instance: instance.name.clone(),
            target: super::hands::own_target(instance)?,
            subject: Subject::Own(nerve.link.clone()),
            pace,
            nudge: nerve.nudge.clone(),
            events: events.clone(),
        };
        self.tasks.spawn(own.run());
        for peer in instance.others(&config.node.name) {
            let nudge = Arc::new(Notify::new());
            let others = self.others.entry(instance.name.clone()).or_default();
            others.push(nudge.clone());
            let prober = Prober {
                instance: instance.name.clone(),
                target: super::hands::peer_target(instance, peer)?,
                subject: Subject::Peer(peer.name.clone()),
                pace,
                nudge,
                events: events.clone(),
            };
            self.tasks.spawn(prober.run());
        }
        Ok(())
    }
}

/// Passes everything on a little later, in order; what comes together is held back together.
async fn hold_back(mut from: mpsc::Receiver<Incoming>, to: mpsc::Sender<Incoming>) {
    let mut held = Vec::new();
    while from.recv_many(&mut held, QUEUE).await > 0 {
        tokio::time::sleep(VIP_COMES_AFTER).await;
        for incoming in held.drain(..) {
            if to.send(incoming).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Event;

    /// A node that takes over hundreds of VIPs at once must not learn of the last one seconds later.
    #[tokio::test]
    async fn many_vips_are_held_back_together() {
        let (vips, from) = mpsc::channel(QUEUE);
        let (to, mut facts) = mpsc::channel(QUEUE);
        for number in 0..500 {
            let incoming = Incoming {
                instance: number.to_string(),
                event: Event::VipChanged { here: true },
                cause: None,
            };
            vips.send(incoming).await.unwrap();
        }
        let began = tokio::time::Instant::now();
        tokio::spawn(hold_back(from, to));
        for number in 0..500 {
            assert_eq!(facts.recv().await.unwrap().instance, number.to_string());
        }
        assert!(
            began.elapsed() < 40 * VIP_COMES_AFTER,
            "{:?}",
            began.elapsed()
        );
    }
}
