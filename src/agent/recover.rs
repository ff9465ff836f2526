//! Start-up: what the journal says was going on.

use std::collections::BTreeMap;

use crate::journal::{Error, Reader};
use crate::machine::{self, State};
use crate::model::effect::{Effect, EffectId};
use crate::model::record::Seq;
use crate::model::vrrp::SpoolPosition;
use crate::views::spool_position;
use crate::views::unresolved::{Ordered, Unresolved};

/// The fold of the whole journal.
#[derive(Default)]
pub struct Recovered {
    /// The machine's states by instance.
    pub states: BTreeMap<String, State>,
    /// Up to where the spool was taken in.
    pub spool: Option<SpoolPosition>,
    /// Alarms that were ordered and never known to be sent.
    pub alarms: Vec<(EffectId, Ordered)>,
    /// Other effects whose outcome nobody knows: the review at `AgentReady` looks at the world instead.
    pub unknown: usize,
}

/// Folds every record, in order.
///
/// # Errors
/// A record that cannot be read.
pub fn recover(journal: &Reader) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    let mut unresolved = Unresolved::default();
    for record in journal.records(Seq(1)) {
        let record = record?;
        let state = recovered.states.entry(record.instance.clone()).or_default();
        machine::step(state, record.seq, record.at, &record.event);
        recovered.spool = spool_position(recovered.spool, &record);
        unresolved.fold(&record);
    }
    for (id, order) in unresolved.iter() {
        if matches!(order.effect, Effect::SendAlarm { .. }) {
            recovered.alarms.push((id, order.clone()));
        } else {
            recovered.unknown += 1;
        }
    }
    Ok(recovered)
}
