//! `rha rescue`: data sets that were saved before they were overwritten.

mod compare;
mod diff;
mod list;
mod server;
mod show;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::locate;
use super::render::{ListForm, Problem, ReportForm};
use crate::config::Paths;
use crate::rescue::{self, Entry, Note};

/// Look at data sets that were saved before they were overwritten
///
/// When an old primary joins again as a replica, the data set of the new one takes the place of its own. Where it has writes
/// that the new primary lacks, its data set is saved first: these commands list what was saved, and say what in it the
/// present primary lacks. They work on the node where it was saved, whether or not the agent runs.
#[derive(Debug, clap::Args)]
pub struct RescueArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What was saved, the newest first
    List {
        /// How to print it
        #[arg(long, value_enum, value_name = "FORM", default_value_t)]
        output: ListForm,
    },
    /// What is known of one, and how to use it
    Show {
        /// A number of `rha rescue list` (1 is the newest), or a file
        #[arg(value_name = "NUMBER|FILE")]
        which: String,
        /// How to print it
        #[arg(long, value_enum, value_name = "FORM", default_value_t)]
        output: ReportForm,
    },
    Diff(diff::DiffArgs),
}

/// Runs `rha rescue`.
///
/// # Errors
/// The message says why.
pub fn run(
    args: &RescueArgs,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    match &args.command {
        Command::List { output } => {
            let entries = newest_first(&locate::paths(file, err)?)?;
            list::list(*output, &entries, out)
        }
        Command::Show { which, output } => {
            show::show(&one(which, || locate::paths(file, err))?, *output, out)
        }
        Command::Diff(args) => {
            let entry = one(&args.which, || locate::paths(file, err))?;
            diff::run(args, &entry, file, out, err)
        }
    }
}

fn newest_first(paths: &Paths) -> anyhow::Result<Vec<Entry>> {
    let dir = paths.rescue();
    let mut entries =
        rescue::list(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    entries.reverse();
    Ok(entries)
}

/// The one that is meant: a number counts from the newest; all else is a file, which needs no configuration.
fn one(which: &str, paths: impl FnOnce() -> anyhow::Result<Paths>) -> anyhow::Result<Entry> {
    if let Ok(number) = which.parse::<usize>() {
        let entries = newest_first(&paths()?)?;
        let count = entries.len();
        let index = number.checked_sub(1);
        return index
            .and_then(|index| entries.into_iter().nth(index))
            .ok_or_else(|| {
                Problem::usage(format!(
                    "there is no number {number}: `rha rescue list` has {count}"
                ))
                .into()
            });
    }
    let path = PathBuf::from(which);
    let about =
        std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Entry {
        bytes: about.len(),
        written: about.modified()?,
        note: Note::beside(&path),
        path,
    })
}

/// How many bytes the target lacked, in words.
fn lacks(note: &Note) -> String {
    match note.diverged_bytes {
        Some(bytes) => super::render::counted(bytes, "byte"),
        None => "unknown".to_owned(),
    }
}
