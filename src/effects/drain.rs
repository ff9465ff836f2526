//! The drain address: the VIP on `lo` of the host that it leaves, so that clients whose packets still arrive
//! here are answered and try again at once, instead of waiting a second for a lost packet.

use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::model::effect::Outcome;
use crate::wire::netlink::Netlink;

const LOOPBACK: &str = "lo";
/// However long nobody else serves, it is kept no longer than this.
pub(super) const MOST: Duration = Duration::from_secs(60);
/// The kernel takes it away after this, should this process be gone; as long as it lives, that is put off.
const LEASE: Duration = Duration::from_secs(2);

/// The drain address of one VIP.
#[derive(Debug)]
pub(super) struct Drain {
    vip: IpAddr,
    interface: String,
    netlink: Netlink,
    /// Takes the address away when its time is over; and until when it was promised to stand.
    timer: Arc<Mutex<Option<(AbortHandle, Instant)>>>,
}

impl Drain {
    pub(super) fn new(vip: IpAddr, interface: String, netlink: Netlink) -> Self {
        Self {
            vip,
            interface,
            netlink,
            timer: Arc::default(),
        }
    }

    /// See [`super::Executor::prepare_drain`]. As on real servers behind LVS-DR (`arp_ignore`,
    /// `arp_announce` in the kernel's ip-sysctl.rst). IPv6 answers neighbour solicitations only for
    /// addresses of the interface that they arrive at, so there is nothing to set.
    pub(super) fn prepare(&self) -> Result<(), String> {
        if self.vip.is_ipv6() {
            return Ok(());
        }
        for interface in ["all", &self.interface] {
            for (key, wanted) in [("arp_ignore", 1), ("arp_announce", 2)] {
                let path = arp_path(interface, key);
                if read(&path).is_some_and(|value| value >= wanted) {
                    continue;
                }
                fs::write(&path, wanted.to_string()).map_err(|error| {
                    format!("{path}: {error}; set it to {wanted} (sysctl), or set drain = \"0s\"")
                })?;
            }
        }
        Ok(())
    }

    /// Puts the address on `lo` for `hold`, counted from the last call, and then until `served` says that another host has it,
    /// [`MOST`] at most: a client whose packets nobody answers comes back long after somebody does.
    pub(super) async fn up<F>(&self, hold: Duration, served: F) -> Outcome
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { vip, interface, .. } = self;
        if vip.is_ipv4() && !is_silent(interface) {
            return Outcome::Refused(format!(
                "arp_ignore is 0 for {interface}: two hosts would answer ARP for {vip}; \
                 set {} to 1",
                arp_path("all", "arp_ignore")
            ));
        }
        // The earlier timer must not end what is asked for here, nor this what was asked for earlier.
        let earlier = self.disarm().map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        let hold = hold.max(earlier);
        if let Err(error) = self.netlink.add(*vip, LOOPBACK, hold + LEASE).await {
            return Outcome::Failed(error.to_string());
        }
        let timer = tokio::spawn(keep(self.netlink.clone(), *vip, hold, served));
        self.arm(timer.abort_handle(), Instant::now() + hold);
        Outcome::Done(format!("{vip} on lo for {} ms or more", hold.as_millis()))
    }

    /// Does nothing more about it: the kernel takes it away when its time is over.
    pub(super) fn leave_it(&self) {
        self.disarm();
    }

    /// Takes the address away. True if it was there.
    pub(super) async fn down(&self) -> Result<bool, String> {
        self.disarm();
        self.netlink
            .remove(self.vip, LOOPBACK)
            .await
            .map_err(|error| error.to_string())
    }

    fn arm(&self, timer: AbortHandle, until: Instant) {
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some((timer, until));
    }

    /// Ends the timer. Until when the address was to stand, where there was one.
    fn disarm(&self) -> Option<Instant> {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let (timer, until) = timer.take()?;
        timer.abort();
        Some(until)
    }
}

/// Keeps the address for its time, and takes it away.
async fn keep(netlink: Netlink, vip: IpAddr, hold: Duration, served: impl Future<Output = ()>) {
    tokio::time::sleep(hold).await;
    let renewed = async {
        loop {
            if let Err(error) = netlink.add(vip, LOOPBACK, LEASE).await {
                tracing::warn!(%error, "the drain address goes before its time");
            }
            tokio::time::sleep(LEASE / 2).await;
        }
    };
    let over = tokio::time::timeout(MOST.saturating_sub(hold), served);
    tokio::select! {
        _ = over => {}
        () = renewed => {}
    }
    if let Err(error) = netlink.remove(vip, LOOPBACK).await {
        tracing::warn!(%error, "the drain address stays: ip address del {vip} dev lo");
    }
}

/// The larger of the two values counts (ip-sysctl.rst).
fn is_silent(interface: &str) -> bool {
    ["all", interface]
        .iter()
        .any(|name| read(&arp_path(name, "arp_ignore")).is_some_and(|value| value >= 1))
}

fn arp_path(interface: &str, key: &str) -> String {
    format!("/proc/sys/net/ipv4/conf/{interface}/{key}")
}

fn read(path: &str) -> Option<u8> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
