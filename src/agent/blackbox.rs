//! The black box: every notable record also as a line of JSON in plain files, so that damage inside the
//! journal never takes the story with it.
//!
//! ```text
//!  Pilot ── committed: a bounded queue ──> a thread of its own ──> files
//!             what the queue has lost <── the journal's index of kinds
//! ```
//!
//! Nobody waits for it. Whatever it missed (the queue ran over, its disk was full, it was not there), it
//! reads from the journal by number, behind the last line that is in its files: each record is in them
//! once, in order. With another journal the numbers begin at 1 again, and so do the lines.

pub mod compare;
pub mod files;
#[cfg(test)]
mod tests;
pub mod texts;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;

use super::library::{Lent, Library};
use crate::config::{BlackBox as Limits, Config};
use crate::journal::{Error, Order, kind_index};
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::views::LastChecks;
use crate::views::line::Entry;
use compare::{is_from, parting};
use files::Files;

/// So many lines are read from the journal at a time: whoever needs the journal back waits for no longer.
const CHUNK: usize = 256;
/// Between two tries, where the disk is full or the journal is being opened anew.
const PAUSE: Duration = Duration::from_secs(2);

/// The thread that writes it.
pub(super) struct BlackBox {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl BlackBox {
    /// Begins to write what is committed from here on, and what `journal` has; `None` where there is to be none, or none can be.
    pub(super) fn start(
        config: &Config,
        committed: &broadcast::Sender<Arc<Record>>,
        journal: Library,
    ) -> Option<Self> {
        if config.black_box.keep == 0 {
            return None;
        }
        let feed = committed.subscribe();
        let writer = Writer::new(config.paths.black_box(), config.black_box, feed, journal);
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let spawned = thread::Builder::new()
            .name("blackbox".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(writer.run(stopped)),
                    Err(error) => tracing::error!(%error, "no black box"),
                }
                // Nobody may be waiting for it.
                let _ = end.send(());
            });
        match spawned {
            Ok(_) => Some(Self { stop, ended }),
            Err(error) => {
                tracing::error!(%error, "no thread for the black box");
                None
            }
        }
    }

    /// Writes what is there by now, unless its disk takes longer than the caller waits.
    pub(super) async fn stop(self) {
        // Either may have ended before.
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

struct Writer {
    dir: PathBuf,
    limits: Limits,
    feed: broadcast::Receiver<Arc<Record>>,
    journal: Library,
    /// `None` if it has to be looked for.
    place: Option<Place>,
    /// What was said last of why it is behind.
    trouble: String,
}

/// Up to where it is written.
struct Place {
    files: Files,
    /// The next record.
    next: Seq,
    checks: LastChecks,
}

impl Writer {
    fn new(
        dir: PathBuf,
        limits: Limits,
        feed: broadcast::Receiver<Arc<Record>>,
        journal: Library,
    ) -> Self {
        Self {
            dir,
            limits,
            feed,
            journal,
            place: None,
            trouble: String::new(),
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut recalls = self.journal.recalls();
        // When to catch up next. Until then the queue is of no use.
        let mut due = Some(Instant::now());
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                _ = recalls.changed() => {
                    // The next may be another journal.
                    self.place = None;
                    due = Some(Instant::now());
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = self.catch_up().map(|pause| Instant::now() + pause);
                }
                next = self.feed.recv() => match next {
                    Ok(record) if due.is_none() => {
                        due = (!self.take(&record)).then(Instant::now);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => {
                        self.say("it cannot keep up");
                        due = due.or_else(|| Some(Instant::now()));
                    }
                    Err(RecvError::Closed) => break,
                }
            }
        }
        while due.is_none()
            && let Ok(record) = self.feed.try_recv()
        {
            if !self.take(&record) {
                break;
            }
        }
    }

    /// Writes the next record; false if it is not the next, or cannot be written.
    fn take(&mut self, record: &Record) -> bool {
        let Some(place) = &mut self.place else {
            return false;
        };
        match record.seq.cmp(&place.next) {
            Ordering::Less => return true,
            Ordering::Equal => {}
            Ordering::Greater => return false,
        }
        place.next = record.seq.next();
        if !place.checks.is_notable(record) {
            return true;
        }
        let line = record.json().map_err(anyhow::Error::from);
        if let Err(error) = line.and_then(|line| Ok(place.files.append(&line)?)) {
            self.place = None;
            self.say(&error.to_string());
            return false;
        }
        true
    }

    /// Writes what is in the journal and not in the files, or some of it. Returns after which time to go on;
    /// `None` if all is written.
    fn catch_up(&mut self) -> Option<Duration> {
        // What comes from here on is in the journal, or in the queue, or in both.
        self.feed = self.feed.resubscribe();
        match self.write_chunk() {
            Ok(false) => Some(Duration::ZERO),
            Ok(true) => {
                if !self.trouble.is_empty() {
                    tracing::info!("the black box is complete again");
                    self.trouble.clear();
                }
                None
            }
            Err(error) => {
                self.say(&error.to_string());
                Some(PAUSE)
            }
        }
    }

    /// True if that was all. After an error the place is lost, for part of a line may have been written.
    fn write_chunk(&mut self) -> anyhow::Result<bool> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => Place::find(&self.dir, self.limits, &self.journal)?,
        };
        let (lines, is_all) = place.read(&lend(&self.journal)?)?;
        // Nobody waits for the journal while the files are written.
        for line in lines {
            place.files.append(&line)?;
        }
        self.place = Some(place);
        Ok(is_all)
    }

    /// Once for each reason.
    fn say(&mut self, why: &str) {
        if why != self.trouble {
            tracing::warn!(
                why,
                "the black box is behind: it will read from the journal what it misses"
            );
            why.clone_into(&mut self.trouble);
        }
    }
}

impl Place {
    /// Behind the last line that is of this journal.
    fn find(dir: &Path, limits: Limits, library: &Library) -> anyhow::Result<Self> {
        let (files, last) = Files::open(dir, limits)?;
        let lent = lend(library)?;
        let next = match last {
            Some(mark) if is_from(&lent.reader, mark)? => mark.seq.next(),
            Some(_) => parting(&files::last_run(dir)?, |mark| is_from(&lent.reader, mark))?,
            None => Seq(1),
        };
        let mut checks = LastChecks::default();
        let kinds: Vec<u8> = ["redis-probed", "peer-probed"]
            .into_iter()
            .filter_map(kind_index)
            .collect();
        each(&lent, &kinds, Seq(1), next, |record| {
            checks.is_notable(&record);
            Ok(true)
        })?;
        Ok(Self {
            files,
            next,
            checks,
        })
    }

    /// The next lines from the journal; true if these are all.
    fn read(&mut self, lent: &Lent) -> anyhow::Result<(Vec<String>, bool)> {
        let kinds: Vec<u8> = Event::KINDS.iter().filter_map(|k| kind_index(k)).collect();
        let end = lent.reader.next_seq();
        let mut lines = Vec::new();
        let is_all = each(lent, &kinds, self.next, end, |record| {
            if self.checks.is_notable(&record) {
                lines.push(record.json()?.into_owned());
            }
            self.next = record.seq.next();
            Ok(lines.len() < CHUNK)
        })?;
        if is_all {
            self.next = self.next.max(end);
        }
        Ok((lines, is_all))
    }
}

/// Reads records of these kinds, until `take` returns false; true if these are all. What cannot be read, for the
/// journal is damaged there, is passed over with a word: what comes is worth more than what will not come back.
fn each(
    lent: &Lent,
    kinds: &[u8],
    from: Seq,
    end: Seq,
    mut take: impl FnMut(Record) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let spans = lent.reader.spans(from).into_iter();
    let spans = spans.map(|span| span.start..span.end.min(end));
    for record in spans.flat_map(|span| lent.reader.notable(kinds, span, Order::OldestFirst)) {
        if lent.recalled.has_changed().unwrap_or(true) {
            bail!(AWAY);
        }
        match record {
            Ok(record) => {
                if !take(record)? {
                    return Ok(false);
                }
            }
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(%error, %from, %end, "the black box lacks what cannot be read");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

const AWAY: &str = "the journal is being opened anew";

fn lend(library: &Library) -> anyhow::Result<Lent> {
    library.lend().ok_or_else(|| anyhow::Error::msg(AWAY))
}
