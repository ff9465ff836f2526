//! rtnetlink(7): the addresses of this host, seen and changed.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use rtnetlink::packet_route::route::RouteType;
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

mod interface;

pub use interface::Lost;

/// The kernel answers within a millisecond; this bounds what must not happen.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often an IPv6 address that was added is looked at until it is in service.
const IN_SERVICE_LOOK: Duration = Duration::from_millis(1);

/// Why the kernel did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket.
    #[error("netlink: {0}")]
    Socket(#[source] io::Error),
    /// The request.
    #[error("{what}: {source}")]
    Request {
        /// What was asked.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No such interface.
    #[error("there is no interface {0} on this host")]
    NoInterface(String),
}

/// An address of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Prefix length, 0 to 128.
    pub prefix: u8,
    /// Index of the interface that it is on.
    pub index: u32,
    message: AddressMessage,
}

/// A netlink socket for questions and orders. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Netlink(Handle);

impl Netlink {
    /// Opens the socket; its driver is a task of the running runtime that ends with the last clone.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn open() -> Result<Self, Error> {
        let (driver, handle, _) = rtnetlink::new_connection().map_err(Error::Socket)?;
        tokio::spawn(driver);
        Ok(Self(handle))
    }

    /// All addresses of this host.
    ///
    /// # Errors
    /// [`Error::Request`].
    pub async fn addresses(&self) -> Result<Vec<Address>, Error> {
        let dump = self.0.address().get().execute().try_collect::<Vec<_>>();
        let messages = bounded(dump)
            .await
            .map_err(|error| refused("list the addresses", error))?;
        Ok(messages.into_iter().filter_map(address).collect())
    }

    /// Would a packet to `ip` stay on this host? Cheaper than listing, but an address of an interface that is
    /// down is not found.
    ///
    /// # Errors
    /// [`Error::Request`].
    pub async fn is_routed_here(&self, ip: IpAddr) -> Result<bool, Error> {
        let to = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(ip, host_prefix(ip))
            .map_err(|error| refused(&format!("look up {ip}"), io::Error::other(error)))?;
        let mut routes = std::pin::pin!(self.0.route().get(to.build()).execute());
        match bounded(routes.try_next()).await {
            Ok(route) => Ok(route.is_some_and(|route| route.header.kind == RouteType::Local)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(refused(&format!("look up {ip}"), error))
            }
            // No route at all.
            Err(_) => Ok(false),
        }
    }

    /// Adds `ip` alone (/32 or /128) to `interface`, and returns once this host takes packets for it. The kernel
    /// removes it by itself after `lifetime`, rounded up to seconds, counted from the last call.
    ///
    /// # Errors
    /// [`Error::NoInterface`] and [`Error::Request`], such as "Operation not permitted" without CAP_NET_ADMIN.
    pub async fn add(&self, ip: IpAddr, interface: &str, lifetime: Duration) -> Result<(), Error> {
        let index = index_of(interface)?;
        let what = || format!("add {ip} to {interface}");
        let seconds = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
        let mut cache = CacheInfo::default();
        cache.ifa_valid = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
        cache.ifa_preferred = cache.ifa_valid;
        let mut add = self.0.address().add(index, ip, host_prefix(ip)).replace();
        let attributes = &mut add.message_mut().attributes;
        attributes.push(AddressAttribute::CacheInfo(cache));
        // The kernel forgets to remove the prefix route of an IPv6 address with a lifetime (seen with 6.18): packets to
        // the VIP would never leave this host again. It is not needed: the local route takes what arrives.
        attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
        bounded(add.execute())
            .await
            .map_err(|error| refused(&what(), error))?;
        if ip.is_ipv4() {
            return Ok(());
        }
        // The kernel puts an IPv6 address into service in a work queue, after it has answered
        // (net/ipv6/addrconf.c, addrconf_dad_work).
        tokio::time::timeout(PATIENCE, self.routed_here(ip))
            .await
            .unwrap_or_else(|_| Err(refused(&what(), io::ErrorKind::TimedOut.into())))
    }

    /// Waits until packets to `ip` stay on this host.
    async fn routed_here(&self, ip: IpAddr) -> Result<(), Error> {
        while !self.is_routed_here(ip).await? {
            tokio::time::sleep(IN_SERVICE_LOOK).await;
        }
        Ok(())
    }

    /// Removes `ip`, whatever its prefix, from `interface`. False if it was not there.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub async fn remove(&self, ip: IpAddr, interface: &str) -> Result<bool, Error> {
        let index = index_of(interface)?;
        let mut removed = false;
        for address in self.addresses().await? {
            if address.ip == ip && address.index == index {
                match bounded(self.0.address().del(address.message).execute()).await {
                    Ok(()) => removed = true,
                    // Someone was faster.
                    Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                    Err(error) => {
                        return Err(refused(&format!("remove {ip} from {interface}"), error));
                    }
                }
            }
        }
        Ok(removed)
    }
}

/// Tells that addresses changed, not which: the changes may have been too many to be told one by one.
pub struct AddressChanges(BoxStream<'static, ()>);

impl AddressChanges {
    /// Listens to `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` from here on.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn subscribe() -> Result<Self, Error> {
        let groups = [MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (driver, _, messages) =
            rtnetlink::new_multicast_connection(&groups).map_err(Error::Socket)?;
        tokio::spawn(driver);
        // A burst is one change: when a node takes over many VIPs, they are looked at once.
        Ok(Self(messages.ready_chunks(1024).map(drop).boxed()))
    }

    /// Waits for a change. False when the socket is gone: subscribe anew.
    pub async fn changed(&mut self) -> bool {
        self.0.next().await.is_some()
    }
}

/// Index of an interface (netdevice(7), `SIOCGIFINDEX`).
///
/// # Errors
/// [`Error::NoInterface`], [`Error::Socket`].
pub fn index_of(interface: &str) -> Result<u32, Error> {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)
        .map_err(|error| Error::Socket(error.into()))?;
    netdevice::name_to_index(any, interface).map_err(|_| Error::NoInterface(interface.to_owned()))
}

fn address(message: AddressMessage) -> Option<Address> {
    Some(Address {
        ip: local_ip(&message)?,
        prefix: message.header.prefix_len,
        index: message.header.index,
        message,
    })
}

fn local_ip(message: &AddressMessage) -> Option<IpAddr> {
    // Where both are there, IFA_LOCAL is this end and IFA_ADDRESS the other end (rtnetlink(7)).
    let of = |local: bool| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(ip) if local => Some(*ip),
                AddressAttribute::Address(ip) if !local => Some(*ip),
                _ => None,
            })
    };
    of(true).or_else(|| of(false))
}

async fn bounded<T>(
    request: impl Future<Output = Result<T, rtnetlink::Error>>,
) -> Result<T, io::Error> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(rtnetlink::Error::NetlinkError(message))) => Err(message.to_io()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn refused(what: &str, source: io::Error) -> Error {
    Error::Request {
        what: what.to_owned(),
        source,
    }
}

fn host_prefix(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}
