//! `rha switchover`, as asked over HTTP: what must be so, and the switchover itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep};

use super::api::{Answer, SWITCHOVER_LONGEST, SwitchoverAsk, SwitchoverCheck, SwitchoverTo};
use super::connections::Caller;
use super::serve::{App, ask, explained, no_such};
use crate::machine::switchover;
use crate::model::event::Event;
use crate::model::record::Record;

/// How it ends, by the rules that end it; only the first is a success.
const ENDS: [&str; 7] = [
    "let-go",
    "let-go-late",
    "let-go-failed",
    "let-go-unheld",
    "let-go-failed-late",
    "hand-over-failed",
    "writes-held-late",
];
/// No node's name is longer, in bytes.
const NAME_MAX: usize = 64;
/// Beyond what both halves may take.
const BELT: Duration = Duration::from_secs(10);

/// What is known of another node may be as old as its last check: so long a "no" is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(1500);
/// How often.
const PAUSE: Duration = Duration::from_millis(50);

/// Each thing that must be so, and whether it is.
pub async fn checks(
    State(app): State<App>,
    Path(instance): Path<String>,
    Query(query): Query<SwitchoverTo>,
) -> Result<Json<Vec<SwitchoverCheck>>, (StatusCode, String)> {
    let until = Instant::now() + LOOK_AGAIN;
    let checks = loop {
        let to = query.to.as_deref();
        let look = app.look(&instance, |state| switchover::checks(state, to));
        let checks = look.ok_or_else(|| {
            let text = format!("no instance is called {instance:?}");
            (StatusCode::NOT_FOUND, text)
        })?;
        if checks.iter().all(|(.., passes)| *passes) || Instant::now() >= until {
            break checks;
        }
        sleep(PAUSE).await;
    };
    let check = |(name, asks, passes): (&str, &str, bool)| SwitchoverCheck {
        name: name.to_owned(),
        asks: asks.to_owned(),
        passes,
    };
    Ok(Json(checks.into_iter().map(check).collect()))
}

/// Does it, and answers when it is over.
pub async fn switch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<SwitchoverAsk>,
) -> (StatusCode, Json<Answer>) {
    let failed = |code, text| (code, Json(Answer { ok: false, text }));
    let known = app.names();
    if !known.contains(&body.instance) {
        return no_such(&body.instance, &known);
    }
    let longest = SWITCHOVER_LONGEST.as_millis();
    if body.within_ms == 0 || u128::from(body.within_ms) > longest {
        let text = format!("within_ms is 1 to {longest}");
        return failed(StatusCode::BAD_REQUEST, text);
    }
    if body.to.as_ref().is_some_and(|to| to.len() > NAME_MAX) {
        return failed(
            StatusCode::BAD_REQUEST,
            "no node has such a long name".to_owned(),
        );
    }
    let mut committed = app.committed();
    let event = Event::SwitchoverAsked {
        to: body.to,
        within_ms: body.within_ms,
        operator: caller.operator(body.command),
    };
    let record = match ask(&app, &body.instance, event).await {
        Ok(record) => record,
        Err(text) => return failed(StatusCode::SERVICE_UNAVAILABLE, text),
    };
    if record.decision.effects.is_empty() {
        return failed(StatusCode::CONFLICT, explained(&record));
    }
    let patience = Duration::from_millis(body.within_ms.saturating_mul(2)) + BELT;
    let end = tokio::time::timeout(patience, end(&mut committed, &record)).await;
    match end.ok().flatten() {
        Some(end) => {
            let text = told(&end);
            match is_rule(&end, ENDS[0]) {
                true => (StatusCode::OK, Json(Answer { ok: true, text })),
                false => failed(StatusCode::BAD_GATEWAY, text),
            }
        }
        None => failed(
            StatusCode::GATEWAY_TIMEOUT,
            "it did not end in time: rha history says how far it came".to_owned(),
        ),
    }
}

/// The record that ends it.
async fn end(
    committed: &mut broadcast::Receiver<Arc<Record>>,
    began: &Record,
) -> Option<Arc<Record>> {
    loop {
        match committed.recv().await {
            Ok(record) => {
                let concerns = record.instance == began.instance && record.seq > began.seq;
                let is_over = ENDS.iter().any(|end| is_rule(&record, end));
                let changed = record.decision.transition.is_some();
                if concerns && (is_over || changed) {
                    return Some(record);
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn is_rule(record: &Record, id: &str) -> bool {
    record
        .decision
        .rule
        .as_ref()
        .is_some_and(|rule| rule.as_str() == id)
}

fn told(end: &Record) -> String {
    let because = explained(end);
    match &end.event {
        Event::EffectFinished { order, outcome, .. } => format!("{order}: {outcome}. {because}"),
        _ => because,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::table;

    #[test]
    fn every_end_is_a_rule() {
        for end in ENDS {
            assert!(table::row(end).is_some(), "{end}");
        }
    }
}
