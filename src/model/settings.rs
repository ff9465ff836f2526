//! What the machine is told of the configuration. No secret ever enters it.

use serde::{Deserialize, Serialize};

use super::quorum::Quorum;
use super::redis::{Endpoint, Grade};

/// The settings of one instance on one node, as journaled in `Configured`. Durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Name of this node.
    pub node: String,
    /// The other nodes that have a higher priority than this one: of equals, they lead.
    pub above: Vec<String>,
    /// The other nodes of the instance, the one of highest priority first.
    pub peers: Vec<String>,
    /// This node's own Redis, as others reach it.
    pub own: Endpoint,
    /// The Redis behind the VIP.
    pub vip: Endpoint,
    /// Whom a replica follows.
    pub follow: Endpoint,
    /// Consecutive failed checks that make Redis down. At least 1.
    pub fall: u16,
    /// Consecutive good checks that make Redis up again. At least 1.
    pub rise: u16,
    /// The grades that count towards `fall`.
    pub fall_on: Vec<Grade>,
    /// What the newest primary adds to its VRRP priority.
    pub bias: u8,
    /// A copy that may be older is promoted when the last primary has been waited for; else only by an operator.
    pub prefer_availability: bool,
    /// How long the last primary is waited for.
    pub last_primary_ms: u64,
    /// A primary that had a replica takes writes only while it has one, unless no other node can have been promoted.
    pub replicated_writes: bool,
    /// A primary that does not answer any more is killed, where another node can take over.
    pub kill_hung: bool,
    /// How long the drain address stands; 0 for none.
    pub drain_ms: u64,
    /// At the very first start, each rank waits this long for the one above it.
    pub negotiation_ms: u64,
    /// Wait before a failed order is tried again; doubles up to 32 times this.
    pub retry_ms: u64,
    /// VIP and keepalived's word may disagree this long before the VIP is believed.
    pub reconcile_ms: u64,
    /// keepalived may be gone this long (its parent restarts a dead child at once).
    pub keepalived_gone_ms: u64,
    /// How long Redis may be down here before it is asked whether another node serves.
    pub unserved_ms: u64,
    /// How long a primary may be without a replica before that is an alarm.
    pub redundancy_ms: u64,
    /// An unresolved alarm is said again after this; 0 for never.
    pub repeat_ms: u64,
    /// Names of the alarm sinks.
    pub sinks: Vec<String>,
    /// After a clock jump or a stall nothing is promoted for so long, or until everything was looked at anew; 0 for never.
    pub tilt_ms: u64,
    /// So many automatic promotions within the window are too many; 0 for no limit.
    pub max_promotions: u16,
    /// How long an automatic promotion counts.
    pub promotions_window_ms: u64,
    /// Whose votes are needed to lead; `None` if none are.
    pub quorum: Option<Quorum>,
}
