//! What the machine answers to one event.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::alarm::AlarmKind;
use super::effect::Effect;
use super::record::IncidentId;
use super::role::Role;

/// Transition, effects and the rule that fired. The default decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The change of role, where there is one.
    pub transition: Option<Transition>,
    /// The row of the table that fired; `None` where the event was only folded.
    pub rule: Option<RuleId>,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// What else was decided.
    pub notes: Vec<Note>,
}

impl Decision {
    /// Nothing changed and nothing is to be done: such checks are stored packed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transition.is_none()
            && self.rule.is_none()
            && self.effects.is_empty()
            && self.notes.is_empty()
    }
}

/// A change of role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Before.
    pub from: Role,
    /// After.
    pub to: Role,
}

/// Name of a row of the transition table, such as `promote-on-vip`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleId(pub Cow<'static, str>);

impl RuleId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Something decided that is neither a transition nor an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// An incident began with this record.
    IncidentOpened(IncidentId),
    /// The incident ended: the role has settled.
    IncidentClosed(IncidentId),
    /// The promotion gate is shut: the guard that shut it.
    Blocked {
        /// Name of the guard.
        guard: Cow<'static, str>,
    },
    /// An alarm was not sent.
    AlarmSuppressed {
        /// Which.
        kind: AlarmKind,
        /// Why.
        why: Cow<'static, str>,
    },
    /// The number of promotions on this node grew to this.
    Epoch(u64),
    /// Something that a reader should see: a fact changed.
    Noticed(Cow<'static, str>),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IncidentOpened(id) => write!(f, "incident {id} opened"),
            Self::IncidentClosed(id) => write!(f, "incident {id} closed"),
            Self::Blocked { guard } => write!(f, "blocked by {guard}"),
            Self::AlarmSuppressed { kind, why } => write!(f, "alarm {kind} suppressed: {why}"),
            Self::Epoch(epoch) => write!(f, "epoch {epoch}"),
            Self::Noticed(text) => f.write_str(text),
        }
    }
}
