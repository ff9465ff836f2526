//! One sentence in plain words for each event.

use std::fmt;

use super::time::timestamp;
use crate::model::drill::Drill;
use crate::model::event::{Deadline, Event, Operator, RedisRequest};
use crate::model::record::Record;
use crate::model::redis::{Grade, Observation, Probe, RedisRole, Sign};
use crate::model::settings::Settings;
use crate::model::time::At;
use crate::model::time::Tilt;
use crate::model::vrrp::{Notification, Subject, Word};

/// An event as a sentence, such as `keepalived: MASTER (priority 253)`.
#[derive(Debug, Clone, Copy)]
pub struct Sentence<'a> {
    event: &'a Event,
    instance: &'a str,
}

impl<'a> Sentence<'a> {
    /// The sentence of an `event` of this instance; of the node, where the name is empty.
    #[must_use]
    pub fn new(instance: &'a str, event: &'a Event) -> Self {
        Self { event, instance }
    }
}

/// When the event happened, where it carries a time of its own: `rha-event` stamps each line as it
/// reads it, however late the agent takes it in. `None`, too, where that is when it was decided.
#[must_use]
pub fn original_time(record: &Record) -> Option<At> {
    let own = match &record.event {
        Event::VrrpNotified(notified) => notified.stamped,
        Event::NotifyUnparsed { stamped, .. } => *stamped,
        Event::ActedUnrecorded { at, .. } | Event::JournalFailed { at, .. } => *at,
        _ => return None,
    };
    (own != record.at).then_some(own)
}

/// Who did it, where a person did.
#[must_use]
pub fn operator_of(event: &Event) -> Option<&Operator> {
    match event {
        Event::OperatorPaused { operator, .. }
        | Event::OperatorResumed { operator }
        | Event::OperatorAsked { operator, .. }
        | Event::SwitchoverAsked { operator, .. }
        | Event::OperatorDrilled { operator, .. }
        | Event::DrillEnded { operator, .. }
        | Event::OperatorAcked { operator, .. } => Some(operator),
        _ => None,
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Event::AgentStarted { version, pid } => {
                write!(f, "rha {version} started (process {pid})")
            }
            Event::Configured(settings) => configured(f, settings),
            Event::ConfigRejected { error } => write!(f, "settings refused: {error}"),
            Event::AgentReady {
                vip_here,
                keepalived,
            } => first_look(f, *vip_here, *keepalived),
            Event::AgentStopping => f.write_str("rha was asked to stop"),
            Event::VrrpNotified(notified) => notification(f, self.instance, &notified.notification),
            Event::NotifyUnparsed { raw, why, .. } => {
                write!(f, "notify line not understood ({why}): {raw}")
            }
            Event::VipChanged { here: true } => f.write_str("the VIP appeared here"),
            Event::VipChanged { here: false } => f.write_str("the VIP vanished from here"),
            Event::KeepalivedChanged { running: true } => f.write_str("keepalived appeared"),
            Event::KeepalivedChanged { running: false } => f.write_str("keepalived vanished"),
            Event::RedisAttached {
                pid,
                version,
                watched,
                ..
            } => write!(
                f,
                "Redis process {pid} attached (version {version}, {})",
                if *watched { "watched" } else { "not watched" }
            ),
            Event::RedisProbed(probe) => check(f, "Redis", probe),
            Event::RedisExited { pid } => write!(f, "Redis process {pid} exited"),
            Event::PeerProbed { peer, probe } => check(f, peer, probe),
            Event::DeadlinePassed { deadline } => f.write_str(passed(*deadline)),
            Event::EffectTried { order, why, .. } => write!(f, "{order}: not yet: {why}"),
            Event::EffectFinished { order, outcome, .. } => write!(f, "{order}: {outcome}"),
            Event::OperatorPaused { .. }
            | Event::OperatorResumed { .. }
            | Event::OperatorAsked { .. }
            | Event::SwitchoverAsked { .. }
            | Event::OperatorDrilled { .. }
            | Event::OperatorAcked { .. } => asked(f, self.event),
            Event::Tilted { why, by_ms } => tilted(f, *why, *by_ms),
            Event::DrillEnded {
                drill,
                restored,
                how,
                ..
            } => drill_ended(f, *drill, *restored, how),
            Event::ActedUnrecorded { .. }
            | Event::JournalQuarantined { .. }
            | Event::JournalFailed { .. }
            | Event::RecordsRemoved { .. }
            | Event::SpoolDamaged { .. }
            | Event::VolumeDamaged { .. } => of_the_journal(f, self.event),
            Event::Rescued { .. } | Event::NotRescued { .. } => of_a_rescue(f, self.event),
            Event::PeerAdvertised { .. } | Event::PeerSigned { .. } | Event::VipClaimed { .. } => {
                of_others(f, self.event)
            }
            Event::QuorumChanged { voter, vote } => write!(f, "the vote of {voter}: {vote}"),
        }
    }
}

fn first_look(f: &mut fmt::Formatter<'_>, vip_here: bool, keepalived: Option<bool>) -> fmt::Result {
    let vip = if vip_here { "here" } else { "not here" };
    let keepalived = match keepalived {
        Some(true) => "running",
        Some(false) => "not running",
        None => "unknown",
    };
    write!(f, "first look: VIP {vip}, keepalived {keepalived}")
}

fn of_others(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    match event {
        Event::PeerAdvertised { peer, heard } => {
            let no_more = if *heard { "" } else { " no more" };
            write!(f, "{peer}'s adverts are heard{no_more}")
        }
        Event::PeerSigned { peer, sign } => match sign {
            Some(Sign::Leads) => write!(f, "{peer}'s agent shows that it leads"),
            Some(Sign::Stands) => write!(f, "{peer}'s agent shows that it does not lead"),
            Some(Sign::Paused) => write!(f, "{peer}'s agent shows that it is paused"),
            Some(Sign::Returns) => write!(
                f,
                "{peer}'s agent shows that it was fenced, and would lead again"
            ),
            None => write!(f, "{peer}'s agent shows nothing"),
        },
        Event::VipClaimed { by: Some(by) } => {
            write!(f, "the host with the card {by} has the VIP too")
        }
        _ => f.write_str("no other host has the VIP any more"),
    }
}

fn drill_ended(f: &mut fmt::Formatter<'_>, drill: Drill, restored: bool, how: &str) -> fmt::Result {
    let end = if restored { "over" } else { "NOT UNDONE" };
    write!(f, "drill {drill}: {end}: {how}")
}

fn of_the_journal(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    match event {
        Event::ActedUnrecorded { at, why, what } => write!(
            f,
            "done without a journal at {:.3}: {what} ({why})",
            timestamp(at.wall_us)
        ),
        Event::JournalQuarantined { path, why } => {
            write!(f, "a damaged journal was set aside at {path}: {why}")
        }
        Event::JournalFailed { at, why, over } => {
            let since = timestamp(at.wall_us);
            let could = if *over { "could not" } else { "cannot" };
            write!(f, "the journal {could} be written since {since:.3}: {why}")
        }
        Event::RecordsRemoved {
            below,
            records,
            bytes,
            why,
        } => write!(
            f,
            "{records} records before {below} removed ({bytes} bytes): {why}"
        ),
        Event::SpoolDamaged { skipped_bytes, .. } => {
            write!(f, "{skipped_bytes} damaged bytes of the spool passed over")
        }
        Event::VolumeDamaged { path, why } => {
            write!(f, "a part of the journal is damaged, {path}: {why}")
        }
        _ => Ok(()),
    }
}

fn of_a_rescue(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    match event {
        Event::Rescued {
            diverged,
            path,
            bytes,
        } => write!(f, "data set saved at {path} ({bytes} bytes): {diverged}"),
        Event::NotRescued {
            diverged,
            why,
            waits,
        } => {
            let then = if *waits { "waits" } else { "goes on" };
            write!(f, "data set not saved ({why}), {then}: {diverged}")
        }
        _ => Ok(()),
    }
}

fn configured(f: &mut fmt::Formatter<'_>, settings: &Settings) -> fmt::Result {
    write!(
        f,
        "settings: node {}, VIP {}, follow {}, fall {}, rise {}, bias {}",
        settings.node, settings.vip, settings.follow, settings.fall, settings.rise, settings.bias
    )
}

fn notification(f: &mut fmt::Formatter<'_>, instance: &str, said: &Notification) -> fmt::Result {
    f.write_str("keepalived: ")?;
    match said.subject {
        // A name that no setting has, perhaps because one of the two is misspelt.
        Subject::Instance if instance.is_empty() => {
            write!(f, "unconfigured instance {} ", said.name)?;
        }
        Subject::Instance => {}
        Subject::Group => write!(f, "group {} ", said.name)?,
        Subject::Unknown => write!(f, "unknown subject {} ", said.name)?,
    }
    match said.word {
        Word::State(state) => write!(f, "{state}")?,
        Word::RxLowerPriority => f.write_str("hears a master of lower priority")?,
        Word::PriorityChanged => f.write_str("priority changed")?,
    }
    if let Some(priority) = said.priority {
        write!(f, " (priority {priority})")?;
    }
    match &said.raw {
        Some(raw) => write!(f, ", from the line: {raw}"),
        None => Ok(()),
    }
}

fn check(f: &mut fmt::Formatter<'_>, whom: &str, probe: &Probe) -> fmt::Result {
    let after = match probe.grade {
        Grade::Ok | Grade::Slow => "in",
        _ => "after",
    };
    write!(f, "check of {whom}: {} {after} ", probe.grade)?;
    match probe.latency_us {
        us @ ..10_000 => write!(f, "{:.1} ms", f64::from(us) / 1000.0)?,
        us => write!(f, "{} ms", us / 1000)?,
    }
    probe
        .observation
        .as_ref()
        .map_or(Ok(()), |seen| observation(f, seen))
}

fn observation(f: &mut fmt::Formatter<'_>, seen: &Observation) -> fmt::Result {
    match (seen.role, &seen.master) {
        (RedisRole::Master, _) => write!(f, ", master, {} online", replicas(seen))?,
        (RedisRole::Replica, None) => f.write_str(", replica of nobody")?,
        (RedisRole::Replica, Some(master)) => {
            let link = if seen.link_up { "up" } else { "down" };
            write!(f, ", replica of {master}, link {link}")?;
        }
    }
    if seen.sync_in_progress {
        f.write_str(", receiving a data set")?;
    }
    if seen.loading {
        f.write_str(", loading")?;
    }
    Ok(())
}

fn replicas(seen: &Observation) -> String {
    match seen.replicas_online {
        0 => "no replica".to_owned(),
        1 => "1 replica".to_owned(),
        n => format!("{n} replicas"),
    }
}

fn passed(deadline: Deadline) -> &'static str {
    match deadline {
        Deadline::Negotiation => "the wait for a node of higher priority is over",
        Deadline::Retry => "a failed order is due again",
        Deadline::Unserved => "the wait for another node to serve is over",
        Deadline::Redundancy => "the wait for a replica is over",
        Deadline::Reconcile => "VIP and keepalived have disagreed for a while",
        Deadline::KeepalivedGone => "keepalived has been gone for a while",
        Deadline::Repeat => "an unresolved alarm is due again",
        Deadline::PauseExpiry => "the pause is over",
        Deadline::Apart => "the replica has had no link for a while",
        Deadline::LastPrimary => "the last primary has been waited for long enough",
        Deadline::DrillOver => "a drill ought to have ended",
        Deadline::TiltOver => "everything was looked at anew, or long enough nothing was done",
        Deadline::FlapWait => "the wait for another node to take over is over",
        Deadline::Lead => "the right to lead has been waited for long enough",
        Deadline::OwnVote => "the vote of this node is due to be taken back, or is free",
        Deadline::Vouched => "what was seen of the other nodes counts no more",
        Deadline::Conflict => "another node has been seen to serve as well for a while",
    }
}

fn tilted(f: &mut fmt::Formatter<'_>, why: Tilt, by_ms: i64) -> fmt::Result {
    let (by, back) = (by_ms.unsigned_abs(), by_ms < 0);
    let (seconds, tenth) = (by / 1000, by % 1000 / 100);
    match why {
        Tilt::ClockJump => {
            let way = if back { "back" } else { "forward" };
            write!(f, "the clock jumped {way} by {seconds}.{tenth} s")
        }
        Tilt::Stall => write!(f, "rha stood still for {seconds}.{tenth} s"),
    }
}

fn asked(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    if let Some(operator) = operator_of(event) {
        if operator.user.is_empty() {
            write!(f, "user {}", operator.uid)?;
        } else {
            f.write_str(&operator.user)?;
        }
    }
    match event {
        Event::OperatorPaused {
            until_us, reason, ..
        } => {
            f.write_str(" paused automatic actions")?;
            if let Some(until_us) = until_us {
                write!(f, " until {:.0}", timestamp(*until_us))?;
            }
            write!(f, ": {reason}")
        }
        Event::OperatorResumed { .. } => f.write_str(" resumed automatic actions"),
        Event::OperatorAcked { note, .. } if note.is_empty() => f.write_str(" took notice"),
        Event::OperatorAcked { note, .. } => write!(f, " took notice: {note}"),
        Event::SwitchoverAsked { to: Some(to), .. } => write!(f, " asked for a switchover to {to}"),
        Event::OperatorDrilled { drill, for_ms, .. } => {
            write!(
                f,
                " began the drill {drill}, for {} s",
                for_ms.div_ceil(1000)
            )
        }
        Event::SwitchoverAsked { to: None, .. } => f.write_str(" asked for a switchover"),
        Event::OperatorAsked { request, .. } => f.write_str(match request {
            RedisRequest::Start => " asked for Redis to be started",
            RedisRequest::Stop => " asked for Redis to be stopped",
            RedisRequest::Restart => " asked for Redis to be restarted",
            RedisRequest::Promote => " asked for Redis to be promoted, whatever its copy lacks",
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vrrp::VrrpState;
    use crate::views::{fixture, samples};

    /// Every variant, once: what a person reads, and that nobody reads a debug form.
    #[test]
    fn sentences() {
        let lines: Vec<String> = samples::every_event()
            .iter()
            .map(|event| format!("{:20} {}", event.kind(), Sentence::new("redis", event)))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn an_instance_that_nobody_has_configured_is_named() {
        let mut story = fixture::Story::default();
        story.notify(VrrpState::Master);
        let event = &story.records[0].event;
        let said = |instance| Sentence::new(instance, event).to_string();
        assert_eq!(said("redis"), "keepalived: MASTER (priority 253)");
        assert_eq!(
            said(""),
            "keepalived: unconfigured instance RHA_REDIS MASTER (priority 253)"
        );
    }
}
