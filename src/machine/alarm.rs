//! Alarm deduplication: a pure function of the incident. First, repeat, resolved, suppressed.
//!
//! Within an incident an alarm is sent once, and not at all while another one says the same trouble or its
//! cause ([`AlarmKind::covered_by`]). When its cause is over or the role settles, each alarm that was raised is
//! resolved once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::apply::{Draft, open_incident};
use super::drill::Drilled;
use super::flap::{self, Flaps};
use super::quorum;
use super::state::{Stamp, State, arm};
use crate::model::alarm::{Alarm, AlarmKind, AlarmStatus};
use crate::model::decision::Note;
use crate::model::effect::Effect;
use crate::model::event::{Deadline, Operator};
use crate::model::redis::Grade;
use crate::model::role::Role;
use crate::model::time::At;

/// That an operator has taken notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// When.
    pub at: At,
    /// Who: login name, or user id.
    pub by: String,
    /// What is known or done about it; may be empty.
    pub note: String,
    /// The alarms that were out then: they are not said again.
    pub known: BTreeSet<AlarmKind>,
}

/// Raises `kind` in the open incident, or records why not.
pub(super) fn raise(state: &mut State, draft: &mut Draft, kind: AlarmKind, because: &str) {
    let Some(incident) = &mut state.incident else {
        return;
    };
    if incident.raised.contains_key(&kind) {
        suppress(draft, kind, "said already in this incident");
        return;
    }
    let cover = kind.covered_by().iter();
    if let Some(other) = cover
        .copied()
        .find(|other| incident.raised.contains_key(other))
    {
        suppress(draft, kind, &format!("{other} is out"));
        return;
    }
    incident.raised.insert(kind, because.to_owned());
    send(state, draft, kind, AlarmStatus::Raised, because);
    arm_repeat(state, draft.stamp);
}

/// Sets the timer for what is out, as the settings say.
pub(super) fn arm_repeat(state: &mut State, stamp: Stamp) {
    let is_out = unacked(state).next().is_some();
    if is_out && state.settings.repeat_ms > 0 {
        arm(state, stamp, Deadline::Repeat, state.settings.repeat_ms);
    } else {
        state.deadlines.remove(&Deadline::Repeat);
    }
}

/// What is out, and no operator has taken notice of yet.
fn unacked(state: &State) -> impl Iterator<Item = (&AlarmKind, &String)> {
    let raised = state.incident.iter().flat_map(|incident| &incident.raised);
    raised.filter(|(kind, _)| {
        let acked = state.acked.as_ref();
        acked.is_none_or(|ack| !ack.known.contains(kind))
    })
}

/// Promotions are counted anew, and what is out is not said again.
pub(super) fn acked(state: &mut State, stamp: Stamp, note: &str, operator: &Operator) {
    state.flaps = Flaps::default();
    if let Some(incident) = &state.incident {
        let by = match operator.user.as_str() {
            "" => format!("user {}", operator.uid),
            name => name.to_owned(),
        };
        state.acked = Some(Ack {
            at: stamp.at,
            by,
            note: note.to_owned(),
            known: incident.raised.keys().copied().collect(),
        });
        arm_repeat(state, stamp);
    }
}

/// Records an alarm that is not sent.
pub(super) fn suppress(draft: &mut Draft, kind: AlarmKind, why: &str) {
    draft.notes.push(Note::AlarmSuppressed {
        kind,
        why: Cow::Owned(why.to_owned()),
    });
}

/// Says every unresolved alarm again.
pub(super) fn repeat(state: &mut State, draft: &mut Draft) {
    for (kind, because) in unacked(state) {
        send(state, draft, *kind, AlarmStatus::Repeated, because);
    }
    arm_repeat(state, draft.stamp);
}

/// Takes every raised alarm back: the incident is over.
pub(super) fn resolve_all(state: &mut State, draft: &mut Draft) {
    let raised = state
        .incident
        .as_ref()
        .map(|incident| incident.raised.clone());
    for kind in raised.into_iter().flatten().map(|(kind, _)| kind) {
        resolve(state, draft, kind);
    }
}

/// Takes an alarm back, if it is out: what it said is true no longer, though the incident may go on.
pub(super) fn resolve(state: &mut State, draft: &mut Draft, kind: AlarmKind) {
    let Some(incident) = &mut state.incident else {
        return;
    };
    if incident.raised.remove(&kind).is_none() {
        return;
    }
    if let Some(acked) = &mut state.acked {
        acked.known.remove(&kind);
    }
    if unacked(state).next().is_none() {
        state.deadlines.remove(&Deadline::Repeat);
    }
    send(state, draft, kind, AlarmStatus::Resolved, "");
}

/// Raises and takes back what is no answer to an event, but true or not: lines of keepalived's that do not
/// arrive, credentials and writes that Redis accepts again.
pub(super) fn keep_true(state: &mut State, draft: &mut Draft) {
    if state.unheard && !is_out(state, AlarmKind::NotifyLost) {
        open_incident(state, draft);
        raise(state, draft, AlarmKind::NotifyLost, UNHEARD);
    }
    if !state.unheard {
        resolve(state, draft, AlarmKind::NotifyLost);
    }
    let claimed = state.claimed.clone().filter(|_| state.vip_here);
    match claimed {
        Some(by) if !is_out(state, AlarmKind::VipClaimed) => {
            open_incident(state, draft);
            let because = format!("The host with the card {by} answers for the VIP as well.");
            raise(state, draft, AlarmKind::VipClaimed, &because);
        }
        Some(_) => {}
        None => resolve(state, draft, AlarmKind::VipClaimed),
    }
    if flap::holds_back(state) && !is_out(state, AlarmKind::Flapping) {
        open_incident(state, draft);
        raise(state, draft, AlarmKind::Flapping, FLAPPING);
    }
    if !flap::is_spent(state) {
        resolve(state, draft, AlarmKind::Flapping);
    }
    if quorum::is_out_of_sight(state) && !is_out(state, AlarmKind::Quorum) {
        open_incident(state, draft);
        raise(state, draft, AlarmKind::Quorum, OUT_OF_SIGHT);
    }
    let barred = match state.role {
        Role::Fenced => true,
        Role::Primary => !quorum::may_lead(state),
        _ => false,
    };
    if quorum::is_in_sight(state) && !barred {
        resolve(state, draft, AlarmKind::Quorum);
    }
    if !(state.peer_serves() && (state.role == Role::Primary || state.vip_here || state.aside)) {
        resolve(state, draft, AlarmKind::TwoPrimaries);
    }
    if state.grade.is_some_and(Grade::is_ready) {
        resolve(state, draft, AlarmKind::AuthRefused);
        resolve(state, draft, AlarmKind::Misconfigured);
    }
}

const OUT_OF_SIGHT: &str = "So few voters answer that no node can get the right to lead from here: nothing is promoted without an operator.";

const UNHEARD: &str =
    "keepalived moved the VIP, and its line did not arrive: failovers wait for the VIP itself.";

const FLAPPING: &str = "The VIP keeps coming and going, and this node was promoted too often: it waits for another node to take over, \
     before it is promoted again.";

/// It is raised, and not taken back.
pub(super) fn is_out(state: &State, kind: AlarmKind) -> bool {
    state
        .incident
        .as_ref()
        .is_some_and(|incident| incident.raised.contains_key(&kind))
}

fn send(state: &State, draft: &mut Draft, kind: AlarmKind, status: AlarmStatus, because: &str) {
    let Some(incident) = &state.incident else {
        return;
    };
    let title = match status {
        AlarmStatus::Raised => headline(kind).to_owned(),
        AlarmStatus::Repeated => format!("Still: {}", headline(kind)),
        AlarmStatus::Resolved => format!("Resolved: {}", headline(kind)),
    };
    let content = match status {
        AlarmStatus::Raised | AlarmStatus::Repeated => format!(
            "{because} Node {}, VIP {}, incident {}. {}{}",
            state.settings.node,
            state.settings.vip,
            incident.id,
            drill(state),
            advice(kind)
        ),
        AlarmStatus::Resolved => format!(
            "Node {} is {} for VIP {}, with {} attached (incident {}).",
            state.settings.node,
            state.role,
            state.settings.vip,
            match state.replicas_online() {
                1 => "1 replica".to_owned(),
                online => format!("{online} replicas"),
            },
            incident.id
        ),
    };
    for sink in &state.settings.sinks {
        let alarm = Alarm {
            incident: incident.id,
            kind,
            status,
            title: title.clone(),
            content: content.clone(),
        };
        draft.effects.push(Effect::SendAlarm {
            sink: sink.clone(),
            alarm,
        });
    }
}

/// That it is a drill, where one runs here.
fn drill(state: &State) -> String {
    let told = |Drilled { drill, .. }| format!("A drill runs there: {drill}. ");
    state.drill.map(told).unwrap_or_default()
}

/// The first line, in the words that the old scripts used where they had any.
fn headline(kind: AlarmKind) -> &'static str {
    match kind {
        AlarmKind::TookOver => "New MASTER",
        AlarmKind::NoReplica => "Replica missing",
        AlarmKind::Unserved => "Fault: nobody serves",
        AlarmKind::PromotionHeld => "Promotion held",
        AlarmKind::EffectFailed => "An order failed",
        AlarmKind::AuthRefused => "Redis refuses the password",
        AlarmKind::Misconfigured => "Redis refuses writes (MISCONF)",
        AlarmKind::KeepalivedGone => "keepalived is not running",
        AlarmKind::VrrpFault => "Fault: keepalived",
        AlarmKind::JournalTrouble => "Journal trouble",
        AlarmKind::TwoPrimaries => "Two nodes serve",
        AlarmKind::NotifyLost => "keepalived is not heard",
        AlarmKind::OlderCopy => "Promoted an older copy",
        AlarmKind::VipClaimed => "Another host has the VIP too",
        AlarmKind::Flapping => "The VIP keeps moving",
        AlarmKind::Rescued => "Writes rescued",
        AlarmKind::NotRescued => "Writes not rescued",
        AlarmKind::Quorum => "No quorum",
    }
}

/// What to do at three in the morning.
fn advice(kind: AlarmKind) -> &'static str {
    match kind {
        AlarmKind::TookOver => {
            "Writes are served here. Look at the other node with rha status; rha redis start starts its Redis."
        }
        AlarmKind::NoReplica => {
            "Writes are served, but with fewer copies than configured: look at the other nodes."
        }
        AlarmKind::Unserved => {
            "Look at both nodes with rha status: start what is down, Redis with rha redis start."
        }
        AlarmKind::PromotionHeld => {
            "Nobody serves writes until the gate opens: rha history says which guard shut it, rha resume ends a pause."
        }
        AlarmKind::EffectFailed => "It is tried again; rha history has the error.",
        AlarmKind::AuthRefused => {
            "Put the right password into password_file, then reload rha (SIGHUP)."
        }
        AlarmKind::Misconfigured => "Look at Redis' log and at the disk that it saves to.",
        AlarmKind::KeepalivedGone => "Start keepalived on this node.",
        AlarmKind::VrrpFault => {
            "Look at the interface and at keepalived's log; reload keepalived if the directory of the track files \
             was replaced."
        }
        AlarmKind::JournalTrouble => {
            "Look at rha's log; rha verify checks the journal, and rha history says what became of a damaged one."
        }
        AlarmKind::TwoPrimaries => {
            "Writes to one of them will be lost: the older primary gives way, and takes no part until it hears the other's \
             adverts. See what keeps VRRP (protocol 112) from passing between the nodes."
        }
        AlarmKind::OlderCopy => {
            "Writes that the last primary had accepted may be missing; rha history says how much. Its own data set is \
             still on its disk until it joins again."
        }
        AlarmKind::VipClaimed => {
            "Clients reach now this node, now that host. Find the card by its address (ip neigh, the switch's table) and take the VIP \
             off it; if it is one of the nodes, look at its keepalived."
        }
        AlarmKind::Flapping => {
            "See with rha history why the VIP left each time, and end that; rha ack lets this node be promoted at once again, and \
             rha pause makes the VIP stay where it is."
        }
        AlarmKind::Rescued => {
            "rha rescue diff lists the keys that the primary lacks, or has otherwise; rha rescue show says how to get them back."
        }
        AlarmKind::NotRescued => {
            "See what keeps Redis from saving (BGSAVE), and the room in rha's rescue directory; [rescue] keep = 0 gives the writes up."
        }
        AlarmKind::Quorum => {
            "See with rha status which voters answer, and what keeps this host from the others. A primary goes on only while it \
             may; rha promote --force leads without them, and only you can know that no other node does."
        }
        AlarmKind::NotifyLost => {
            "See that rha-event runs and follows the FIFO that keepalived.conf names; reload keepalived if the FIFO \
             was replaced."
        }
    }
}
