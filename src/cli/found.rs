//! Records of the journal as they are found, by a thread of its own: there may be more than fit into memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use crate::agent::lookup;
use crate::journal::{Error, Reader};
use crate::model::record::Record;
use crate::views::history::Filter;

/// So many may have been found that nobody has asked for yet.
const AHEAD: usize = 1_024;

/// The records, oldest first; what could not be read is the last item. The journal is let go when this is.
pub struct Found {
    records: Option<Receiver<Result<Record, Error>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Found {
    /// What `filter` asks `reader` for.
    #[must_use]
    pub fn of(reader: Reader, filter: Filter) -> Self {
        let (sender, records) = sync_channel(AHEAD);
        let is_over = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let listens = || !heard.load(Ordering::Relaxed);
            let send = |record| sender.send(Ok(record)).is_ok();
            let looked = lookup::each(&reader, &filter, &listens, send);
            if let Err(error) = looked.and_then(|()| reader.check_end()) {
                // Where this fails, nobody is left to be told.
                let _ = sender.send(Err(error));
            }
        });
        Self {
            records: Some(records),
            is_over,
            thread: Some(thread),
        }
    }
}

impl Iterator for Found {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.records.as_ref()?.recv().ok()
    }
}

/// The next one who opens the journal must find it free.
impl Drop for Found {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.records = None;
        if let Some(thread) = self.thread.take() {
            // It ends by itself; its panic has been told.
            let _ = thread.join();
        }
    }
}
