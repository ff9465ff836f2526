//! What is suspected to have been the cause, from the first signs on all nodes.

use serde::Serialize;

use super::Journal;
use crate::model::effect::Effect;
use crate::model::event::{Event, RedisRequest};
use crate::model::record::Record;
use crate::model::redis::Grade;
use crate::model::role::Role;
use crate::model::vrrp::{VrrpState, Word};
use crate::views::{Sentence, operator_of};

/// A suspicion, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The node where it began, where that is known.
    pub node: Option<String>,
    /// In a sentence.
    pub text: String,
    /// The records that speak for it, the first of them the first sign.
    pub evidence: Vec<Evidence>,
}

/// A record that speaks for a suspicion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// When, on the first node's clock.
    pub at_us: i64,
    /// In whose journal.
    pub node: String,
    /// Its number there.
    pub seq: u64,
    /// What happened, as a sentence.
    pub what: String,
}

/// So long before the first sign may stand what led to it.
const BEFORE_US: i64 = 3_000_000;
/// What was asked for shows so soon.
const AT_ONCE_US: i64 = 100_000;
/// The order to end Redis is looked for in so many records before its end.
const ORDERED_WITHIN: usize = 100;
/// More is not shown.
const EVIDENCE_MOST: usize = 6;

/// What a record may be a sign of; of two at a time, the surer one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Drill,
    Operator,
    Stall,
    ClockJump,
    RedisExited,
    RedisSilent,
    RedisRefused,
    KeepalivedGone,
    LinkDown,
    VrrpStopped,
    TwoPrimaries,
    PeerRefused,
    PeerSilent,
}

/// Looks at what came first, but not at what belongs to the incident that was over at `before_us`, nor behind the first
/// promotion.
pub(super) fn suspect(
    journals: &[Journal],
    before_us: Option<i64>,
    began_us: i64,
    last_us: i64,
    promoted_us: Option<i64>,
) -> Cause {
    let mut signs: Vec<(Sign, &Journal, &Record)> = Vec::new();
    let since = before_us.map_or(i64::MIN, |us| us + 1);
    let since = since.max(began_us - BEFORE_US).min(began_us);
    for journal in journals {
        for record in &journal.records {
            if !(since..=last_us).contains(&record.at.wall_us) {
                continue;
            }
            let follows = is_ordered(journal, record) || is_end_of_stop(journal, record);
            let sign = sign_of(record).filter(|_| !follows);
            signs.extend(sign.map(|sign| (sign, journal, record)));
        }
    }
    // What comes after the first decisions is their consequence as often as a cause, and what an operator does, a cure.
    let soon = |sign: Sign| match sign {
        Sign::Drill | Sign::Operator => began_us + AT_ONCE_US,
        _ => began_us + BEFORE_US,
    };
    // And nothing that comes behind a promotion can have caused it, but that its record may have been late.
    let most = promoted_us.map_or(i64::MAX, |us| us + AT_ONCE_US);
    let early = signs
        .iter()
        .filter(|(sign, _, record)| happened_us(record) <= soon(*sign).min(most));
    // An operator explains it all; else what came first is nearest to the cause.
    let rank = |sign: Sign| match sign {
        Sign::Drill | Sign::Operator => 0,
        _ => 1,
    };
    let first = early.min_by_key(|(sign, _, record)| (rank(*sign), happened_us(record), *sign));
    let Some((sign, journal, first)) = first else {
        return Cause {
            node: None,
            text: "Nothing in these journals says what it was.".to_owned(),
            evidence: Vec::new(),
        };
    };
    let same = signs.iter().filter(|(one, ..)| one == sign);
    let everywhere = same.clone().any(|(_, at, _)| at.node != journal.node);
    let of_it = signs
        .iter()
        .filter(|(one, at, _)| one == sign && at.node == journal.node);
    let evidence = of_it
        .take(EVIDENCE_MOST)
        .map(|(_, journal, record)| Evidence {
            at_us: record.at.wall_us,
            node: journal.node.clone(),
            seq: record.seq.0,
            what: Sentence::new(&record.instance, &record.event).to_string(),
        });
    Cause {
        node: Some(journal.node.clone()),
        text: sentence(*sign, &journal.node, first, everywhere),
        evidence: evidence.collect(),
    }
}

/// A check that failed began so long before it was known to have.
fn happened_us(record: &Record) -> i64 {
    let latency_us = match &record.event {
        Event::RedisProbed(probe) | Event::PeerProbed { probe, .. } => probe.latency_us,
        _ => 0,
    };
    record.at.wall_us - i64::from(latency_us)
}

/// rha itself had Redis killed or stopped, for a reason that came before.
fn is_ordered(journal: &Journal, exited: &Record) -> bool {
    let Event::RedisExited { pid } = exited.event else {
        return false;
    };
    let earlier = journal
        .records
        .iter()
        .filter(|record| record.seq < exited.seq);
    let mut orders = earlier
        .rev()
        .take(ORDERED_WITHIN)
        .flat_map(|record| &record.decision.effects);
    orders.any(|effect| match effect {
        Effect::KillRedis { pid: killed } => *killed == pid,
        Effect::StopRedis => true,
        _ => false,
    })
}

/// keepalived said that it stops, before it was gone.
fn is_end_of_stop(journal: &Journal, gone: &Record) -> bool {
    if gone.event != (Event::KeepalivedChanged { running: false }) {
        return false;
    }
    let earlier = journal
        .records
        .iter()
        .filter(|record| record.seq < gone.seq);
    let mut words = earlier.rev().take(ORDERED_WITHIN);
    let last = words.find_map(|record| match &record.event {
        Event::VrrpNotified(notified) => Some(&notified.notification.word),
        _ => None,
    });
    last == Some(&Word::State(VrrpState::Stop))
}

fn sign_of(record: &Record) -> Option<Sign> {
    let leads = record
        .decision
        .transition
        .is_some_and(|change| change.from == Role::Primary);
    Some(match &record.event {
        Event::OperatorDrilled { .. } => Sign::Drill,
        Event::SwitchoverAsked { .. } => Sign::Operator,
        Event::OperatorAsked { request, .. } if *request != RedisRequest::Start => Sign::Operator,
        Event::Tilted {
            why: crate::model::time::Tilt::Stall,
            ..
        } => Sign::Stall,
        Event::Tilted { .. } => Sign::ClockJump,
        Event::RedisExited { .. } => Sign::RedisExited,
        Event::RedisProbed(probe) => match probe.grade {
            Grade::Timeout | Grade::Busy => Sign::RedisSilent,
            Grade::Refused | Grade::Unreachable => Sign::RedisRefused,
            _ => return None,
        },
        Event::KeepalivedChanged { running: false } => Sign::KeepalivedGone,
        Event::VrrpNotified(notified) => match notified.notification.word {
            Word::State(VrrpState::Fault) if leads => Sign::LinkDown,
            Word::State(VrrpState::Stop) => Sign::VrrpStopped,
            _ => return None,
        },
        Event::PeerProbed { probe, .. } => match probe.grade {
            Grade::Timeout | Grade::Unreachable => Sign::PeerSilent,
            Grade::Refused => Sign::PeerRefused,
            _ => return None,
        },
        _ if record
            .decision
            .rule
            .as_ref()
            .is_some_and(|rule| rule.as_str() == "two-primaries") =>
        {
            Sign::TwoPrimaries
        }
        _ => return None,
    })
}

/// `everywhere`: more than one node saw it.
fn sentence(sign: Sign, node: &str, record: &Record, everywhere: bool) -> String {
    let who = operator_of(&record.event).map(|who| format!("{} ({})", who.user, who.command));
    let who = who.unwrap_or_else(|| "an operator".to_owned());
    match sign {
        Sign::Drill => format!("A drill on {node}, by {who}."),
        Sign::Operator => format!("It was asked for on {node}, by {who}."),
        Sign::Stall => {
            format!("{node} stood still: its host was frozen, or had no time for the agent.")
        }
        Sign::ClockJump => format!("The clock of {node} was set."),
        Sign::RedisExited => format!(
            "The Redis process on {node} ended; its own log, and the kernel's (dmesg), say why."
        ),
        Sign::RedisSilent => {
            format!("Redis on {node} did not answer: it hung, or its host was overloaded.")
        }
        Sign::RedisRefused => format!("Redis on {node} took no connections."),
        Sign::KeepalivedGone => {
            format!("keepalived on {node} ended without a word: it was killed, or crashed.")
        }
        Sign::LinkDown => format!(
            "keepalived on {node} went into FAULT while Redis was well: its interface lost its link, or a tracked script failed."
        ),
        Sign::VrrpStopped => format!("keepalived on {node} was stopped."),
        Sign::TwoPrimaries => format!("Two nodes led at a time, as {node} saw it."),
        Sign::PeerRefused => match &record.event {
            Event::PeerProbed { peer, .. } => {
                format!("Redis on {peer} took no connections, as {node} saw it: it had ended.")
            }
            _ => format!("Redis on another node took no connections, as {node} saw it."),
        },
        Sign::PeerSilent if everywhere => {
            "The nodes could not reach each other while both ran: the network between them was cut."
                .to_owned()
        }
        Sign::PeerSilent => format!(
            "{node} could not reach the other node: its host was gone, or the network between them was cut."
        ),
    }
}
