//! Whether the VIPs are on this host's interfaces: as fast as keepalived's FIFO, and independent of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Incoming;
use crate::model::event::Event;
use crate::wire::netlink::{AddressChanges, Error, Netlink, index_of};

/// After the kernel did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A VIP and the interface where keepalived puts it. On any other interface (`lo`: a drain address) it does
/// not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub ip: IpAddr,
    /// Name of the interface.
    pub interface: String,
}

/// Watches the VIPs of all instances of the node.
pub struct AddressWatch {
    netlink: Netlink,
    changes: AddressChanges,
    vips: BTreeMap<String, Vip>,
    here: BTreeMap<String, bool>,
}

impl AddressWatch {
    /// Subscribes, then looks: `vips` by name of instance.
    ///
    /// # Errors
    /// Netlink cannot be used.
    pub async fn open(netlink: Netlink, vips: BTreeMap<String, Vip>) -> Result<Self, Error> {
        let changes = AddressChanges::subscribe()?;
        let here = look(&netlink, &vips).await?;
        Ok(Self {
            netlink,
            changes,
            vips,
            here,
        })
    }

    /// Whether the VIP of `instance` was on its interface at the last look.
    #[must_use]
    pub fn vip_here(&self, instance: &str) -> bool {
        self.here.get(instance).copied().unwrap_or(false)
    }

    /// Reports each change since [`Self::open`], until the receiver is gone.
    pub async fn run(mut self, events: mpsc::Sender<Incoming>) {
        let mut failed = false;
        loop {
            if failed {
                tokio::time::sleep(LOOK_AGAIN).await;
            } else if !self.changes.changed().await {
                self.resubscribe().await;
            }
            let looked = look(&self.netlink, &self.vips).await;
            failed = looked.is_err();
            let here = match looked {
                Ok(here) => here,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for the VIPs: only keepalived's word counts");
                    continue;
                }
            };
            for (instance, is_here) in &here {
                if self.vip_here(instance) == *is_here {
                    continue;
                }
                let event = Event::VipChanged { here: *is_here };
                let incoming = Incoming {
                    instance: instance.clone(),
                    event,
                    cause: None,
                };
                if events.send(incoming).await.is_err() {
                    return;
                }
            }
            self.here = here;
        }
    }

    async fn resubscribe(&mut self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match (Netlink::open(), AddressChanges::subscribe()) {
                (Ok(netlink), Ok(changes)) => {
                    self.netlink = netlink;
                    self.changes = changes;
                    return;
                }
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(%error, "cannot listen for the VIPs: only keepalived's word counts");
                }
            }
        }
    }
}

/// Looks at the addresses as they are. An interface that does not exist has no VIP.
async fn look(
    netlink: &Netlink,
    vips: &BTreeMap<String, Vip>,
) -> Result<BTreeMap<String, bool>, Error> {
    let addresses = netlink.addresses().await?;
    let is_here = |vip: &Vip| {
        index_of(&vip.interface).is_ok_and(|index| {
            addresses
                .iter()
                .any(|address| address.ip == vip.ip && address.index == index)
        })
    };
    Ok(vips
        .iter()
        .map(|(instance, vip)| (instance.clone(), is_here(vip)))
        .collect())
}
