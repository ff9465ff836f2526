//! When nobody served, and when two took writes; what that can have cost.

use super::lanes::{Lane, LaneKind, Span};
use super::{Journal, moments, opened_us};
use crate::model::effect::Effect;
use crate::model::record::Record;
use crate::views::timeline::IncidentSummary;

/// What all nodes together gave.
pub(super) struct Service {
    pub outages: Vec<Span>,
    pub doubles: Vec<Span>,
}

/// Looks at the lanes of all nodes: who has the VIP and a Redis that is a master, serves.
pub(super) fn look(nodes: &[Vec<Lane>], from_us: i64, to_us: i64) -> Service {
    let masters: Vec<Vec<(i64, i64)>> = nodes
        .iter()
        .map(|lanes| times(lanes, LaneKind::Redis, "master"))
        .collect();
    let serving: Vec<Vec<(i64, i64)>> = nodes
        .iter()
        .zip(&masters)
        .map(|(lanes, masters)| overlap(masters, &times(lanes, LaneKind::Vip, "here")))
        .collect();
    let mut cuts: Vec<i64> = vec![from_us, to_us];
    for (start, end) in serving.iter().chain(&masters).flatten() {
        cuts.extend([*start, *end]);
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut service = Service {
        outages: Vec::new(),
        doubles: Vec::new(),
    };
    for pair in cuts.windows(2) {
        let [start, end] = pair else { continue };
        let holds =
            |times: &Vec<(i64, i64)>| times.iter().any(|(from, to)| from <= start && to >= end);
        if !serving.iter().any(holds) {
            push(&mut service.outages, *start, *end, "nobody serves");
        }
        if masters.iter().filter(|times| holds(times)).count() > 1 {
            push(&mut service.doubles, *start, *end, "two take writes");
        }
    }
    service
}

fn times(lanes: &[Lane], kind: LaneKind, what: &str) -> Vec<(i64, i64)> {
    let lanes = lanes.iter().filter(|lane| lane.kind == kind);
    let spans = lanes.flat_map(|lane| &lane.spans);
    let wanted = spans.filter(|span| span.what == what);
    wanted.map(|span| (span.from_us, span.to_us)).collect()
}

fn overlap(ones: &[(i64, i64)], others: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let pairs = ones
        .iter()
        .flat_map(|one| others.iter().map(move |other| (one, other)));
    let both = pairs.map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)));
    both.filter(|(start, end)| start < end).collect()
}

/// Spans that touch are one.
fn push(spans: &mut Vec<Span>, from_us: i64, to_us: i64, what: &str) {
    match spans.last_mut() {
        Some(last) if last.to_us == from_us => last.to_us = to_us,
        _ => spans.push(Span {
            from_us,
            to_us,
            what: what.to_owned(),
        }),
    }
}

/// What may be lost, a sentence for each node that knows something of it.
pub(super) fn loss(
    incidents: &[Vec<IncidentSummary>],
    own: &IncidentSummary,
    journals: &[Journal],
    absent: &[&str],
) -> Vec<String> {
    let mut told = Vec::new();
    for (journal, incidents) in journals.iter().zip(incidents) {
        let near = incidents.iter().filter(|one| moments::overlap(one, own));
        for one in near {
            let node = &journal.node;
            if let Some(giver) = handed_over(journals, one, node) {
                told.push(format!(
                    "None: {giver} held writes back until {node} had all of them."
                ));
                continue;
            }
            match (one.loss.saved, one.loss.bytes, one.loss.unseen_us) {
                (Some(true), bytes, _) => told.push(format!(
                    "{node}: {} of its writes were not with the new primary, and were saved: `rha rescue list` on {node} names the file.",
                    amount(bytes)
                )),
                (Some(false), bytes, _) => told.push(format!(
                    "{node}: {} of its writes were not with the new primary, and could NOT be saved.",
                    amount(bytes)
                )),
                (None, ..) if one.loss.unknown => told.push(format!(
                    "{node} was promoted, and when its link to the primary was last up is not in these records: any part of what that took in may be lost."
                )),
                (None, _, Some(us)) => told.push(format!(
                    "{node} was promoted {} ms after its link to the primary was last seen up: what did not come through it may be lost.",
                    us / 1_000 + 1
                )),
                (None, _, None) => {}
            }
        }
    }
    if told.is_empty() {
        told.push("Nothing that is known of.".to_owned());
    }
    for peer in absent {
        told.push(format!("What {peer} may have lost is in its journal."));
    }
    told
}

/// A switchover comes about so long before the node that takes over sees anything of it, at most.
const HAND_OVER_US: i64 = 10_000_000;

/// Who handed the VIP to `node` with all that was written, if that is how `incident` came about.
fn handed_over<'a>(
    journals: &'a [Journal],
    incident: &IncidentSummary,
    node: &str,
) -> Option<&'a str> {
    let opened = opened_us(incident);
    let gives = |record: &Record| {
        let effects = &mut record.decision.effects.iter();
        (opened - HAND_OVER_US..=opened + HAND_OVER_US).contains(&record.at.wall_us)
            && effects.any(|effect| matches!(effect, Effect::LetGo { to, .. } if to == node))
    };
    let giver = journals
        .iter()
        .find(|journal| journal.records.iter().any(gives));
    giver.map(|journal| journal.node.as_str())
}

fn amount(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "an unknown part".to_owned(),
        |bytes| format!("{bytes} bytes"),
    )
}
