//! `[failover]`, typed.

use std::time::Duration;

use serde::Serialize;

use super::show;

/// Promotion, demotion and their waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failover {
    /// Whom a replica follows.
    #[serde(serialize_with = "show::follow")]
    pub follow: Follow,
    /// What counts more where the newest copy is gone.
    pub prefer: Prefer,
    /// How long the last primary is waited for.
    #[serde(serialize_with = "show::duration")]
    pub last_primary_wait: Duration,
    /// A primary that had a replica takes writes only while it has one.
    pub replicated_writes: bool,
    /// How long ago a replica may have been heard of last, in whole seconds.
    #[serde(serialize_with = "show::duration")]
    pub replica_lag: Duration,
    /// Kill a primary that does not answer any more, where another node can take over.
    pub kill_hung: bool,
    /// How long the drain address stands; zero for never.
    #[serde(serialize_with = "show::duration")]
    pub drain: Duration,
    /// At the very first start, the wait for each node of higher priority.
    #[serde(serialize_with = "show::duration")]
    pub negotiation_wait: Duration,
    /// First wait before a failed order is tried again.
    #[serde(serialize_with = "show::duration")]
    pub retry: Duration,
    /// How long the VIP and keepalived's word may disagree.
    #[serde(serialize_with = "show::duration")]
    pub reconcile_wait: Duration,
    /// How long keepalived may be gone.
    #[serde(serialize_with = "show::duration")]
    pub keepalived_gone_wait: Duration,
    /// How long nothing is promoted after a clock jump or a stall, at most; zero for never.
    #[serde(serialize_with = "show::duration")]
    pub tilt: Duration,
    /// So many automatic promotions within the window are too many; 0 for no limit.
    pub max_promotions: u16,
    /// How long an automatic promotion counts.
    #[serde(serialize_with = "show::duration")]
    pub promotions_window: Duration,
}

/// What counts more where the newest copy is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// An older copy is promoted after a while.
    Availability,
    /// It is promoted by an operator only.
    Consistency,
}

/// Whom a replica follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// Whoever holds the VIP.
    Vip,
    /// This node, wherever the VIP is. Never the node itself.
    Node(String),
}
