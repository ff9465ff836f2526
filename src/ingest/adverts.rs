//! Whose keepalived is heard to hold the VIP: a node that gave way to another one waits until it hears it.
//!
//! Only changes are told: that a node's adverts are heard, and that they are heard no more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Incoming;
use crate::model::event::Event;
use crate::wire::vrrp::{Advert, Ear};

/// So many adverts may be missed before a node has fallen silent; one more than keepalived allows.
const MISSED: u32 = 4;

/// A node that may advertise a VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Name of the instance.
    pub instance: String,
    /// Name of the node.
    pub peer: String,
}

/// By the address that the adverts come from and the VRRP group.
pub type Speakers = BTreeMap<(IpAddr, u8), Speaker>;

/// Listens to the adverts of all instances of the node.
#[derive(Debug)]
pub struct AdvertWatch {
    ears: Vec<Ear>,
    speakers: Speakers,
    silence: Duration,
    heard: BTreeMap<(IpAddr, u8), Instant>,
}

impl AdvertWatch {
    /// Begins to listen. `advert_interval`: how often the holder of a VIP says so.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub fn open(speakers: Speakers, advert_interval: Duration) -> std::io::Result<Self> {
        let mut ears = Vec::new();
        for is_ipv6 in [false, true] {
            if speakers.keys().any(|(ip, _)| ip.is_ipv6() == is_ipv6) {
                ears.push(Ear::open(is_ipv6)?);
            }
        }
        Ok(Self {
            ears,
            speakers,
            silence: advert_interval * MISSED,
            heard: BTreeMap::new(),
        })
    }

    /// Reports each change until the receiver is gone.
    pub async fn run(mut self, events: mpsc::Sender<Incoming>) {
        let (adverts, mut heard) = mpsc::channel(super::QUEUE);
        let mut ears = tokio::task::JoinSet::new();
        for ear in std::mem::take(&mut self.ears) {
            ears.spawn(listen(ear, adverts.clone()));
        }
        drop(adverts);
        let mut look = interval(self.silence);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut is_deaf = false;
            let changes = tokio::select! {
                advert = heard.recv() => match advert {
                    Some(advert) => self.hear(advert).into_iter().collect(),
                    // Who was heard would be heard for ever.
                    None => {
                        (is_deaf, self.silence) = (true, Duration::ZERO);
                        self.miss()
                    }
                },
                _ = look.tick() => self.miss(),
            };
            for change in changes {
                if events.send(change).await.is_err() {
                    return;
                }
            }
            if is_deaf {
                return;
            }
        }
    }

    fn hear(&mut self, advert: Advert) -> Option<Incoming> {
        let key = (advert.from, advert.virtual_router_id);
        let speaker = self.speakers.get(&key)?;
        let was_heard = if advert.priority == 0 {
            self.heard.remove(&key).is_some()
        } else {
            self.heard.insert(key, Instant::now()).is_some()
        };
        let is_heard = advert.priority > 0;
        (was_heard != is_heard).then(|| told(speaker, is_heard))
    }

    fn miss(&mut self) -> Vec<Incoming> {
        let mut silent = Vec::new();
        let Self {
            heard,
            silence,
            speakers,
            ..
        } = self;
        heard.retain(|key, at| {
            let is_heard = at.elapsed() <= *silence;
            silent.extend(speakers.get(key).filter(|_| !is_heard));
            is_heard
        });
        silent
            .into_iter()
            .map(|speaker| told(speaker, false))
            .collect()
    }
}

fn told(speaker: &Speaker, heard: bool) -> Incoming {
    Incoming {
        instance: speaker.instance.clone(),
        event: Event::PeerAdvertised {
            peer: speaker.peer.clone(),
            heard,
        },
        cause: None,
    }
}

async fn listen(ear: Ear, adverts: mpsc::Sender<Advert>) {
    loop {
        match ear.hear().await {
            Ok(advert) => {
                if adverts.send(advert).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "adverts are heard no more");
                return;
            }
        }
    }
}
