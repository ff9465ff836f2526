//! What a node was in, when: the spans that are drawn.

use serde::Serialize;

use super::Journal;
use crate::machine::State;
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::redis::{Grade, RedisRole};
use crate::model::vrrp::{VrrpState, Word};

/// Orders behind which Redis is a replica, as events name them.
const STEPS_DOWN: [&str; 3] = ["follow ", "rejoin ", "let-go "];

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
    /// What Redis answers: `master`, `paused` (a master whose writes are held back for a switchover), `replica`, `down`,
    /// `silent`.
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
    let first_us = journal
        .records
        .first()
        .map_or(to_us, |record| record.at.wall_us);
    begin(&mut rows, &journal.before, first_us);
    let (mut last_us, mut boot) = (first_us, None);
    for record in &journal.records {
        // The host went down somewhere behind the last record, and everything with it.
        if boot.is_some_and(|boot| boot != record.at.boot) {
            rows.iter_mut().for_each(|row| row.turn(last_us, None));
        }
        boot = Some(record.at.boot);
        // Nothing is drawn backwards, whatever the clock did.
        last_us = record.at.wall_us.max(last_us);
        note(&mut rows, record, last_us);
    }
    let lanes = rows.into_iter().map(|row| row.end(last_us));
    lanes.map(|lane| lane.within(from_us, to_us)).collect()
}

impl Lane {
    /// What of it lies between two moments.
    fn within(mut self, from_us: i64, to_us: i64) -> Self {
        for span in &mut self.spans {
            span.from_us = span.from_us.max(from_us);
            span.to_us = span.to_us.min(to_us);
        }
        self.spans.retain(|span| span.from_us < span.to_us);
        self
    }
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

    fn is(&self, what: &str) -> bool {
        self.open.is_some_and(|(_, open)| open == what)
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
            // It goes on saying that it is a master.
            let is_held = redis.is("paused") && seen == Some("master");
            let seen = seen.map(|seen| if is_held { "paused" } else { seen });
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
        // Given up: writes are taken again.
        Event::EffectFinished { order, outcome, .. }
            if order.starts_with("let-go ") && !outcome.is_done() =>
        {
            redis.turn(at_us, Some("master"));
        }
        Event::EffectFinished { order, outcome, .. } if outcome.is_done() => {
            if order == "promote" {
                redis.turn(at_us, Some("master"));
            } else if order.starts_with("hand-over ") {
                redis.turn(at_us, Some("paused"));
            } else if STEPS_DOWN.iter().any(|word| order.starts_with(word)) {
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
