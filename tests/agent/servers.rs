//! Redis, and a sink for alarms.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::port::free_port;
use crate::world::PATIENCE;

/// A redis-server, killed in the end.
pub struct Redis {
    pub child: Child,
    pub port: u16,
}

impl Redis {
    pub fn start(port: u16, dir: &std::path::Path, arguments: &[&str]) -> Self {
        let port_text = port.to_string();
        let always = ["--port", &port_text, "--bind", "127.0.0.1", "--save", ""];
        let child = Command::new("redis-server")
            .args(always)
            .args(arguments)
            .current_dir(dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child, port };
        let began = tokio::time::Instant::now();
        // A Redis with a password says NOAUTH.
        while !["PONG", "NOAUTH Authentication required."].contains(&redis.cli("PING").as_str()) {
            assert!(began.elapsed() < PATIENCE, "redis-server does not start");
            thread::sleep(Duration::from_millis(10));
        }
        redis
    }

    pub fn cli(&self, command: &str) -> String {
        cli(self.port, command)
    }

    /// "master" or "slave".
    pub fn role(&self) -> String {
        self.cli("ROLE").lines().next().unwrap_or("").to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn cli(port: u16, command: &str) -> String {
    // A Redis that is stopped would keep its client for ever.
    let mut cli = Command::new("timeout");
    let port = port.to_string();
    cli.args(["2", "redis-cli", "-p", &port])
        .args(command.split(' '));
    let output = cli.stderr(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A server that takes alarms, from when it is opened.
pub struct Sink {
    pub port: u16,
    titles: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    pub fn later() -> Self {
        let port = free_port();
        let titles = Arc::default();
        Self { port, titles }
    }

    pub fn open(self) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let titles = Arc::clone(&self.titles);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut part) {
                    request.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                    if let Ok(body) = serde_json::from_str::<Value>(body) {
                        titles
                            .lock()
                            .unwrap()
                            .push(body["title"].as_str().unwrap().to_owned());
                        break;
                    }
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        });
        self
    }

    pub fn titles(&self) -> Vec<String> {
        self.titles.lock().unwrap().clone()
    }
}
