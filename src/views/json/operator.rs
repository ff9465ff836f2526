//! What operators did, as JSON.

use super::event::EventJson;
use crate::model::event::{Event, Operator, RedisRequest};
use crate::views::time::rfc3339;

/// An event that an operator told; of no other.
pub(super) fn of_operator(event: &Event) -> EventJson<'_> {
    match event {
        Event::OperatorPaused {
            until_us,
            reason,
            operator,
        } => operator_paused(*until_us, reason, operator),
        Event::OperatorResumed { operator } => operator_resumed(operator),
        Event::OperatorAcked { note, operator } => EventJson::OperatorAcked {
            note,
            operator: operator.into(),
        },
        Event::OperatorAsked { request, operator } => operator_asked(*request, operator),
        Event::SwitchoverAsked {
            to,
            within_ms,
            operator,
        } => switchover_asked(to.as_deref(), *within_ms, operator),
        Event::OperatorDrilled {
            drill,
            for_ms,
            operator,
        } => EventJson::OperatorDrilled {
            drill: drill.word(),
            for_ms: *for_ms,
            operator: operator.into(),
        },
        Event::DrillEnded {
            drill,
            restored,
            how,
            operator,
        } => EventJson::DrillEnded {
            drill: drill.word(),
            restored: *restored,
            how,
            operator: operator.into(),
        },
        _ => unreachable!("told by operators only"),
    }
}

fn switchover_asked<'a>(
    to: Option<&'a str>,
    within_ms: u64,
    operator: &'a Operator,
) -> EventJson<'a> {
    EventJson::SwitchoverAsked {
        to,
        within_ms,
        operator: operator.into(),
    }
}

fn operator_resumed(operator: &Operator) -> EventJson<'_> {
    EventJson::OperatorResumed {
        operator: operator.into(),
    }
}

fn operator_paused<'a>(
    until_us: Option<i64>,
    reason: &'a str,
    operator: &'a Operator,
) -> EventJson<'a> {
    EventJson::OperatorPaused {
        until: until_us.map(rfc3339),
        reason,
        operator: operator.into(),
    }
}

fn operator_asked(request: RedisRequest, operator: &Operator) -> EventJson<'_> {
    EventJson::OperatorAsked {
        request: match request {
            RedisRequest::Start => "start",
            RedisRequest::Stop => "stop",
            RedisRequest::Restart => "restart",
            RedisRequest::Promote => "promote",
        },
        operator: operator.into(),
    }
}
