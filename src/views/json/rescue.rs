//! What became of a data set that was about to be overwritten, as JSON.

use serde::Serialize;

use super::Shown;
use super::event::EventJson;
use crate::model::event::Event;
use crate::model::redis::{Endpoint, RedisId};
use crate::model::rescue::Diverged;

/// What a Redis had that the one that it was to follow lacked.
#[derive(Debug, Serialize)]
struct DivergedJson<'a> {
    target: Shown<'a, Endpoint>,
    replid: Shown<'a, RedisId>,
    offset: i64,
    diverged_bytes: Option<u64>,
    keys: u64,
}

impl<'a> From<&'a Diverged> for DivergedJson<'a> {
    fn from(diverged: &'a Diverged) -> Self {
        Self {
            target: Shown(&diverged.target),
            replid: Shown(&diverged.replid),
            offset: diverged.offset,
            diverged_bytes: diverged.lacks,
            keys: diverged.keys,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct RescuedJson<'a> {
    #[serde(flatten)]
    diverged: DivergedJson<'a>,
    path: &'a str,
    bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct NotRescuedJson<'a> {
    #[serde(flatten)]
    diverged: DivergedJson<'a>,
    why: &'a str,
    waits: bool,
}

pub(super) fn of_a_rescue(event: &Event) -> EventJson<'_> {
    match event {
        Event::Rescued {
            diverged,
            path,
            bytes,
        } => EventJson::Rescued(RescuedJson {
            diverged: diverged.into(),
            path,
            bytes: *bytes,
        }),
        Event::NotRescued {
            diverged,
            why,
            waits,
        } => EventJson::NotRescued(NotRescuedJson {
            diverged: diverged.into(),
            why,
            waits: *waits,
        }),
        _ => unreachable!("told of rescues only"),
    }
}
