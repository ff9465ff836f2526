//! The alarm sink: takes webhook alarms over HTTP and remembers the `id` of each, in order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// More than any alarm.
const MAX_REQUEST: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(2);

/// What was received so far.
#[derive(Clone)]
pub struct Sink {
    /// Where it listens, on the loopback address.
    pub port: u16,
    ids: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Listens from now on, in a thread of its own.
    pub fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the alarm sink")?;
        let sink = Self {
            port: listener.local_addr()?.port(),
            ids: Arc::default(),
        };
        let ids = Arc::clone(&sink.ids);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The sender hears of it by the missing answer, and tries again.
                let _ = serve(stream, &ids);
            }
        });
        Ok(sink)
    }

    /// The ids of all alarms, as they came.
    pub fn ids(&self) -> Vec<String> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.clone()
    }
}

fn serve(mut stream: TcpStream, ids: &Mutex<Vec<String>>) -> anyhow::Result<()> {
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
    ids.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(id.to_owned());
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    Ok(())
}
