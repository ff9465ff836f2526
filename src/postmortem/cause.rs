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
    /// The records that speak for it: node, number, sentence.
    pub evidence: Vec<(String, u64, String)>,
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
    PeerSilent,
}

/// Looks at what came first.
pub(super) fn suspect(journals: &[Journal], began_us: i64, last_us: i64) -> Cause {
    let mut signs: Vec<(Sign, &Journal, &Record)> = Vec::new();
    for journal in journals {
        for record in &journal.records {
            if !(began_us - BEFORE_US..=last_us).contains(&record.at.wall_us) {
                continue;
            }
            let sign = sign_of(record).filter(|_| !is_ordered(journal, record));
            signs.extend(sign.map(|sign| (sign, journal, record)));
        }
    }
    // What comes after the first decisions is their consequence as often as a cause, and what an operator does, a cure.
    let soon = |sign: Sign| match sign {
        Sign::Drill | Sign::Operator => began_us + AT_ONCE_US,
        _ => began_us + BEFORE_US,
    };
    let early = signs
        .iter()
        .filter(|(sign, _, record)| record.at.wall_us <= soon(*sign));
    // An operator explains it all; else what came first is nearest to the cause.
    let rank = |sign: Sign| match sign {
        Sign::Drill | Sign::Operator => 0,
        _ => 1,
    };
    let first = early.min_by_key(|(sign, _, record)| (rank(*sign), record.at.wall_us, *sign));
    let Some((sign, journal, first)) = first else {
        return Cause {
            node: None,
            text: "Nothing in these journals says what it was.".to_owned(),
            evidence: Vec::new(),
        };
    };
    let of_it = signs
        .iter()
        .filter(|(one, at, _)| one == sign && at.node == journal.node);
    let evidence = of_it.take(EVIDENCE_MOST).map(|(_, journal, record)| {
        let sentence = Sentence::new(&record.instance, &record.event).to_string();
        (journal.node.clone(), record.seq.0, sentence)
    });
    Cause {
        node: Some(journal.node.clone()),
        text: sentence(*sign, &journal.node, first, journals),
        evidence: evidence.collect(),
    }
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
        Event::PeerProbed { probe, .. }
            if matches!(probe.grade, Grade::Timeout | Grade::Unreachable) =>
        {
            Sign::PeerSilent
        }
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

fn sentence(sign: Sign, node: &str, record: &Record, journals: &[Journal]) -> String {
    let silent_everywhere = journals.iter().filter(|journal| {
        journal
            .records
            .iter()
            .any(|record| sign_of(record) == Some(Sign::PeerSilent))
    });
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
        Sign::PeerSilent if silent_everywhere.count() > 1 => {
            "The nodes could not reach each other while both ran: the network between them was cut."
                .to_owned()
        }
        Sign::PeerSilent => format!(
            "{node} could not reach the other node: its host was gone, or the network between them was cut."
        ),
    }
}
