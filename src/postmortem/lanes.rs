//! What a node was in, when: the spans that are drawn.

use serde::Serialize;

use super::Journal;
use crate::machine::State;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Grade, RedisRole};
use crate::model::vrrp::{VrrpState, Word};

/// A time, in microseconds, and what was the case in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// From this moment on.
    pub from_us: i64,
    /// Up to this one.
    pub to_us: i64,
    /// What.
    pub what: String,
}

/// Which row of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneKind {
    /// The VIP: `here`, or nothing.
    Vip,
    /// What Redis answers: `master`, `replica`, `down`, `silent`.
    Redis,
    /// The grade of the checks.
    Checks,
    /// The role that was decided.
    Role,
}

/// One row of the drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// Which.
    pub kind: LaneKind,
    /// Its spans, in the order of time; nothing was the case between them.
    pub spans: Vec<Span>,
}

/// The lanes of a node between two moments.
pub(super) fn of(journal: &Journal, from_us: i64, to_us: i64) -> Vec<Lane> {
    let mut rows = [
        LaneKind::Vip,
        LaneKind::Redis,
        LaneKind::Checks,
        LaneKind::Role,
    ]
    .map(Row::new);
    begin(&mut rows, &journal.before, from_us);
    let mut last_us = from_us;
    for record in &journal.records {
        if record.at.wall_us > to_us {
            break;
        }
        // Nothing is drawn backwards, whatever the clock did.
        last_us = record.at.wall_us.max(last_us);
        note(&mut rows, record, last_us);
    }
    rows.into_iter().map(|row| row.end(to_us)).collect()
}

struct Row {
    kind: LaneKind,
    spans: Vec<Span>,
    open: Option<(i64, &'static str)>,
}

impl Row {
    fn new(kind: LaneKind) -> Self {
        Self {
            kind,
            spans: Vec::new(),
            open: None,
        }
    }

    fn turn(&mut self, at_us: i64, what: Option<&'static str>) {
        if self.open.map(|(_, open)| open) == what {
            return;
        }
        self.close(at_us);
        self.open = what.map(|what| (at_us, what));
    }

    fn close(&mut self, at_us: i64) {
        if let Some((from_us, what)) = self.open.take()
            && at_us > from_us
        {
            self.spans.push(Span {
                from_us,
                to_us: at_us,
                what: what.to_owned(),
            });
        }
    }

    fn end(mut self, at_us: i64) -> Lane {
        self.close(at_us);
        Lane {
            kind: self.kind,
            spans: self.spans,
        }
    }
}

fn begin(rows: &mut [Row; 4], state: &State, at_us: i64) {
    let [vip, redis, checks, role] = rows;
    vip.turn(at_us, state.vip_here.then_some("here"));
    redis.turn(
        at_us,
        state.redis_role().filter(|_| state.is_up()).map(word),
    );
    checks.turn(at_us, state.grade.map(Grade::word));
    role.turn(at_us, Some(state.role.word()));
}

fn word(role: RedisRole) -> &'static str {
    match role {
        RedisRole::Master => "master",
        RedisRole::Replica => "replica",
    }
}

fn note(rows: &mut [Row; 4], record: &Record, at_us: i64) {
    let [vip, redis, checks, role] = rows;
    match &record.event {
        Event::AgentReady { vip_here: here, .. } | Event::VipChanged { here } => {
            vip.turn(at_us, here.then_some("here"));
        }
        // netlink tells it a little later.
        Event::VrrpNotified(notified)
            if notified.notification.word == Word::State(VrrpState::Master) =>
        {
            vip.turn(at_us, Some("here"));
        }
        Event::RedisProbed(probe) => {
            checks.turn(at_us, Some(probe.grade.word()));
            let seen = probe.observation.as_ref().map(|seen| word(seen.role));
            let silent = match probe.grade {
                Grade::Refused => "down",
                _ => "silent",
            };
            redis.turn(at_us, seen.or(Some(silent)));
        }
        Event::RedisExited { .. } => {
            redis.turn(at_us, Some("down"));
            checks.turn(at_us, None);
        }
        Event::EffectFinished { order, outcome, .. } if outcome.is_done() => {
            if order == "promote" {
                redis.turn(at_us, Some("master"));
            } else if order.starts_with("follow ") || order.starts_with("rejoin ") {
                redis.turn(at_us, Some("replica"));
            }
        }
        Event::AgentStopping => role.turn(at_us, None),
        _ => {}
    }
    if let Some(change) = record.decision.transition {
        role.turn(at_us, Some(change.to.word()));
    }
}
