//! `rha drill`, as told over HTTP: its beginning and its end are records.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;

use super::api::{Answer, DrillBegun, DrillDone};
use super::connections::Caller;
use super::serve::{App, WORDS_MAX, ask, no_such};
use crate::model::drill::Drill;
use crate::model::event::Event;

/// Recorded before anything is broken: what follows has a cause.
pub async fn begun(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<DrillBegun>,
) -> (StatusCode, Json<Answer>) {
    let operator = caller.operator(body.command);
    let event = |drill| Event::OperatorDrilled {
        drill,
        for_ms: body.for_ms,
        operator,
    };
    record(&app, &body.instance, &body.drill, event).await
}

/// Recorded when it is over.
pub async fn done(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<DrillDone>,
) -> (StatusCode, Json<Answer>) {
    let operator = caller.operator(body.command);
    let event = |drill| Event::DrillEnded {
        drill,
        restored: body.restored,
        how: body.how.chars().take(WORDS_MAX).collect(),
        operator,
    };
    record(&app, &body.instance, &body.drill, event).await
}

async fn record(
    app: &App,
    instance: &str,
    word: &str,
    event: impl FnOnce(Drill) -> Event,
) -> (StatusCode, Json<Answer>) {
    let said = |code, ok, text| (code, Json(Answer { ok, text }));
    let known = app.names();
    if !known.iter().any(|name| name == instance) {
        return no_such(instance, &known);
    }
    let Some(drill) = Drill::of(word) else {
        let text = format!("no drill is called {word:?}");
        return said(StatusCode::BAD_REQUEST, false, text);
    };
    match ask(app, instance, event(drill)).await {
        Ok(record) => {
            let text = format!("recorded as {}", record.seq);
            said(StatusCode::OK, true, text)
        }
        Err(text) => said(StatusCode::SERVICE_UNAVAILABLE, false, text),
    }
}
