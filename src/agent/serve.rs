//! HTTP/1.1 and JSON on the Unix socket: `curl --unix-socket /run/rha/agent.sock http://rha/v1/status`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, broadcast, mpsc, oneshot};

use super::api::{self, Ack, Answer, Pause, RedisAsk, Resume};
use super::board::{Shared, lock};
use super::clock::Clock;
use super::connections::Caller;
use super::drill;
use super::library::{Lent, Library};
use super::pilot::Ask;
use super::reading::{compact, frames, history, stats, verify};
use super::switchover;
use crate::ingest::Incoming;
use crate::machine::{State as MachineState, Status, table};
use crate::model::decision::Decision;
use crate::model::effect::{Effect, Outcome};
use crate::model::event::{Event, Operator};
use crate::model::record::Record;
use crate::model::redis::Grade;
use crate::views::status::{self, InstanceStatus};

/// How many may read the journal at a time: each takes a thread.
const READERS: usize = 16;
/// What an operator may write, in characters.
pub(super) const WORDS_MAX: usize = 500;

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    node: String,
    /// The machine's states, to look at.
    board: Shared,
    /// Events of operators, into the loop.
    asks: mpsc::Sender<Ask>,
    /// Records as they are committed.
    committed: broadcast::Sender<Arc<Record>>,
    lender: Library,
    readers: Arc<Semaphore>,
    clock: Clock,
}

impl App {
    /// Everything that is asked of an agent, and where the answers are.
    pub fn new(
        node: &str,
        board: Shared,
        asks: mpsc::Sender<Ask>,
        committed: broadcast::Sender<Arc<Record>>,
        lender: Library,
        clock: Clock,
    ) -> Self {
        Self {
            node: node.to_owned(),
            board,
            asks,
            committed,
            lender,
            readers: Arc::new(Semaphore::new(READERS)),
            clock,
        }
    }

    /// The journal, to read; `None` while it is being opened anew.
    pub fn lend(&self) -> Option<Lent> {
        self.lender.lend()
    }

    /// Asks the loop for something.
    pub async fn ask(&self, ask: Ask) -> Result<(), String> {
        let sent = self.asks.send(ask).await;
        sent.map_err(|_| "the agent is stopping".to_owned())
    }

    /// To be held while reading; an error where too many are.
    pub fn permit(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.readers).try_acquire_owned()
    }

    /// Every record, once it is on the disk, from now on.
    pub fn committed(&self) -> broadcast::Receiver<Arc<Record>> {
        self.committed.subscribe()
    }

    /// What `look` sees in the state of an instance; `None` where there is no such instance.
    pub fn look<T>(&self, instance: &str, look: impl FnOnce(&MachineState) -> T) -> Option<T> {
        let board = lock(&self.board);
        let found = board.shown().find(|(name, _)| **name == instance);
        found.map(|(_, state)| look(state))
    }

    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.board).names.iter().cloned().collect()
    }
}

/// What is answered where.
pub fn router(app: App) -> Router {
    Router::new()
        .route(api::HEALTHZ, get(|| async { "ok\n" }))
        .route(api::STATUS, get(status))
        .route(&format!("{}/{{instance}}", api::CHECK), get(check))
        .route(api::HISTORY, get(history))
        .route(api::FRAMES, get(frames))
        .route(api::JOURNAL, get(stats))
        .route(api::VERIFY, get(verify))
        .route(api::COMPACT, post(compact))
        .route(api::PAUSE, post(pause))
        .route(api::RESUME, post(resume))
        .route(api::ACK, post(ack))
        .route(api::REDIS, post(redis))
        .route(api::CONFIG, get(config))
        .route(api::DRILL, post(drill::begun))
        .route(api::DRILL_END, post(drill::done))
        .route(api::SWITCHOVER, post(switchover::switch))
        .route(
            &format!("{}/{{instance}}", api::SWITCHOVER),
            get(switchover::checks),
        )
        .with_state(app)
}

impl Caller {
    pub(super) fn operator(&self, command: String) -> Operator {
        let uid = self.uid.unwrap_or(u32::MAX);
        Operator {
            uid,
            user: user_name(uid),
            command: command.chars().take(WORDS_MAX).collect(),
        }
    }
}

async fn status(State(app): State<App>) -> Json<status::Status> {
    let board = lock(&app.board);
    let instances = board
        .shown()
        .map(|(name, state)| InstanceStatus::new(name, state));
    Json(status::Status::new(
        &app.node,
        env!("CARGO_PKG_VERSION"),
        app.clock.now(),
        instances,
    ))
}

async fn config(State(app): State<App>) -> String {
    lock(&app.board).config.clone()
}

/// The answer for keepalived's `vrrp_script`: may this node hold the VIP? While it is paused the VIP is to stay
/// where it is. Where nothing is known yet, Redis itself is to be asked.
async fn check(State(app): State<App>, Path(instance): Path<String>) -> (StatusCode, String) {
    let checked = app.look(&instance, |state| {
        let grade = state.grade.map_or("not checked yet", Grade::word);
        match state.health.status {
            _ if state.paused.is_some() => (StatusCode::OK, format!("paused (redis: {grade})\n")),
            Status::Up => (StatusCode::OK, "ok\n".to_owned()),
            Status::Unknown => (StatusCode::NOT_FOUND, format!("not known yet: {grade}\n")),
            Status::Down => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("redis is down: {grade}\n"),
            ),
        }
    });
    checked.unwrap_or_else(|| {
        let text = format!("no instance is called {instance:?}\n");
        (StatusCode::NOT_FOUND, text)
    })
}

async fn pause(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Pause>,
) -> (StatusCode, Json<Answer>) {
    if let Err(refused) = bounded("reason", &body.reason) {
        return refused;
    }
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
    Extension(caller): Extension<Caller>,
    Json(body): Json<Resume>,
) -> (StatusCode, Json<Answer>) {
    let event = Event::OperatorResumed {
        operator: caller.operator(body.command),
    };
    tell_all(&app, body.instance, event, "resumed").await
}

async fn ack(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Ack>,
) -> (StatusCode, Json<Answer>) {
    if let Err(refused) = bounded("note", &body.note) {
        return refused;
    }
    let event = Event::OperatorAcked {
        note: body.note,
        operator: caller.operator(body.command),
    };
    tell_all(&app, body.instance, event, "acknowledged").await
}

fn bounded(what: &str, text: &str) -> Result<(), (StatusCode, Json<Answer>)> {
    if text.chars().count() <= WORDS_MAX {
        return Ok(());
    }
    let text = format!("the {what} is longer than {WORDS_MAX} characters");
    Err((StatusCode::BAD_REQUEST, Json(Answer { ok: false, text })))
}

async fn tell_all(
    app: &App,
    instance: Option<String>,
    event: Event,
    done: &str,
) -> (StatusCode, Json<Answer>) {
    let known = app.names();
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

pub(super) fn no_such(name: &str, known: &[String]) -> (StatusCode, Json<Answer>) {
    let text = format!(
        "no instance is called {name:?}; there are: {}",
        known.join(", ")
    );
    (StatusCode::NOT_FOUND, Json(Answer { ok: false, text }))
}

async fn redis(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<RedisAsk>,
) -> (StatusCode, Json<Answer>) {
    let known = app.names();
    if !known.contains(&body.instance) {
        return no_such(&body.instance, &known);
    }
    let mut committed = app.committed();
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
    if record.decision.effects.is_empty() {
        let text = explained(&record);
        return (StatusCode::CONFLICT, Json(Answer { ok: false, text }));
    }
    let outcomes = outcomes_of(&mut committed, &record).await;
    let ok = outcomes
        .iter()
        .all(|(_, outcome)| outcome.as_ref().is_some_and(Outcome::is_done));
    let texts = outcomes.into_iter().map(|(effect, outcome)| {
        let outcome = outcome.map_or("no outcome".to_owned(), |outcome| outcome.to_string());
        format!("{effect}: {outcome}")
    });
    let text = texts.collect::<Vec<_>>().join("; ");
    let code = if ok {
        StatusCode::OK
    } else {
        StatusCode::BAD_GATEWAY
    };
    (code, Json(Answer { ok, text }))
}

/// Why nothing is done: the rule's sentence, and what was noted beside it.
pub(super) fn explained(record: &Record) -> String {
    let Decision { rule, notes, .. } = &record.decision;
    let row = rule.as_ref().and_then(|rule| table::row(rule.as_str()));
    let because = row.map_or("nothing is done", |row| row.because).to_owned();
    let notes = notes.iter().map(ToString::to_string);
    std::iter::once(because)
        .chain(notes)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Sends an event into the loop and waits until it is recorded.
pub(super) async fn ask(app: &App, instance: &str, event: Event) -> Result<Record, String> {
    let (reply, receipt) = oneshot::channel();
    let incoming = Box::new(Incoming {
        instance: instance.to_owned(),
        event,
        cause: None,
    });
    app.ask(Ask::Record { incoming, reply }).await?;
    receipt.await.map_err(|_| {
        "the journal cannot be written, rha's log says why: it does not count, \
             unless rha status shows it once the disk answers"
            .to_owned()
    })
}

/// The longest that an order to Redis may take is bounded by its own time-outs; this is the belt.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(600);

/// What came of each order of a record, in whatever order they end. Alarms are sent when they can be.
async fn outcomes_of<'a>(
    committed: &mut broadcast::Receiver<Arc<Record>>,
    record: &'a Record,
) -> Vec<(&'a Effect, Option<Outcome>)> {
    let orders = (0..).zip(&record.decision.effects);
    let orders = orders.filter(|(_, effect)| !matches!(effect, Effect::SendAlarm { .. }));
    let mut outcomes: BTreeMap<u16, (&Effect, Option<Outcome>)> = orders
        .map(|(index, effect)| (index, (effect, None)))
        .collect();
    let wait = async {
        while outcomes.values().any(|(_, outcome)| outcome.is_none()) {
            match committed.recv().await {
                Ok(later) => {
                    if let Event::EffectFinished {
                        effect, outcome, ..
                    } = &later.event
                        && effect.seq == record.seq
                        && let Some(waiting) = outcomes.get_mut(&effect.index)
                    {
                        waiting.1 = Some(outcome.clone());
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    };
    // What is missing then is told as missing.
    let _ = tokio::time::timeout(OUTCOME_PATIENCE, wait).await;
    outcomes.into_values().collect()
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
