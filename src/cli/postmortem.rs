//! `rha postmortem`: what happened in one incident, from the journals of all nodes.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::draft::deliver;
use super::export;
use super::render::postmortem::{self as drawn, Shape};
use super::render::{Problem, Screen};
use super::source::{self, Origin, Records};
use crate::journal::Fold;
use crate::model::record::{Record, Seq};
use crate::postmortem::{Journal, Postmortem, tell};
use crate::replay::Recovered;
use crate::views::LastChecks;
use crate::views::history::Filter;
use crate::views::timeline::Timeline;

/// Tell one incident: what happened when, why, what it cost
///
/// From this host's journal, or from a bundle; with --with from those of the other nodes too, put on one clock by what
/// the nodes saw of each other. Each node tells what it knows: only together do they say for how long nobody served.
/// Exit status: 3 if a journal is damaged.
///
/// Example: `rha postmortem`
///
/// Example: `rha postmortem 57 --with lvs2.rha --output html --out 57.html`
#[derive(Debug, Clone, Args)]
pub struct PostmortemArgs {
    /// Which incident: `rha history incidents` lists them [default: the last one]
    #[arg(value_name = "INCIDENT")]
    pub incident: Option<u64>,

    /// The journal of another node, as `rha export` made it there; can be given several times
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,

    /// Read this bundle, not the journal
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: Form,

    /// Where to [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Forms of a postmortem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// Sentences and columns, for people
    #[default]
    Text,
    /// Markdown, for a ticket or a wiki
    Md,
    /// One page with a drawing, for a browser or a printer
    Html,
    /// One JSON object
    Json,
}

/// So much before and behind an incident is read, in microseconds: more than is drawn, for the clocks to be compared.
const AROUND_US: i64 = 60_000_000;
/// The clocks of two nodes are not further apart, in microseconds.
const APART_US: i64 = 3_600_000_000;
/// Behind so many records of a node, quiet checks are left out.
const MANY: usize = 50_000;
/// And behind so many all others.
const MOST: usize = 200_000;

/// Prints the postmortem.
///
/// # Errors
/// There is no such incident, a journal cannot be read, the journals do not belong together, and those of the output.
pub fn run(
    args: &PostmortemArgs,
    screen: &Screen,
    origin: &Origin,
    with: &[PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let id = match args.incident {
        Some(id) => Seq(id),
        None => last_incident(origin)?,
    };
    if let Some(out) = &args.out {
        check_out(out, origin, with)?;
    }
    let told = gather(id, origin, with)?;
    let mut text = Vec::new();
    match args.output {
        Form::Json => writeln!(text, "{}", serde_json::to_string(&told)?)?,
        Form::Text => drawn::write(Shape::Text, screen, &told, &mut text)?,
        Form::Md => drawn::write(Shape::Markdown, screen, &told, &mut text)?,
        Form::Html => drawn::write(Shape::Html, screen, &told, &mut text)?,
    }
    match &args.out {
        None => out.write_all(&text)?,
        Some(file) => {
            // Colours are for the screen.
            let text = anstream::adapter::strip_bytes(&text).into_vec();
            deliver(Some(file), &mut text.as_slice(), out)?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// What is read is not written over.
fn check_out(out: &Path, origin: &Origin, with: &[PathBuf]) -> Result<(), Problem> {
    let Ok(out) = out.canonicalize() else {
        return Ok(());
    };
    let own = match origin {
        Origin::Bundle(file) => Some(file),
        Origin::Host(_) => None,
    };
    let mut read = own.into_iter().chain(with);
    if read.any(|file| file.canonicalize().is_ok_and(|file| file == out)) {
        let out = out.display();
        return Err(Problem::usage(format!(
            "--out {out} is a bundle that is read"
        )));
    }
    Ok(())
}

/// Prints the postmortem of one incident, as this node alone saw it.
///
/// # Errors
/// As [`run`].
pub fn print(id: Seq, screen: &Screen, origin: &Origin, out: &mut dyn Write) -> anyhow::Result<()> {
    let told = gather(id, origin, &[])?;
    drawn::write(Shape::Text, screen, &told, out)
}

fn gather(id: Seq, origin: &Origin, with: &[PathBuf]) -> anyhow::Result<Postmortem> {
    let (first, last) = export::incident(origin, id)?;
    let instance = first.instance.clone();
    let (one, other) = (first.at.wall_us, last.at.wall_us);
    let (since, until) = (one.min(other) - AROUND_US, one.max(other) + AROUND_US);
    let range = export::near(origin, &first, &last, AROUND_US)?;
    let own = source::excerpt(origin, range)?;
    let mut journals = vec![read(own, &instance, since..until, None)?];
    // Its clock may be apart.
    let apart = (since - APART_US)..(until + APART_US);
    for file in with {
        let other = source::records(&Origin::Bundle(file.clone()))?;
        journals.push(read(other, &instance, apart.clone(), Some(file))?);
    }
    Ok(tell(id, journals).map_err(|why| Problem::usage(why.to_string()))?)
}

fn last_incident(origin: &Origin) -> anyhow::Result<Seq> {
    let (mut timeline, mut last, mut failed) = (Timeline::default(), None, None);
    let records = source::history(origin, &Filter::default())?;
    for record in source::readable(records, &mut failed) {
        last = timeline.fold(&record).map(|one| one.id).max(last);
    }
    let open = timeline.open().map(|one| one.id).max();
    match (last.max(open), failed) {
        (Some(last), _) => Ok(last),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Problem::failed("there are no incidents in this journal").into()),
    }
}

/// The records of the instance and of the node itself in a span of wall time, and what was known before them.
fn read(
    (before, records): (Recovered, Records),
    instance: &str,
    window: Range<i64>,
    file: Option<&PathBuf>,
) -> anyhow::Result<Journal> {
    let mut whole = before;
    let mut state = None;
    let mut checks = LastChecks::default();
    let mut kept: Vec<Record> = Vec::new();
    for record in records {
        let record = record?;
        if record.at.wall_us > window.end {
            break;
        }
        if state.is_none() && record.at.wall_us >= window.start {
            state = Some(whole.states.get(instance).cloned().unwrap_or_default());
        }
        whole.fold(&record);
        if state.is_none() {
            continue;
        }
        let is_notable = checks.is_notable(&record);
        let is_of_it = record.instance == instance || record.instance.is_empty();
        let has_room = kept.len() < MANY || is_notable && kept.len() < MOST;
        if is_of_it && has_room {
            kept.push(record);
        }
    }
    let settings = whole.states.get(instance).map(|state| &state.settings);
    let node = settings
        .map(|settings| settings.node.clone())
        .filter(|node| !node.is_empty());
    let name = file.map_or_else(
        || "this journal".to_owned(),
        |file| file.display().to_string(),
    );
    let node = node.with_context(|| {
        format!("{name} has no settings of instance {instance:?}: it is of another pair")
    });
    Ok(Journal {
        node: node.map_err(|error| Problem::usage(error.to_string()))?,
        before: state.unwrap_or_default(),
        records: kept,
    })
}
