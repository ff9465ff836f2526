//! Whether keepalived runs here: killed hard, it leaves the VIP behind and says nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Incoming;
use crate::model::event::Event;
use crate::wire::process::{KEEPALIVED, Process};

/// How often a keepalived that is gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Watches the process that keepalived's pidfile names.
#[derive(Debug)]
pub struct KeepalivedWatch {
    pidfile: PathBuf,
    running: Option<bool>,
    process: Option<Process>,
}

impl KeepalivedWatch {
    /// Looks.
    #[must_use]
    pub fn open(pidfile: PathBuf) -> Self {
        let (running, process) = look(&pidfile);
        Self {
            pidfile,
            running,
            process,
        }
    }

    /// Whether keepalived ran at the last look; `None` where the pidfile cannot be read.
    #[must_use]
    pub fn running(&self) -> Option<bool> {
        self.running
    }

    /// Reports each change since [`Self::open`] for each of `instances`, until the receiver is gone.
    pub async fn run(mut self, instances: Vec<String>, events: mpsc::Sender<Incoming>) {
        loop {
            match &self.process {
                // The exit is seen at once. What the pidfile says while the process lives does not matter.
                Some(process) => process.exited().await,
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
            let before = self.running;
            (self.running, self.process) = look(&self.pidfile);
            let Some(running) = self.running.filter(|_| self.running != before) else {
                continue;
            };
            for instance in &instances {
                let event = Event::KeepalivedChanged { running };
                let incoming = Incoming {
                    instance: instance.clone(),
                    event,
                    cause: None,
                };
                if events.send(incoming).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn look(pidfile: &Path) -> (Option<bool>, Option<Process>) {
    let pid = match fs::read_to_string(pidfile) {
        Ok(text) => text.trim().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => return (None, None),
    };
    // A pidfile may be stale and its number another process's: only a living keepalived counts.
    let process = pid.and_then(|pid| Process::open(pid, KEEPALIVED));
    (Some(process.is_some()), process)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A process that is called keepalived and does nothing.
    fn pretend(dir: &Path) -> Child {
        let program = dir.join("keepalived");
        if !program.exists() {
            fs::copy("/bin/sleep", &program).unwrap();
        }
        Command::new(program).arg("60").spawn().unwrap()
    }

    async fn next(events: &mut mpsc::Receiver<Incoming>) -> (String, bool) {
        let incoming = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
        let incoming = incoming.unwrap().unwrap();
        match incoming.event {
            Event::KeepalivedChanged { running } => (incoming.instance, running),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn exit_and_return_are_reported_for_each_instance() {
        let dir = tempfile::tempdir().unwrap();
        let pidfile = dir.path().join("keepalived.pid");
        assert_eq!(
            KeepalivedWatch::open(pidfile.clone()).running(),
            Some(false),
            "no pidfile"
        );
        fs::write(&pidfile, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(
            KeepalivedWatch::open(pidfile.clone()).running(),
            Some(false),
            "not keepalived"
        );

        let mut first = pretend(dir.path());
        fs::write(&pidfile, format!("{}\n", first.id())).unwrap();
        let watch = KeepalivedWatch::open(pidfile.clone());
        assert_eq!(watch.running(), Some(true));
        let (sender, mut events) = mpsc::channel(8);
        tokio::spawn(watch.run(vec!["a".to_owned(), "b".to_owned()], sender));
        first.kill().unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), false));
        assert_eq!(next(&mut events).await, ("b".to_owned(), false));
        first.wait().unwrap();

        let mut second = pretend(dir.path());
        fs::write(&pidfile, second.id().to_string()).unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), true));
        assert_eq!(next(&mut events).await, ("b".to_owned(), true));
        second.kill().unwrap();
        second.wait().unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), false));
    }

    #[test]
    fn a_pidfile_that_cannot_be_read_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(KeepalivedWatch::open(dir.path().to_owned()).running(), None);
    }
}
