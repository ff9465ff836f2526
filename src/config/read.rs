//! The keys, their defaults and their ranges: the schema, in the order of `config/rha.toml`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::document::Table;
use super::failover::{Failover, Follow, Prefer};
use super::quorum::{self, Quorum};
use super::spoiled::{RUNTIME, STATE};
use super::types::{
    Alarms, BlackBox, Health, Journal, Keepalived, Paths, Redis, Rescue, Sink, SinkKind, ThisNode,
    Transport, VrrpVersion,
};
use super::{size, value};
use crate::model::redis::Grade;

/// Most instances on one node.
const INSTANCES_MAX: usize = 1024;
/// Most nodes of one instance: the automatic priorities must stay above zero.
const NODES_MAX: usize = 64;
/// Most alarm sinks.
const SINKS_MAX: usize = 16;

/// What one `[[instance]]` says, before priorities and names are filled in.
pub(super) struct RawInstance {
    pub(super) name: String,
    pub(super) vip: IpAddr,
    pub(super) port: u16,
    pub(super) interface: String,
    pub(super) virtual_router_id: u8,
    pub(super) vrrp_instance: String,
    pub(super) redis: Redis,
    pub(super) nodes: Vec<RawMember>,
}

/// What one `[[instance.node]]` says.
pub(super) struct RawMember {
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) priority: Option<u8>,
}

/// What the file says.
pub(super) struct RawConfig {
    pub(super) node: ThisNode,
    pub(super) paths: Paths,
    pub(super) journal: Journal,
    pub(super) black_box: BlackBox,
    pub(super) rescue: Rescue,
    pub(super) keepalived: Keepalived,
    pub(super) health: Health,
    pub(super) failover: Failover,
    pub(super) quorum: Option<Quorum>,
    pub(super) alarm: Alarms,
    pub(super) instances: Vec<RawInstance>,
}

/// Reads the whole document; `None` if anything was wrong. Every key is looked at either way.
pub(super) fn document(mut root: Table<'_>) -> Option<RawConfig> {
    let node = node(root.table("node"));
    let paths = paths(root.table("paths"));
    let journal = journal(root.table("journal"));
    let black_box = black_box(root.table("blackbox"));
    let rescue = rescue(root.table("rescue"));
    let keepalived = keepalived(root.table("keepalived"));
    let health = health(root.table("health"));
    let failover = failover(root.table("failover"));
    let quorum = quorum::quorum(root.table("quorum"));
    let alarm = alarm(root.table("alarm"));
    let instances = root.tables("instance", INSTANCES_MAX);
    let instances = all(instances.into_iter().map(instance));
    root.close();
    Some(RawConfig {
        node: node?,
        paths: paths?,
        journal: journal?,
        black_box: black_box?,
        rescue: rescue?,
        keepalived: keepalived?,
        health: health?,
        failover: failover?,
        quorum: quorum?,
        alarm: alarm?,
        instances: instances?,
    })
}

fn node(mut table: Table<'_>) -> Option<ThisNode> {
    let name = table.or("name", String::new(), value::name_or_default);
    table.close();
    Some(ThisNode { name: name? })
}

fn paths(mut table: Table<'_>) -> Option<Paths> {
    let state = table.or("state", STATE.into(), value::path);
    let runtime = table.or("runtime", RUNTIME.into(), value::socket_directory);
    table.close();
    Some(Paths {
        state: state?,
        runtime: runtime?,
    })
}

fn journal(mut table: Table<'_>) -> Option<Journal> {
    let keep = millis(400 * 24 * 3_600_000);
    let keep = table.or("keep", keep, value::duration("1d", "36500d"));
    let size = table.or("size", 4 << 30, size::size("64MiB", "64TiB"));
    table.close();
    Some(Journal {
        keep: keep?,
        size: size?,
    })
}

fn black_box(mut table: Table<'_>) -> Option<BlackBox> {
    let keep = table.or("keep", 64 << 20, size::size_or_none("1MiB", "1TiB"));
    let file = table.or("file", 8 << 20, size::size("64KiB", "64GiB"));
    table.close();
    Some(BlackBox {
        keep: keep?,
        file: file?,
    })
}

fn rescue(mut table: Table<'_>) -> Option<Rescue> {
    let keep = table.or("keep", 8, value::integer(0, 1000));
    let size = table.or("size", 10 << 30, size::size("1MiB", "64TiB"));
    let timeout = table.or("timeout", millis(300_000), value::duration("1s", "1d"));
    table.close();
    Some(Rescue {
        keep: keep?,
        size: size?,
        timeout: timeout?,
    })
}

fn keepalived(mut table: Table<'_>) -> Option<Keepalived> {
    const TRANSPORTS: &[(&str, Transport)] = &[
        ("unicast", Transport::Unicast),
        ("multicast", Transport::Multicast),
    ];
    let user = table.or("user", "root".into(), value::account);
    let group = table.or("group", "root".into(), value::account);
    let pidfile = PathBuf::from("/run/keepalived.pid");
    let pidfile = table.or("pidfile", Some(pidfile), value::optional_path);
    let config = "/etc/keepalived/keepalived.conf".into();
    let config = table.or("config", config, value::path);
    let vrrp_version = table.or("vrrp_version", 3, value::integer::<u8>(2, 3));
    let advert_interval = table.or(
        "advert_interval",
        millis(100),
        value::duration("10ms", "255s"),
    );
    let transport = table.or("transport", Transport::Unicast, value::choice(TRANSPORTS));
    let check_interval = table.or("check_interval", millis(1000), value::duration("0s", "1h"));
    table.close();
    Some(Keepalived {
        user: user?,
        group: group?,
        pidfile: pidfile?,
        config: config?,
        vrrp_version: match vrrp_version? {
            2 => VrrpVersion::V2,
            _ => VrrpVersion::V3,
        },
        advert_interval: advert_interval?,
        transport: transport?,
        check_interval: check_interval?,
    })
}

fn health(mut table: Table<'_>) -> Option<Health> {
    let fall_on = vec![
        Grade::Timeout,
        Grade::Refused,
        Grade::Unreachable,
        Grade::Garbage,
    ];
    let interval = table.or("interval", millis(1000), value::duration("10ms", "1h"));
    let timeout = table.or("timeout", millis(500), value::duration("1ms", "1h"));
    let slow = table.or("slow", millis(100), value::duration("1ms", "1h"));
    let fall = table.or("fall", 3, value::integer(1, 1000));
    let rise = table.or("rise", 3, value::integer(1, 1000));
    let fall_on = table.or("fall_on", fall_on, grades);
    table.close();
    Some(Health {
        interval: interval?,
        timeout: timeout?,
        slow: slow?,
        fall: fall?,
        rise: rise?,
        fall_on: fall_on?,
    })
}

fn failover(mut table: Table<'_>) -> Option<Failover> {
    const PREFERENCES: &[(&str, Prefer)] = &[
        ("availability", Prefer::Availability),
        ("consistency", Prefer::Consistency),
    ];
    let follow = table.or("follow", Follow::Vip, |found| {
        value::name(found).map(|name| match name.as_str() {
            "vip" => Follow::Vip,
            _ => Follow::Node(name),
        })
    });
    let prefer = table.or("prefer", Prefer::Availability, value::choice(PREFERENCES));
    let wait = value::duration("0s", "1d");
    let last_primary_wait = table.or("last_primary_wait", millis(30_000), wait);
    let replicated_writes = table.or("replicated_writes", false, value::boolean);
    let replica_lag = table.or("replica_lag", millis(2000), value::duration("2s", "60s"));
    let kill_hung = table.or("kill_hung", true, value::boolean);
    let drain = table.or("drain", millis(3000), value::duration("0s", "60s"));
    let negotiation_wait = value::duration("0s", "5m");
    let negotiation_wait = table.or("negotiation_wait", millis(2000), negotiation_wait);
    let retry = table.or("retry", millis(200), value::duration("10ms", "1m"));
    let reconcile_wait = table.or("reconcile_wait", millis(500), value::duration("10ms", "5m"));
    let gone = value::duration("10ms", "5m");
    let keepalived_gone_wait = table.or("keepalived_gone_wait", millis(100), gone);
    let tilt = table.or("tilt", millis(2000), value::duration("0s", "30s"));
    let max_promotions = table.or("max_promotions", 20, value::integer(0, 1000));
    let window = value::duration("10s", "1d");
    let promotions_window = table.or("promotions_window", millis(30_000), window);
    table.close();
    Some(Failover {
        follow: follow?,
        prefer: prefer?,
        last_primary_wait: last_primary_wait?,
        replicated_writes: replicated_writes?,
        replica_lag: replica_lag?,
        kill_hung: kill_hung?,
        drain: drain?,
        negotiation_wait: negotiation_wait?,
        retry: retry?,
        reconcile_wait: reconcile_wait?,
        keepalived_gone_wait: keepalived_gone_wait?,
        tilt: tilt?,
        max_promotions: max_promotions?,
        promotions_window: promotions_window?,
    })
}

fn alarm(mut table: Table<'_>) -> Option<Alarms> {
    let local_ip = table.or("local_ip", None, value::optional_address);
    let unserved_wait = table.or("unserved_wait", millis(5000), value::duration("0s", "1d"));
    let redundancy_wait = table.or(
        "redundancy_wait",
        millis(30_000),
        value::duration("0s", "30d"),
    );
    let repeat = table.or(
        "repeat",
        millis(4 * 3_600_000),
        value::duration("0s", "30d"),
    );
    let sinks = table.tables("sink", SINKS_MAX);
    let sinks = all(sinks.into_iter().map(sink));
    table.close();
    Some(Alarms {
        local_ip: local_ip?,
        unserved_wait: unserved_wait?,
        redundancy_wait: redundancy_wait?,
        repeat: repeat?,
        sinks: sinks?,
    })
}

fn sink(mut table: Table<'_>) -> Option<Sink> {
    const KINDS: &[(&str, SinkKind)] = &[
        ("simplealarm", SinkKind::Simplealarm),
        ("alertmanager", SinkKind::Alertmanager),
        ("webhook", SinkKind::Webhook),
    ];
    let name = table.required("name", value::name);
    let kind = table.required("kind", value::choice(KINDS));
    let url = table.required("url", value::url);
    let mail_to = table.or("mail_to", String::new(), value::string);
    let sms_to = table.or("sms_to", String::new(), value::string);
    let timeout = table.or("timeout", millis(5000), value::duration("100ms", "1m"));
    table.close();
    Some(Sink {
        name: name?,
        kind: kind?,
        url: url?,
        mail_to: mail_to?,
        sms_to: sms_to?,
        timeout: timeout?,
    })
}

fn instance(mut table: Table<'_>) -> Option<RawInstance> {
    let name = table.required("name", value::name);
    let vip = table.required("vip", value::vip);
    let port = table.or("port", 6379, value::integer(1, 65_535));
    let interface = table.required("interface", value::interface);
    let virtual_router_id = table.required("virtual_router_id", value::integer(1, 255));
    let vrrp_instance = table.or("vrrp_instance", String::new(), value::name_or_default);
    let redis = redis(table.table("redis"));
    let nodes = table.tables("node", NODES_MAX);
    let nodes = all(nodes.into_iter().map(member));
    table.close();
    Some(RawInstance {
        name: name?,
        vip: vip?,
        port: port?,
        interface: interface?,
        virtual_router_id: virtual_router_id?,
        vrrp_instance: vrrp_instance?,
        redis: redis?,
        nodes: nodes?,
    })
}

fn redis(mut table: Table<'_>) -> Option<Redis> {
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let host = table.or("host", IpAddr::V4(Ipv4Addr::LOCALHOST), value::address);
    let username = table.or("username", String::new(), value::username);
    let password_file = table.or("password_file", None, value::optional_path);
    let password_place = table.place("password_file");
    let start = words(&[
        "redis-server",
        "/etc/redis/redis.conf",
        "--daemonize",
        "yes",
    ]);
    let start = table.or("start", start, value::command);
    let start_as_replica = words(&["--replicaof", "127.0.0.1", "1"]);
    let start_as_replica = table.or("start_as_replica", start_as_replica, value::strings);
    let unit = table.or("unit", String::new(), value::unit);
    let start_timeout = table.or("start_timeout", millis(60_000), value::duration("1s", "1d"));
    let stop_timeout = table.or("stop_timeout", millis(20_000), value::duration("1s", "1d"));
    table.close();
    Some(Redis {
        host: host?,
        username: username?,
        password_file: password_file?,
        password_place,
        start: start?,
        start_as_replica: start_as_replica?,
        unit: unit?,
        start_timeout: start_timeout?,
        stop_timeout: stop_timeout?,
    })
}

fn member(mut table: Table<'_>) -> Option<RawMember> {
    let name = table.required("name", value::name);
    let address = table.required("address", value::address);
    let priority = table.or("priority", None, |found| {
        value::integer(1, 254)(found).map(Some)
    });
    table.close();
    Some(RawMember {
        name: name?,
        address: address?,
        priority: priority?,
    })
}

/// The grades that may count as failed: all but `ok` and `slow`, which are answers in time.
fn grades(found: &DeValue<'_>) -> Result<Vec<Grade>, String> {
    let countable = &Grade::ALL[2..];
    let mut grades = Vec::new();
    for word in value::strings(found)? {
        let grade = countable.iter().find(|grade| grade.word() == word);
        let Some(grade) = grade else {
            let allowed: Vec<_> = countable.iter().map(|grade| grade.word()).collect();
            return Err(format!(
                "\"{word}\" cannot count as failed; {}",
                allowed.join(", ")
            ));
        };
        grades.push(*grade);
    }
    grades.sort_unstable();
    grades.dedup();
    Ok(grades)
}

/// All or nothing, but every item is looked at.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<_> = items.collect();
    items.into_iter().collect()
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
