//! keepalived's track files: one number, replaced as a whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use crate::model::effect::Outcome;

/// Writes `value` so that keepalived sees either the old or the new content, never an empty file, which it
/// would read as 0 (keepalived.conf(5), `track_file`). No fsync: the directory is a tmpfs, and at a boot the
/// files begin anew.
pub(super) fn write(file: &Path, value: i32) -> Outcome {
    match replace(file, value) {
        Ok(()) => Outcome::Done(String::new()),
        Err(error) => Outcome::Failed(format!("{}: {error}", file.display())),
    }
}

fn replace(file: &Path, value: i32) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // keepalived watches the directory and ignores names that it does not know.
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".tmp");
    let temporary = file.with_file_name(temporary);
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&temporary, format!("{value}\n"))?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("eligible");
        assert!(write(&file, 1).is_done());
        let reader = fs::File::open(&file).unwrap();
        assert!(write(&file, 0).is_done());
        assert_eq!(fs::read_to_string(&file).unwrap(), "0\n");
        assert_eq!(
            io::read_to_string(reader).unwrap(),
            "1\n",
            "the old file was not written to"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_is_made_or_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("track/eligible");
        assert!(write(&file, 1).is_done(), "a missing directory is made");
        let beneath = file.join("eligible");
        let Outcome::Failed(why) = write(&beneath, 1) else {
            panic!("a file is no directory");
        };
        assert!(why.contains(&beneath.display().to_string()), "{why}");
    }
}
