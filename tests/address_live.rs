//! Addresses by netlink, each test in a network namespace of its own.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test: what fails is shown, what was measured is said

#[path = "common/namespace.rs"]
mod namespace;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rha::effects::alarm::Alarms;
use rha::effects::{Executor, InstanceConfig, RescueConfig, Tools};
use rha::ingest::Incoming;
use rha::ingest::address::{AddressWatch, Vip};
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::Endpoint;
use rha::wire::netlink::{AddressChanges, Netlink};
use rha::wire::redis::{SharedLink, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use namespace::{add_interface, inside, ip};

const VIP: &str = "192.0.2.161";
const HOUR: Duration = Duration::from_secs(3600);

async fn is_on(netlink: &Netlink, address: &str, interface: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    let index = rha::wire::netlink::index_of(interface).unwrap();
    let all = netlink.addresses().await.unwrap();
    all.iter()
        .any(|one| one.ip == address && one.index == index)
}

#[tokio::test]
#[ignore = "needs namespaces"]
async fn addresses_are_listed_added_and_removed() {
    if !inside("addresses_are_listed_added_and_removed") {
        return;
    }
    let netlink = Netlink::open().unwrap();
    for address in [VIP, "2001:db8::161"] {
        let parsed: IpAddr = address.parse().unwrap();
        assert!(!is_on(&netlink, address, "lo").await);
        assert!(!netlink.is_routed_here(parsed).await.unwrap(), "{address}");
        netlink.add(parsed, "lo", HOUR).await.unwrap();
        netlink.add(parsed, "lo", HOUR).await.unwrap();
        assert!(is_on(&netlink, address, "lo").await, "{address}");
        assert!(netlink.is_routed_here(parsed).await.unwrap(), "{address}");
        assert!(!is_on(&netlink, address, "eth9").await);
        assert!(netlink.remove(parsed, "lo").await.unwrap());
        assert!(!netlink.remove(parsed, "lo").await.unwrap());
        assert!(!is_on(&netlink, address, "lo").await);
    }
    // The kernel would keep the route to an IPv6 address that had a lifetime, and with it what comes from the
    // other hosts' address at this host.
    let routes = Command::new("ip").args(["-6", "route"]).output().unwrap();
    let routes = String::from_utf8(routes.stdout).unwrap();
    assert!(!routes.contains("2001:db8::161"), "{routes}");
    let error = netlink
        .add(VIP.parse().unwrap(), "eth77", HOUR)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no interface eth77 on this host"
    );
}

/// A drain address must not outlive an agent that was killed.
#[tokio::test]
#[ignore = "needs namespaces"]
async fn the_kernel_removes_an_address_whose_time_is_over() {
    if !inside("the_kernel_removes_an_address_whose_time_is_over") {
        return;
    }
    let netlink = Netlink::open().unwrap();
    for address in [VIP, "2001:db8::161"] {
        let parsed: IpAddr = address.parse().unwrap();
        netlink
            .add(parsed, "lo", Duration::from_millis(300))
            .await
            .unwrap();
        assert!(is_on(&netlink, address, "lo").await, "{address}");
    }
    drop(netlink);
    let netlink = Netlink::open().unwrap();
    for address in [VIP, "2001:db8::161"] {
        while is_on(&netlink, address, "lo").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs namespaces"]
async fn the_watch_sees_the_vip_on_its_interface_only() {
    if !inside("the_watch_sees_the_vip_on_its_interface_only") {
        return;
    }
    ip("addr add 192.0.2.162/24 dev eth9");
    let netlink = Netlink::open().unwrap();
    let vip = |address: &str, interface: &str| Vip {
        ip: address.parse().unwrap(),
        interface: interface.to_owned(),
    };
    let vips = BTreeMap::from([
        ("one".to_owned(), vip(VIP, "eth9")),
        ("two".to_owned(), vip("192.0.2.162", "eth9")),
        ("six".to_owned(), vip("2001:db8::161", "eth9")),
        ("none".to_owned(), vip("192.0.2.163", "eth77")),
    ]);
    let watch = AddressWatch::open(netlink.clone(), vips).await.unwrap();
    let here = ["one", "two", "six", "none", "unknown"].map(|name| watch.vip_here(name));
    assert_eq!(here, [false, true, false, false, false]);
    let (sender, mut events) = mpsc::channel(8);
    tokio::spawn(watch.run(sender));
    let mut next = async || {
        let incoming: Incoming = timeout(Duration::from_secs(5), events.recv())
            .await
            .unwrap()
            .unwrap();
        match incoming.event {
            Event::VipChanged { here } => (incoming.instance, here),
            other => panic!("{other:?}"),
        }
    };
    // On lo it is a drain address and no VIP: only what follows is reported.
    netlink.add(VIP.parse().unwrap(), "lo", HOUR).await.unwrap();
    let began = Instant::now();
    netlink
        .add(VIP.parse().unwrap(), "eth9", HOUR)
        .await
        .unwrap();
    assert_eq!(next().await, ("one".to_owned(), true));
    eprintln!(
        "VIP seen {} us after it was ordered",
        began.elapsed().as_micros()
    );
    ip("addr del 192.0.2.162/24 dev eth9");
    assert_eq!(next().await, ("two".to_owned(), false));
    ip("addr add 2001:db8::161/64 dev eth9 nodad");
    assert_eq!(next().await, ("six".to_owned(), true));
    // An interface that goes takes its addresses along, in any order.
    ip("link del eth9");
    let mut gone = [next().await, next().await];
    gone.sort();
    assert_eq!(gone, [("one".to_owned(), false), ("six".to_owned(), false)]);
    // And one that comes back is another one of the same name.
    add_interface();
    ip("addr add 192.0.2.161/32 dev eth9");
    assert_eq!(next().await, ("one".to_owned(), true));
}

fn executor(dir: &std::path::Path) -> (Executor, mpsc::Receiver<Incoming>) {
    executor_beside(dir, None)
}

/// With another node, whose Redis is here, too.
fn executor_beside(
    dir: &std::path::Path,
    other_port: Option<u16>,
) -> (Executor, mpsc::Receiver<Incoming>) {
    let (events, outcomes) = mpsc::channel(64);
    let other = |port| Target {
        endpoint: Endpoint {
            host: "127.0.0.1".to_owned(),
            port,
        },
        username: None,
        password: None,
    };
    let config = InstanceConfig {
        peers: other_port
            .map(|port| ("b".to_owned(), other(port)))
            .into_iter()
            .collect(),
        replica_lag: None,
        name: "cache".to_owned(),
        vip: VIP.parse().unwrap(),
        interface: "eth9".to_owned(),
        redis: Target {
            endpoint: Endpoint {
                host: "127.0.0.1".to_owned(),
                port: 6379,
            },
            username: None,
            password: None,
        },
        start: Vec::new(),
        start_as_replica: Vec::new(),
        unit: None,
        start_timeout: Duration::from_secs(1),
        stop_timeout: Duration::from_secs(1),
        drain: Duration::from_secs(3),
        eligible_file: dir.join("eligible"),
        bias_file: dir.join("bias"),
        rescue: RescueConfig {
            dir: dir.join("rescue"),
            node: "a".to_owned(),
            keep: 0,
            size: 0,
            timeout: Duration::from_secs(1),
            waits: false,
        },
    };
    let tools = Tools {
        netlink: Netlink::open().unwrap(),
        link: SharedLink::default(),
        nudge: Arc::new(Notify::new()),
        wish: Arc::default(),
        alarms: Alarms::start(Vec::new(), events.clone()),
        events,
    };
    (Executor::new(config, tools), outcomes)
}

async fn outcome(outcomes: &mut mpsc::Receiver<Incoming>) -> Outcome {
    let incoming = timeout(Duration::from_secs(5), outcomes.recv())
        .await
        .unwrap()
        .unwrap();
    match incoming.event {
        Event::EffectFinished { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs namespaces"]
async fn the_drain_address_stands_before_the_vip_is_given_up_and_not_for_ever() {
    if !inside("the_drain_address_stands_before_the_vip_is_given_up_and_not_for_ever") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let netlink = Netlink::open().unwrap();
    let (executor, mut outcomes) = executor(dir.path());
    let id = |seq, index| EffectId {
        seq: Seq(seq),
        index,
    };

    // A namespace begins with the values of the host, where rha may be in use.
    for interface in ["all", "eth9"] {
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/arp_ignore");
        std::fs::write(path, "0").unwrap();
    }
    executor.start(id(1, 0), 0, Effect::Drain { hold_ms: 100 });
    let Outcome::Refused(why) = outcome(&mut outcomes).await else {
        panic!("without arp_ignore two hosts would answer ARP");
    };
    assert!(why.contains("arp_ignore"), "{why}");
    executor.prepare_drain().unwrap();

    // The first time is the warming up.
    for seq in 2..5 {
        let began = Instant::now();
        executor.start(id(seq, 0), 0, Effect::Drain { hold_ms: 200 });
        executor.start(id(seq, 1), 0, Effect::SetEligible { eligible: false });
        let drained = outcome(&mut outcomes).await;
        assert!(drained.is_done(), "{drained}");
        assert!(outcome(&mut outcomes).await.is_done());
        eprintln!("drain and eligible: {} us", began.elapsed().as_micros());
        assert!(is_on(&netlink, VIP, "lo").await);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    // Each order counts anew: the first 200 ms are long over.
    assert!(is_on(&netlink, VIP, "lo").await);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(!is_on(&netlink, VIP, "lo").await, "the timer takes it away");

    assert!(!executor.remove_stale_drain().await.unwrap());
    netlink.add(VIP.parse().unwrap(), "lo", HOUR).await.unwrap();
    assert!(
        executor.remove_stale_drain().await.unwrap(),
        "left behind by a crash"
    );

    executor.start(id(6, 0), 0, Effect::Drain { hold_ms: 60_000 });
    assert!(outcome(&mut outcomes).await.is_done());
    executor.stop().await;
    assert!(
        !is_on(&netlink, VIP, "lo").await,
        "a clean end leaves nothing behind"
    );
}

#[tokio::test]
#[ignore = "needs namespaces"]
async fn a_vip_left_behind_is_removed_whatever_its_prefix() {
    if !inside("a_vip_left_behind_is_removed_whatever_its_prefix") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The other node serves never.
    let (executor, mut outcomes) = executor_beside(dir.path(), Some(1));
    executor.prepare_drain().unwrap();
    ip("addr add 192.0.2.10/24 dev eth9");
    ip("addr add 192.0.2.161/24 dev eth9");
    let id = |index| EffectId { seq: Seq(1), index };
    executor.start(id(0), 0, Effect::RemoveVip);
    let removed = Outcome::Done("192.0.2.161 removed from eth9".to_owned());
    assert_eq!(outcome(&mut outcomes).await, removed);
    let netlink = Netlink::open().unwrap();
    assert!(!is_on(&netlink, VIP, "eth9").await);
    assert!(is_on(&netlink, "192.0.2.10", "eth9").await, "only the VIP");
    assert!(is_on(&netlink, VIP, "lo").await, "the last answers leave");
    executor.start(id(1), 0, Effect::RemoveVip);
    let absent = Outcome::Done("192.0.2.161 was not on eth9".to_owned());
    assert_eq!(outcome(&mut outcomes).await, absent);
}

#[tokio::test]
#[ignore = "needs redis-server, and namespaces"]
async fn following_waits_for_the_end_of_the_drain() {
    if !inside("following_waits_for_the_end_of_the_drain") {
        return;
    }
    let mut redis = redis().await;
    let dir = tempfile::tempdir().unwrap();
    let (executor, mut outcomes) = executor(dir.path());
    executor.prepare_drain().unwrap();
    let mut changes = AddressChanges::subscribe().unwrap();
    let vip = Endpoint {
        host: VIP.to_owned(),
        port: 6379,
    };
    let began = Instant::now();
    executor.start(
        EffectId {
            seq: Seq(1),
            index: 0,
        },
        0,
        Effect::Drain { hold_ms: 500 },
    );
    assert!(outcome(&mut outcomes).await.is_done());
    assert!(
        timeout(Duration::from_secs(1), changes.changed())
            .await
            .unwrap()
    );
    executor.start(
        EffectId {
            seq: Seq(1),
            index: 1,
        },
        0,
        Effect::Follow { target: vip },
    );
    let followed = outcome(&mut outcomes).await;
    let took = began.elapsed();
    redis.kill().unwrap();
    redis.wait().unwrap();
    assert!(followed.is_done(), "{followed}");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

/// Clients that come while nobody serves are answered: a packet that is lost they repeat a second later, or a minute.
#[tokio::test]
#[ignore = "needs redis-server, and namespaces"]
async fn the_drain_address_stands_until_another_node_serves() {
    if !inside("the_drain_address_stands_until_another_node_serves") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (executor, mut outcomes) = executor_beside(dir.path(), Some(6379));
    executor.prepare_drain().unwrap();
    let netlink = Netlink::open().unwrap();
    let stands = async || {
        let addresses = netlink.addresses().await.unwrap();
        addresses
            .iter()
            .any(|address| address.ip.to_string() == VIP)
    };
    let id = EffectId {
        seq: Seq(1),
        index: 0,
    };
    executor.start(id, 0, Effect::Drain { hold_ms: 100 });
    assert!(outcome(&mut outcomes).await.is_done());
    // Longer than the kernel would keep it by itself.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(stands().await, "nobody serves yet");
    let mut redis = redis().await;
    let gone = async {
        while stands().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = timeout(Duration::from_secs(10), gone).await;
    redis.kill().unwrap();
    redis.wait().unwrap();
    gone.expect("another node serves");
}

/// A Redis at all addresses.
async fn redis() -> Child {
    let redis = Command::new("redis-server")
        .args(["--port", "6379", "--protected-mode", "no", "--save", ""])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", 6379)).is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redis
}

/// A client at the VIP that only listens.
async fn subscriber() -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("192.0.2.10:0".parse().unwrap()).unwrap();
    let at = SocketAddr::new(VIP.parse().unwrap(), 6379);
    let mut client = socket.connect(at).await.unwrap();
    client.write_all(b"SUBSCRIBE news\r\n").await.unwrap();
    let mut reply = [0; 64];
    assert!(client.read(&mut reply).await.unwrap() > 0);
    client
}

/// After the VIP has left, nothing can be sent from its address, so a client that waits would wait for ever.
#[tokio::test]
#[ignore = "needs redis-server, and namespaces"]
async fn clients_that_only_wait_are_told_although_the_vip_has_left() {
    if !inside("clients_that_only_wait_are_told_although_the_vip_has_left") {
        return;
    }
    ip("addr add 192.0.2.10/24 dev eth9");
    let mut redis = redis().await;
    let dir = tempfile::tempdir().unwrap();
    let (executor, mut outcomes) = executor(dir.path());
    executor.prepare_drain().unwrap();
    let netlink = Netlink::open().unwrap();
    ip("addr add 192.0.2.161/32 dev eth9");
    let mut client = subscriber().await;
    ip("addr del 192.0.2.161/32 dev eth9");
    let target = Endpoint {
        host: VIP.to_owned(),
        port: 6379,
    };
    let id = EffectId {
        seq: Seq(1),
        index: 0,
    };
    let began = Instant::now();
    executor.start(id, 0, Effect::Follow { target });
    let told = timeout(Duration::from_secs(2), client.read(&mut [0; 64])).await;
    let told_after = began.elapsed();
    let followed = outcome(&mut outcomes).await;
    let followed_after = began.elapsed();
    redis.kill().unwrap();
    redis.wait().unwrap();
    eprintln!("told after {told_after:?}, followed after {followed_after:?}");
    match told.expect("the client is told") {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
    assert!(followed.is_done(), "{followed}");
    assert!(!is_on(&netlink, VIP, "lo").await, "lent for a moment only");
}
