//! What a node was in, when: the spans that are drawn.

use serde::Serialize;

use super::Journal;
use super::clocks::{self, Alignment};
use crate::machine::State;
use crate::model::effect::Effect;
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

/// Another node saw that this one's Redis is a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Glimpse {
    /// At the latest.
    at_us: i64,
    /// At the earliest, as far as the clocks are known.
    earliest_us: i64,
}

/// What the other nodes saw of the node of `journals[index]`, in the order of time.
fn glimpses(journals: &[Journal], clocks: &[Option<Alignment>], index: usize) -> Vec<Glimpse> {
    let within = |index: usize| {
        let clock = clocks.get(index).and_then(Option::as_ref);
        clock.and_then(|clock| clock.within_us).unwrap_or(0)
    };
    let node = &journals[index].node;
    let mut found = Vec::new();
    for (other, journal) in journals.iter().enumerate() {
        for (record, late_us) in journal.records.iter().zip(clocks::lateness(journal)) {
            let Event::PeerProbed { peer, probe } = &record.event else {
                continue;
            };
            let seen = probe.observation.as_ref();
            if peer == node && seen.is_some_and(|seen| seen.role == RedisRole::Replica) {
                let at_us = record.at.wall_us;
                let asked_us = at_us - late_us - i64::from(probe.latency_us);
                found.push(Glimpse {
                    at_us,
                    earliest_us: asked_us - within(other) - within(index),
                });
            }
        }
    }
    found.sort_unstable();
    found
}

/// The lanes of all nodes between two moments.
pub(super) fn all(
    journals: &[Journal],
    clocks: &[Option<Alignment>],
    from_us: i64,
    to_us: i64,
) -> Vec<Vec<Lane>> {
    let of = |index: usize| {
        let seen = glimpses(journals, clocks, index);
        of(&journals[index], &seen, from_us, to_us)
    };
    (0..journals.len()).map(of).collect()
}

/// Those of a node, by its own journal and by what others saw of it.
fn of(journal: &Journal, seen: &[Glimpse], from_us: i64, to_us: i64) -> Vec<Lane> {
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
    let mut seen = seen.iter().peekable();
    for record in &journal.records {
        // The host went down somewhere behind the last record, and everything with it.
        if boot.is_some_and(|boot| boot != record.at.boot) {
            rows.iter_mut().for_each(|row| row.turn(last_us, None));
        }
        boot = Some(record.at.boot);
        // Nothing is drawn backwards, whatever the clock did.
        last_us = record.at.wall_us.max(last_us);
        while let Some(glimpse) = seen.next_if(|glimpse| glimpse.at_us <= last_us) {
            let [_, redis, ..] = &mut rows;
            redis.is_replica(*glimpse);
        }
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

    /// Its own record of that may come later. What was seen before it became a master says nothing.
    fn is_replica(&mut self, seen: Glimpse) {
        let since = self.open.filter(|(_, what)| *what == "master");
        if since.is_some_and(|(since, _)| since < seen.earliest_us) {
            self.turn(seen.at_us, Some("replica"));
        }
    }

    /// A moment that does not lie before what is the case now.
    fn not_before(&self, at_us: i64) -> i64 {
        self.open.map_or(at_us, |(since, _)| at_us.max(since))
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
        Event::VrrpNotified(notified) => match notified.notification.word {
            Word::State(VrrpState::Master) => vip.turn(at_us, Some("here")),
            Word::State(VrrpState::Backup | VrrpState::Fault | VrrpState::Stop) => {
                vip.turn(at_us, None);
            }
            _ => {}
        },
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
            let since = match seen {
                Some(_) => at_us,
                // It did not answer from the first of the check on, at the latest.
                None => redis.not_before(at_us - i64::from(probe.latency_us)),
            };
            redis.turn(since, seen.or(Some(silent)));
        }
        Event::RedisExited { .. } => {
            redis.turn(at_us, Some("down"));
            checks.turn(at_us, None);
        }
        // Given up: writes are taken again.
        Event::EffectFinished { order, outcome, .. }
            if STEPS_DOWN.iter().any(|word| order.starts_with(word))
                && !outcome.is_done()
                && redis.is("paused") =>
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
    // The first step of either takes the writes away; that all of it is done comes later.
    let steps_down =
        |effect: &Effect| matches!(effect, Effect::Rejoin { .. } | Effect::Follow { .. });
    if redis.is("master") && record.decision.effects.iter().any(steps_down) {
        redis.turn(at_us, Some("paused"));
    }
    if let Some(change) = record.decision.transition {
        role.turn(at_us, Some(change.to.word()));
    }
}
