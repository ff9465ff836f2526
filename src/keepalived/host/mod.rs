//! What a keepalived.conf can find on this host: interfaces, accounts, rights, other keepaliveds. Read
//! only, and nothing is kept: it is looked at once.

mod lacks;
mod process;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use nix::unistd::{Group, User};

pub use lacks::lacks;

/// This host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The interfaces with their addresses and the lengths of their prefixes.
    pub interfaces: BTreeMap<String, Vec<(IpAddr, u8)>>,
    /// Those of them that are down, or have no carrier.
    pub down: BTreeSet<String>,
    /// How many keepalived run, daemons and not their children, in this network namespace.
    pub keepaliveds: usize,
    /// Programs may run in real time here, and may not raise the limit of it once it was lowered.
    pub kills_real_time: bool,
    /// Directories that systemd removes with a unit that stops, and the unit.
    pub fleeting: Vec<(PathBuf, String)>,
}

impl Host {
    /// Looks at it.
    ///
    /// # Errors
    /// The interfaces cannot be listed.
    pub fn look() -> io::Result<Self> {
        let mut interfaces: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut down = BTreeSet::new();
        for found in getifaddrs()? {
            if !found
                .flags
                .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING)
            {
                down.insert(found.interface_name.clone());
            }
            let addresses = interfaces.entry(found.interface_name.clone()).or_default();
            addresses.extend(address(&found));
        }
        let keepaliveds = process::keepaliveds();
        Ok(Self {
            interfaces,
            down,
            kills_real_time: process::kills_real_time(keepaliveds.first()),
            keepaliveds: keepaliveds.len(),
            fleeting: units::runtime_directories(),
        })
    }

    /// Is `ip` an address of this host?
    #[must_use]
    pub fn has(&self, ip: IpAddr) -> bool {
        self.addresses().any(|(own, _)| *own == ip)
    }

    /// All addresses, with the lengths of their prefixes.
    pub fn addresses(&self) -> impl Iterator<Item = &(IpAddr, u8)> {
        self.interfaces.values().flatten()
    }
}

fn address(found: &InterfaceAddress) -> Option<(IpAddr, u8)> {
    let ip = ip(found.address.as_ref()?)?;
    let bits = match ip_of_mask(found)? {
        IpAddr::V4(mask) => u32::from(mask).count_ones(),
        IpAddr::V6(mask) => u128::from(mask).count_ones(),
    };
    Some((ip, u8::try_from(bits).ok()?))
}

fn ip_of_mask(found: &InterfaceAddress) -> Option<IpAddr> {
    ip(found.netmask.as_ref()?)
}

fn ip(socket: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = socket.as_sockaddr_in().map(|found| found.ip().into());
    v4.or_else(|| socket.as_sockaddr_in6().map(|found| found.ip().into()))
}

/// Numeric id of a user, asked as keepalived asks: /etc/passwd, and whatever else nsswitch.conf names.
/// `None` if there is no such user.
///
/// # Errors
/// It cannot be found out.
pub fn user(name: &str) -> io::Result<Option<u32>> {
    Ok(User::from_name(name)?.map(|user| user.uid.as_raw()))
}

/// The same for a group.
///
/// # Errors
/// It cannot be found out.
pub fn group(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_looked_at() {
        let host = Host::look().unwrap();
        assert!(host.interfaces.contains_key("lo"), "{host:?}");
        let any = host.addresses().next().copied();
        assert!(any.is_none_or(|(ip, _)| host.has(ip)));
        assert!(!host.has("192.0.2.255".parse().unwrap()));
    }

    #[test]
    fn accounts_are_found_by_name() {
        assert_eq!(user("root").unwrap(), Some(0));
        assert_eq!(group("root").unwrap(), Some(0));
        assert_eq!(user("rha-no-such-user").unwrap(), None);
        assert_eq!(group("rha-no-such-group").unwrap(), None);
    }
}
