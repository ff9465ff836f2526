//! The connections of the Unix socket: so many at a time, and none that says nothing for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_service::Service;

/// More than the people and programs of a host that ask at the same time. Who comes then waits in the kernel.
const CONNECTIONS: usize = 64;
/// How long a connection may take for the head of a request, and for its body.
const ASKING: Duration = Duration::from_secs(5);
/// What is asked fits into a line or two.
const BODY_MAX: usize = 256 * 1024;
/// Before the socket is tried again, such as when the process has no file descriptor left.
const RETRY: Duration = Duration::from_secs(1);

/// Who is at the other end of the socket, as the kernel says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// The user; `None` where the kernel does not tell.
    pub uid: Option<u32>,
}

impl Caller {
    fn of(stream: &UnixStream) -> Self {
        let credentials = stream.peer_cred().ok();
        Self {
            uid: credentials.map(|credentials| credentials.uid()),
        }
    }
}

/// Serves for ever. Each request carries its [`Caller`] as an extension.
pub(super) async fn serve(listener: UnixListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut said = String::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    answer(stream, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    tracing::error!(error, "the agent's socket accepts no connection");
                    said = error;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, router: Router) {
    let caller = Caller::of(&stream);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(caller);
            match timeout(ASKING, Limited::new(body, BODY_MAX).collect()).await {
                Ok(Ok(body)) => {
                    let body = Body::from(body.to_bytes());
                    router.call(Request::from_parts(parts, body)).await
                }
                Ok(Err(_)) => Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
                Err(_) => Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of the agent's socket");
    }
}
