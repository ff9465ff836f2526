//! Where the time of a failover went.

use serde::Serialize;

use super::Journal;
use crate::model::decision::Note;
use crate::model::effect::Effect;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::RedisRole;
use crate::model::role::Role;
use crate::model::vrrp::{VrrpState, Word};

/// A part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// The node on which it passed; two where it lies between them.
    pub nodes: Vec<String>,
    /// When it began.
    pub from_us: i64,
    /// When it ended.
    pub to_us: i64,
    /// What it is.
    pub what: &'static str,
}

/// The phases of the first promotion between two moments; none where there was none.
///
/// How long it took to be seen is only known where the journals of all nodes are here.
pub(super) fn find(
    journals: &[Journal],
    is_whole: bool,
    began_us: i64,
    last_us: i64,
) -> Vec<Phase> {
    let Some((heir, promoted)) = first_promotion(journals, began_us, last_us) else {
        return Vec::new();
    };
    let before = |record: &&Record| record.seq <= promoted.seq;
    let mut earlier = heir.records.iter().filter(before).rev();
    let ordered = earlier
        .clone()
        .find(|record| record.decision.effects.contains(&Effect::Promote));
    let vip = earlier.find_map(vip_arrived_us);
    let checked = heir
        .records
        .iter()
        .find(|record| record.seq > promoted.seq && is_good_master(record));
    let trouble = trouble(journals, &heir.node, began_us, promoted.at.wall_us);

    let promoted_us = promoted.at.wall_us;
    let ordered_us = ordered.map_or(promoted_us, |record| record.at.wall_us);
    let vip_us = vip.unwrap_or(ordered_us).min(ordered_us);
    let own = |name, from_us, to_us, what| phase(name, &[&heir.node], from_us, to_us, what);
    let mut phases = match trouble {
        Some(trouble) => detected(trouble, &heir.node, vip_us),
        None if !is_whole => Vec::new(),
        None => vec![own(
            "detect",
            began_us,
            vip_us,
            "until keepalived made this node MASTER",
        )],
    };
    phases.push(own(
        "decide",
        vip_us,
        ordered_us,
        "the line taken in, and decided about",
    ));
    phases.push(own(
        "promote",
        ordered_us,
        promoted_us,
        "the record flushed to the disk, and Redis promoted",
    ));
    let checked = checked.map(|record| record.at.wall_us);
    phases.extend(checked.map(|us| {
        own(
            "first check",
            promoted_us,
            us,
            "until a check saw a good master",
        )
    }));
    phases
}

/// How who led before, and then keepalived, came to give it up.
fn detected(
    (loser, first_us, given_up_us): (String, i64, i64),
    heir: &String,
    vip_us: i64,
) -> Vec<Phase> {
    vec![
        phase(
            "detect",
            &[&loser],
            first_us,
            given_up_us,
            "from the first sign to the decision",
        ),
        phase(
            "VRRP",
            &[&loser, heir],
            given_up_us,
            vip_us,
            "until keepalived made the other node MASTER",
        ),
    ]
}

/// When the promotion was done.
pub(super) fn promoted_us(phases: &[Phase]) -> Option<i64> {
    let promotion = phases.iter().find(|phase| phase.name == "promote")?;
    Some(promotion.to_us)
}

fn first_promotion(
    journals: &[Journal],
    began_us: i64,
    last_us: i64,
) -> Option<(&Journal, &Record)> {
    let inside = |record: &&Record| (began_us..=last_us).contains(&record.at.wall_us);
    let promotions = journals.iter().filter_map(|journal| {
        let mut records = journal.records.iter().filter(inside);
        Some((journal, records.find(|record| is_promoted(record))?))
    });
    promotions.min_by_key(|(_, record)| record.at.wall_us)
}

fn phase(
    name: &'static str,
    nodes: &[&String],
    from_us: i64,
    to_us: i64,
    what: &'static str,
) -> Phase {
    Phase {
        name,
        nodes: nodes.iter().map(|node| (*node).clone()).collect(),
        from_us,
        // Two clocks may be so far apart that it seems to have ended before it began.
        to_us: to_us.max(from_us),
        what,
    }
}

fn is_promoted(record: &Record) -> bool {
    record
        .decision
        .notes
        .iter()
        .any(|note| matches!(note, Note::Epoch(_)))
}

fn is_good_master(record: &Record) -> bool {
    let Event::RedisProbed(probe) = &record.event else {
        return false;
    };
    let seen = probe.observation.as_ref();
    probe.grade.is_ready() && seen.is_some_and(|seen| seen.role == RedisRole::Master)
}

fn vip_arrived_us(record: &Record) -> Option<i64> {
    match &record.event {
        Event::VrrpNotified(notified)
            if notified.notification.word == Word::State(VrrpState::Master) =>
        {
            // The line's own time is of the same clock, but was not put on the first node's.
            let late = record.at.since(&notified.stamped).unwrap_or(0);
            Some(record.at.wall_us - i64::try_from(late).unwrap_or(0))
        }
        _ => None,
    }
}

/// Who led before, when its trouble began, and when it gave up.
fn trouble(
    journals: &[Journal],
    heir: &str,
    began_us: i64,
    until_us: i64,
) -> Option<(String, i64, i64)> {
    let others = journals.iter().filter(|journal| journal.node != heir);
    let given_up = others.filter_map(|journal| {
        let mut records = journal.records.iter().enumerate();
        let (index, record) = records.find(|(_, record)| {
            let change = record.decision.transition;
            (began_us..=until_us).contains(&record.at.wall_us)
                && change.is_some_and(|change| change.from == Role::Primary)
        })?;
        Some((
            journal.node.clone(),
            first_sign_us(&journal.records[..=index]),
            record.at.wall_us,
        ))
    });
    given_up.min_by_key(|(_, _, at)| *at)
}

/// When the first of the failed checks began that led to the last record, or when that itself happened.
fn first_sign_us(records: &[Record]) -> i64 {
    let Some((last, earlier)) = records.split_last() else {
        return 0;
    };
    let Event::RedisProbed(probe) = &last.event else {
        return last.at.wall_us;
    };
    let began = |record: &Record, latency_us: u32| record.at.wall_us - i64::from(latency_us);
    let mut first = began(last, probe.latency_us);
    for record in earlier.iter().rev() {
        match &record.event {
            Event::RedisProbed(probe) if probe.grade.is_ready() => break,
            Event::RedisProbed(probe) => first = began(record, probe.latency_us),
            _ => {}
        }
    }
    first
}
