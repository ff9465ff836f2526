//! VRRP adverts as they arrive (RFC 5798 section 5.2, RFC 3768 section 5.3): the kernel gives each raw socket of protocol
//! 112 a copy of what keepalived is given. Behind the firewall, as for keepalived.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, RecvFlags, SocketFlags, SocketType, recvfrom, socket_with,
};
use tokio::io::unix::AsyncFd;

use super::readable;

/// What an advert says, as far as it is needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advert {
    /// Who sent it.
    pub from: IpAddr,
    /// The VRRP group, 1 to 255.
    pub virtual_router_id: u8,
    /// 1 to 255; 0 says that the sender gives the VIP up.
    pub priority: u8,
}

/// Assigned by IANA.
const VRRP: Option<RawProtocol> = RawProtocol::new(112);
/// Longer than all that is looked at: the header of IPv4 with its options, and of VRRP.
const ENOUGH: usize = 128;
/// Packet type 1 of version 2 and of version 3.
const TYPES: [u8; 2] = [0x21, 0x31];

/// Hears the adverts of one address family.
#[derive(Debug)]
pub struct Ear {
    socket: AsyncFd<OwnedFd>,
    is_ipv6: bool,
}

impl Ear {
    /// Opens one for IPv4 or IPv6.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub fn open(is_ipv6: bool) -> io::Result<Self> {
        let family = if is_ipv6 {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = VRRP.map(Protocol::from_raw);
        let socket = socket_with(family, SocketType::RAW, flags, protocol)?;
        Ok(Self {
            socket: readable(socket)?,
            is_ipv6,
        })
    }

    /// The next advert.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub async fn hear(&self) -> io::Result<Advert> {
        let mut packet = [0; ENOUGH];
        loop {
            let mut ready = self.socket.readable().await?;
            match recvfrom(&self.socket, &mut packet[..], RecvFlags::empty()) {
                Ok((length, _, from)) => {
                    let from = from.and_then(|from| std::net::SocketAddr::try_from(from).ok());
                    let heard =
                        from.and_then(|from| read(from.ip(), self.is_ipv6, &packet[..length]));
                    if let Some(advert) = heard {
                        return Ok(advert);
                    }
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A raw socket of IPv4 gives the packet with its header, one of IPv6 without.
fn read(from: IpAddr, is_ipv6: bool, packet: &[u8]) -> Option<Advert> {
    let header = if is_ipv6 {
        0
    } else {
        usize::from(packet.first()? & 0x0f) * 4
    };
    match packet.get(header..)? {
        [kind, virtual_router_id, priority, ..] if TYPES.contains(kind) => Some(Advert {
            from,
            virtual_router_id: *virtual_router_id,
            priority: *priority,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adverts_are_read_behind_any_header() {
        let from: IpAddr = "10.0.0.1".parse().unwrap();
        let vrrp = [0x31, 51, 250, 1, 0, 10, 0, 0, 10, 0, 0, 100];
        let advert = Some(Advert {
            from,
            virtual_router_id: 51,
            priority: 250,
        });
        for words in [5, 6, 15] {
            let mut packet = vec![0; words * 4];
            packet[0] = 0x40 | u8::try_from(words).unwrap();
            packet.extend(vrrp);
            assert_eq!(read(from, false, &packet), advert, "{words}");
        }
        assert_eq!(read(from, true, &vrrp), advert);
        for cut in 0..3 {
            assert_eq!(read(from, true, &vrrp[..cut]), None);
        }
        assert_eq!(read(from, false, &[0x4f]), None);
        assert_eq!(read(from, true, &[0x32, 51, 250]), None, "no such type");
    }
}
