//! HTTP/1.1 and JSON on the Unix socket: `curl --unix-socket /run/rha/agent.sock http://rha/v1/status`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::api::{self, Answer, Pause, RedisAsk, Resume};
use super::clock::Clock;
use super::library::Library;
use super::lookup;
use super::pilot::{Ask, States, lock};
use crate::ingest::Incoming;
use crate::journal::Error;
use crate::model::effect::{EffectId, Outcome};
use crate::model::event::{Event, Operator};
use crate::model::record::{Record, Seq};
use crate::views::history::Filter;
use crate::views::status::{InstanceStatus, Status};

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// Name of the node.
    pub node: String,
    /// The machine's states, to look at.
    pub states: States,
    /// Events of operators, into the loop.
    pub asks: mpsc::Sender<Ask>,
    /// Records as they are committed.
    pub committed: broadcast::Sender<Arc<Record>>,
    /// The journal, to read.
    pub library: Library,
    /// The agent's clock.
    pub clock: Clock,
}

/// Serves until the listener fails.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: UnixListener, app: App) -> std::io::Result<()> {
    let router = Router::new()
        .route(api::HEALTHZ, get(|| async { "ok\n" }))
        .route(api::STATUS, get(status))
        .route(&format!("{}/{{instance}}", api::CHECK), get(check))
        .route(api::HISTORY, get(history))
        .route(api::FRAMES, get(frames))
        .route(api::PAUSE, post(pause))
        .route(api::RESUME, post(resume))
        .route(api::REDIS, post(redis))
        .with_state(app);
    let service = router.into_make_service_with_connect_info::<Caller>();
    axum::serve(listener, service).await
}

/// Who is at the other end of the socket, as the kernel says.
#[derive(Debug, Clone)]
struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self {
            uid: stream
                .io()
                .peer_cred()
                .ok()
                .map(|credentials| credentials.uid()),
        }
    }
}

impl Caller {
    fn operator(&self, command: String) -> Operator {
        let uid = self.uid.unwrap_or(u32::MAX);
        Operator {
            uid,
            user: user_name(uid),
            command,
        }
    }
}

async fn status(State(app): State<App>) -> Json<Status> {
    let states = lock(&app.states);
    let instances = states
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, state)| InstanceStatus::new(name, state, state.since));
    Json(Status::new(
        &app.node,
        env!("CARGO_PKG_VERSION"),
        app.clock.now(),
        instances,
    ))
}

/// The answer for keepalived's `vrrp_script`: may this node hold the VIP?
async fn check(State(app): State<App>, Path(instance): Path<String>) -> (StatusCode, String) {
    let states = lock(&app.states);
    match states.get(&instance) {
        None => (
            StatusCode::NOT_FOUND,
            format!("no instance is called {instance:?}\n"),
        ),
        Some(state) if state.is_up() => (StatusCode::OK, "ok\n".to_owned()),
        Some(state) => {
            let grade = state.grade.map_or("not checked yet", |grade| grade.word());
            let text = format!("redis is {}: {grade}\n", state.health.status.word());
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn history(State(app): State<App>, Query(filter): Query<Filter>) -> Response {
    let Some(journal) = app.library.reader() else {
        return no_journal();
    };
    stream(move |send| {
        let each = |record: Record| {
            let mut line = serde_json::to_vec(&record).unwrap_or_default();
            line.push(b'\n');
            send(line)
        };
        lookup::each(&journal, &filter, each)
    })
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
}

async fn frames(State(app): State<App>, Query(From { from }): Query<From>) -> Response {
    let Some(journal) = app.library.reader() else {
        return no_journal();
    };
    stream(move |send| {
        for piece in journal.frames(Seq(from))?.into_stream() {
            if !send(piece?) {
                break;
            }
        }
        Ok(())
    })
}

fn no_journal() -> Response {
    let text = "the journal cannot be read at the moment: rha's log says why\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Streams what a reader of the journal produces on a thread of its own; the reader is told to stop
/// when the other end has gone.
fn stream(
    produce: impl FnOnce(&dyn Fn(Vec<u8>) -> bool) -> Result<(), Error> + Send + 'static,
) -> Response {
    let (sender, mut receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(64);
    tokio::task::spawn_blocking(move || {
        let send = |bytes: Vec<u8>| sender.blocking_send(Ok(Bytes::from(bytes))).is_ok();
        if let Err(error) = produce(&send) {
            // An error in the middle breaks the chunked body, so that it cannot be taken for whole.
            let _ = sender.blocking_send(Err(std::io::Error::other(error.to_string())));
        }
    });
    let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    Body::from_stream(pieces).into_response()
}

async fn pause(
    State(app): State<App>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(body): Json<Pause>,
) -> (StatusCode, Json<Answer>) {
    let operator = caller.operator(body.command);
    let until_us = body.for_ms.map(|for_ms| {
        let for_us = i64::try_from(for_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        app.clock.now().wall_us.saturating_add(for_us)
    });
    let event = Event::OperatorPaused {
        until_us,
        reason: body.reason,
        operator,
    };
    tell_all(&app, body.instance, event, "paused").await
}

async fn resume(
    State(app): State<App>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(body): Json<Resume>,
) -> (StatusCode, Json<Answer>) {
    let event = Event::OperatorResumed {
        operator: caller.operator(body.command),
    };
    tell_all(&app, body.instance, event, "resumed").await
}

async fn tell_all(
    app: &App,
    instance: Option<String>,
    event: Event,
    done: &str,
) -> (StatusCode, Json<Answer>) {
    let known: Vec<String> = lock(&app.states)
        .keys()
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    let names = match instance {
        None => known,
        Some(name) if known.contains(&name) => vec![name],
        Some(name) => return no_such(&name, &known),
    };
    for name in &names {
        if let Err(text) = ask(app, name, event.clone()).await {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(Answer { ok: false, text }),
            );
        }
    }
    (
        StatusCode::OK,
        Json(Answer {
            ok: true,
            text: format!("{done}: {}", names.join(", ")),
        }),
    )
}

fn no_such(name: &str, known: &[String]) -> (StatusCode, Json<Answer>) {
    let text = format!(
        "no instance is called {name:?}; there are: {}",
        known.join(", ")
    );
    (StatusCode::NOT_FOUND, Json(Answer { ok: false, text }))
}

async fn redis(
    State(app): State<App>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(body): Json<RedisAsk>,
) -> (StatusCode, Json<Answer>) {
    let known: Vec<String> = lock(&app.states)
        .keys()
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    if !known.contains(&body.instance) {
        return no_such(&body.instance, &known);
    }
    let mut committed = app.committed.subscribe();
    let operator = caller.operator(body.command);
    let event = Event::OperatorAsked {
        request: body.request,
        operator,
    };
    let record = match ask(&app, &body.instance, event).await {
        Ok(record) => record,
        Err(text) => {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(Answer { ok: false, text }),
            );
        }
    };
    let mut texts = Vec::new();
    let mut ok = true;
    for (index, effect) in record.decision.effects.iter().enumerate() {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let outcome = outcome_of(
            &mut committed,
            EffectId {
                seq: record.seq,
                index,
            },
        )
        .await;
        ok &= outcome.as_ref().is_some_and(Outcome::is_done);
        let outcome = outcome.map_or("no outcome".to_owned(), |outcome| outcome.to_string());
        texts.push(format!("{effect}: {outcome}"));
    }
    let code = if ok {
        StatusCode::OK
    } else {
        StatusCode::BAD_GATEWAY
    };
    (
        code,
        Json(Answer {
            ok,
            text: texts.join("; "),
        }),
    )
}

/// Sends an event into the loop and waits until it is recorded.
async fn ask(app: &App, instance: &str, event: Event) -> Result<Record, String> {
    let (reply, receipt) = oneshot::channel();
    let incoming = Incoming {
        instance: instance.to_owned(),
        event,
        cause: None,
    };
    app.asks
        .send(Ask { incoming, reply })
        .await
        .map_err(|_| "the agent is stopping".to_owned())?;
    receipt
        .await
        .map_err(|_| "the journal cannot be written: rha's log says why".to_owned())
}

/// The longest that an order to Redis may take is bounded by its own time-outs; this is the belt.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(600);

async fn outcome_of(
    committed: &mut broadcast::Receiver<Arc<Record>>,
    wanted: EffectId,
) -> Option<Outcome> {
    let wait = async {
        loop {
            match committed.recv().await {
                Ok(record) => match &record.event {
                    Event::EffectFinished { effect, outcome } if *effect == wanted => {
                        return Some(outcome.clone());
                    }
                    _ => {}
                },
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    };
    tokio::time::timeout(OUTCOME_PATIENCE, wait)
        .await
        .ok()
        .flatten()
}

/// The login name of a user id, or empty.
fn user_name(uid: u32) -> String {
    let Ok(passwd) = std::fs::read_to_string("/etc/passwd") else {
        return String::new();
    };
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .unwrap_or_default()
}
