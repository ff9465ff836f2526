//! Facts, past tense: everything that reaches the machine.

use serde::{Deserialize, Serialize};

pub use super::deadline::Deadline;
use super::drill::Drill;
use super::effect::{EffectId, Outcome};
use super::quorum::Vote;
use super::record::Seq;
use super::redis::{Probe, RedisId, Sign};
use super::rescue::Diverged;
use super::settings::Settings;
use super::time::{At, Tilt};
use super::vrrp::{Notified, SpoolPosition};

/// A fact. Variants are stored by position: append, never reorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The agent started. Until `AgentReady`, facts are folded and nothing is decided.
    AgentStarted {
        /// Version of rha.
        version: String,
        /// Its process id.
        pid: u32,
    },
    /// The settings in force from here on, so that a replay needs nothing but the journal.
    Configured(Settings),
    /// A reload was refused; the settings before it stay in force.
    ConfigRejected {
        /// The one-line error.
        error: String,
    },
    /// The first look at the world is complete: spool taken in, Redis probed, addresses listed.
    AgentReady {
        /// The VIP is on this host's interface.
        vip_here: bool,
        /// keepalived is running; `None` where this cannot be known.
        keepalived: Option<bool>,
    },
    /// The agent was asked to stop; Redis and the VIP stay as they are.
    AgentStopping,
    /// keepalived wrote a notify line.
    VrrpNotified(Notified),
    /// A notify line that is none; kept, so that nothing is lost.
    NotifyUnparsed {
        /// The line, escaped, at most 200 bytes of it.
        raw: String,
        /// What is wrong with it.
        why: String,
        /// When `rha-event` read it.
        stamped: At,
        /// Where it stood in the spool.
        spool: SpoolPosition,
    },
    /// The VIP appeared on or vanished from the interface (netlink).
    VipChanged {
        /// It is there.
        here: bool,
    },
    /// keepalived's process appeared or vanished.
    KeepalivedChanged {
        /// It runs.
        running: bool,
    },
    /// A connection to the local Redis was made and its process is being watched.
    RedisAttached {
        /// Process id as Redis reports it.
        pid: u32,
        /// Identity of the process.
        run_id: RedisId,
        /// `redis_version`.
        version: String,
        /// The process is watched by pidfd: its exit will be seen at once.
        watched: bool,
    },
    /// A health check of the local Redis.
    RedisProbed(Probe),
    /// The watched process of the local Redis exited: final, no counting.
    RedisExited {
        /// Its process id.
        pid: u32,
    },
    /// A health check of another node's Redis, at that node's own address.
    PeerProbed {
        /// Name of the node.
        peer: String,
        /// What came of it.
        probe: Probe,
    },
    /// A timer of the machine fired.
    DeadlinePassed {
        /// Which one.
        deadline: Deadline,
    },
    /// An effect ended.
    EffectFinished {
        /// Which one.
        effect: EffectId,
        /// What was ordered, for a reader who has not seen the order.
        order: String,
        /// How.
        outcome: Outcome,
    },
    /// An operator suspended automatic actions.
    OperatorPaused {
        /// Until when, wall time in microseconds; `None` for until resumed.
        until_us: Option<i64>,
        /// Why.
        reason: String,
        /// Who.
        operator: Operator,
    },
    /// An operator ended the pause.
    OperatorResumed {
        /// Who.
        operator: Operator,
    },
    /// An operator asked for something to be done to the local Redis.
    OperatorAsked {
        /// What.
        request: RedisRequest,
        /// Who.
        operator: Operator,
    },
    /// rha had to act without being able to record it; this says afterwards what was done.
    ActedUnrecorded {
        /// When it happened.
        at: At,
        /// Why the journal could not be written.
        why: String,
        /// What was done.
        what: String,
    },
    /// A journal that could not be read was set aside.
    JournalQuarantined {
        /// Where the damaged one was moved to.
        path: String,
        /// What was wrong.
        why: String,
    },
    /// Spool bytes that are no frame were passed over.
    SpoolDamaged {
        /// Where reading went on.
        spool: SpoolPosition,
        /// How many bytes were passed over.
        skipped_bytes: u64,
    },
    /// The journal could not be written. Decided about at once, without a record; recorded when it is over.
    JournalFailed {
        /// Since when.
        at: At,
        /// Why.
        why: String,
        /// It can be written again.
        over: bool,
    },
    /// An attempt to carry an order out failed, and it is tried on. Told again where it fails for another reason.
    EffectTried {
        /// Which.
        effect: EffectId,
        /// What was ordered.
        order: String,
        /// Why it failed.
        why: String,
    },
    /// The oldest records are being removed, as the settings say.
    RecordsRemoved {
        /// The first that stays.
        below: Seq,
        /// How many go.
        records: u64,
        /// What they took, in bytes.
        bytes: u64,
        /// Why.
        why: String,
    },
    /// A part of the journal is not what was written, or is gone. What there is of it is left where it is.
    VolumeDamaged {
        /// The sealed volume, or the journal.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Another node's keepalived is heard to advertise the VIP as its own, or has fallen silent.
    PeerAdvertised {
        /// Name of the node.
        peer: String,
        /// It is heard.
        heard: bool,
    },
    /// An operator asked for the VIP and the writes to be handed to another node.
    SwitchoverAsked {
        /// To which; `None` for the one that VRRP chooses.
        to: Option<String>,
        /// How long each half of it may take, in milliseconds.
        within_ms: u64,
        /// Who.
        operator: Operator,
    },
    /// Another node's agent shows something else at its Redis than before.
    PeerSigned {
        /// Name of the node.
        peer: String,
        /// What; `None` where it shows nothing: it does not run, or may not subscribe.
        sign: Option<Sign>,
    },
    /// Another host answers for the VIP while it is here, or none does any more (ARP).
    VipClaimed {
        /// The Ethernet address of its card; `None` for nobody.
        by: Option<String>,
    },
    /// An operator is about to break something on this host, to see what the pair makes of it.
    OperatorDrilled {
        /// What.
        drill: Drill,
        /// For how long at most, in milliseconds.
        for_ms: u64,
        /// Who.
        operator: Operator,
    },
    /// What a drill broke is as before again, or could not be put right.
    DrillEnded {
        /// Which.
        drill: Drill,
        /// It is as before.
        restored: bool,
        /// Why it ended then, and what was done or failed.
        how: String,
        /// Who told it.
        operator: Operator,
    },
    /// The clocks or the agent itself did not go on evenly: what was known before may be old.
    Tilted {
        /// What was noticed.
        why: Tilt,
        /// By how much, in milliseconds: of a clock that was set back, less than 0.
        by_ms: i64,
    },
    /// An operator has taken notice of what is wrong here.
    OperatorAcked {
        /// What is known or done about it; may be empty.
        note: String,
        /// Who.
        operator: Operator,
    },
    /// The local Redis was about to be overwritten and had what the new primary lacks: its data set was saved.
    Rescued {
        /// What it had.
        diverged: Diverged,
        /// The file, an RDB.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// The local Redis was about to be overwritten and had what the new primary lacks: it could not be saved.
    NotRescued {
        /// What it had.
        diverged: Diverged,
        /// Why.
        why: String,
        /// It is not overwritten until it is saved, or an operator gives it up.
        waits: bool,
    },
    /// A voter stands for somebody else than before, or does not answer, or answers again.
    QuorumChanged {
        /// Its name.
        voter: String,
        /// For whom.
        vote: Vote,
    },
}

impl Event {
    /// Replicas online, as a check of the local Redis told.
    #[must_use]
    pub fn replicas(&self) -> Option<u16> {
        let Self::RedisProbed(probe) = self else {
            return None;
        };
        let seen = probe.observation.as_ref();
        seen.map(|seen| seen.replicas_online)
    }

    /// The word used by `rha history --kind`, metrics and logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AgentStarted { .. } => "agent-started",
            Self::Configured(_) => "configured",
            Self::ConfigRejected { .. } => "config-rejected",
            Self::AgentReady { .. } => "agent-ready",
            Self::AgentStopping => "agent-stopping",
            Self::VrrpNotified(_) => "vrrp-notified",
            Self::NotifyUnparsed { .. } => "notify-unparsed",
            Self::VipChanged { .. } => "vip-changed",
            Self::KeepalivedChanged { .. } => "keepalived-changed",
            Self::RedisAttached { .. } => "redis-attached",
            Self::RedisProbed(_) => "redis-probed",
            Self::RedisExited { .. } => "redis-exited",
            Self::PeerProbed { .. } => "peer-probed",
            Self::DeadlinePassed { .. } => "deadline-passed",
            Self::EffectFinished { .. } => "effect-finished",
            Self::OperatorPaused { .. } => "operator-paused",
            Self::OperatorResumed { .. } => "operator-resumed",
            Self::OperatorAsked { .. } => "operator-asked",
            Self::ActedUnrecorded { .. } => "acted-unrecorded",
            Self::JournalQuarantined { .. } => "journal-quarantined",
            Self::SpoolDamaged { .. } => "spool-damaged",
            Self::JournalFailed { .. } => "journal-failed",
            Self::EffectTried { .. } => "effect-tried",
            Self::RecordsRemoved { .. } => "records-removed",
            Self::VolumeDamaged { .. } => "volume-damaged",
            Self::PeerAdvertised { .. } => "peer-advertised",
            Self::SwitchoverAsked { .. } => "switchover-asked",
            Self::PeerSigned { .. } => "peer-signed",
            Self::VipClaimed { .. } => "vip-claimed",
            Self::OperatorDrilled { .. } => "operator-drilled",
            Self::DrillEnded { .. } => "drill-ended",
            Self::Tilted { .. } => "tilted",
            Self::OperatorAcked { .. } => "operator-acked",
            Self::Rescued { .. } => "rescued",
            Self::NotRescued { .. } => "not-rescued",
            Self::QuorumChanged { .. } => "quorum-changed",
        }
    }

    /// Every kind, in stored order, for completions and error messages.
    pub const KINDS: [&'static str; 36] = [
        "agent-started",
        "configured",
        "config-rejected",
        "agent-ready",
        "agent-stopping",
        "vrrp-notified",
        "notify-unparsed",
        "vip-changed",
        "keepalived-changed",
        "redis-attached",
        "redis-probed",
        "redis-exited",
        "peer-probed",
        "deadline-passed",
        "effect-finished",
        "operator-paused",
        "operator-resumed",
        "operator-asked",
        "acted-unrecorded",
        "journal-quarantined",
        "spool-damaged",
        "journal-failed",
        "effect-tried",
        "records-removed",
        "volume-damaged",
        "peer-advertised",
        "switchover-asked",
        "peer-signed",
        "vip-claimed",
        "operator-drilled",
        "drill-ended",
        "tilted",
        "operator-acked",
        "rescued",
        "not-rescued",
        "quorum-changed",
    ];

    /// Where in the spool this event stood, if it came from there.
    #[must_use]
    pub fn spool(&self) -> Option<SpoolPosition> {
        match self {
            Self::VrrpNotified(notified) => notified.spool,
            Self::NotifyUnparsed { spool, .. } | Self::SpoolDamaged { spool, .. } => Some(*spool),
            _ => None,
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// User id, as the kernel says it (`SO_PEERCRED`).
    pub uid: u32,
    /// Login name, or empty.
    pub user: String,
    /// The command line, as the command itself reports it.
    pub command: String,
}

/// What an operator can ask of the local Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisRequest {
    /// Start it and wait until it is ready.
    Start,
    /// Stop it and wait until it is gone.
    Stop,
    /// Stop, then start.
    Restart,
    /// Promote it although its copy may be older than what the last primary had.
    Promote,
}
