//! FIFOs, track files and their directories.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::globals;
use crate::keepalived::finding::{Finding, Place};
use crate::keepalived::host::{self, Host};
use crate::keepalived::lint::globals::FIFOS;
use crate::keepalived::lint::uses::{content, number};
use crate::keepalived::lint::view::View;
use crate::keepalived::parse::Statement;

pub(super) fn check(view: &View<'_>, host: &Host, found: &mut Vec<Finding>) {
    for line in globals(view).filter(|line| FIFOS.contains(&line.keyword())) {
        if let Some(path) = absolute(line) {
            fifo(path, line, found);
            fleeting("the FIFO", path, &line.place, host, found);
        }
    }
    let files = view.blocks("track_file");
    for block in files.chain(view.blocks("vrrp_track_file")) {
        // keepalived takes the first one.
        let line = block.all("file").find(|line| !line.conditional);
        if let Some((line, path)) = line.and_then(|line| Some((line, absolute(line)?))) {
            track_file(path, block, line, found);
            fleeting("the track file", path, &line.place, host, found);
        }
    }
}

fn absolute(line: &Statement) -> Option<&Path> {
    let path = line.argument().map(Path::new);
    path.filter(|path| path.is_absolute())
}

fn fifo(path: &Path, line: &Statement, found: &mut Vec<Finding>) {
    const LOSS: &str = "keepalived goes on without it";
    let name = path.display();
    let mut error = |text: String, todo: &str| {
        found.push(Finding::error(&line.place, text, todo));
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(why) if is_missing(&why) => {
            if let Some(directory) = missing_directory(path) {
                error(
                    format!(
                        "the FIFO's directory {} is missing: {LOSS}",
                        directory.display()
                    ),
                    "make it, at every boot if it is below /run (tmpfiles.d)",
                );
            }
            return;
        }
        // Nothing can be known of what may not be looked at.
        Err(_) => return,
    };
    let kind = metadata.file_type();
    if kind.is_file() {
        error(
            format!("{name} is a regular file: before 2.4 it is filled up, after that {LOSS}"),
            "remove it, and make a FIFO (mkfifo)",
        );
    } else if !kind.is_fifo() {
        error(
            format!("{name} is no FIFO: {LOSS}"),
            "remove it, and make a FIFO (mkfifo)",
        );
    } else if let Some(owner) = foreign_owner(&metadata, line) {
        found.push(Finding::warning(
            &line.place,
            format!("the FIFO {name} belongs to the user {owner}: keepalived from 2.4 on goes on without it"),
            "give it to the user that the line names, or to root",
        ));
    }
}

/// The owner of an existing FIFO, if it is neither root nor the user behind the path.
fn foreign_owner(metadata: &Metadata, line: &Statement) -> Option<u32> {
    let user = host::user(line.words.get(2)?).ok()??;
    Some(metadata.uid()).filter(|owner| ![0, user].contains(owner))
}

fn track_file(path: &Path, block: &Statement, line: &Statement, found: &mut Vec<Finding>) {
    let name = block.argument().unwrap_or_default();
    if let Some(directory) = missing_directory(path) {
        let directory = directory.display();
        found.push(Finding::error(
            &line.place,
            format!("the directory {directory} is missing: keepalived drops track_file {name}, and its instances run without it"),
            "make it, at every boot if it is below /run (tmpfiles.d)",
        ));
    } else if path.is_dir() {
        found.push(Finding::error(
            &line.place,
            format!(
                "{} is a directory: for keepalived there is always 0 in it",
                path.display()
            ),
            "name a file",
        ));
    } else if let Some(text) = content(path)
        && number(&text).is_none()
        && !text.trim().is_empty()
    {
        found.push(Finding::warning(
            &line.place,
            format!(
                "{} begins with no number: for keepalived that is 0",
                path.display()
            ),
            "write a number into it",
        ));
    }
}

/// The directory of `path`, if it is known not to be one.
fn missing_directory(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let is_directory = match fs::metadata(directory) {
        Ok(metadata) => metadata.is_dir(),
        Err(why) => !is_missing(&why),
    };
    (!is_directory).then(|| directory.to_owned())
}

pub(super) fn is_missing(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn fleeting(what: &str, path: &Path, place: &Place, host: &Host, found: &mut Vec<Finding>) {
    // The one is a link to the other.
    let path = match path.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => path.to_owned(),
    };
    let unit = host
        .fleeting
        .iter()
        .find(|(directory, _)| path.starts_with(directory));
    if let Some((directory, unit)) = unit {
        found.push(Finding::warning(
            place,
            format!(
                "{what} is in {}, which systemd removes when {unit} stops",
                directory.display()
            ),
            "another directory, made by tmpfiles.d",
        ));
    }
}
