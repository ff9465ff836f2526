//! The alarm sink: takes webhook alarms over HTTP and remembers the `id` of each, in order. One after the other: what
//! was sent by an agent that is gone is not heard behind what the next one sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::clock::boot_us;

/// More than any alarm.
const MAX_REQUEST: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(2);
/// For all that is on its way.
const SETTLED: Duration = Duration::from_secs(30);

/// An alarm that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its `id`.
    pub id: String,
    /// Before it was answered: microseconds of `CLOCK_BOOTTIME`, as records have it.
    pub at_us: u64,
}

/// What was received so far.
#[derive(Clone)]
pub struct Sink {
    /// Where it listens, on the loopback address.
    pub port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Sink {
    /// Listens from now on, in a thread of its own.
    pub fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the alarm sink")?;
        let sink = Self {
            port: listener.local_addr()?.port(),
            heard: Arc::default(),
        };
        let heard = Arc::clone(&sink.heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The sender hears of it by the missing answer, and tries again.
                let _ = serve(stream, &heard);
            }
        });
        Ok(sink)
    }

    /// All alarms, as they came.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    /// Returns when all that was sent before was heard.
    pub fn settle(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(SETTLED))?;
        // No alarm; its turn comes when those before had theirs.
        write!(stream, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Heard>>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new((&stream).take(MAX_REQUEST));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    let id = body["id"].as_str().context("an alarm without an id")?;
    // The time of the decision stands behind the order, by which the books go.
    let (id, _) = id.rsplit_once('/').context("an id without a time")?;
    let (id, at_us) = (id.to_owned(), boot_us());
    heard
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Heard { id, at_us });
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    Ok(())
}
