//! A host without an agent: a journal with records, and a configuration.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use rha::journal::Journal;
use rha::model::record::Record;
use tempfile::TempDir;

pub struct Host(TempDir);

impl Host {
    /// Its journal has these records, in so many volumes.
    pub fn of(records: &[Record], volumes: usize) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        let mut journal = Journal::open(&host.path("state/journal")).unwrap();
        for part in records.chunks(records.len().div_ceil(volumes)) {
            journal.rotate().unwrap();
            journal.append(part.to_vec()).unwrap();
        }
        journal.flush_quiet().unwrap();
        journal.seal::<rha::replay::Recovered>().unwrap();
        drop(journal);
        host.configure();
        host
    }

    fn configure(&self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let toml = format!(
            "[node]\nname = 'lvs1'\n[paths]\nstate = '{}'\nruntime = '{}'\n[keepalived]\npidfile = ''\n\
             [health]\ninterval = '250ms'\ntimeout = '250ms'\nslow = '250ms'\n\
             [[alarm.sink]]\nname = 'ops'\nkind = 'simplealarm'\nurl = 'http://127.0.0.1:1/x'\n\
             [[instance]]\nname = 'redis'\nvip = '192.0.2.161'\nport = {port}\ninterface = 'lo'\n\
             virtual_router_id = 51\n[instance.redis]\nstart = ['true']\n\
             [[instance.node]]\nname = 'lvs1'\naddress = '127.0.0.1'\n\
             [[instance.node]]\nname = 'lvs2'\naddress = '127.0.0.2'\n",
            self.path("state").display(),
            self.path("run").display(),
        );
        fs::write(self.path("rha.toml"), toml).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rha"));
        command
            .args(line.split_whitespace())
            .arg("--config")
            .arg(self.path("rha.toml"))
            .env_remove("COLUMNS")
            .env_remove("RHA_LOG");
        command
    }

    /// Exit status, stdout, stderr.
    pub fn rha(&self, line: &str) -> (Option<i32>, String, String) {
        let output = self.command(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}
