//! A deterministic world of two or three nodes: keepalived, Redis, the network and the shell of the agent
//! are played; the machine is the real one.
//!
//! ```text
//!  Node ── keepalived (adverts, timers, VIP) ──lines──> spool ──┐
//!       ── redis (role, lineage, links) ──probes, exit──────────┼─> agent: record, decide ──> effects ─┐
//!       ── track files <── drain <── role orders <──────────────┴──────────────────────────────────────┘
//! ```
//!
//! One queue of actions in virtual microseconds drives it all: no clock, no thread, no chance but a seed.

#![allow(dead_code)] // Each test program uses a part of it.

mod agent;
pub mod check;
mod effects;
mod keepalived;
mod network;
mod probe;
mod quorum;
mod redis;
mod rescue;
pub mod rng;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use rha::model::alarm::Alarm;
use rha::model::record::Record;
use rha::model::redis::Endpoint;
use rha::model::rescue::Diverged;
use rha::model::settings::Settings;
use rha::model::time::{At, BootId};
use rha::model::vrrp::Notified;

pub use self::agent::Agent;
pub use self::keepalived::Keepalived;
pub use self::redis::{Boot, Redis};
use self::rng::Rng;

/// Microseconds in a millisecond and in a second.
pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;

/// The port of Redis on every node.
pub const PORT: u16 = 6379;
/// The VIP.
pub const VIP: &str = "10.0.0.100";

/// Wall time at which the world begins: 2026-01-01.
const BEGINNING_US: i64 = 1_767_225_600_000_000;
/// A host has been up for a minute when the world begins.
const UPTIME_US: u64 = 60 * SECOND;

/// What can be stopped and continued by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Keepalived,
    Redis,
    Agent,
}

/// One host.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub settings: Settings,
    /// VRRP priority without the bias.
    pub priority: u8,
    pub booted: bool,
    boots: u64,
    boot_at: u64,
    /// The cable is in.
    pub link_up: bool,
    /// Which side of a partition it is on; 0 is the side of the clients and of the alarm sink.
    pub side: u8,
    /// VRRP packets from and to it are dropped, and nothing else.
    pub vrrp_cut: bool,
    /// The VIP is on its interface; since when.
    pub vip: bool,
    pub vip_since: u64,
    /// The VIP is on `lo`.
    pub drain: bool,
    /// The track files as keepalived reads them: a missing one is 0.
    pub eligible: bool,
    pub bias: u8,
    pub keepalived: Keepalived,
    pub redis: Redis,
    pub agent: Agent,
    /// The journal: outlives the agent.
    pub records: Vec<Record>,
    /// The spool: outlives the agent.
    spool: Vec<Notified>,
    /// How many of keepalived's next lines get lost.
    pub lose_lines: u32,
    /// How many of the next orders of a sort fail, and how long one takes.
    pub failing: BTreeMap<String, u32>,
    pub taking_us: BTreeMap<String, u64>,
    /// What was saved before it was overwritten; and there is no room for more.
    pub rescued: Vec<Diverged>,
    pub rescues_fail: bool,
    canvass: quorum::Canvass,
    lanes: effects::Lanes,
    stalled: BTreeSet<Part>,
    /// When its agent stood still last.
    stood_since: u64,
    /// What was done to its wall clock.
    skew_us: i64,
    deferred: Vec<Action>,
}

/// An alarm that reached the sink.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub at: u64,
    pub node: usize,
    pub alarm: Alarm,
}

/// Something that will happen.
#[derive(Debug, Clone)]
enum Action {
    Keepalived(usize, keepalived::Act),
    Redis(usize, redis::Act),
    Agent(usize, agent::Act),
    Effect(usize, effects::Act),
}

impl Action {
    fn part(&self) -> (usize, Part) {
        match self {
            Self::Keepalived(node, _) => (*node, Part::Keepalived),
            Self::Redis(node, _) => (*node, Part::Redis),
            Self::Agent(node, _) | Self::Effect(node, _) => (*node, Part::Agent),
        }
    }
}

/// Everything.
#[derive(Debug)]
pub struct World {
    /// Virtual time since the beginning, in microseconds.
    pub now: u64,
    pub nodes: Vec<Node>,
    /// The story so far.
    pub told: Vec<String>,
    pub alarms: Vec<Delivered>,
    /// How long a full synchronisation takes.
    pub sync_us: u64,
    /// Who lends the right to lead.
    pub voters: Vec<quorum::Voter>,
    queue: BTreeMap<(u64, u64), Action>,
    queued: u64,
    identities: u64,
    holders: Vec<usize>,
    watch: check::Watch,
    jitter: Option<Rng>,
}

impl World {
    /// `size` nodes called a, b, c, of falling priority. Nothing runs yet. With `jitter`, every latency is
    /// drawn; without it, each is what it is at its best.
    pub fn new(size: usize, jitter: Option<Rng>) -> Self {
        let names: Vec<String> = ["a", "b", "c"][..size]
            .iter()
            .map(|&n| n.to_owned())
            .collect();
        let nodes = (0..size).map(|index| Node::new(index, &names)).collect();
        Self {
            now: 0,
            nodes,
            told: Vec::new(),
            alarms: Vec::new(),
            sync_us: 300 * MS,
            voters: Vec::new(),
            queue: BTreeMap::new(),
            queued: 0,
            identities: 0,
            holders: Vec::new(),
            watch: check::Watch::default(),
            jitter,
        }
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Lets `us` microseconds pass.
    pub fn run(&mut self, us: u64) {
        let until = self.now + us;
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > until {
                break;
            }
            let action = entry.remove();
            self.now = at;
            self.act(action);
            self.tell_vip();
            self.watch_primaries();
        }
        self.now = until;
    }

    fn act(&mut self, action: Action) {
        let (node, part) = action.part();
        if self.nodes[node].stalled.contains(&part) {
            self.nodes[node].deferred.push(action);
            return;
        }
        match action {
            Action::Keepalived(node, act) => self.keepalived_acts(node, act),
            Action::Redis(node, act) => self.redis_acts(node, act),
            Action::Agent(node, act) => self.agent_acts(node, act),
            Action::Effect(node, act) => self.effect_acts(node, act),
        }
    }

    fn after(&mut self, us: u64, action: Action) {
        self.queued += 1;
        self.queue.insert((self.now + us, self.queued), action);
    }

    /// A latency: as given, or up to thirty times as much where the world jitters.
    fn lag(&mut self, us: u64) -> u64 {
        match &mut self.jitter {
            Some(rng) => us + rng.below(us * 30 + 1),
            None => us,
        }
    }

    /// The present, on the clocks of one node.
    fn at(&self, node: usize) -> At {
        let wall = BEGINNING_US + i64::try_from(self.now).expect("a story is short");
        At {
            wall_us: wall + self.nodes[node].skew_us,
            mono_us: self.mono(node),
            boot: BootId(self.nodes[node].boots * 100 + node as u64 + 1),
        }
    }

    fn mono(&self, node: usize) -> u64 {
        UPTIME_US + self.now - self.nodes[node].boot_at
    }

    fn tell_vip(&mut self) {
        let holders = self.holders();
        if holders == self.holders {
            return;
        }
        let names: Vec<&str> = holders
            .iter()
            .map(|&h| self.nodes[h].name.as_str())
            .collect();
        let line = match names.as_slice() {
            [] => "the VIP is nowhere".to_owned(),
            [one] => format!("the VIP is on {one}"),
            many => format!("the VIP is on {} at once", many.join(" and ")),
        };
        self.tell(&format!("-  {line}"));
        self.holders = holders;
    }

    /// Adds a line to the story.
    pub fn tell(&mut self, line: &str) {
        let (seconds, rest) = (self.now / SECOND, self.now % SECOND / 100);
        self.told.push(format!("{seconds:>5}.{rest:04}  {line}"));
    }
}

impl Node {
    fn new(index: usize, names: &[String]) -> Self {
        let own = address(index);
        let vip = Endpoint {
            host: VIP.to_owned(),
            port: PORT,
        };
        Self {
            name: names[index].clone(),
            settings: settings(index, names, own, vip),
            priority: 250 - u8::try_from(index).expect("three nodes at most"),
            booted: true,
            boots: 1,
            boot_at: 0,
            link_up: true,
            side: 0,
            vrrp_cut: false,
            vip: false,
            vip_since: 0,
            drain: false,
            eligible: false,
            bias: 0,
            keepalived: Keepalived::default(),
            redis: Redis::default(),
            agent: Agent::default(),
            records: Vec::new(),
            spool: Vec::new(),
            lose_lines: 0,
            failing: BTreeMap::new(),
            rescued: Vec::new(),
            rescues_fail: false,
            taking_us: BTreeMap::new(),
            canvass: quorum::Canvass::default(),
            lanes: effects::Lanes::default(),
            stalled: BTreeSet::new(),
            stood_since: 0,
            skew_us: 0,
            deferred: Vec::new(),
        }
    }
}

/// A node's own Redis.
pub fn address(index: usize) -> Endpoint {
    Endpoint {
        host: format!("10.0.0.{}", index + 1),
        port: PORT,
    }
}

/// What `config/rha.toml` sets, for one node.
pub fn settings(index: usize, names: &[String], own: Endpoint, vip: Endpoint) -> Settings {
    use rha::model::redis::Grade;
    let mut peers = names.to_vec();
    let node = peers.remove(index);
    Settings {
        node,
        above: names[..index].to_vec(),
        peers,
        own,
        follow: vip.clone(),
        vip,
        fall: 3,
        rise: 3,
        fall_on: vec![
            Grade::Timeout,
            Grade::Refused,
            Grade::Unreachable,
            Grade::Garbage,
        ],
        bias: 4,
        prefer_availability: true,
        last_primary_ms: 30_000,
        replicated_writes: false,
        kill_hung: true,
        drain_ms: 3_000,
        negotiation_ms: 2_000,
        retry_ms: 200,
        reconcile_ms: 500,
        keepalived_gone_ms: 100,
        unserved_ms: 5_000,
        redundancy_ms: 30_000,
        repeat_ms: 4 * 3_600_000,
        sinks: vec!["ops".to_owned()],
        tilt_ms: 2_000,
        max_promotions: 20,
        promotions_window_ms: 30_000,
        quorum: None,
    }
}
