//! Whether keepalived runs here: killed hard, it leaves the VIP behind and says nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Incoming;
use crate::model::event::Event;
use crate::wire::process::{KEEPALIVED, Process, find_here};

/// How often a keepalived that is gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Watches the process that keepalived's pidfile names.
#[derive(Debug)]
pub struct KeepalivedWatch {
    pidfile: PathBuf,
    /// What keepalived is called.
    program: &'static str,
    /// How often one that is gone is looked for.
    look_again: Duration,
    seen: Seen,
}

/// What a look found.
#[derive(Debug)]
enum Seen {
    Running(Process),
    Gone,
    /// The pidfile cannot be read.
    Unknown,
    /// keepalived runs, and the pidfile does not name it: the file is wrong, or the process that it named has exited
    /// and its children have not yet. Nothing is done on the word of such a file: a keepalived that lives takes its
    /// VIP back when it is taken away.
    Misnamed(Option<Process>),
}

impl Seen {
    fn running(&self) -> Option<bool> {
        match self {
            Self::Running(_) => Some(true),
            Self::Gone => Some(false),
            Self::Unknown | Self::Misnamed(_) => None,
        }
    }
}

impl KeepalivedWatch {
    /// Looks.
    #[must_use]
    pub fn open(pidfile: PathBuf) -> Self {
        Self::of(KEEPALIVED, pidfile)
    }

    fn of(program: &'static str, pidfile: PathBuf) -> Self {
        let seen = look(&pidfile, program);
        let watch = Self {
            pidfile,
            program,
            look_again: LOOK_AGAIN,
            seen,
        };
        watch.warn();
        watch
    }

    /// Whether keepalived ran at the last look; `None` where that is not known.
    #[must_use]
    pub fn running(&self) -> Option<bool> {
        self.seen.running()
    }

    /// Reports each change since [`Self::open`] for each of `instances`, until the receiver is gone.
    pub async fn run(mut self, instances: Vec<String>, events: mpsc::Sender<Incoming>) {
        let mut told = self.running();
        loop {
            match &self.seen {
                // The exit is seen at once. What the pidfile says while the process lives does not matter.
                Seen::Running(process) => process.exited().await,
                // Both of keepalived's processes may have been killed, and this one dies a moment later.
                Seen::Misnamed(Some(process)) => tokio::select! {
                    () = process.exited() => {}
                    () = tokio::time::sleep(self.look_again) => {}
                },
                _ => tokio::time::sleep(self.look_again).await,
            }
            let before =
                std::mem::replace(&mut self.seen, look(&self.pidfile, self.program)).running();
            if self.running() != before {
                self.warn();
            }
            let Some(running) = self.running().filter(|running| told != Some(*running)) else {
                continue;
            };
            told = Some(running);
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

    fn warn(&self) {
        if matches!(self.seen, Seen::Misnamed(_)) {
            tracing::warn!(
                pidfile = %self.pidfile.display(),
                "keepalived runs, but the pidfile does not name it: see pidfile in [keepalived] of rha.toml"
            );
        }
    }
}

fn look(pidfile: &Path, program: &str) -> Seen {
    let pid = match fs::read_to_string(pidfile) {
        Ok(text) => text.trim().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => return Seen::Unknown,
    };
    // A pidfile may be stale and its number another process's: only a living keepalived counts.
    let open = |pid| Process::open(pid, &[program]);
    match pid.and_then(open) {
        Some(process) => Seen::Running(process),
        None => find_here(program).map_or(Seen::Gone, |pid| Seen::Misnamed(open(pid))),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A name that no other test uses, nor this machine.
    const NAME: &str = "rha-kept";

    /// A process that is called so and does nothing.
    fn pretend(dir: &Path, name: &str) -> Child {
        let program = dir.join(name);
        if !program.exists() {
            fs::copy("/bin/sleep", &program).unwrap();
        }
        let child = Command::new(program).arg("60").spawn().unwrap();
        // It may not be called so yet.
        let comm = format!("/proc/{}/comm", child.id());
        while fs::read_to_string(&comm).unwrap().trim() != name {
            std::thread::yield_now();
        }
        child
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
            KeepalivedWatch::of(NAME, pidfile.clone()).running(),
            Some(false),
            "no pidfile"
        );
        fs::write(&pidfile, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(
            KeepalivedWatch::of(NAME, pidfile.clone()).running(),
            Some(false),
            "not keepalived"
        );

        let mut first = pretend(dir.path(), NAME);
        fs::write(&pidfile, format!("{}\n", first.id())).unwrap();
        let watch = KeepalivedWatch::of(NAME, pidfile.clone());
        assert_eq!(watch.running(), Some(true));
        let (sender, mut events) = mpsc::channel(8);
        tokio::spawn(watch.run(vec!["a".to_owned(), "b".to_owned()], sender));
        first.kill().unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), false));
        assert_eq!(next(&mut events).await, ("b".to_owned(), false));
        first.wait().unwrap();

        let mut second = pretend(dir.path(), NAME);
        assert_eq!(
            KeepalivedWatch::of(NAME, dir.path().join("wrong")).running(),
            None,
            "it runs, under another pidfile"
        );
        fs::write(&pidfile, second.id().to_string()).unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), true));
        assert_eq!(next(&mut events).await, ("b".to_owned(), true));
        second.kill().unwrap();
        second.wait().unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), false));
    }

    #[tokio::test]
    async fn a_process_that_outlives_the_one_in_the_pidfile_is_waited_for() {
        const PAIR: &str = "rha-kept-pair";
        let dir = tempfile::tempdir().unwrap();
        let pidfile = dir.path().join("keepalived.pid");
        let (mut parent, mut child) = (pretend(dir.path(), PAIR), pretend(dir.path(), PAIR));
        fs::write(&pidfile, parent.id().to_string()).unwrap();
        let mut watch = KeepalivedWatch::of(PAIR, pidfile);
        // Only the exits can tell it.
        watch.look_again = Duration::from_secs(3600);
        let (sender, mut events) = mpsc::channel(8);
        tokio::spawn(watch.run(vec!["a".to_owned()], sender));
        parent.kill().unwrap();
        parent.wait().unwrap();
        let early = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
        assert!(early.is_err(), "one of its processes lives: {early:?}");
        child.kill().unwrap();
        assert_eq!(next(&mut events).await, ("a".to_owned(), false));
        child.wait().unwrap();
    }

    #[test]
    fn a_pidfile_that_cannot_be_read_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(KeepalivedWatch::open(dir.path().to_owned()).running(), None);
    }
}
