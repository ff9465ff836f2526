//! Who has which address and which name. The defaults are those of the original manual.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::ensure;

use crate::voters::Quorum;

/// Redis' port on every host.
pub const PORT: u16 = 6000;
/// Where etcd listens; its members speak to each other at the next port.
pub const ETCD_PORT: u16 = 2379;
/// Name of the one instance.
pub const INSTANCE: &str = "redis";
/// Where the alarm sink listens.
pub const ALARM_PORT: u16 = 8080;
/// The bridge that joins everybody.
pub const BRIDGE: &str = "lab0";
/// The client's namespace.
pub const CLIENT: &str = "client";
/// The interface inside each namespace.
pub const INTERFACE: &str = "eth0";

/// The address plan of a world.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    network: [u8; 3],
    hosts: u8,
    quorum: Quorum,
}

impl Plan {
    /// A plan in the /24 of `network` for so many hosts.
    pub fn new(network: Ipv4Addr, hosts: u8, quorum: Quorum) -> anyhow::Result<Self> {
        let [a, b, c, d] = network.octets();
        ensure!(
            d == 0,
            "--network {network}: a /24 is wanted, its last part must be 0"
        );
        Ok(Self {
            network: [a, b, c],
            hosts,
            quorum,
        })
    }

    fn at(self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, last)
    }

    /// Name and address of each host, the one of highest priority first.
    pub fn hosts(self) -> impl Iterator<Item = (String, Ipv4Addr)> {
        (0..self.hosts).map(move |index| (format!("lvs{}", index + 1), self.at(37 + index)))
    }

    /// Whose votes are needed to lead.
    pub fn quorum(self) -> Quorum {
        self.quorum
    }

    /// Name and address of each that votes beside the hosts.
    pub fn voters(self) -> impl Iterator<Item = (String, Ipv4Addr)> {
        (0..self.quorum.voters())
            .map(move |index| (format!("voter{}", index + 1), self.at(91 + index)))
    }

    /// The address that clients use.
    pub fn vip(self) -> Ipv4Addr {
        self.at(161)
    }

    /// Redis behind the VIP.
    pub fn vip_redis(self) -> SocketAddrV4 {
        SocketAddrV4::new(self.vip(), PORT)
    }

    /// The client.
    pub fn client(self) -> Ipv4Addr {
        self.at(200)
    }

    /// Nobody's.
    pub fn nobody(self) -> Ipv4Addr {
        self.at(253)
    }

    /// The lab itself, on the bridge: it looks at the hosts from here and receives their alarms.
    pub fn lab(self) -> Ipv4Addr {
        self.at(254)
    }

    /// Where alarms go.
    pub fn alarm_sink(self) -> SocketAddrV4 {
        SocketAddrV4::new(self.lab(), ALARM_PORT)
    }
}
