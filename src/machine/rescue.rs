//! What became of a data set that was about to be overwritten.

use super::observe::Observed;
use super::row::Trigger;
use crate::model::event::Event;
use crate::model::rescue::Diverged;

/// What it means that a data set was saved, or could not be, and what an alarm says of it.
pub(super) fn observed(event: &Event) -> Observed {
    let (trigger, detail) = match event {
        Event::Rescued {
            diverged,
            path,
            bytes,
        } => {
            let trigger = match diverged.lacks {
                Some(_) => Trigger::Rescued,
                None => Trigger::RescuedInCase,
            };
            (trigger, format!("{path}: {bytes} bytes; {diverged}."))
        }
        Event::NotRescued {
            diverged,
            why,
            waits,
        } => (Trigger::NotRescued, not_rescued(diverged, why, *waits)),
        _ => return Observed::default(),
    };
    Observed {
        trigger: Some(trigger),
        detail: Some(detail),
        ..Observed::default()
    }
}

fn not_rescued(diverged: &Diverged, why: &str, waits: bool) -> String {
    let then = match waits {
        true => "it is not overwritten, and the order is tried again",
        false => "it is overwritten",
    };
    format!("{why}; {diverged}; {then}.")
}
