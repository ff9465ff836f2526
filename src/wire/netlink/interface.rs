//! An interface taken down and up again, with what the kernel drops meanwhile and does not bring back.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_core::{Emitable, Parseable};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::{LinkUnspec, RouteMessageBuilder};
use serde::{Deserialize, Serialize};

use super::{Address, Error, Netlink, bounded, index_of, refused};

/// The routes that somebody else than the kernel has set, and the IPv6 addresses: an interface that goes down loses
/// both (IPv4 addresses stay, and with them come the kernel's own routes).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lost {
    /// As the kernel told them (rtnetlink(7), `struct rtmsg` and its attributes).
    routes: Vec<Vec<u8>>,
    /// With the lengths of their prefixes.
    addresses: Vec<(IpAddr, u8)>,
}

impl Netlink {
    /// What would be lost if `interface` went down, but for `vips`: those are keepalived's.
    ///
    /// # Errors
    /// [`Error::NoInterface`] and [`Error::Request`].
    pub async fn at_stake(&self, interface: &str, vips: &[IpAddr]) -> Result<Lost, Error> {
        let index = index_of(interface)?;
        let mut routes = Vec::new();
        for any in [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Ipv6Addr::UNSPECIFIED.into(),
        ] {
            routes.extend(self.routes_over(index, any).await?);
        }
        // A gateway must be reachable before a route goes over it.
        routes.sort_by_key(has_gateway);
        let kept = |address: &Address| {
            address.index == index && address.ip.is_ipv6() && !vips.contains(&address.ip)
        };
        let addresses = self.addresses().await?;
        let addresses = addresses.iter().filter(|address| kept(address));
        Ok(Lost {
            routes: routes.iter().map(bytes).collect(),
            addresses: addresses
                .filter(|address| is_set_by_hand(&address.message))
                .map(|address| (address.ip, address.prefix))
                .collect(),
        })
    }

    async fn routes_over(&self, index: u32, any: IpAddr) -> Result<Vec<RouteMessage>, Error> {
        let cannot = |error| refused("list the routes", error);
        let asked = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(any, 0)
            .map_err(|error| cannot(io::Error::other(error)))?;
        let mut asked = asked.build();
        // Without a destination all are listed.
        asked.attributes.clear();
        let dump = self.0.route().get(asked).execute().try_collect::<Vec<_>>();
        let found = bounded(dump).await.map_err(cannot)?;
        let of_interface = found.into_iter().filter(|route| is_of(route, index));
        Ok(of_interface.map(settable).collect())
    }

    /// Takes `interface` down, or up. It may be so already.
    ///
    /// # Errors
    /// [`Error::NoInterface`] and [`Error::Request`], such as "Operation not permitted" without CAP_NET_ADMIN.
    pub async fn set_up(&self, interface: &str, up: bool) -> Result<(), Error> {
        let link = LinkUnspec::new_with_index(index_of(interface)?);
        let (link, word) = if up {
            (link.up(), "up")
        } else {
            (link.down(), "down")
        };
        bounded(self.0.link().set(link.build()).execute())
            .await
            .map_err(|error| refused(&format!("set {interface} {word}"), error))
    }

    /// Sets what was lost anew, as far as it is not there. All of it is tried.
    ///
    /// # Errors
    /// The first thing that could not be set.
    pub async fn bring_back(&self, interface: &str, lost: &Lost) -> Result<(), Error> {
        let index = index_of(interface)?;
        let mut failed = None;
        for (ip, prefix) in &lost.addresses {
            let add = self.0.address().add(index, *ip, *prefix).execute();
            let what = format!("add {ip}/{prefix} to {interface}");
            failed = failed.or(unless_there(bounded(add).await, &what));
        }
        for route in &lost.routes {
            let what = format!("a route over {interface}");
            let Ok(route) = RouteMessage::parse(route) else {
                let garbled = io::Error::from(io::ErrorKind::InvalidData);
                failed = failed.or(Some(refused(&what, garbled)));
                continue;
            };
            let add = self.0.route().add(route).execute();
            failed = failed.or(unless_there(bounded(add).await, &what));
        }
        failed.map_or(Ok(()), Err)
    }
}

fn unless_there(done: Result<(), io::Error>, what: &str) -> Option<Error> {
    let error = done.err()?;
    (error.kind() != io::ErrorKind::AlreadyExists).then(|| refused(what, error))
}

fn bytes(route: &RouteMessage) -> Vec<u8> {
    let mut buffer = vec![0; route.buffer_len()];
    route.emit(&mut buffer);
    buffer
}

/// The kernel brings its own back, and routers advertise theirs again.
fn is_of(route: &RouteMessage, index: u32) -> bool {
    let header = &route.header;
    header.kind == RouteType::Unicast
        && !matches!(header.protocol, RouteProtocol::Kernel | RouteProtocol::Ra)
        && !header.flags.contains(RouteFlags::Cloned)
        && route.attributes.contains(&RouteAttribute::Oif(index))
}

/// Without what is only ever told.
fn settable(mut route: RouteMessage) -> RouteMessage {
    route.header.flags &= RouteFlags::Onlink;
    let told = |attribute: &RouteAttribute| matches!(attribute, RouteAttribute::CacheInfo(_));
    route.attributes.retain(|attribute| !told(attribute));
    route
}

fn has_gateway(route: &RouteMessage) -> bool {
    let mut attributes = route.attributes.iter();
    attributes.any(|attribute| matches!(attribute, RouteAttribute::Gateway(_)))
}

/// Permanent, and no link-local one, which the kernel makes itself.
fn is_set_by_hand(message: &AddressMessage) -> bool {
    let mut attributes = message.attributes.iter();
    let permanent = attributes.any(|attribute| match attribute {
        AddressAttribute::Flags(flags) => flags.contains(AddressFlags::Permanent),
        _ => false,
    });
    let ip = super::local_ip(message);
    permanent && !ip.is_some_and(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
}
