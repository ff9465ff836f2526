//! Bundles where a command reads records.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::render::Problem;
use super::source::Records;
use crate::config::Paths;
use crate::journal::{Bundle, Error};
use crate::views::history::{self, Filter};

/// What bundles are called.
pub const SUFFIX: &str = "rha";

/// The file that is meant: this one, or the one that was imported under this name.
#[must_use]
pub fn find(name: &Path, paths: Option<&Paths>) -> PathBuf {
    let is_name = name.components().count() == 1 && !name.exists();
    let imported = paths.and_then(|paths| Some(named(&paths.bundles(), name.to_str()?)));
    match imported.filter(|file| is_name && file.exists()) {
        Some(file) => file,
        None => name.to_owned(),
    }
}

/// Where the bundle of this name is kept.
#[must_use]
pub fn named(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.{SUFFIX}"))
}

/// Opens a copy of the bundle `file`.
///
/// # Errors
/// It is damaged, or none of ours.
pub fn open_as(copy: &Path, file: &Path) -> anyhow::Result<Bundle<BufReader<File>>> {
    Ok(Bundle::open(copy).map_err(unread(file))?)
}

/// Opens the bundle.
///
/// # Errors
/// There is none, or it is damaged, or none of ours.
pub fn open(file: &Path) -> anyhow::Result<Bundle<BufReader<File>>> {
    Ok(Bundle::open(file).map_err(unread(file))?)
}

/// All of its records, oldest first; damage is the last item.
#[must_use]
pub fn records(file: &Path, bundle: Bundle<BufReader<File>>) -> Records {
    let unread = unread(file);
    Box::new(bundle.map(move |record| Ok(record.map_err(&unread)?)))
}

/// The records that a query asks for, oldest first.
///
/// # Errors
/// As [`open`].
pub fn history(file: &Path, filter: &Filter) -> anyhow::Result<Records> {
    let mut found = history::all(filter.clone(), records(file, open(file)?));
    if filter.limit == 0 {
        return Ok(Box::new(found));
    }
    let mut last = VecDeque::new();
    let trouble = found.find_map(|record| match record {
        Ok(record) => {
            if last.len() == filter.limit {
                last.pop_front();
            }
            last.push_back(record);
            None
        }
        Err(error) => Some(Err(error)),
    });
    Ok(Box::new(last.into_iter().map(Ok).chain(trouble)))
}

/// A bundle that is not what was written is trouble that was found; one that is none, or of a newer rha, is the wrong
/// file.
pub fn unread(file: &Path) -> impl Fn(Error) -> Problem + 'static {
    let name = file.display().to_string();
    move |error| match error {
        Error::Damaged { .. } | Error::CutOff { .. } | Error::Stream { .. } => {
            let hint = "Copy it again from where it was made, and compare their sums.";
            Problem::trouble(format!("{name}: {}", in_a_bundle(&error))).hint(hint)
        }
        Error::Io { .. } => Problem::failed(error.to_string()),
        other => Problem::failed(format!("{name}: {other}")),
    }
}

fn in_a_bundle(error: &Error) -> String {
    match error {
        Error::Damaged {
            seq: Some(seq),
            why,
        } => format!("the bundle is damaged at record {seq}: {why}"),
        Error::Damaged { seq: None, why } => format!("the bundle is damaged: {why}"),
        Error::CutOff { frames } => format!("the bundle was cut off after {frames} entries"),
        Error::Stream { source } => format!("the bundle is damaged, or was cut off: {source}"),
        other => other.to_string(),
    }
}
