//! `rha import`: a bundle from elsewhere, checked and kept.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use tempfile::NamedTempFile;

use super::render::{Cell, Problem, Progress, Screen, counted, fitted};
use super::source::readable;
use super::{bundle, exit, export};
use crate::config::{Paths, is_name};
use crate::journal::Bundle;
use crate::journal::bundle::About;
use crate::replay::rerun;

/// Check a bundle from end to end, replay it, and keep it by a name
///
/// It is kept in bundles/ in paths.state, and `--bundle NAME` finds it there. This host's journal is not touched. What
/// is damaged, or no bundle, is not kept. Exit status: 3 if it is damaged or its replay diverges.
///
/// Example: `rha import 57.rha`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The bundle, as `rha export` made it
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub file: Option<PathBuf>,

    /// What to call it [default: node and records]
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    pub name: Option<String>,

    /// List those that are kept
    #[arg(long, conflicts_with_all = ["file", "name"])]
    pub list: bool,
}

fn name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(".rha").unwrap_or(text);
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err("a name has letters, digits, `_` and `-`".to_owned())
    }
}

/// Keeps the bundle, or lists them.
///
/// # Errors
/// It is none, or damaged, or cannot be kept.
pub fn run(args: &ImportArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.file {
        Some(file) => keep(args, file, paths, out),
        None => list(&paths.bundles(), out),
    }
}

fn keep(args: &ImportArgs, file: &Path, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    // What is checked is what is kept, also where it comes out of a pipe.
    let copy = copied(file, &paths.bundles())?;
    let opened = bundle::open_as(copy.path(), file)?;
    let about = opened.about().clone();
    let before = opened.before_first()?;
    let mut failed = None;
    let report = rerun(
        before,
        readable(
            Progress::of("records").over(bundle::records(file, opened)),
            &mut failed,
        ),
    );
    if let Some(error) = failed {
        return Err(error);
    }
    let node = name(&about.node).map_err(|why| {
        let problem = Problem::trouble(format!("{}: node {:?}: {why}", file.display(), about.node));
        problem.hint("Give it a name: --as NAME.")
    });
    let name = match &args.name {
        Some(name) => name.clone(),
        None => format!("{}-{}-{}", node?, about.first, about.last),
    };
    store(copy, &paths.bundles(), &name)?;
    writeln!(out, "{}", export::described(&about))?;
    let code = match &report.divergence {
        None => {
            writeln!(
                out,
                "replayed {}: no divergence",
                counted(report.records, "record")
            )?;
            exit::OK
        }
        Some(divergence) => {
            writeln!(
                out,
                "record {} diverges: rha replay --bundle {name}",
                divergence.seq
            )?;
            exit::TROUBLE
        }
    };
    writeln!(out, "kept as {name}: rha history --bundle {name}")?;
    Ok(code)
}

fn copied(file: &Path, dir: &Path) -> anyhow::Result<NamedTempFile> {
    let failed = || format!("cannot write in {}", dir.display());
    let mut from = std::fs::File::open(file)
        .map_err(|error| Problem::failed(format!("cannot open {}: {error}", file.display())))?;
    std::fs::create_dir_all(dir).with_context(failed)?;
    let mut copy = NamedTempFile::new_in(dir).with_context(failed)?;
    std::io::copy(&mut from, &mut copy).with_context(failed)?;
    copy.as_file().sync_all().with_context(failed)?;
    Ok(copy)
}

fn store(copy: NamedTempFile, dir: &Path, name: &str) -> anyhow::Result<()> {
    let to = bundle::named(dir, name);
    copy.persist_noclobber(&to)
        .map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let problem = Problem::failed(format!("there is a bundle {name} already"));
                anyhow::Error::from(problem.hint("Give another name: --as NAME."))
            }
            _ => anyhow::Error::from(error.error).context(format!("cannot write {}", to.display())),
        })?;
    Ok(())
}

fn list(dir: &Path, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut found: Vec<(String, Result<About, String>)> = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_bundle = path
            .extension()
            .is_some_and(|suffix| suffix == bundle::SUFFIX);
        if let Some(stem) = stem.filter(|_| is_bundle) {
            let about = Bundle::open(&path).map(|opened| opened.about().clone());
            found.push((stem.to_owned(), about.map_err(|error| error.to_string())));
        }
    }
    if found.is_empty() {
        writeln!(out, "no bundles in {}", dir.display())?;
        return Ok(exit::OK);
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let rows: Vec<Vec<Cell>> = found
        .iter()
        .map(|(name, about)| {
            let what = match about {
                Ok(about) => export::described(about),
                Err(why) => why.clone(),
            };
            vec![Cell::from(name.as_str()), Cell::from(what)]
        })
        .collect();
    fitted(&Screen::detect(), &["", ""], None, &rows, out)?;
    Ok(exit::OK)
}
