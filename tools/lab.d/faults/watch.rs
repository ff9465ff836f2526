//! What every host's Redis takes and where the VIP is, looked at from inside the host every few milliseconds.
//!
//! A thread for each host is in its network namespace: a partition does not blind it. Redis is asked to remove a key
//! that is not there: a write that changes nothing and reaches no replica, and which a replica refuses, as does a
//! primary that may not write. A span lasts from the first look at which something was so to the last one: what two
//! hosts have in common is at least so long.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::ifaddrs::getifaddrs;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::clock::{now, now_us};
use crate::plan::{INTERFACE, PORT};
use crate::run::netns_path;
use crate::world::World;

/// From one look to the next.
const PACE: Duration = Duration::from_millis(5);
/// A Redis that takes longer takes no writes at this moment.
const PATIENCE: Duration = Duration::from_millis(50);
/// Inline commands are enough (Redis protocol specification, "Inline commands").
const WRITE: &[u8] = b"DEL lab:nothing\r\n";

/// A running watch.
pub struct Watch {
    hosts: Vec<(Seen, JoinHandle<()>)>,
    stop: Arc<AtomicBool>,
}

/// What was seen of one host so far.
type Seen = Arc<Mutex<Spans>>;

#[derive(Default)]
struct Spans {
    writable: Track,
    vip: Track,
}

/// When something was so: spans in order, in microseconds; the last one goes on while `open`.
#[derive(Default)]
struct Track {
    spans: Vec<(u64, u64)>,
    open: bool,
}

impl Watch {
    /// Watches every host of the world from now on.
    pub fn begin(world: &World) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let vip = world.plan.vip();
        let hosts = world.hosts.iter().map(|host| {
            let seen = Seen::default();
            let path = netns_path(&host.name);
            let namespace = File::open(&path).with_context(|| path.clone())?;
            let (of_thread, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            let thread = thread::spawn(move || look_on(&namespace, vip, &of_thread, &stop));
            Ok((seen, thread))
        });
        let hosts = hosts.collect::<anyhow::Result<_>>()?;
        Ok(Self { hosts, stop })
    }

    /// At the last look, the host had the VIP and its Redis took writes.
    pub fn serves(&self, index: usize) -> bool {
        let spans = locked(&self.hosts[index].0);
        spans.vip.open && spans.writable.open
    }

    /// Ends the watch: for how many microseconds did two Redis take writes, and did two hosts have the VIP?
    pub fn end(self) -> anyhow::Result<(u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut writable = Vec::new();
        let mut vip = Vec::new();
        for (seen, thread) in self.hosts {
            thread
                .join()
                .map_err(|_| anyhow!("a watching thread has panicked"))?;
            let spans = locked(&seen);
            writable.extend_from_slice(&spans.writable.spans);
            vip.extend_from_slice(&spans.vip.spans);
        }
        Ok((in_common(&writable), in_common(&vip)))
    }
}

fn locked(seen: &Mutex<Spans>) -> MutexGuard<'_, Spans> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a thread.
fn look_on(namespace: &File, vip: Ipv4Addr, seen: &Mutex<Spans>, stop: &AtomicBool) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("a thread of the lab may enter the namespaces that the lab has made");
    let mut redis = None;
    while !stop.load(Ordering::Relaxed) {
        let began = now();
        let has_vip = has(vip);
        let at_us = now_us();
        locked(seen).vip.look(at_us, has_vip);
        let takes_writes = takes_writes(&mut redis);
        let at_us = now_us();
        locked(seen).writable.look(at_us, takes_writes);
        sleep(PACE.saturating_sub(now() - began));
    }
}

/// Is the address on the interface? As a drain address on `lo` it does not count.
fn has(vip: Ipv4Addr) -> bool {
    let Ok(mut addresses) = getifaddrs() else {
        return false;
    };
    // An IPv4 address goes by its label: eth0:rha.
    addresses.any(|entry| {
        let address = entry.address.as_ref().and_then(|one| one.as_sockaddr_in());
        entry.interface_name.starts_with(INTERFACE) && address.is_some_and(|one| one.ip() == vip)
    })
}

/// Does the Redis here take a write? Whatever fails leaves no connection behind: a late answer would be taken for
/// that to the next question.
fn takes_writes(redis: &mut Option<TcpStream>) -> bool {
    let mut ask = || -> std::io::Result<bool> {
        let stream = match redis {
            Some(stream) => stream,
            None => redis.insert(connect()?),
        };
        stream.write_all(WRITE)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n") {
            let mut bytes = [0; 256];
            match stream.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                length => answer.extend_from_slice(&bytes[..length]),
            }
        }
        Ok(answer.starts_with(b":"))
    };
    ask().unwrap_or_else(|_| {
        *redis = None;
        false
    })
}

fn connect() -> std::io::Result<TcpStream> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT);
    let stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Track {
    fn look(&mut self, at_us: u64, is_so: bool) {
        match self.spans.last_mut() {
            Some(last) if is_so && self.open => last.1 = at_us,
            _ if is_so => self.spans.push((at_us, at_us)),
            _ => {}
        }
        self.open = is_so;
    }
}

/// How long at least two of the spans were at once, all of them together.
fn in_common(spans: &[(u64, u64)]) -> u64 {
    let begins = spans.iter().map(|span| (span.0, 1));
    let ends = spans.iter().map(|span| (span.1, -1));
    let mut edges: Vec<(u64, i32)> = begins.chain(ends).collect();
    edges.sort_unstable();
    let (mut count, mut since_us, mut sum_us) = (0, 0, 0);
    for (at_us, step) in edges {
        if count >= 2 {
            sum_us += at_us - since_us;
        }
        count += step;
        since_us = at_us;
    }
    sum_us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_lasts_from_the_first_look_to_the_last() {
        let mut track = Track::default();
        for (at_us, is_so) in [(1, false), (2, true), (5, true), (7, false), (9, true)] {
            track.look(at_us, is_so);
        }
        assert_eq!(track.spans, [(2, 5), (9, 9)]);
        assert!(track.open);
    }

    #[test]
    fn what_two_have_in_common() {
        assert_eq!(in_common(&[(0, 10), (10, 20)]), 0);
        assert_eq!(in_common(&[(0, 10), (8, 20), (19, 30)]), 3);
        assert_eq!(in_common(&[(0, 10), (2, 4), (3, 6)]), 4);
    }
}
