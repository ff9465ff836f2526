//! The right to lead, as status tells it.

use serde::{Deserialize, Serialize};

use super::time::rfc3339;
use crate::machine::{State, quorum};
use crate::model::quorum::Vote;
use crate::model::role::Role;

/// What this node knows of the right to lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumStatus {
    /// This node has it: it leads, or would be promoted as far as that goes.
    pub held: bool,
    /// An operator said that it leads, whatever the voters say.
    pub forced: bool,
    /// So many votes are for this node.
    pub votes: usize,
    /// So many are needed.
    pub needed: usize,
    /// So many voters answer that they could give it.
    pub in_sight: bool,
    /// Those that vote beside the nodes.
    pub voters: Vec<VoterStatus>,
}

/// One that votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoterStatus {
    /// Its name.
    pub name: String,
    /// The node that it stands for; `None` for nobody, and where it does not answer.
    pub holder: Option<String>,
    /// It answers; `None` before it was asked.
    pub answers: Option<bool>,
    /// Since when, RFC 3339 in UTC.
    pub since: Option<String>,
    /// What it says, in words.
    pub said: String,
}

impl QuorumStatus {
    /// `None` where nobody's votes are needed.
    pub(super) fn new(state: &State) -> Option<Self> {
        let needed = state.settings.quorum.as_ref()?;
        Some(Self {
            held: quorum::may_lead(state),
            forced: state.lead.forced,
            votes: quorum::votes(state),
            needed: quorum::needed(state, needed),
            in_sight: quorum::is_in_sight(state),
            voters: needed
                .voters
                .iter()
                .map(|name| voter(state, name))
                .collect(),
        })
    }

    /// In a sentence.
    #[must_use]
    pub fn told(&self, role: &str) -> String {
        let Self { votes, needed, .. } = self;
        let leads = [Role::Primary, Role::Promoting]
            .iter()
            .any(|one| one.word() == role);
        let right = match (self.held, leads) {
            _ if self.forced => "this node leads because an operator said so",
            (true, true) if votes < needed => {
                "this node goes on, for no other one can have been promoted"
            }
            (true, _) => "this node has the right to lead",
            (false, true) => "this node has not the right to lead",
            (false, false) => "this node does not lead",
        };
        format!("{right}: it has {votes} of the votes, {needed} needed")
    }
}

fn voter(state: &State, name: &String) -> VoterStatus {
    let said = state.lead.votes.get(name);
    let holder = said.and_then(|said| match &said.vote {
        Vote::Ours { .. } => Some(state.settings.node.clone()),
        Vote::Theirs { holder } => Some(holder.clone()),
        Vote::Free | Vote::Silent { .. } => None,
    });
    VoterStatus {
        name: name.clone(),
        holder,
        answers: said.map(|said| !matches!(said.vote, Vote::Silent { .. })),
        since: said.map(|said| rfc3339(said.since.wall_us)),
        said: said.map_or("not heard yet".to_owned(), |said| said.vote.to_string()),
    }
}
