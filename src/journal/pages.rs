//! The large pages: what sled does not fit into its log it writes to files of their own, and does not sync.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use super::dir::sync_dir;
use super::error::Error;

/// The directory of the large pages, and how far it is on the disk.
#[derive(Debug)]
pub(super) struct Pages {
    dir: PathBuf,
    /// sled names each page by its place in the log, and places only grow.
    synced: AtomicI64,
}

impl Pages {
    /// Those of the journal in `journal`.
    pub(super) fn of(journal: &Path) -> Self {
        Self {
            dir: journal.join("blobs"),
            synced: AtomicI64::new(-1),
        }
    }

    /// Syncs the pages that were written since the last time.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let mut newest = self.synced.load(Ordering::Relaxed);
        let before = newest;
        let failed = |e| Error::io("sync the large pages in", &self.dir, e);
        for page in self.dir.read_dir().map_err(failed)? {
            let page = page.map_err(failed)?;
            let place = page
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
                .unwrap_or(0);
            if place <= before {
                continue;
            }
            newest = newest.max(place);
            match File::open(page.path()).and_then(|page| page.sync_data()) {
                // sled has dropped the page meanwhile.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(failed)?,
            }
            #[cfg(test)]
            super::tests::power::synced(&page.path());
        }
        if newest > before {
            sync_dir(&self.dir)?;
            self.synced.store(newest, Ordering::Relaxed);
        }
        Ok(())
    }
}
