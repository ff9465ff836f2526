//! The journal over HTTP: streamed, for as long as nobody else needs it.

use std::cell::Cell;
use std::task::Poll;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::api::{Answer, Compact, JournalStats, Verified};
use super::library::Lent;
use super::lookup;
use super::pilot::Ask;
use super::serve::App;
use crate::journal::{Error, Reader};
use crate::model::record::Seq;
use crate::replay::Recovered;
use crate::views::history::Filter;

/// Records that match a query.
pub(super) async fn history(State(app): State<App>, Query(filter): Query<Filter>) -> Response {
    stream(&app, move |journal, listens, send| {
        for record in lookup::found(journal, &filter, listens)? {
            // A record that JSON cannot hold ends the answer in the middle.
            let Ok(mut line) = serde_json::to_vec(&record?) else {
                break;
            };
            line.push(b'\n');
            if !send(line) {
                break;
            }
        }
        Ok(())
    })
}

/// Which part.
#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    from: u64,
    /// Behind its last record, and with the state before its first.
    below: Option<u64>,
}

/// Entries as they are on the disk.
pub(super) async fn frames(
    State(app): State<App>,
    Query(Part { from, below }): Query<Part>,
) -> Response {
    stream(&app, move |journal, _, send| {
        let frames = match below {
            Some(below) => journal.excerpt::<Recovered>(Seq(from)..Seq(below))?,
            None => journal.frames(Seq(from))?,
        };
        for piece in frames.into_stream() {
            if !send(piece?) {
                break;
            }
        }
        Ok(())
    })
}

/// How much there is.
pub(super) async fn stats(State(app): State<App>) -> Response {
    look(&app, JournalStats::of).await
}

/// Is it what was written?
pub(super) async fn verify(State(app): State<App>) -> Response {
    look(&app, Verified::of).await
}

/// Answers with what is seen in the journal, looked at on a thread of its own.
async fn look<T: Serialize + Send + 'static>(
    app: &App,
    see: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
) -> Response {
    let Some(Lent { reader, .. }) = app.lend() else {
        return unavailable(NO_JOURNAL);
    };
    let Ok(permit) = app.permit() else {
        return unavailable(TOO_MANY);
    };
    let seen = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        see(&reader)
    });
    match seen.await {
        Ok(Ok(seen)) => Json(seen).into_response(),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

/// Seals all of it.
pub(super) async fn compact(
    State(app): State<App>,
    Json(Compact {}): Json<Compact>,
) -> (StatusCode, Json<Answer>) {
    let (reply, begun) = oneshot::channel();
    let done = async {
        app.ask(Ask::Compact { reply }).await?;
        let done = begun.await.map_err(|_| NO_JOURNAL.trim().to_owned())?;
        let done = done.await.map_err(|_| "the agent is stopping".to_owned())?;
        done.map_err(|error| error.to_string())
    };
    let (code, ok, text) = match done.await {
        Ok(()) => (StatusCode::OK, true, "sealed".to_owned()),
        Err(why) => (StatusCode::BAD_GATEWAY, false, why),
    };
    (code, Json(Answer { ok, text }))
}

/// Streams what `produce` reads from the journal on a thread of its own. It is told to stop when the other
/// end has gone, or when the journal must be given back; an answer that is not whole breaks off in the middle
/// of the chunked body.
fn stream(
    app: &App,
    produce: impl FnOnce(&Reader, &dyn Fn() -> bool, &dyn Fn(Vec<u8>) -> bool) -> Result<(), Error>
    + Send
    + 'static,
) -> Response {
    let Some(Lent { reader, recalled }) = app.lend() else {
        return unavailable(NO_JOURNAL);
    };
    let Ok(permit) = app.permit() else {
        return unavailable(TOO_MANY);
    };
    let (sender, mut receiver) = mpsc::channel::<Bytes>(64);
    let (whole, mut is_whole) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let cut = Cell::new(false);
        let send = |bytes: Vec<u8>| {
            let mut recalled = recalled.clone();
            let sent = runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = recalled.changed() => false,
                    sent = sender.send(Bytes::from(bytes)) => sent.is_ok(),
                }
            });
            cut.set(!sent);
            sent
        };
        let listens = || !sender.is_closed();
        match produce(&reader, &listens, &send) {
            Ok(()) if !cut.get() => drop(whole.send(())),
            Ok(()) | Err(Error::Recalled) => {}
            Err(error) => tracing::error!(%error, "the journal cannot be read"),
        }
    });
    let mut ended = false;
    let pieces = futures_util::stream::poll_fn(move |context| {
        if ended {
            return Poll::Ready(None);
        }
        receiver.poll_recv(context).map(|piece| match piece {
            Some(piece) => Some(Ok(piece)),
            None => {
                ended = true;
                is_whole
                    .try_recv()
                    .is_err()
                    .then(|| Err(std::io::Error::other("the journal was not read to its end")))
            }
        })
    });
    Body::from_stream(pieces).into_response()
}

const NO_JOURNAL: &str = "the journal cannot be used at the moment: rha's log says why\n";

const TOO_MANY: &str = "too many are reading the journal: end some of them\n";

fn failed(why: &str) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response()
}

fn unavailable(text: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
