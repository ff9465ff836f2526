//! What every format has to hold.

use std::collections::BTreeSet;

use crate::journal::codec::{Chain, Entry};
use crate::model::decision::Note;
use crate::model::effect::{Effect, Outcome};
use crate::model::event::{Deadline, Event};

use super::samples::{entries, samples};
use super::*;

/// The entries in the lines of a golden file, each with its name, read as one chain.
pub(super) fn read(golden: &str) -> Vec<(String, Entry)> {
    let mut chain = Chain::genesis();
    let read = |line: &str| {
        let [key, name, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a golden line: {line}");
        };
        let value: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let entry = chain.admit(key.parse().unwrap(), &value).unwrap();
        (name.to_owned(), entry)
    };
    golden.lines().map(read).collect()
}

/// The golden bytes of a format that was left when there were so many samples.
pub(super) fn is_read_as_ever(golden: &str, there_were: usize) {
    let read = read(golden);
    let expected = entries(&samples()[..there_were]);
    assert_eq!(read.len(), expected.len());
    for ((name, read), expected) in read.into_iter().zip(expected) {
        assert_eq!(read, expected, "{name}");
    }
}

#[test]
fn every_stored_variant_has_a_golden_line() {
    let mut seen = Seen { ..Seen::default() };
    for record in samples() {
        seen.event(&record.event);
        record
            .decision
            .effects
            .iter()
            .for_each(|effect| seen.effect(effect));
        record
            .decision
            .notes
            .iter()
            .for_each(|note| seen.note(note));
    }
    let full = |seen: &[bool]| seen.iter().all(|seen| *seen);
    assert_eq!(seen.events.len(), Event::KINDS.len(), "{:?}", seen.events);
    assert!(full(&seen.effects), "{:?}", seen.effects);
    assert!(full(&seen.outcomes), "{:?}", seen.outcomes);
    assert!(full(&seen.notes), "{:?}", seen.notes);
    assert!(full(&seen.deadlines), "{:?}", seen.deadlines);
}

#[test]
fn kinds_are_numbered_in_stored_order() {
    let mut kinds = Vec::new();
    for kind in samples().iter().map(|record| record.event.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds, Event::KINDS);
}

#[test]
fn unknown_formats_are_refused() {
    let newer = decode(7, &[]).unwrap_err().to_string();
    assert_eq!(
        newer,
        "journal format 7 is newer than this rha knows (3): install the version that wrote it, or newer"
    );
    decode(0, &[]).unwrap_err();
}

/// Ticks variants off. The matches have no wildcard: a variant that is appended has to be put in
/// here, and then into the samples.
#[derive(Default)]
struct Seen {
    events: BTreeSet<usize>,
    effects: [bool; 16],
    outcomes: [bool; 5],
    notes: [bool; 6],
    deadlines: [bool; 17],
}

impl Seen {
    fn event(&mut self, event: &Event) {
        let index = match event {
            Event::AgentStarted { .. } => 0,
            Event::Configured(_) => 1,
            Event::ConfigRejected { .. } => 2,
            Event::AgentReady { .. } => 3,
            Event::AgentStopping => 4,
            Event::VrrpNotified(_) => 5,
            Event::NotifyUnparsed { .. } => 6,
            Event::VipChanged { .. } => 7,
            Event::KeepalivedChanged { .. } => 8,
            Event::RedisAttached { .. } => 9,
            Event::RedisProbed(_) => 10,
            Event::RedisExited { .. } => 11,
            Event::PeerProbed { .. } => 12,
            Event::DeadlinePassed { deadline } => {
                self.deadline(*deadline);
                13
            }
            Event::EffectFinished { outcome, .. } => {
                self.outcome(outcome);
                14
            }
            Event::OperatorPaused { .. } => 15,
            Event::OperatorResumed { .. } => 16,
            Event::OperatorAsked { .. } => 17,
            Event::ActedUnrecorded { .. } => 18,
            Event::JournalQuarantined { .. } => 19,
            Event::SpoolDamaged { .. } => 20,
            Event::JournalFailed { .. } => 21,
            Event::EffectTried { .. } => 22,
            Event::RecordsRemoved { .. } => 23,
            Event::VolumeDamaged { .. } => 24,
            Event::PeerAdvertised { .. } => 25,
            Event::SwitchoverAsked { .. } => 26,
            Event::PeerSigned { .. } => 27,
            Event::VipClaimed { .. } => 28,
            Event::OperatorDrilled { .. } => 29,
            Event::DrillEnded { .. } => 30,
            Event::Tilted { .. } => 31,
            Event::OperatorAcked { .. } => 32,
            Event::Rescued { .. } => 33,
            Event::NotRescued { .. } => 34,
            Event::QuorumChanged { .. } => 35,
        };
        self.events.insert(index);
    }

    fn effect(&mut self, effect: &Effect) {
        let index = match effect {
            Effect::Promote => 0,
            Effect::Follow { .. } => 1,
            Effect::SetEligible { .. } => 2,
            Effect::SetBias { .. } => 3,
            Effect::Drain { .. } => 4,
            Effect::RemoveVip => 5,
            Effect::StartRedis => 6,
            Effect::StopRedis => 7,
            Effect::SendAlarm { .. } => 8,
            Effect::KillRedis { .. } => 9,
            Effect::HandOver { .. } => 10,
            Effect::LetGo { .. } => 11,
            Effect::GuardWrites { .. } => 12,
            Effect::Rejoin { .. } => 13,
            Effect::ClaimLead => 14,
            Effect::ReleaseLead { .. } => 15,
        };
        self.effects[index] = true;
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let index = match outcome {
            Outcome::Done(_) => 0,
            Outcome::Refused(_) => 1,
            Outcome::TimedOut => 2,
            Outcome::Failed(_) => 3,
            Outcome::Superseded => 4,
        };
        self.outcomes[index] = true;
    }

    fn note(&mut self, note: &Note) {
        let index = match note {
            Note::IncidentOpened(_) => 0,
            Note::IncidentClosed(_) => 1,
            Note::Blocked { .. } => 2,
            Note::AlarmSuppressed { .. } => 3,
            Note::Epoch(_) => 4,
            Note::Noticed(_) => 5,
        };
        self.notes[index] = true;
    }

    fn deadline(&mut self, deadline: Deadline) {
        let index = match deadline {
            Deadline::Negotiation => 0,
            Deadline::Retry => 1,
            Deadline::Unserved => 2,
            Deadline::Redundancy => 3,
            Deadline::Reconcile => 4,
            Deadline::KeepalivedGone => 5,
            Deadline::Repeat => 6,
            Deadline::PauseExpiry => 7,
            Deadline::Conflict => 8,
            Deadline::Apart => 9,
            Deadline::LastPrimary => 10,
            Deadline::DrillOver => 11,
            Deadline::TiltOver => 12,
            Deadline::FlapWait => 13,
            Deadline::Lead => 14,
            Deadline::OwnVote => 15,
            Deadline::Vouched => 16,
        };
        self.deadlines[index] = true;
    }
}
