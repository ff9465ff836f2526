//! Tells the records as a story: every decision that is not quiet.

use rha::machine::table;
use rha::model::decision::Note;
use rha::model::effect::Effect;
use rha::model::event::{Event, RedisRequest};
use rha::model::record::Record;
use rha::model::redis::{Observation, Probe, RedisRole};
use rha::model::time::Tilt;

use super::{SECOND, World};

/// Where the second line of a decision begins.
const INDENT: &str = "                 ";

impl World {
    pub(super) fn tell_record(&mut self, node: usize, record: &Record) {
        let decision = &record.decision;
        if decision.is_empty() {
            return;
        }
        let what = words(record);
        let rule = decision.rule.as_ref();
        let named = rule.map_or(String::new(), |rule| format!("  [{rule}]"));
        let line = format!("{}  {what}{named}", self.nodes[node].name);
        self.tell(&line);
        if let Some(change) = &decision.transition {
            let because = rule.and_then(|rule| table::row(rule.as_str()));
            let because = because.map_or("", |row| row.because);
            self.told.push(format!(
                "{INDENT}{} -> {}: {because}",
                change.from, change.to
            ));
        }
        let orders: Vec<String> = decision.effects.iter().map(Effect::to_string).collect();
        if !orders.is_empty() {
            self.told
                .push(format!("{INDENT}orders {}", orders.join(", ")));
        }
        let notes: Vec<String> = decision.notes.iter().map(Note::to_string).collect();
        if !notes.is_empty() {
            self.told.push(format!("{INDENT}{}", notes.join(", ")));
        }
    }

    /// One line for each node, of how the world stands.
    pub fn show(&mut self) {
        for node in 0..self.nodes.len() {
            let host = &self.nodes[node];
            let redis = &host.redis;
            let role = if redis.running {
                redis.role.to_string()
            } else {
                "down".to_owned()
            };
            let link = match (redis.running, redis.role, redis.link) {
                (true, RedisRole::Replica, super::redis::Link::Up { from }) => {
                    format!(" of {}", self.nodes[from].name)
                }
                (true, RedisRole::Replica, _) => " of nobody".to_owned(),
                _ => String::new(),
            };
            let vrrp = host
                .keepalived
                .state
                .map_or("gone".to_owned(), |state| state.to_string());
            let decided = if host.agent.running {
                let open = if host.agent.state.incident.is_some() {
                    ", incident open"
                } else {
                    ""
                };
                format!("{}{open}", host.agent.state.role)
            } else {
                "agent down".to_owned()
            };
            let line = format!(
                "{}  {vrrp} {}{}  {decided}; Redis {role}{link}, {} keys",
                host.name,
                self.priority(node),
                if host.vip { " with the VIP" } else { "" },
                redis.keys,
            );
            self.tell(&line);
        }
    }
}

fn words(record: &Record) -> String {
    match &record.event {
        Event::AgentStarted { .. } => "the agent starts".to_owned(),
        Event::Configured(_) => "settings read".to_owned(),
        Event::AgentReady {
            vip_here,
            keepalived,
        } => format!(
            "the agent is ready: VIP {}, keepalived {}",
            if *vip_here { "here" } else { "not here" },
            if *keepalived == Some(true) {
                "runs"
            } else {
                "does not run"
            },
        ),
        Event::VrrpNotified(notified) => {
            let late = record.at.since(&notified.stamped).unwrap_or(0);
            let word = &notified.notification.word;
            if late > SECOND {
                format!("keepalived said {word}, {} s ago", late / SECOND)
            } else {
                format!("keepalived says {word}")
            }
        }
        Event::VipChanged { here: true } => "the VIP is on the interface".to_owned(),
        Event::VipChanged { here: false } => "the VIP is off the interface".to_owned(),
        Event::PeerAdvertised { peer, heard } => {
            let no_more = if *heard { "" } else { " no more" };
            format!("{peer}'s adverts are heard{no_more}")
        }
        Event::PeerSigned { peer, sign } => match sign {
            Some(sign) => format!("{peer}'s agent shows: {}", sign.word()),
            None => format!("{peer}'s agent shows nothing"),
        },
        Event::VipClaimed { by: Some(by) } => format!("{by} has the VIP too"),
        Event::VipClaimed { by: None } => "nobody else has the VIP any more".to_owned(),
        Event::SwitchoverAsked { .. } => "the operator asks for a switchover".to_owned(),
        Event::KeepalivedChanged { running: true } => "keepalived runs".to_owned(),
        Event::KeepalivedChanged { running: false } => "keepalived is gone".to_owned(),
        Event::RedisAttached { pid, .. } => format!("Redis is attached, pid {pid}"),
        Event::RedisProbed(probe) => format!("Redis checked: {}", seen(probe)),
        Event::RedisExited { pid } => format!("Redis exited, pid {pid}"),
        Event::PeerProbed { peer, probe } => format!("{peer}'s Redis checked: {}", seen(probe)),
        Event::DeadlinePassed { deadline } => format!("timer {}", deadline.word()),
        Event::EffectFinished { order, outcome, .. } => format!("{order}: {outcome}"),
        Event::OperatorPaused {
            until_us, reason, ..
        } => match until_us {
            Some(_) => format!("the operator pauses for a while: {reason}"),
            None => format!("the operator pauses: {reason}"),
        },
        Event::OperatorResumed { .. } => "the operator resumes".to_owned(),
        Event::OperatorAsked { request, .. } => match request {
            RedisRequest::Start => "the operator starts Redis".to_owned(),
            RedisRequest::Stop => "the operator stops Redis".to_owned(),
            RedisRequest::Restart => "the operator restarts Redis".to_owned(),
            RedisRequest::Promote => "the operator forces a promotion".to_owned(),
        },
        Event::OperatorDrilled { drill, .. } => format!("the operator drills {drill}"),
        Event::DrillEnded { drill, .. } => format!("the drill {drill} is over"),
        Event::Tilted { why, by_ms } => match why {
            Tilt::Stall => format!("it stood still for {by_ms} ms"),
            Tilt::ClockJump => format!("the clock jumped by {by_ms} ms"),
        },
        Event::OperatorAcked { note, .. } => format!("the operator takes notice: {note}"),
        Event::Rescued { diverged, .. } => format!("what Redis has is saved: {diverged}"),
        Event::NotRescued { diverged, .. } => format!("what Redis has is not saved: {diverged}"),
        Event::QuorumChanged { voter, vote } => format!("the vote of {voter}: {vote}"),
        other => other.kind().to_owned(),
    }
}

fn seen(probe: &Probe) -> String {
    match &probe.observation {
        Some(seen) => format!("{}, {}", probe.grade, standing(seen)),
        None => probe.grade.to_string(),
    }
}

fn standing(seen: &Observation) -> String {
    match seen.role {
        RedisRole::Master => format!("master with {} replica(s)", seen.replicas_online),
        RedisRole::Replica if seen.sync_in_progress => "replica, first sync under way".to_owned(),
        RedisRole::Replica if seen.link_up => "replica, link up".to_owned(),
        RedisRole::Replica => "replica, link down".to_owned(),
    }
}
