//! The typed settings, in the order of `config/rha.toml`.
//!
//! A value of these types has been checked: names are file names, addresses are addresses, ranges
//! hold. They serialize to the TOML that they were read from, with every default filled in.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::failover::Failover;
use super::problem::{Place, Problem};
use super::quorum::Quorum;
use super::{show, size};
use crate::model::redis::{Endpoint, Grade};

/// The effective configuration of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// `[node]`
    pub node: ThisNode,
    /// `[paths]`
    pub paths: Paths,
    /// `[journal]`
    pub journal: Journal,
    /// `[blackbox]`
    #[serde(rename = "blackbox")]
    pub black_box: BlackBox,
    /// `[rescue]`
    pub rescue: Rescue,
    /// `[keepalived]`
    pub keepalived: Keepalived,
    /// `[health]`
    pub health: Health,
    /// `[failover]`
    pub failover: Failover,
    /// `[quorum]`; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Quorum>,
    /// `[alarm]`
    pub alarm: Alarms,
    /// `[[instance]]`, in the order of the file; at least one.
    #[serde(rename = "instance")]
    pub instances: Vec<Instance>,
    /// What is allowed, and unwise.
    #[serde(skip)]
    pub remarks: Vec<Problem>,
}

/// Which node this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThisNode {
    /// A node of every instance.
    pub name: String,
}

/// The two directories below which everything lies; see [`Paths::journal`] and its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// Survives a reboot.
    pub state: PathBuf,
    /// Need not survive a reboot.
    pub runtime: PathBuf,
}

/// How much of the record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Journal {
    /// Older records are removed.
    #[serde(serialize_with = "show::duration")]
    pub keep: Duration,
    /// What it takes on the disk, in bytes: beyond that, the oldest records are removed.
    #[serde(serialize_with = "size::serialize")]
    pub size: u64,
}

/// Every notable record as a line of JSON, in plain files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlackBox {
    /// What all files take together, in bytes: zero if there is to be none, else at least twice `file`.
    #[serde(serialize_with = "size::serialize")]
    pub keep: u64,
    /// What one file takes, in bytes; at least a 256th of `keep`.
    #[serde(serialize_with = "size::serialize")]
    pub file: u64,
}

/// Data sets that are saved before they are overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rescue {
    /// So many are kept, the newest; zero if none is to be saved.
    pub keep: u16,
    /// What they take together, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub size: u64,
    /// How long saving one may take.
    #[serde(serialize_with = "show::duration")]
    pub timeout: Duration,
}

/// How keepalived is run and configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keepalived {
    /// Owner of the FIFO and the track files, and the user of `rha check`.
    pub user: String,
    /// Group of the same.
    pub group: String,
    /// keepalived's process id; `None` if it must not be watched.
    #[serde(serialize_with = "show::optional_path")]
    pub pidfile: Option<PathBuf>,
    /// Where `rha keepalived install` writes.
    pub config: PathBuf,
    /// VRRP version.
    #[serde(serialize_with = "show::version")]
    pub vrrp_version: VrrpVersion,
    /// 10 ms to 40.95 s in steps of 10 ms (version 3), or whole seconds (version 2).
    #[serde(serialize_with = "show::duration")]
    pub advert_interval: Duration,
    /// How adverts travel.
    pub transport: Transport,
    /// How often keepalived runs `rha check`, in whole seconds; zero for never.
    #[serde(serialize_with = "show::duration")]
    pub check_interval: Duration,
}

/// VRRP on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VrrpVersion {
    /// RFC 3768.
    V2,
    /// RFC 5798 and RFC 9568.
    V3,
}

/// How VRRP adverts reach the other nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// To each node's own address.
    Unicast,
    /// To 224.0.0.18 or ff02::12.
    Multicast,
}

/// Health checks of the local Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// One check each.
    #[serde(serialize_with = "show::duration")]
    pub interval: Duration,
    /// Deadline of one check; at most `interval`.
    #[serde(serialize_with = "show::duration")]
    pub timeout: Duration,
    /// A slower answer is graded [`Grade::Slow`]; at most `timeout`.
    #[serde(serialize_with = "show::duration")]
    pub slow: Duration,
    /// Consecutive failed checks that make Redis down; at least 1.
    pub fall: u16,
    /// Consecutive good checks that make Redis up again; at least 1.
    pub rise: u16,
    /// The grades that count as failed, ascending; neither `Ok` nor `Slow`.
    #[serde(serialize_with = "show::grades")]
    pub fall_on: Vec<Grade>,
}

/// What operators are told, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarms {
    /// Put before title and content; `None` for this node's address.
    #[serde(serialize_with = "show::optional_address")]
    pub local_ip: Option<IpAddr>,
    /// Redis is down here and nobody else serves: alarm after this.
    #[serde(serialize_with = "show::duration")]
    pub unserved_wait: Duration,
    /// The primary has no replica: alarm after this.
    #[serde(serialize_with = "show::duration")]
    pub redundancy_wait: Duration,
    /// An unresolved alarm is said again after this; zero for never.
    #[serde(serialize_with = "show::duration")]
    pub repeat: Duration,
    /// `[[alarm.sink]]`
    #[serde(rename = "sink", skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<Sink>,
}

/// One receiver of alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sink {
    /// Unique.
    pub name: String,
    /// What it understands.
    pub kind: SinkKind,
    /// `http` or `https`. Shown without its password.
    #[serde(serialize_with = "show::url")]
    pub url: reqwest::Url,
    /// Simplealarm's `mailTo`.
    pub mail_to: String,
    /// Simplealarm's `smsTo`.
    pub sms_to: String,
    /// Deadline of one attempt.
    #[serde(serialize_with = "show::duration")]
    pub timeout: Duration,
}

/// The body that a sink understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// `{"title", "content", "mailTo", "smsTo"}`
    Simplealarm,
    /// Alertmanager API v2.
    Alertmanager,
    /// The alarm as one JSON object.
    Webhook,
}

/// One VIP and the Redis nodes behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Unique; part of file names.
    pub name: String,
    /// The address that clients use. No node's own.
    pub vip: IpAddr,
    /// Redis' port on every node.
    pub port: u16,
    /// Where the VIP lives.
    pub interface: String,
    /// VRRP group, 1 to 255, unique on the interface.
    pub virtual_router_id: u8,
    /// Name of the `vrrp_instance`; unique.
    pub vrrp_instance: String,
    /// How to reach and run the local Redis.
    pub redis: Redis,
    /// `[[instance.node]]`: all nodes, this one too, in the order of the file.
    #[serde(rename = "node")]
    pub nodes: Vec<Member>,
}

/// How to reach and run the local Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redis {
    /// Never the VIP.
    pub host: IpAddr,
    /// ACL user; empty for none.
    pub username: String,
    /// File with the password in its first line; see [`Redis::password`].
    #[serde(serialize_with = "show::optional_path")]
    pub password_file: Option<PathBuf>,
    /// Where that file is named.
    #[serde(skip)]
    pub password_place: Place,
    /// Command that starts Redis in the background; empty if rha must not start it.
    pub start: Vec<String>,
    /// Arguments added to `start` so that Redis boots as a replica of nobody.
    pub start_as_replica: Vec<String>,
    /// The systemd unit that is used instead of `start`; empty for none.
    pub unit: String,
    /// How long a start may take.
    #[serde(serialize_with = "show::duration")]
    pub start_timeout: Duration,
    /// How long a stop may take.
    #[serde(serialize_with = "show::duration")]
    pub stop_timeout: Duration,
}

/// One node of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Unique in the instance.
    pub name: String,
    /// Its own address: adverts and replication.
    pub address: IpAddr,
    /// VRRP base priority, 1 to 254 less the bias; distinct.
    pub priority: u8,
}

impl Instance {
    /// The node called `name`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.nodes.iter().find(|member| member.name == name)
    }

    /// All nodes but `this`, in the order of the file.
    pub fn others<'a>(&'a self, this: &'a str) -> impl Iterator<Item = &'a Member> {
        self.nodes.iter().filter(move |member| member.name != this)
    }

    /// What the newest primary adds to its priority. Half of it, which a primary adds that every other node
    /// follows, outranks every node that is no primary; all of it outranks that primary.
    #[must_use]
    pub fn bias(&self) -> u8 {
        let priorities = || self.nodes.iter().map(|member| member.priority);
        let highest = priorities().max().unwrap_or_default();
        let lowest = priorities().min().unwrap_or_default();
        (highest - lowest).saturating_add(1).saturating_mul(2)
    }

    /// The Redis behind the VIP.
    #[must_use]
    pub fn vip_endpoint(&self) -> Endpoint {
        self.endpoint(self.vip)
    }

    /// The local Redis, for checks and orders.
    #[must_use]
    pub fn local_endpoint(&self) -> Endpoint {
        self.endpoint(self.redis.host)
    }

    /// The Redis of a node, as others reach it.
    #[must_use]
    pub fn endpoint_of(&self, member: &Member) -> Endpoint {
        self.endpoint(member.address)
    }

    fn endpoint(&self, host: IpAddr) -> Endpoint {
        Endpoint {
            host: host.to_string(),
            port: self.port,
        }
    }
}

impl Paths {
    /// The record of everything.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal")
    }

    /// The notable records as JSON lines.
    #[must_use]
    pub fn black_box(&self) -> PathBuf {
        self.state.join("blackbox")
    }

    /// Bundles from elsewhere.
    #[must_use]
    pub fn bundles(&self) -> PathBuf {
        self.state.join("bundles")
    }

    /// Notify lines on their way in.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.state.join("spool")
    }

    /// Copies of data sets that were about to be overwritten.
    #[must_use]
    pub fn rescue(&self) -> PathBuf {
        self.state.join("rescue")
    }

    /// Where the agent serves HTTP.
    #[must_use]
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// What `rha-event` rings.
    #[must_use]
    pub fn doorbell_socket(&self) -> PathBuf {
        self.runtime.join("doorbell.sock")
    }

    /// What keepalived writes its notify lines into.
    #[must_use]
    pub fn fifo(&self) -> PathBuf {
        self.runtime.join("keepalived.fifo")
    }

    /// The directory that keepalived watches: nothing but track files belongs there.
    #[must_use]
    pub fn track(&self) -> PathBuf {
        self.runtime.join("track")
    }

    /// Track file: may keepalived hold the VIP here? `0`, empty or missing is no.
    #[must_use]
    pub fn eligible(&self, instance: &str) -> PathBuf {
        self.track().join(format!("{instance}.eligible"))
    }

    /// Track file: what is added to the VRRP priority.
    #[must_use]
    pub fn bias(&self, instance: &str) -> PathBuf {
        self.track().join(format!("{instance}.bias"))
    }
}
