//! `--out FILE`: what is written is there as a whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

/// A file that is there as a whole or not at all; what is no plain file, such as a pipe or a device, is written to as it is.
pub struct Draft {
    to: PathBuf,
    file: Place,
}

enum Place {
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
        // As a shell makes what it redirects to.
        let permissions = Permissions::from_mode(0o666);
        let file = tempfile::Builder::new()
            .permissions(permissions)
            .tempfile_in(folder(&to));
        let file = file.with_context(failed)?;
        if let Ok(found) = to.metadata() {
            let kept = file.as_file().set_permissions(found.permissions());
            kept.with_context(failed)?;
        }
        let file = Place::Beside(file);
        Ok(Self { to, file })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(self) -> anyhow::Result<()> {
        let failed = || cannot_write(&self.to);
        let Place::Beside(file) = self.file else {
            return Ok(());
        };
        file.as_file().sync_all().with_context(failed)?;
        let kept = file.persist(&self.to).map_err(|error| error.error);
        kept.map(drop).with_context(failed)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Place::Beside(file) => file.write(bytes),
            Place::Itself(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Place::Beside(file) => file.flush(),
            Place::Itself(file) => file.flush(),
        }
    }
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
