//! Every fault: what happens, what must come of it, and how it is done.
//!
//! A new fault is a function of a [`Scene`] and a row here.

use anyhow::{Context, ensure};

use super::promise::{
    CONFLICT, FAILOVER, GOODBYE, HUNG, Loss, MEMORY, Primary, Promise, SILENT_FAILOVER,
    UNDISTURBED, UNSENT,
};
use super::scene::Scene;
use super::{
    agent, both, busy, keepalived, network, quorum, redis, replicated, restart, switchover,
};
use crate::voters::Quorum;

/// One fault.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// What must come of it.
    pub promise: Promise,
    /// So many hosts are in its world.
    pub hosts: u8,
    /// Whose votes are needed there.
    pub quorum: Quorum,
    /// It leaves settings or files behind: the next one gets another world.
    pub spoils: bool,
    /// Does it and undoes it. Afterwards the hosts must settle by themselves.
    pub act: fn(&mut Scene<'_>) -> anyhow::Result<()>,
}

/// A fault in a world of two hosts that can be used again.
const fn pair(
    name: &'static str,
    what: &'static str,
    promise: Promise,
    act: fn(&mut Scene<'_>) -> anyhow::Result<()>,
) -> Fault {
    Fault {
        name,
        what,
        promise,
        hosts: 2,
        quorum: Quorum::None,
        spoils: false,
        act,
    }
}

impl Fault {
    const fn spoiling(self) -> Self {
        Self {
            spoils: true,
            ..self
        }
    }

    const fn of_three(self) -> Self {
        Self { hosts: 3, ..self }
    }

    const fn with(self, quorum: Quorum) -> Self {
        Self { quorum, ..self }
    }
}

/// The faults of these names, in the order of the table; all where none is named.
pub fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    for name in names {
        find(name)?;
    }
    let wanted = |fault: &&Fault| names.is_empty() || names.iter().any(|name| name == fault.name);
    let chosen: Vec<&Fault> = TABLE.iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no fault is chosen");
    Ok(chosen)
}

/// The fault of that name.
pub fn find(name: &str) -> anyhow::Result<&'static Fault> {
    let found = TABLE.iter().find(|fault| fault.name == name);
    found.with_context(|| format!("no fault {name}: tools/lab faults --list names them"))
}

// One fault to a few lines; rustfmt would give each a dozen.
#[rustfmt::skip]
static TABLE: &[Fault] = &[
    // --- Redis ends, or hangs ----------------------------------------------------------------------
    pair("kill-primary-redis", "kill -9 of the primary's Redis; it is started again.",
        FAILOVER, redis::kill_primary),
    pair("kill-replica-redis", "kill -9 of the replica's Redis; it is started again 3 s later.",
        UNDISTURBED, redis::kill_replica),
    pair("hang-primary-redis", "The primary's Redis hangs (SIGSTOP) until after the failover, and is then killed.",
        HUNG, redis::hang_primary),
    pair("hang-and-wake", "The primary's Redis hangs, another node takes over, and it wakes up as what it was.",
        HUNG, redis::hang_and_wake),
    pair("hang-briefly", "The primary's Redis hangs for 1.2 s: too short to be believed dead.",
        Promise { outage_ms: 1_500, ..UNDISTURBED }, redis::hang_briefly),
    pair("hang-replica-redis", "The replica's Redis hangs for 6 s.",
        UNDISTURBED, redis::hang_replica),
    pair("flap-redis", "The primary's Redis is killed and started again, 20 times in a row.",
        FAILOVER, redis::flap),
    pair("restart-with-data", "The primary's Redis is shut down and started again at once, as a master with its data, not by rha.",
        Promise { outage_ms: SHUTDOWN_MS, two_masters_ms: RETURNED_MS, ..FAILOVER }, restart::with_data),
    pair("restart-empty", "kill -9 of the primary's Redis, and it is back at once as an empty master, not by rha.",
        Promise { two_masters_ms: RETURNED_MS, ..FAILOVER }, restart::empty),
    pair("restart-stale", "kill -9 of the primary's Redis, and it is back at once as a master with an old dump, not by rha.",
        Promise { two_masters_ms: RETURNED_MS, ..FAILOVER }, restart::stale),
    // --- Redis is busy ------------------------------------------------------------------------------
    pair("slow-redis", "The primary's Redis stands still for 0.3 s, five times: below every time-out.",
        Promise { outage_ms: 500, ..UNDISTURBED }, busy::below_the_timeout),
    pair("paused-briefly", "The primary's Redis answers nobody for 1.8 s: two checks time out.",
        Promise { outage_ms: 2_100, ..UNDISTURBED }, busy::below_the_fall),
    pair("paused-for-long", "The primary's Redis answers nobody for 12 s, but lives.",
        HUNG, busy::above_the_fall),
    pair("busy-script", "A script holds the primary's Redis for 3 s; it answers BUSY to everything, which is no reason to fail over.",
        Promise { outage_ms: 3_500, ..UNDISTURBED }, busy::script),
    pair("slow-load", "kill -9 of the primary's Redis; as it is started again, it reads its data set for 5 s.",
        FAILOVER, busy::slow_load).spoiling(),
    // --- both ends ----------------------------------------------------------------------------------
    pair("both-down-ab-back-ab", "Redis dies on the primary, then on its heir; the older copy is back first.",
        Promise { outage_ms: 11_000, ..Promise { primary: Primary::Other, ..BOTH_DOWN } }, both::primary_replica_primary).spoiling(),
    pair("both-down-ab-back-ba", "Redis dies on the primary, then on its heir; the heir is back first.",
        Promise { primary: Primary::Other, ..BOTH_DOWN }, both::primary_replica_replica).spoiling(),
    pair("both-down-ba-back-ab", "Redis dies on the replica, then on the primary; the primary is back first.",
        BOTH_DOWN, both::replica_primary_primary).spoiling(),
    pair("both-down-ba-back-ba", "Redis dies on the replica, then on the primary; the older copy is back first.",
        Promise { outage_ms: 11_000, ..BOTH_DOWN }, both::replica_primary_replica).spoiling(),
    // --- the network --------------------------------------------------------------------------------
    // What was written into the cable's last moment has no answer and no copy: it is rescued, with an alarm.
    pair("link-down-briefly", "The primary's cable is out for 1 s.",
        Promise { alarms: (1, 2), ..SILENT_FAILOVER }, network::link_down_briefly),
    pair("link-down-for-long", "The primary's cable is out for 8 s.",
        Promise { alarms: (1, 3), ..SILENT_FAILOVER }, network::link_down_for_long),
    pair("link-down-replica", "The replica's cable is out for 3 s.",
        UNDISTURBED, network::link_down_replica),
    pair("partition-primary", "The primary is cut off for 4 s, its carrier stays; the client is with the replica.",
        Promise { two_masters_ms: CUT_MS, two_vips_ms: CUT_MS, alarms: (1, 3), ..SILENT_FAILOVER }, network::partition_primary),
    pair("partition-replica", "The replica is cut off for 4 s, its carrier stays; the client is with the primary.",
        CUT_WITH_CLIENTS, network::partition_replica),
    pair("partition-both-written", "The replica is cut off for 4 s, and promoted; the client is with the primary, and another one writes to the new one.",
        Promise { lost: Loss::Any("two nodes have no majority: the newer primary stays, if it was written to"), unrescued: Loss::Nothing,
            alarms: (1, 3), primary: Primary::Other, ..CUT_WITH_CLIENTS }, network::partition_both_written),
    pair("replica-hears-no-vrrp", "VRRP from the primary does not reach the replica for 5 s; everything else does.",
        CONFLICT, network::replica_hears_no_vrrp),
    pair("primary-hears-no-vrrp", "VRRP from the replica does not reach the primary for 5 s; everything else does.",
        UNDISTURBED, network::primary_hears_no_vrrp),
    pair("vrrp-blocked", "No VRRP reaches anybody for 5 s; everything else does.",
        CONFLICT, network::vrrp_blocked),
    pair("host-gone", "All processes of the primary's host end at once and its port is dead; 5 s later it boots.",
        Promise { unrescued: MEMORY, ..SILENT_FAILOVER }, network::host_gone),
    // --- keepalived and the VIP ---------------------------------------------------------------------
    pair("kill-keepalived", "kill -9 of both of the primary's keepalived processes: the VIP stays on its interface.",
        Promise { alarms: (1, 2), two_vips_ms: 300, ..SILENT_FAILOVER }, keepalived::kill),
    pair("kill-keepalived-parent", "kill -9 of the primary's keepalived; its VRRP process says goodbye.",
        Promise { alarms: (1, 2), ..GOODBYE }, keepalived::kill_parent),
    pair("kill-keepalived-child", "kill -9 of the primary's VRRP process; keepalived starts another.",
        Promise { two_masters_ms: 300, two_vips_ms: 1_200, alarms: (0, 2), primary: Primary::Any, ..SILENT_FAILOVER }, keepalived::kill_child),
    pair("stop-keepalived", "keepalived is stopped on the primary, and started again 3 s later.",
        GOODBYE, keepalived::stop),
    pair("keepalived-to-and-fro", "keepalived is stopped on whoever is primary, and started again, 6 times, each time as soon as the other is whole.",
        Promise { alarms: (6, 18), primary: Primary::Any, ..GOODBYE }, keepalived::to_and_fro),
    pair("stop-as-other-returns", "keepalived is stopped for 3 s on an heir at the moment at which the old primary, empty, may have the VIP again: nobody else has the data.",
        Promise { outage_ms: 10_000, alarms: (1, 4), primary: Primary::Any, ..GOODBYE }, keepalived::stop_as_other_returns),
    pair("reload-keepalived", "keepalived reads its configuration again on both hosts (SIGHUP).",
        UNDISTURBED, keepalived::reload),
    pair("freeze-keepalived", "The primary's keepalived stands still for 3 s (SIGSTOP), the VIP on its interface.",
        Promise { two_vips_ms: 3_500, ..CONFLICT }, keepalived::freeze),
    pair("freeze-young-primary", "keepalived stands still on a primary that has just taken over, as its replica comes back, until that has taken over from it.",
        Promise { alarms: (1, 6), primary: Primary::Other, ..CONFLICT }, keepalived::freeze_young),
    pair("vip-removed", "Somebody removes the VIP from the primary's interface.",
        Promise { alarms: (0, 1), primary: Primary::Any, ..SILENT_FAILOVER }, keepalived::vip_removed),
    pair("vip-added", "Somebody adds the VIP to the replica's interface, and removes it 3 s later.",
        Promise { two_vips_ms: 3_500, ..UNDISTURBED }, keepalived::vip_added),
    pair("vip-on-a-stranger", "For 13 s a host that is no node has the VIP, too.",
        Promise { alarms: (1, 1), ..UNDISTURBED }, keepalived::vip_on_a_stranger),
    // --- rha itself ---------------------------------------------------------------------------------
    pair("kill-agent", "kill -9 of the primary's rha; it is started again 3 s later.",
        UNDISTURBED, agent::kill),
    pair("kill-agent-and-redis", "kill -9 of the primary's rha and Redis at once: rha check tells keepalived.",
        Promise { outage_ms: 5_500, ..FAILOVER }, agent::kill_with_redis),
    pair("restart-both-agents", "rha is stopped and started on both hosts at once.",
        UNDISTURBED, agent::restart_both),
    pair("kill-recorder", "kill -9 of the replica's rha-event, then of the primary's Redis: keepalived's line reaches nobody.",
        Promise { outage_ms: 1_000, alarms: (1, 2), ..FAILOVER }, agent::kill_recorder),
    pair("journal-disk-full", "The disk of the replica's journal is full when the primary's Redis is killed.",
        Promise { alarms: (2, 3), ..FAILOVER }, agent::journal_disk_full).spoiling(),
    pair("password-changed", "Redis on the primary has another password for rha for 5 s.",
        Promise { alarms: (1, 2), ..UNDISTURBED }, agent::password_changed).spoiling(),
    // --- a planned switchover -----------------------------------------------------------------------
    pair("switchover", "rha switchover.",
        PLANNED, switchover::planned),
    pair("switchover-under-load", "rha switchover while 20 clients write as fast as they can, and redis-cli connects anew for each command.",
        PLANNED, switchover::under_load),
    pair("switchover-target-dies", "kill -9 of the other Redis in the middle of a switchover.",
        Promise { outage_ms: 5_000, alarms: (0, 2), primary: Primary::Any, ..PLANNED }, switchover::target_dies),
    pair("switchover-primary-dies", "kill -9 of the primary's Redis in the middle of a switchover.",
        Promise { alarms: (0, 1), ..PLANNED }, switchover::primary_dies),
    pair("switchover-target-agent-stands-still", "The other node's rha stands still (SIGSTOP) while the VIP is handed to it.",
        Promise { outage_ms: 5_000, alarms: (0, 2), primary: Primary::Any, ..PLANNED }, switchover::target_agent_stands_still),
    pair("switchover-agent-dies", "kill -9 of the primary's rha in the middle of a switchover.",
        Promise { outage_ms: 2_000, alarms: (0, 2), primary: Primary::Any, ..PLANNED }, switchover::agent_dies),
    // --- three hosts --------------------------------------------------------------------------------
    pair("three-kill-primary-redis", "Three hosts: kill -9 of the primary's Redis; it is started again.",
        FAILOVER, redis::kill_primary).of_three(),
    pair("three-partition-primary", "Three hosts: the primary is cut off for 4 s; the client is with the two others.",
        Promise { two_masters_ms: CUT_MS, two_vips_ms: CUT_MS, alarms: (1, 3), ..SILENT_FAILOVER }, network::partition_primary).of_three(),
    pair("three-host-gone", "Three hosts: all processes of the primary's host end at once; 5 s later it boots.",
        Promise { unrescued: MEMORY, ..SILENT_FAILOVER }, network::host_gone).of_three(),
    // --- writes are taken only with a replica (replicated_writes) ------------------------------------
    pair("replicated-kill-primary-redis", "kill -9 of the primary's Redis; its host says that nothing runs there, so that the other one needs no replica.",
        FAILOVER, replicated::kill_primary).spoiling(),
    pair("replicated-kill-replica-redis", "kill -9 of the replica's Redis; its host says that nothing runs there, so that the primary goes on.",
        Promise { outage_ms: 1_500, ..UNDISTURBED }, replicated::kill_replica).spoiling(),
    pair("replicated-partition-replica", "The replica is cut off for 4 s; the primary, with the client, takes writes for 2 s more.",
        Promise { outage_ms: 5_500, two_masters_ms: 0, ..CUT_WITH_CLIENTS }, replicated::partition_replica).spoiling(),
    pair("replicated-partition-primary", "The primary is cut off for 4 s; the client is with the replica, which takes no writes either.",
        Promise { outage_ms: 7_500, two_masters_ms: 0, ..CUT_WITH_CLIENTS }, replicated::partition_primary).spoiling(),
    pair("replicated-host-gone", "All processes of the primary's host end at once; 4 s later an operator says that the other one leads.",
        Promise { outage_ms: 7_000, unrescued: MEMORY, ..SILENT_FAILOVER }, replicated::host_gone).spoiling(),
    // --- with a quorum ------------------------------------------------------------------------------
    pair("quorum-clean-failover", "etcd: kill -9 of the primary's Redis; its node gives the lead back, and the other one takes it.",
        FAILOVER, redis::kill_primary).with(Quorum::Etcd),
    pair("quorum-partition", "etcd: the primary and the client are cut off from the replica and from etcd for 12 s.",
        CUT_OFF, quorum::partition).with(Quorum::Etcd),
    pair("quorum-primary-alone", "etcd: the primary is cut off from all others for 12 s; the client is with the replica.",
        LEASE_OVER, quorum::primary_alone).with(Quorum::Etcd),
    pair("quorum-host-gone", "etcd: all processes of the primary's host end at once and its port is dead; later it boots.",
        LEASE_OVER, network::host_gone).with(Quorum::Etcd),
    pair("quorum-etcd-down", "etcd is killed, and back 8 s later: what holds stays.",
        Promise { alarms: (2, 2), ..UNDISTURBED }, quorum::voters_down).with(Quorum::Etcd),
    pair("quorum-etcd-down-and-primary", "etcd is killed, then the primary's Redis: nothing is promoted for 8 s, until an operator forces it.",
        Promise { outage_ms: 12_000, alarms: (3, 6), ..FAILOVER }, quorum::voters_down_and_primary).with(Quorum::Etcd),
    pair("quorum-etcd-member-down", "Three members of etcd are killed one after the other, each back before the next; then the primary's Redis is killed.",
        Promise { alarms: (1, 3), ..FAILOVER }, quorum::member_down).with(Quorum::Etcd3),
    pair("quorum-witness-clean-failover", "A witness: kill -9 of the primary's Redis; it is started again.",
        FAILOVER, redis::kill_primary).with(Quorum::Witness),
    pair("quorum-witness-partition", "A witness: the primary and the client are cut off from the replica and from the witness for 12 s.",
        CUT_OFF, quorum::partition).with(Quorum::Witness),
    pair("quorum-witness-down", "The witness is killed, and back 8 s later: two of three votes remain.",
        Promise { alarms: (0, 2), ..UNDISTURBED }, quorum::voters_down).with(Quorum::Witness),
];

/// The replica is cut off and promoted, and nobody writes to it: the primary stays, with all that it has.
const CUT_WITH_CLIENTS: Promise = Promise {
    two_masters_ms: CUT_MS,
    two_vips_ms: CUT_MS,
    alarms: (0, 3),
    ..UNDISTURBED
};

/// The primary that is cut off takes writes until its lease counts no more, two thirds of 3 s; the other one is promoted when it
/// is over. Never both at once. Nobody writes to that one, so that it hands the VIP back when they meet.
const CUT_OFF: Promise = Promise {
    // The client is on the wrong side for 12 s, and its kernel repeats what was lost at growing intervals.
    outage_ms: 20_000,
    two_vips_ms: 3_000,
    alarms: (1, 4),
    ..UNDISTURBED
};

/// Nobody gave the lead back: the lease runs out, and so does what the last primary may have seen.
const LEASE_OVER: Promise = Promise {
    outage_ms: 8_000,
    lost: UNSENT,
    two_vips_ms: 3_000,
    alarms: (1, 3),
    primary: Primary::Other,
    ..UNDISTURBED
};

/// Redis that somebody else started is a master without the VIP, so that no client finds it, until three checks were good.
const RETURNED_MS: u32 = 5_000;
/// An orderly shutdown of Redis 7 pauses writes until its replicas acknowledge all of them, which they do once a second.
const SHUTDOWN_MS: u32 = 1_500;
/// No client notices; who serves now says so.
const PLANNED: Promise = FAILOVER;
/// So long a partition lasts, and the conflict behind it.
const CUT_MS: u32 = network::CUT_MS + CONFLICT.two_masters_ms;
/// While neither is there, nobody serves: the 2 s until the first is back, its three checks, and what a start takes.
const BOTH_DOWN: Promise = Promise {
    outage_ms: 8_000,
    alarms: (1, 4),
    primary: Primary::Same,
    ..UNDISTURBED
};
