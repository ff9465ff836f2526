//! What happened in one incident, told from the journals of all nodes that are at hand.
//!
//! ```text
//!  records of each node ──clocks──> one time ──lanes──> VIP, Redis, checks, role: spans
//!                                     │                    └──service──> outages, two primaries
//!                                     ├──phases──> detect, VRRP, decide, promote, first good check
//!                                     └──cause, moments, alarms, loss──> Postmortem
//! ```
//!
//! Pure: who calls it has read the records, and draws what comes of it.

mod cause;
mod clocks;
mod lanes;
mod moments;
mod phases;
mod service;
#[cfg(test)]
mod tests;
mod unknown;

use serde::Serialize;

use crate::machine::State;
use crate::model::event::Event;
use crate::model::record::{IncidentId, Record};
use crate::model::settings::Settings;
use crate::views::rfc3339;
use crate::views::timeline::{IncidentSummary, Timeline};

pub use cause::{Cause, Evidence};
pub use clocks::{Agreement, Alignment};
pub use lanes::{Lane, LaneKind, Span};
pub use moments::{Alarms, Moment};
pub use phases::Phase;
use unknown::{absent, gaps};

/// The records of one node, of one instance and of the node itself, oldest first.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Its name.
    pub node: String,
    /// What the machine knew before the first of them.
    pub before: State,
    /// They.
    pub records: Vec<Record>,
}

impl Journal {
    /// The settings in force at its end.
    fn settings(&self) -> &Settings {
        let configured = self
            .records
            .iter()
            .rev()
            .find_map(|record| match &record.event {
                Event::Configured(settings) => Some(settings),
                _ => None,
            });
        configured.unwrap_or(&self.before.settings)
    }
}

/// What is told of an incident. Times are in microseconds of the first node's clock.
#[derive(Debug, Clone, Serialize)]
pub struct Postmortem {
    /// Number of the JSON schema.
    pub schema: u16,
    /// As the first node saw it.
    pub incident: IncidentSummary,
    /// The first moment that is drawn.
    pub from_us: i64,
    /// The last moment that is drawn.
    pub to_us: i64,
    /// When the trouble began, and when it was over, as far as all nodes tell; `None` while it goes on.
    pub began_us: i64,
    /// See above.
    pub ended_us: Option<i64>,
    /// The nodes, the one that was asked first.
    pub nodes: Vec<Node>,
    /// Times in which no node served; `None` where the journal of a node is missing, which may have served.
    pub outages: Option<Vec<Span>>,
    /// Times in which Redis took writes on two nodes or more.
    pub doubles: Vec<Span>,
    /// Where the time of the failover went.
    pub phases: Vec<Phase>,
    /// What is suspected to have been the cause.
    pub cause: Cause,
    /// What happened, in the order of time.
    pub moments: Vec<Moment>,
    /// Moments that are not shown: there were too many.
    pub left_out: u64,
    /// What was said of it, and what was kept back.
    pub alarms: Alarms,
    /// What was lost, or may have been, in sentences.
    pub loss: Vec<String>,
    /// What cannot be told from these journals, in sentences.
    pub unknown: Vec<String>,
}

/// One node of it.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its records in the time that is drawn.
    pub records: u64,
    /// How far its clock was apart from the first node's; `None` for that itself.
    pub clock: Option<Alignment>,
    /// Its incidents of that time.
    pub incidents: Vec<IncidentSummary>,
    /// What it was in, when.
    pub lanes: Vec<Lane>,
    /// Its settings, by name.
    pub settings: Vec<(String, String)>,
}

/// Why these journals tell no incident together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The first journal has none of this number.
    #[error("there is no incident {0} in the journal of {1}")]
    NoIncident(IncidentId, String),
    /// Two of the same node.
    #[error("two journals are of {0}: each node is told once")]
    SameNode(String),
    /// They are of other instances or pairs.
    #[error("{0} and {1} are no nodes of one instance: their VIPs are {2} and {3}")]
    Unrelated(String, String, String, String),
    /// The other journal has nothing of that time.
    #[error("the journal of {0} has no records between {1} and {2}")]
    OtherTime(String, String, String),
    /// No difference of the clocks fits what they saw of each other.
    #[error(
        "the journals of {0} and {1} contradict each other by {2} s: they are not of the same incident, or a clock was set in it"
    )]
    Contradict(String, String, i64),
}

/// More of a time before and behind the incident is drawn by this part of its length, and by this at least.
const MARGIN_LEAST_US: i64 = 1_000_000;
const MARGIN_PART: i64 = 8;

/// Tells `incident` of the first of `journals`.
///
/// # Errors
/// [`Unfit`].
pub fn tell(incident: IncidentId, mut journals: Vec<Journal>) -> Result<Postmortem, Unfit> {
    let found = summaries(&journals[0]);
    let Some(own) = found.into_iter().find(|one| one.id == incident) else {
        return Err(Unfit::NoIncident(incident, journals[0].node.clone()));
    };
    check_nodes(&journals)?;
    let clocks = align(&mut journals)?;
    let incidents: Vec<Vec<IncidentSummary>> = journals.iter().map(summaries).collect();
    let (began_us, ended_us) = extent(&own, &incidents, &journals);
    let last_us = ended_us.unwrap_or_else(|| last_of(&journals));
    let has_all = absent(&journals).is_empty();
    let phases = phases::find(&journals, has_all, began_us, last_us);
    let before_us = before(&incidents, began_us);
    let promoted_us = phases::promoted_us(&phases);
    let cause = cause::suspect(&journals, before_us, began_us, last_us, promoted_us);
    let signs = cause.evidence.iter().map(|sign| sign.at_us);
    let first_us = phases.first().map(|phase| phase.from_us);
    let first_us = signs.chain(first_us).fold(began_us, i64::min);
    let margin = ((last_us - first_us) / MARGIN_PART).max(MARGIN_LEAST_US);
    let (from_us, to_us) = (first_us - margin, last_us + margin);
    for journal in &journals {
        let inside = |record: &Record| (from_us..=to_us).contains(&record.at.wall_us);
        if !journal.records.iter().any(inside) {
            let (from, to) = (rfc3339(from_us), rfc3339(to_us));
            return Err(Unfit::OtherTime(journal.node.clone(), from, to));
        }
    }
    let lanes = lanes::all(&journals, &clocks, from_us, to_us);
    let service = service::look(&lanes, first_us, last_us);
    let gaps = gaps(&journals, first_us, last_us);
    let is_whole = has_all && gaps.is_empty();
    let (moments, left_out) = moments::collect(&journals, from_us, to_us);
    let alarms = moments::alarms(&journals, began_us, to_us);
    let loss = service::loss(&incidents, &own, &journals, &absent(&journals));
    let mut unknown = unknown::list(&journals, &clocks);
    unknown.extend(gaps);
    let nodes = journals
        .iter()
        .zip(clocks)
        .zip(lanes)
        .zip(incidents)
        .map(|(((journal, clock), lanes), incidents)| Node {
            name: journal.node.clone(),
            records: journal.records.len() as u64,
            clock,
            incidents: within(incidents, from_us, to_us),
            lanes,
            settings: moments::settings(journal.settings()),
        })
        .collect();
    Ok(Postmortem {
        schema: crate::views::json::SCHEMA,
        incident: own,
        from_us,
        to_us,
        began_us,
        ended_us,
        nodes,
        outages: is_whole.then_some(service.outages),
        doubles: service.doubles,
        phases,
        cause,
        moments,
        left_out,
        alarms,
        loss,
        unknown,
    })
}

/// Each node once, and all of one instance.
fn check_nodes(journals: &[Journal]) -> Result<(), Unfit> {
    for (index, journal) in journals.iter().enumerate() {
        let first = &journals[0];
        if journals[..index].iter().any(|one| one.node == journal.node) {
            return Err(Unfit::SameNode(journal.node.clone()));
        }
        let (one, other) = (first.settings(), journal.settings());
        if one.vip != other.vip {
            return Err(Unfit::Unrelated(
                first.node.clone(),
                journal.node.clone(),
                one.vip.to_string(),
                other.vip.to_string(),
            ));
        }
    }
    Ok(())
}

/// A record may be so late that the clocks seem to contradict each other, but not by more.
const CONTRADICT_US: i64 = 1_000_000;

/// Puts all records on the first node's clock.
fn align(journals: &mut [Journal]) -> Result<Vec<Option<Alignment>>, Unfit> {
    let Some((first, others)) = journals.split_first_mut() else {
        return Ok(Vec::new());
    };
    let mut found = vec![None];
    for other in others {
        let alignment = clocks::align(first, other);
        let within_us = alignment.within_us.unwrap_or(0);
        if alignment.agreement == Agreement::Uneven && within_us > CONTRADICT_US {
            let (one, other) = (first.node.clone(), other.node.clone());
            return Err(Unfit::Contradict(one, other, 2 * within_us / 1_000_000));
        }
        for record in &mut other.records {
            record.at.wall_us -= alignment.ahead_us;
        }
        found.push(Some(alignment));
    }
    Ok(found)
}

fn summaries(journal: &Journal) -> Vec<IncidentSummary> {
    let instance = journal
        .records
        .iter()
        .map(|record| record.instance.as_str());
    let instance = instance.max().unwrap_or_default();
    let mut timeline = Timeline::behind([(instance.to_owned(), journal.before.role)]);
    let closed = journal
        .records
        .iter()
        .filter_map(|record| timeline.fold(record));
    let mut found: Vec<IncidentSummary> = closed.collect();
    found.extend(timeline.open().cloned());
    found
}

/// From the first to the last of the incidents that overlap this one, on any node.
fn extent(
    own: &IncidentSummary,
    incidents: &[Vec<IncidentSummary>],
    journals: &[Journal],
) -> (i64, Option<i64>) {
    let (mut began, mut ended) = (opened_us(own), closed_us(own));
    for one in incidents.iter().flatten() {
        let last = ended.unwrap_or_else(|| last_of(journals));
        let its_last = closed_us(one).unwrap_or_else(|| last_of(journals));
        if opened_us(one) <= last && its_last >= began {
            began = began.min(opened_us(one));
            ended = match (ended, closed_us(one)) {
                (Some(ended), Some(closed)) => Some(ended.max(closed)),
                _ => None,
            };
        }
    }
    // The clock may have been set back in between.
    (began, ended.map(|ended| ended.max(began)))
}

/// When the last incident before it was over, on any node.
fn before(incidents: &[Vec<IncidentSummary>], began_us: i64) -> Option<i64> {
    let closed = incidents.iter().flatten().filter_map(closed_us);
    closed.filter(|closed| *closed < began_us).max()
}

fn within(incidents: Vec<IncidentSummary>, from_us: i64, to_us: i64) -> Vec<IncidentSummary> {
    let overlaps = |one: &IncidentSummary| {
        opened_us(one) <= to_us && closed_us(one).is_none_or(|closed| closed >= from_us)
    };
    incidents.into_iter().filter(overlaps).collect()
}

fn opened_us(incident: &IncidentSummary) -> i64 {
    moment_us(&incident.opened).unwrap_or(0)
}

fn closed_us(incident: &IncidentSummary) -> Option<i64> {
    incident.closed.as_deref().and_then(moment_us)
}

fn moment_us(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().ok()?.as_microsecond())
}

fn last_of(journals: &[Journal]) -> i64 {
    let last = journals.iter().filter_map(|journal| journal.records.last());
    last.map(|record| record.at.wall_us).max().unwrap_or(0)
}
