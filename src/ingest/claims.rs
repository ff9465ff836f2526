//! Does another host have the VIP, too? While it is here, whoever answers for it is one too many: clients reach now the one,
//! now the other. VRRP does not tell of that, for the other one need not speak it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Incoming;
use crate::model::event::Event;
use crate::wire::arp::{Asker, Mac};

/// From one question to the next.
const PAUSE: Duration = Duration::from_secs(5);
/// An answer takes a tenth of a millisecond.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many questions in a row with the same answer: while the VIP moves, two may claim it for a moment.
const SURE: u8 = 2;

/// The watch over one instance's VIP.
#[derive(Debug)]
pub struct ClaimWatch {
    /// Name of the instance.
    pub instance: String,
    /// Where the VIP lives.
    pub interface: String,
    /// Is it here?
    pub here: watch::Receiver<bool>,
}

impl ClaimWatch {
    /// Reports who else claims `vip`, and that nobody does any more, until the receiver is gone. Ends at once where the VIP is
    /// of IPv6, and with a line in the log where it may not ask.
    pub async fn run(mut self, vip: IpAddr, events: mpsc::Sender<Incoming>) {
        let IpAddr::V4(vip) = vip else { return };
        let mut opinion = Opinion::default();
        while self.here.wait_for(|here| *here).await.is_ok() {
            match self.ask(vip).await {
                Ok(claimant) => {
                    if let Some(told) = opinion.hear(claimant)
                        && events.send(self.told(told)).await.is_err()
                    {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    tracing::warn!(
                        instance = self.instance,
                        "{error}: whether another host has the VIP too cannot be seen (CAP_NET_RAW)"
                    );
                    return;
                }
                // The interface is down or gone: netlink tells.
                Err(error) => tracing::debug!(instance = self.instance, %error, "ARP"),
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                gone = self.here.wait_for(|here| !here) => match gone {
                    // Who takes it in turn is no news, and the machine forgets as well.
                    Ok(_) => opinion = Opinion::default(),
                    Err(_) => return,
                }
            }
        }
    }

    async fn ask(&self, vip: Ipv4Addr) -> std::io::Result<Option<Mac>> {
        let asker = Asker::open(&self.interface)?;
        asker.ask(vip)?;
        timeout(PATIENCE, asker.claimant(vip))
            .await
            .ok()
            .transpose()
    }

    fn told(&self, by: Option<Mac>) -> Incoming {
        Incoming {
            instance: self.instance.clone(),
            event: Event::VipClaimed {
                by: by.map(|mac| mac.to_string()),
            },
            cause: None,
        }
    }
}

/// What was told, and what is heard since.
#[derive(Debug, Default)]
struct Opinion {
    told: Option<Mac>,
    other: u8,
}

impl Opinion {
    /// What is to be told after this answer.
    fn hear(&mut self, claimant: Option<Mac>) -> Option<Option<Mac>> {
        // Two who claim it answer in any order.
        if claimant.is_some() == self.told.is_some() {
            self.other = 0;
            return None;
        }
        self.other += 1;
        (self.other == SURE).then(|| {
            (self.told, self.other) = (claimant, 0);
            claimant
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_twice_is_told_once() {
        let (one, another) = (Some(Mac([1; 6])), Some(Mac([2; 6])));
        let mut opinion = Opinion::default();
        let mut hear = |claimant| opinion.hear(claimant);
        assert_eq!([hear(None), hear(one), hear(None)], [None; 3]);
        assert_eq!([hear(one), hear(one)], [None, Some(one)]);
        assert_eq!([hear(another), hear(None), hear(one)], [None; 3]);
        assert_eq!([hear(None), hear(None)], [None, Some(None)]);
    }
}
