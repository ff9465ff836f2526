//! Asks the agent over its Unix socket.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::render::Problem;
use crate::agent::api::Answer;
use crate::agent::runtime::runtime;

/// A connection to the agent.
pub struct Client {
    runtime: Rc<Runtime>,
    socket: PathBuf,
}

/// How long the agent may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to begin an answer that needs no waiting for Redis.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// As long as the agent itself waits for the end of an order, and a little more.
const ORDER_PATIENCE: Duration = Duration::from_secs(620);

impl Client {
    /// `None` where no agent listens at `socket`.
    ///
    /// # Errors
    /// The socket is there and may not be used, or the agent hangs.
    pub fn connect(socket: &Path) -> anyhow::Result<Option<Self>> {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied, WouldBlock};
        let runtime = runtime()?;
        let client = Self {
            runtime: Rc::new(runtime),
            socket: socket.to_owned(),
        };
        let failed = |why: &str| Problem::failed(format!("{}: {why}", socket.display()));
        match client.runtime.block_on(UnixStream::connect(socket)) {
            Ok(_) => Ok(Some(client)),
            Err(error) => match error.kind() {
                NotFound | ConnectionRefused => Ok(None),
                PermissionDenied => Err(failed("permission denied")
                    .hint("run it as root, or as the user that the agent runs as")
                    .into()),
                WouldBlock => Err(failed("the agent hangs: it accepts no connections").into()),
                _ => Err(failed(&error.to_string()).into()),
            },
        }
    }

    /// [`Self::connect`], where there is no doing without the agent.
    ///
    /// # Errors
    /// As above, and where no agent runs.
    pub fn require(socket: &Path) -> anyhow::Result<Self> {
        Self::connect(socket)?.ok_or_else(|| {
            Problem::failed(format!("no agent listens at {}", socket.display()))
                .hint("start it: systemctl start rha, or rha run in the foreground")
                .into()
        })
    }

    /// `GET path` as JSON.
    ///
    /// # Errors
    /// The agent's own words, or the connection's.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.get_within(path, ANSWER_PATIENCE)
    }

    /// As [`Self::get`], for an answer that takes as long as an order may.
    ///
    /// # Errors
    /// As above.
    pub fn get_slowly<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.get_within(path, ORDER_PATIENCE)
    }

    fn get_within<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> anyhow::Result<T> {
        let mut text = Vec::new();
        self.open_within(path, patience)?.read_to_end(&mut text)?;
        serde_json::from_slice(&text).with_context(|| format!("the agent's answer to {path}"))
    }

    /// `GET path` as a stream of bytes.
    ///
    /// # Errors
    /// As above.
    pub fn open(&self, path: &str) -> anyhow::Result<BodyReader> {
        self.open_within(path, ANSWER_PATIENCE)
    }

    fn open_within(&self, path: &str, patience: Duration) -> anyhow::Result<BodyReader> {
        let (code, body) = self.answer(patience, path)?;
        let mut reader = self.reader(body);
        if code != StatusCode::OK {
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            return Err(Problem::failed(format!("the agent says {code}: {}", text.trim())).into());
        }
        Ok(reader)
    }

    /// `GET path`: the status code and the text, whatever they are.
    ///
    /// # Errors
    /// The connection's, and no answer within `patience`.
    pub fn ask(&self, path: &str, patience: Duration) -> anyhow::Result<(u16, String)> {
        let (code, body) = self.answer(patience, path)?;
        let mut text = String::new();
        self.reader(body).read_to_string(&mut text)?;
        Ok((code.as_u16(), text))
    }

    /// `POST body` to `path`; what was done, in one line.
    ///
    /// # Errors
    /// As above, and the agent's refusal.
    pub fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<String> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        let sent = self.send(Method::POST, path, body);
        let (code, body) = self.within(ORDER_PATIENCE, sent)?;
        let mut text = String::new();
        self.reader(body).read_to_string(&mut text)?;
        let answer: Answer = serde_json::from_str(&text)
            .map_err(|_| Problem::failed(format!("the agent says {code}: {}", text.trim())))?;
        match code {
            _ if answer.ok => Ok(answer.text),
            // No such instance, or words that the agent does not take.
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
                Err(Problem::usage(answer.text).into())
            }
            _ => {
                let guard = blocker(&answer.text).map(str::to_owned);
                let problem = Problem::failed(answer.text);
                Err(match guard {
                    Some(guard) => problem.hint(format!("rha explain {guard} says what to do.")),
                    None => problem,
                }
                .into())
            }
        }
    }

    fn answer(&self, patience: Duration, path: &str) -> anyhow::Result<(StatusCode, Incoming)> {
        self.within(patience, self.send(Method::GET, path, Bytes::new()))
    }

    fn within<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.runtime
            .block_on(async { tokio::time::timeout(patience, answer).await })
            .unwrap_or_else(|_| {
                let why = format!(
                    "the agent at {} hangs: no answer for {} s",
                    self.socket.display(),
                    patience.as_secs()
                );
                Err(Problem::failed(why).into())
            })
    }

    fn reader(&self, body: Incoming) -> BodyReader {
        BodyReader {
            runtime: self.runtime.clone(),
            body,
            rest: Bytes::new(),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Incoming)> {
        let connect = tokio::time::timeout(CONNECT_PATIENCE, UnixStream::connect(&self.socket));
        let stream = connect.await.context("the agent does not answer")??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the response's body, or with this process.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "rha")
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        Ok((response.status(), response.into_body()))
    }
}

/// The guard that is named in an answer, as [`crate::model::decision::Note`] tells it.
fn blocker(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("blocked by ")?;
    rest.split(|c: char| c.is_whitespace() || c == ',')
        .next()
        .filter(|guard| !guard.is_empty())
}

/// A response's body as it arrives.
pub struct BodyReader {
    runtime: Rc<Runtime>,
    body: Incoming,
    rest: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.body.frame()) {
                None => return Ok(0),
                Some(Err(error)) => {
                    return Err(std::io::Error::new(
                        std::io::ErrorKind::UnexpectedEof,
                        error,
                    ));
                }
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            }
        }
        let count = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
