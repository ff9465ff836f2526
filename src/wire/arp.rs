//! Who answers for an address: ARP probes (RFC 5227 section 2.1.1) and what comes of them (RFC 826). IPv4 on Ethernet; for
//! IPv6 the kernel itself looks for duplicates.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, SockaddrLike, bind};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv,
    send, socket_with,
};
use tokio::io::unix::AsyncFd;

use super::readable;

/// The address of a network card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `ETH_P_ARP`, as the kernel wants it: in network order.
const ARP: Option<RawProtocol> = RawProtocol::new(0x0806_u16.to_be() as u32);
/// Ethernet, IPv4, and how long their addresses are.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// The header of Ethernet, and the packet.
const FRAME: usize = 14 + 28;
/// What a VRRP router may use in place of its card's own address (RFC 5798 section 7.3); the last byte is the group.
const VIRTUAL_ROUTER: [u8; 5] = [0, 0, 0x5e, 0, 1];

/// Asks on one interface.
#[derive(Debug)]
pub struct Asker {
    socket: AsyncFd<OwnedFd>,
    own: Mac,
}

impl Asker {
    /// Opens one on `interface`.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`, or where there is no such interface, or it has no Ethernet address.
    pub fn open(interface: &str) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = ARP.map(Protocol::from_raw);
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol)?;
        let (link, own) = card(interface)?;
        bind(socket.as_raw_fd(), &link)?;
        Ok(Self {
            socket: readable(socket)?,
            own,
        })
    }

    /// Asks who has `address`, as one who has none himself.
    ///
    /// # Errors
    /// The interface is down or gone.
    pub fn ask(&self, address: Ipv4Addr) -> io::Result<()> {
        send(&self.socket, &probe(self.own, address), SendFlags::empty())?;
        Ok(())
    }

    /// The next other card that claims to have `address`.
    ///
    /// # Errors
    /// The interface is down or gone.
    pub async fn claimant(&self, address: Ipv4Addr) -> io::Result<Mac> {
        let mut frame = [0; FRAME];
        loop {
            let mut ready = self.socket.readable().await?;
            match recv(&self.socket, &mut frame[..], RecvFlags::empty()) {
                Ok((length, _)) => {
                    let claimant = claimant(&frame[..length], address);
                    if let Some(mac) = claimant.filter(|mac| self.is_another(*mac)) {
                        return Ok(mac);
                    }
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_another(&self, mac: Mac) -> bool {
        mac != self.own && mac.0[..5] != VIRTUAL_ROUTER
    }
}

fn card(interface: &str) -> io::Result<(LinkAddr, Mac)> {
    let named = |found: nix::ifaddrs::InterfaceAddress| {
        let link = found.address.as_ref()?.as_link_addr().copied()?;
        (found.interface_name == interface).then_some(link)
    };
    let link = getifaddrs()?.find_map(named).ok_or_else(|| {
        let why = format!("there is no interface {interface}");
        io::Error::new(io::ErrorKind::NotFound, why)
    })?;
    let mac = link.addr().filter(|_| link.halen() == 6).map(Mac);
    let mac = mac.ok_or_else(|| io::Error::other(format!("{interface} is no Ethernet")))?;
    debug_assert!(link.len() > 0, "an address has a length");
    Ok((link, mac))
}

fn probe(own: Mac, address: Ipv4Addr) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let parts: [&[u8]; 9] = [
        &[0xff; 6],
        &own.0,
        &[8, 6],
        &KIND,
        &[0, 1],
        &own.0,
        &[0; 4],
        &[0; 6],
        &address.octets(),
    ];
    for (to, byte) in frame.iter_mut().zip(parts.concat()) {
        *to = byte;
    }
    frame
}

/// Who says in this frame that `address` is his, in an answer or unasked.
fn claimant(frame: &[u8], address: Ipv4Addr) -> Option<Mac> {
    let packet = frame.get(14..FRAME)?;
    let (kind, rest) = packet.split_at(KIND.len());
    // Behind the operation, 1 to ask or 2 to answer.
    let (mac, ip) = (rest.get(2..8)?, rest.get(8..12)?);
    let claims = kind == KIND && ip == address.octets();
    claims.then(|| mac.try_into().ok().map(Mac)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 192, 161);
    const CARD: Mac = Mac([2, 0, 0, 0, 0xab, 9]);

    #[test]
    fn a_probe_claims_nothing() {
        let frame = probe(CARD, VIP);
        assert_eq!(claimant(&frame, VIP), None);
        assert_eq!(frame[38..], VIP.octets());
    }

    #[test]
    fn who_answers_or_announces_claims() {
        let mut frame = probe(CARD, VIP);
        frame[28..32].copy_from_slice(&VIP.octets());
        for operation in [1, 2] {
            frame[21] = operation;
            assert_eq!(claimant(&frame, VIP), Some(CARD));
        }
        assert_eq!(claimant(&frame, Ipv4Addr::LOCALHOST), None);
        assert_eq!(CARD.to_string(), "02:00:00:00:ab:09");
        for length in 0..FRAME {
            assert_eq!(claimant(&frame[..length], VIP), None);
        }
    }
}
