//! The only place where a foreign protocol is spelled. No policy, and no retry that outlives one call.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub mod arp;
pub mod etcd;
pub mod http;
pub mod info;
pub mod netlink;
pub mod process;
pub mod redis;
pub mod vrrp;

/// tokio deprecates the safe constructor because a `T` could close its descriptor early (tokio #8587). An
/// `OwnedFd` does not, and the constructor that replaces it is `unsafe`, which this crate forbids.
#[allow(deprecated)]
fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}
