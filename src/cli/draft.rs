//! `--out FILE`: what is written is there as a whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

/// A file that is there as a whole or not at all; what is no plain file, such as a pipe or a device, is written to as it is.
pub struct Draft {
    to: PathBuf,
    file: Place,
}

enum Place {
    /// Without a name until it is whole: who interrupts this leaves nothing behind.
    Nameless(File),
    /// Where the file system has no such files.
    Beside(NamedTempFile),
    Itself(File),
}

impl Draft {
    /// Begins what will be at `to`.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn of(to: &Path) -> anyhow::Result<Self> {
        let failed = || cannot_write(to);
        // A link stays one.
        let to = to.canonicalize().unwrap_or_else(|_| to.to_owned());
        if is_special(&to) {
            let file = File::options().write(true).open(&to);
            let file = Place::Itself(file.with_context(failed)?);
            return Ok(Self { to, file });
        }
        let dir = folder(&to);
        let file = match nameless(&dir) {
            Ok(file) => Place::Nameless(file),
            Err(_) => {
                let named = tempfile::Builder::new()
                    .permissions(Permissions::from_mode(MODE))
                    .tempfile_in(&dir);
                Place::Beside(named.with_context(failed)?)
            }
        };
        Ok(Self { to, file })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(self) -> anyhow::Result<()> {
        let (to, failed) = (&self.to, || cannot_write(&self.to));
        let file = match &self.file {
            Place::Itself(_) => return Ok(()),
            Place::Nameless(file) => file,
            Place::Beside(file) => file.as_file(),
        };
        // What it replaces has its rights already.
        if let Ok(found) = to.metadata() {
            file.set_permissions(found.permissions())
                .with_context(failed)?;
        }
        file.sync_all().with_context(failed)?;
        let kept = match self.file {
            Place::Itself(_) => return Ok(()),
            Place::Nameless(file) => tempfile::Builder::new()
                .make_in(folder(to), |path| name(&file, path))
                .with_context(failed)?
                .persist(to)
                .map_err(|error| error.error),
            Place::Beside(file) => file.persist(to).map(drop).map_err(|error| error.error),
        };
        kept.with_context(failed)
    }

    fn file(&mut self) -> &mut File {
        match &mut self.file {
            Place::Nameless(file) | Place::Itself(file) => file,
            Place::Beside(file) => file.as_file_mut(),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// As a shell makes what it redirects to, before the umask.
const MODE: u32 = 0o666;

/// open(2), `O_TMPFILE`.
fn nameless(dir: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(dir, flags, Mode::from_raw_mode(MODE))?.into())
}

/// As open(2) says that such a file gets its name.
fn name(file: &File, path: &Path) -> io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

/// A pipe, a device.
#[must_use]
pub fn is_special(to: &Path) -> bool {
    to.metadata().is_ok_and(|found| !found.is_file())
}

pub fn cannot_write(to: &Path) -> String {
    format!("cannot write {}", to.display())
}

/// Copies all of it to the file that is named, which is there as a whole or not at all, or else to `out`.
///
/// # Errors
/// It cannot be written, or not be read.
pub fn deliver(
    to: Option<&Path>,
    whole: &mut dyn Read,
    out: &mut dyn Write,
) -> anyhow::Result<u64> {
    let Some(to) = to else {
        let bytes = io::copy(whole, out)?;
        out.flush()?;
        return Ok(bytes);
    };
    let mut draft = Draft::of(to)?;
    let bytes = io::copy(whole, &mut draft).with_context(|| cannot_write(to))?;
    draft.keep()?;
    Ok(bytes)
}

pub fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(to: &Path, text: &str) -> Draft {
        let mut draft = Draft::of(to).unwrap();
        draft.write_all(text.as_bytes()).unwrap();
        draft
    }

    #[test]
    fn nothing_is_there_before_all_of_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("x");
        let left = || fs::read_dir(dir.path()).unwrap().count();
        let draft = written(&to, "half");
        if nameless(dir.path()).is_ok() {
            assert_eq!(left(), 0);
        }
        assert!(!to.exists());
        drop(draft);
        assert_eq!(left(), 0);
        written(&to, "whole").keep().unwrap();
        assert_eq!((left(), fs::read(&to).unwrap()), (1, b"whole".to_vec()));
    }

    #[test]
    fn what_is_replaced_keeps_its_rights_and_its_links() {
        let dir = tempfile::tempdir().unwrap();
        let [to, link] = ["x", "link"].map(|name| dir.path().join(name));
        fs::write(&to, "before").unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&to, &link).unwrap();
        written(&link, "after").keep().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&to).unwrap(), b"after");
        assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_device_stays_one() {
        written(Path::new("/dev/null"), "gone").keep().unwrap();
        assert!(is_special(Path::new("/dev/null")));
    }
}
