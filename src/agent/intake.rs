//! Takes the spool in: each line once, in order, with its original time.

use std::collections::BTreeMap;

use crate::ingest::Incoming;
use crate::ingest::notify;
use crate::ingest::spool::{Error, Frame, MAX_LINE, Reader};
use crate::model::event::Event;
use crate::model::time::At;
use crate::model::vrrp::{Notification, Notified, SpoolPosition, Subject};

/// How many lines are taken into one batch.
const BATCH: usize = 256;

/// How many facts have their turn between two lines: what a line orders ends in as many.
const FACTS_PER_LINE: usize = 8;

/// A spool segment longer than this is left for a new one.
const SEGMENT_BYTES: u64 = 1 << 20;

/// The agent's end of the spool.
pub struct Intake {
    reader: Reader,
    /// Names of the instances by the name of their `vrrp_instance`.
    names: BTreeMap<String, Vec<String>>,
    /// How many facts have their turn before the next lines, if so many are there.
    owed: usize,
}

impl Intake {
    /// Goes on where the journal says that it stopped.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            names: BTreeMap::new(),
            owed: 0,
        }
    }

    /// Whose lines are whose: pairs of `vrrp_instance` and instance.
    pub fn set_names(&mut self, pairs: impl Iterator<Item = (String, String)>) {
        self.names.clear();
        for (vrrp, instance) in pairs {
            self.names.entry(vrrp).or_default().push(instance);
        }
    }

    /// The lines that have come since, at most a batch of them, as events.
    ///
    /// # Errors
    /// The spool cannot be read.
    pub fn read(&mut self) -> Result<Vec<Incoming>, Error> {
        let frames = self.reader.read(BATCH)?;
        self.owed = frames.len() * FACTS_PER_LINE;
        Ok(frames
            .into_iter()
            .flat_map(|frame| self.events(frame))
            .collect())
    }

    /// So many facts have had their turn: do those that are there go on before the lines?
    pub fn owes_after(&mut self, facts: usize) -> bool {
        self.owed = self.owed.saturating_sub(facts);
        self.owed > 0
    }

    /// Everything up to `committed` is in the journal: old segments can go.
    ///
    /// # Errors
    /// The spool cannot be written.
    pub fn committed(&mut self, committed: SpoolPosition) -> Result<(), Error> {
        self.reader.rotate_if(SEGMENT_BYTES)?;
        self.reader.remove_done(committed)?;
        Ok(())
    }

    fn events(&self, frame: Frame) -> Vec<Incoming> {
        match frame {
            Frame::Damaged {
                position,
                skipped_bytes,
            } => {
                vec![of_node(Event::SpoolDamaged {
                    spool: position,
                    skipped_bytes,
                })]
            }
            Frame::Line {
                position,
                stamped,
                line,
                truncated: Some(length),
                ..
            } => {
                let why =
                    format!("{length} bytes long; keepalived's lines are shorter than {MAX_LINE}");
                vec![unparsed(&line, why, stamped, position)]
            }
            Frame::Line {
                position,
                stamped,
                line,
                ..
            } => match notify::parse(&line) {
                Ok(notification) => self.notified(&notification, stamped, position),
                Err(error) => vec![unparsed(&line, error.why.to_owned(), stamped, position)],
            },
        }
    }

    /// One event for each instance that the line concerns; for the node, where it concerns none. Only
    /// the last one carries the position: if the others are in the journal and it is not, the line is read
    /// again, and a state said twice does no harm.
    fn notified(
        &self,
        notification: &Notification,
        stamped: At,
        position: SpoolPosition,
    ) -> Vec<Incoming> {
        let named = match notification.subject {
            Subject::Instance => self.names.get(&notification.name),
            Subject::Group | Subject::Unknown => None,
        };
        let instances = named.cloned().unwrap_or_else(|| vec![String::new()]);
        let last = instances.len() - 1;
        instances
            .into_iter()
            .enumerate()
            .map(|(index, instance)| {
                let notification = notification.clone();
                let spool = (index == last).then_some(position);
                let event = Event::VrrpNotified(Notified {
                    notification,
                    stamped,
                    spool,
                });
                Incoming {
                    instance,
                    event,
                    cause: None,
                }
            })
            .collect()
    }
}

fn unparsed(line: &[u8], why: String, stamped: At, spool: SpoolPosition) -> Incoming {
    of_node(Event::NotifyUnparsed {
        raw: notify::escaped(line),
        why,
        stamped,
        spool,
    })
}

fn of_node(event: Event) -> Incoming {
    Incoming {
        instance: String::new(),
        event,
        cause: None,
    }
}
