//! The right to lead: who votes, whose votes count here, and what is asked of the voters.
//!
//! A vote is for one node at a time, and for a time. Who has it counts it for two thirds of that, from before it was asked for;
//! who wants it gets it when all of that is over. So a primary that is cut off takes no more writes before another may be
//! promoted. A node votes too: for the node that its Redis follows, or for itself when it has followed nobody for as long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::apply::Draft;
use super::gate::gate_blocker;
use super::row::Trigger;
use super::state::{Armed, Peer, Stamp, State, arm};
use crate::model::effect::Effect;
use crate::model::event::{Deadline, Event};
use crate::model::quorum::{Quorum, Vote};
use crate::model::redis::{Grade, Observation, RedisRole};
use crate::model::role::Role;
use crate::model::time::At;

/// The guard of the promotion gate that waits for the right to lead.
pub const QUORUM: &str = "quorum";

/// What is known of the right to lead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lead {
    /// What each voter last said.
    pub votes: BTreeMap<String, Said>,
    /// What was last asked of the voters; `None` if nothing was.
    pub asked: Option<Asked>,
    /// For whom this node votes itself.
    pub own: OwnVote,
    /// An operator said that this node leads, whatever the voters say; until they say it too.
    pub forced: bool,
}

/// What a voter said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// For whom it stands.
    pub vote: Vote,
    /// Since when.
    pub since: At,
}

/// What is asked of the voters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// Their votes.
    Votes,
    /// Nothing any more: what they gave runs out.
    Nothing,
    /// To take their votes back.
    Release,
}

/// The vote of this node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OwnVote {
    /// Another node may count on it.
    #[default]
    Lent,
    /// Redis has been told to follow nobody.
    Withdrawing,
    /// Redis follows nobody; another node may count on it for a while yet.
    Withdrawn,
    /// Nobody can count on it.
    Free,
}

/// How another node was seen not to be able to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vouched {
    /// Its Redis follows this one.
    Follows,
    /// There is no Redis on it.
    Absent,
}

/// This node has the right to lead, or needs none.
#[must_use]
pub fn may_lead(state: &State) -> bool {
    let Some(quorum) = &state.settings.quorum else {
        return true;
    };
    if state.lead.forced {
        return true;
    }
    let enough = votes(state) >= needed(state, quorum);
    if leads(state) {
        enough || quorum.alone && all_vouch(state)
    } else {
        enough && own_vote_is_free(state)
    }
}

/// So many votes are needed.
#[must_use]
pub fn needed(state: &State, quorum: &Quorum) -> usize {
    match quorum.alone {
        true => 1,
        false => (1 + state.settings.peers.len() + quorum.voters.len()) / 2 + 1,
    }
}

/// So many votes are for this node.
#[must_use]
pub fn votes(state: &State) -> usize {
    let Some(quorum) = &state.settings.quorum else {
        return 0;
    };
    let given = given(state);
    let follows = |peer: &&Peer| matches!(peer.vouched, Some((Vouched::Follows, _)));
    match quorum.alone {
        true => given,
        false => given + 1 + state.peers.values().filter(follows).count(),
    }
}

/// So many voters stand for this node.
fn given(state: &State) -> usize {
    let ours = |said: &&Said| matches!(said.vote, Vote::Ours { .. });
    state.lead.votes.values().filter(ours).count()
}

/// So many voters answer that they could give the right to lead; also where there is none to be given.
#[must_use]
pub fn is_in_sight(state: &State) -> bool {
    let Some(quorum) = &state.settings.quorum else {
        return true;
    };
    let answers = |voter: &&String| {
        let vote = state.lead.votes.get(*voter);
        vote.is_some_and(|said| !matches!(said.vote, Vote::Silent { .. }))
    };
    let answering = quorum.voters.iter().filter(answers).count();
    answering + usize::from(!quorum.alone) >= needed(state, quorum)
}

/// Every voter has said something since the agent started, and too few of them answer.
pub(super) fn is_out_of_sight(state: &State) -> bool {
    let heard = |voter: &String| state.lead.votes.contains_key(voter);
    let quorum = state.settings.quorum.as_ref();
    quorum.is_some_and(|quorum| quorum.voters.iter().all(heard)) && !is_in_sight(state)
}

/// A voter stands for another node.
pub(super) fn is_led_elsewhere(state: &State) -> bool {
    let mut votes = state.lead.votes.values();
    votes.any(|said| matches!(said.vote, Vote::Theirs { .. }))
}

/// This node could lead, had it the right to.
pub(super) fn is_waited_for(state: &State) -> bool {
    gate_blocker(state) == Some(QUORUM)
}

/// The only voter does not answer; and no other node can have been promoted, as this one sees itself.
fn all_vouch(state: &State) -> bool {
    let silent = |said: &Said| matches!(said.vote, Vote::Silent { .. });
    let vouches = |name: &String| {
        let peer = state.peers.get(name);
        peer.is_some_and(|peer| peer.vouched.is_some())
    };
    !state.lead.votes.is_empty()
        && state.lead.votes.values().all(silent)
        && state.settings.peers.iter().all(vouches)
}

/// No other node can count on this one's vote: none of them serves, or it was taken back long enough ago.
fn own_vote_is_free(state: &State) -> bool {
    let handed = |said: &Said| said.vote == Vote::Ours { handed: true };
    let is_harmless = |name: &String| {
        let Some(peer) = state.peers.get(name) else {
            return !state.has_been_served();
        };
        match (&peer.observation, peer.grade) {
            (_, Some(Grade::Refused)) => true,
            (Some(seen), _) if peer.answers() => seen.role == RedisRole::Replica,
            (None, _) => !state.has_been_served(),
            _ => false,
        }
    };
    state.lead.own == OwnVote::Free
        || state.lead.votes.values().any(handed)
        || state.settings.peers.iter().all(is_harmless)
}

fn leads(state: &State) -> bool {
    matches!(state.role, Role::Primary | Role::Promoting)
}

/// What a check of another node says for it.
pub(super) fn vouched(
    own: Option<&Observation>,
    grade: Grade,
    seen: Option<&Observation>,
    at_us: u64,
) -> Option<(Vouched, u64)> {
    let follows = seen.is_some_and(|seen| {
        seen.role == RedisRole::Replica
            && seen.link_up
            && own.is_some_and(|own| own.replid == seen.replid)
    });
    match (grade, follows) {
        (Grade::Refused, _) => Some((Vouched::Absent, at_us)),
        (_, true) => Some((Vouched::Follows, at_us)),
        _ => None,
    }
}

/// What was seen too long ago counts no more.
pub(super) fn expire(state: &mut State, stamp: Stamp) {
    let Some(quorum) = &state.settings.quorum else {
        return;
    };
    let counts_us = quorum.counts_ms().saturating_mul(1000);
    for peer in state.peers.values_mut() {
        let is_over =
            |(_, seen_us): &(_, u64)| seen_us.saturating_add(counts_us) <= stamp.at.mono_us;
        peer.vouched = peer.vouched.filter(|vouched| !is_over(vouched));
    }
}

/// The right to lead was lost or gained with this event: that comes before all else that it means. But one that was
/// not needed before is waited for, and an operator is answered as what he asked.
pub(super) fn changed(state: &State, had: bool, event: &Event) -> Option<Trigger> {
    if matches!(event, Event::Configured(_) | Event::OperatorAsked { .. }) {
        return None;
    }
    match (leads(state), had, may_lead(state)) {
        (true, true, false) => Some(Trigger::LeadLost),
        (false, false, true) if state.role == Role::Held => Some(Trigger::LeadGained),
        _ => None,
    }
}

/// A voter has said something.
pub(super) fn voted(state: &mut State, stamp: Stamp, voter: &str, vote: &Vote) {
    let quorum = state.settings.quorum.as_ref();
    if quorum.is_some_and(|quorum| quorum.voters.iter().any(|known| known == voter)) {
        let (vote, since) = (vote.clone(), stamp.at);
        state
            .lead
            .votes
            .insert(voter.to_owned(), Said { vote, since });
    }
}

/// Redis was told to follow nobody, or could not be.
pub(super) fn detached(state: &mut State, stamp: Stamp, done: bool) {
    let ttl_ms = state.settings.quorum.as_ref().map(|quorum| quorum.ttl_ms);
    if state.lead.own != OwnVote::Withdrawing {
        return;
    }
    state.lead.own = match ttl_ms.filter(|_| done) {
        Some(ttl_ms) => {
            arm(state, stamp, Deadline::OwnVote, ttl_ms);
            OwnVote::Withdrawn
        }
        None => OwnVote::Lent,
    };
}

/// The settings changed: what is asked of the voters is asked again.
pub(super) fn configured(state: &mut State) {
    state.lead.asked = None;
    match &state.settings.quorum {
        Some(quorum) => state
            .lead
            .votes
            .retain(|voter, _| quorum.voters.contains(voter)),
        None => state.lead = Lead::default(),
    }
}

/// The agent is new: nothing is known of the voters.
pub(super) fn forget(state: &mut State) {
    state.lead.votes.clear();
    state.lead.asked = None;
    state.lead.own = OwnVote::Lent;
    for peer in state.peers.values_mut() {
        peer.vouched = None;
    }
}

/// What a change of role means for the right to lead.
pub(super) fn enter(state: &mut State, from: Role) {
    let stays = matches!(state.role, Role::Held | Role::Promoting | Role::Primary);
    if !stays {
        state.lead.own = OwnVote::Lent;
        state.lead.forced &= !matches!(from, Role::Promoting | Role::Primary);
    }
    state.deadlines.remove(&Deadline::Lead);
    state.deadlines.remove(&Deadline::OwnVote);
}

/// Orders what follows from the role: the votes while this node leads or may, their end when it does no more.
pub(super) fn keep(state: &mut State, draft: &mut Draft) {
    let Some(quorum) = &state.settings.quorum else {
        return;
    };
    if votes(state) >= needed(state, quorum) {
        state.lead.forced = false;
    }
    let Some(asks) = asks(state) else { return };
    let asked = state.lead.asked;
    // What was given back need not be left to run out.
    if asked == Some(asks) || (asked, asks) == (Some(Asked::Release), Asked::Nothing) {
        return;
    }
    state.lead.asked = Some(asks);
    draft.effects.push(match asks {
        Asked::Votes => Effect::ClaimLead,
        Asked::Nothing => Effect::ReleaseLead { at_once: false },
        Asked::Release => Effect::ReleaseLead { at_once: true },
    });
}

fn asks(state: &State) -> Option<Asked> {
    match state.role {
        Role::Primary if has_yielded(state) => Some(Asked::Release),
        Role::Primary | Role::Promoting => Some(Asked::Votes),
        Role::Held if state.is_vrrp_master() && (is_waited_for(state) || may_lead(state)) => {
            Some(Asked::Votes)
        }
        Role::Held => None,
        _ if takes_no_writes(state) => Some(Asked::Release),
        _ => Some(Asked::Nothing),
    }
}

/// Writes are held back here, and the VIP was handed on.
pub(super) fn has_yielded(state: &State) -> bool {
    state.switchover.is_some() && state.eligible == Some(false)
}

fn takes_no_writes(state: &State) -> bool {
    let ended = state.pid.is_none() && state.health.status == super::Status::Down;
    ended || state.grade == Some(Grade::Refused) || state.redis_role() == Some(RedisRole::Replica)
}

/// A primary that has not the right to lead may get it yet.
pub(super) fn is_unheld(state: &State) -> bool {
    let decides = state.role == Role::Primary && state.paused.is_none();
    decides && state.switchover.is_none() && !may_lead(state)
}

/// This node would lead, and somebody may count on its own vote who is not seen to serve.
pub(super) fn is_to_withdraw(state: &State) -> bool {
    state.role == Role::Held
        && state.is_vrrp_master()
        && state.lead.own == OwnVote::Lent
        && is_waited_for(state)
        && !own_vote_is_free(state)
        && !state.peer_serves_now()
}

/// Sets the timer for when what was seen of the others counts no more, where the right to lead hangs on it.
pub(super) fn watch(state: &mut State, stamp: Stamp) {
    let seen = state.peers.values().filter_map(|peer| peer.vouched);
    let earliest = seen.map(|(_, seen_us)| seen_us).min();
    let quorum = state.settings.quorum.as_ref();
    let quorum = quorum.filter(|_| leads(state) && !state.lead.forced);
    let hangs =
        quorum.filter(|quorum| given(state) + usize::from(!quorum.alone) < needed(state, quorum));
    let (Some(quorum), Some(earliest)) = (hangs, earliest) else {
        state.deadlines.remove(&Deadline::Vouched);
        return;
    };
    let due_us = earliest.saturating_add(quorum.counts_ms().saturating_mul(1000));
    let by = stamp.seq;
    state
        .deadlines
        .insert(Deadline::Vouched, Armed { due_us, by });
}
