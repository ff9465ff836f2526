//! The voters, and the sense that asks them, as `src/ingest/quorum.rs` does.

use std::collections::BTreeMap;

use rha::ingest::quorum::Wish;
use rha::model::event::Event;
use rha::model::quorum::{Quorum, Vote};

use super::agent::Act;
use super::{Action, MS, SECOND, World};

/// How long a vote is given for.
pub const TTL_US: u64 = 3 * SECOND;

/// One that lends the right to lead: a witness, or all of etcd.
#[derive(Debug)]
pub struct Voter {
    pub name: String,
    pub up: bool,
    /// On which side of a partition it is.
    pub side: u8,
    /// A node that does not reach it, whatever else it reaches.
    pub hidden_from: Option<usize>,
    /// Who has its vote, until when.
    holder: Option<(usize, u64)>,
    /// The last holder gave it back.
    handed: bool,
}

/// What a node asks, and what it was told.
#[derive(Debug, Default)]
pub struct Canvass {
    wish: Wish,
    wished_at: u64,
    told: BTreeMap<String, Vote>,
    counts_until: BTreeMap<String, u64>,
}

impl World {
    /// The right to lead is lent from now on, by etcd or by as many witnesses.
    pub fn set_quorum(&mut self, witnesses: usize) {
        let names: Vec<String> = match witnesses {
            0 => vec!["etcd".to_owned()],
            _ => (1..=witnesses).map(|number| format!("w{number}")).collect(),
        };
        self.voters = names.iter().map(|name| Voter::new(name)).collect();
        for node in &mut self.nodes {
            node.settings.quorum = Some(Quorum {
                alone: witnesses == 0,
                voters: names.clone(),
                ttl_ms: TTL_US / MS,
            });
        }
    }

    pub(super) fn wish(&mut self, node: usize, wish: Wish) {
        let now = self.now;
        let canvass = &mut self.nodes[node].canvass;
        (canvass.wish, canvass.wished_at) = (wish, now);
        let life = self.nodes[node].agent.life;
        // What was scheduled before goes on as well: it finds nothing to tell.
        self.after(MS, Action::Agent(node, Act::Canvass { life, again: false }));
    }

    /// Asks every voter once, and tells what is new.
    pub(super) fn canvass(&mut self, node: usize, again: bool) {
        let mut wait = TTL_US / 6;
        if self.nodes[node].settings.quorum.is_some() {
            for index in 0..self.voters.len() {
                wait = wait.min(self.canvass_one(node, index));
            }
        }
        let life = self.nodes[node].agent.life;
        // One that was asked out of turn goes on only as long as it has something to wait for.
        if again || wait < 50 * MS {
            self.after(wait, Action::Agent(node, Act::Canvass { life, again }));
        }
    }

    /// How long until it is asked again.
    fn canvass_one(&mut self, node: usize, index: usize) -> u64 {
        let (now, host) = (self.now, &self.nodes[node]);
        let voter = &self.voters[index];
        let name = voter.name.clone();
        let hidden = voter.hidden_from == Some(node);
        let reached = voter.up && !hidden && host.booted && host.link_up && host.side == voter.side;
        let wish = host.canvass.wish;
        let vote = match reached {
            true => Some(self.ask_voter(node, index, wish)),
            false => None,
        };
        let canvass = &mut self.nodes[node].canvass;
        let counts = canvass
            .counts_until
            .entry(name.clone())
            .or_insert(now + TTL_US / 2);
        let vote = match vote {
            Some(vote) => {
                *counts = now + TTL_US / 3 * 2;
                vote
            }
            None if now < *counts => return (*counts - now).min(TTL_US / 6),
            None => Vote::Silent {
                why: "no answer in time".to_owned(),
            },
        };
        let is_ours = matches!(vote, Vote::Ours { .. });
        let told = canvass.told.get(&name);
        // How it came to be ours is told once.
        if told != Some(&vote) && !(is_ours && matches!(told, Some(Vote::Ours { .. }))) {
            canvass.told.insert(name.clone(), vote.clone());
            self.take(node, Event::QuorumChanged { voter: name, vote }, None);
        }
        let canvass = &self.nodes[node].canvass;
        match canvass.wish {
            Wish::Lead if !is_ours && now < canvass.wished_at + SECOND => 10 * MS,
            Wish::Lead if !is_ours => 100 * MS,
            _ => TTL_US / 6,
        }
    }

    fn ask_voter(&mut self, node: usize, index: usize, wish: Wish) -> Vote {
        let now = self.now;
        let voter = &mut self.voters[index];
        if voter.holder.is_some_and(|(_, until)| until <= now) {
            (voter.holder, voter.handed) = (None, false);
        }
        let is_ours = voter.holder.is_some_and(|(holder, _)| holder == node);
        match wish {
            Wish::Lead if is_ours || voter.holder.is_none() => {
                voter.holder = Some((node, now + TTL_US));
                Vote::Ours {
                    handed: voter.handed,
                }
            }
            Wish::AsItIs if is_ours => {
                voter.holder = Some((node, now + TTL_US));
                Vote::Ours { handed: false }
            }
            Wish::Release if is_ours => {
                (voter.holder, voter.handed) = (None, true);
                Vote::Free
            }
            _ if is_ours => Vote::Free,
            _ => match voter.holder {
                Some((holder, _)) => Vote::Theirs {
                    holder: self.nodes[holder].name.clone(),
                },
                None => Vote::Free,
            },
        }
    }
}

impl Voter {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            up: true,
            side: 0,
            hidden_from: None,
            holder: None,
            handed: false,
        }
    }
}
