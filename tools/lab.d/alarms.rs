//! The alarm sink: takes simplealarm's JSON over HTTP and remembers it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

const MAX_BODY: u64 = 64 << 10;
const MAX_HEAD: u64 = 16 << 10;
/// More than any run of the lab should ever cause; later ones are refused with 503.
const MAX_ALARMS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(2);

/// One alarm as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// `title`.
    pub title: String,
    /// `content`.
    pub content: String,
}

impl Received {
    /// Says the title that something is over?
    pub fn is_resolved(&self) -> bool {
        self.title.to_lowercase().contains("resolved")
    }
}

/// What has been received so far.
#[derive(Clone, Default)]
pub struct Alarms(Arc<Mutex<Vec<Received>>>);

impl Alarms {
    /// Listens from now on, in a thread of its own.
    pub fn listen(address: SocketAddrV4) -> anyhow::Result<Self> {
        let alarms = Self::default();
        let listener =
            TcpListener::bind(address).with_context(|| format!("alarm sink at {address}"))?;
        let sink = alarms.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The sender hears of it by the missing answer, and tries again.
                let _ = sink.serve(stream);
            }
        });
        Ok(alarms)
    }

    /// All of them, the first first.
    pub fn all(&self) -> Vec<Received> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let answer = match read_alarm(&stream) {
            Ok(alarm) => {
                let mut all = self.lock();
                if all.len() < MAX_ALARMS {
                    all.push(alarm);
                    "200 OK"
                } else {
                    "503 Service Unavailable"
                }
            }
            Err(_) => "400 Bad Request",
        };
        write!(
            stream,
            "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        Ok(())
    }
}

/// Reads one request and insists on what simplealarm insists on.
fn read_alarm(stream: &TcpStream) -> anyhow::Result<Received> {
    let mut reader = BufReader::new(stream.take(MAX_HEAD + MAX_BODY));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.starts_with("POST "), "not a POST: {line}");
    let mut length = None;
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the head has no end");
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse::<u64>()?);
        }
    }
    let length = length.context("no Content-Length")?;
    ensure!(length <= MAX_BODY, "a body of {length} bytes");
    let mut body = vec![0; usize::try_from(length)?];
    reader.read_exact(&mut body)?;
    let json: Value = serde_json::from_slice(&body)?;
    let text = |key: &str| {
        json[key]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no {key}"))
    };
    text("mailTo")?;
    text("smsTo")?;
    Ok(Received {
        title: text("title")?,
        content: text("content")?,
    })
}
