//! `rha export`: a part of the journal in a file, to be looked at elsewhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Seek, Write};
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::client::Client;
use super::draft::{Draft, cannot_write, deliver, folder, is_special};
use super::history::span;
use super::render::{self, Problem, Progress, counted, thousands};
use super::source::{self, Origin};
use crate::agent::api;
use crate::config::{Paths, parse_duration};
use crate::journal::bundle::{self, About};
use crate::journal::{FrameReader, Reader};
use crate::machine::RULESET;
use crate::model::decision::Note;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::replay::Recovered;
use crate::views::history::Filter;
use crate::views::rfc3339;

/// Write a part of the journal into a file, to be looked at elsewhere
///
/// A bundle holds the records as they are in the journal, with its hash chain, the settings and versions that they were
/// decided by, and what the machine knew before the first: history, replay and postmortem read it on any machine
/// (--bundle). No password is in it. The head of the file is text and says what it is. With --format jsonl the same
/// records as history prints them with --output jsonl, for other programs.
///
/// Example: `rha export --incident 57 > 57.rha`
///
/// Example: `rha export --since "2h ago" --out lvs1.rha`
///
/// Example: `rha export --format jsonl --out journal.jsonl`
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// This incident, and what was around it: `rha history incidents` lists them
    #[arg(long, value_name = "N", conflicts_with_all = ["since", "until"])]
    pub incident: Option<u64>,

    /// How much around it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = margin, requires = "incident")]
    pub around: i64,

    /// Records from this time on: `2h ago`, `14:00`, `yesterday 14:00` or RFC 3339 [default: all]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Records before this time, written as for --since; a bundle begins and ends with a whole block of quiet checks
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,

    /// Where to [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A bundle, for rha
    #[default]
    Bundle,
    /// JSON objects, one a line, for other programs
    Jsonl,
}

/// In microseconds.
fn margin(text: &str) -> Result<i64, String> {
    let margin = parse_duration(text)
        .ok_or("a duration is a whole number and ms, s, m, h or d, such as 30s")?;
    i64::try_from(margin.as_micros()).map_err(|_| "it is too long".to_owned())
}

/// Writes what is asked for; says on `err` what that is. `advert_ms` is the interval between keepalived's adverts, where that is
/// known.
///
/// # Errors
/// A [`Problem`] of usage, those of the journal, of the file and of `out`.
pub fn run(
    args: &ExportArgs,
    paths: &Paths,
    advert_ms: Option<u64>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    if args.format == Format::Bundle && args.out.is_none() && io::stdout().is_terminal() {
        let problem = Problem::usage("a bundle is not for a terminal");
        return Err(problem.hint("Give --out FILE, or > FILE.").into());
    }
    let origin = Origin::Host(paths.clone());
    let range = range(args, &origin)?;
    match (args.format, &args.out) {
        (Format::Jsonl, None) => lines(&origin, &range, out)?,
        (Format::Jsonl, Some(to)) => {
            let mut draft = Draft::of(to)?;
            lines(&origin, &range, &mut draft)?;
            draft.keep()?;
        }
        (Format::Bundle, to) => {
            // Unnamed until it is whole: who interrupts this leaves nothing behind.
            let mut stream = match to.as_deref().filter(|to| !is_special(to)) {
                Some(to) => tempfile::tempfile_in(folder(to)).with_context(|| cannot_write(to)),
                None => tempfile::tempfile().context("cannot write a temporary file"),
            }?;
            let about = About {
                incident: args.incident.map(Seq),
                advert_ms,
                ..pack(paths, range, &mut stream)?
            };
            let mut head = Vec::new();
            bundle::head(&about, &mut head)?;
            let mut whole = head.chain(stream);
            let bytes = deliver(to.as_deref(), &mut whole, out)?;
            writeln!(err, "{}, {} bytes", described(&about), thousands(bytes))?;
        }
    }
    Ok(0)
}

/// The records as JSON, one a line, as they come.
fn lines(origin: &Origin, range: &Range<Seq>, out: &mut dyn Write) -> anyhow::Result<()> {
    let filter = Filter {
        after: Some(Seq(range.start.0.saturating_sub(1))),
        quiet: true,
        ..Filter::default()
    };
    let inside = |record: &anyhow::Result<Record>| {
        record
            .as_ref()
            .map_or(true, |record| record.seq < range.end)
    };
    let records = source::history(origin, &filter)?.take_while(inside);
    let records = Progress::of("records").over(records);
    let mut failed = None;
    let mut out = BufWriter::new(out);
    render::history_json(false, source::readable(records, &mut failed), &mut out)?;
    out.flush()?;
    failed.map_or(Ok(()), Err)
}

/// What a bundle is, in words.
pub fn described(about: &About) -> String {
    let incident = about.incident.map(|id| format!(", incident {id}"));
    format!(
        "{} of {}, {} to {}, from {} to {}{}",
        counted(about.records(), "record"),
        about.node,
        about.first,
        about.last,
        about.from,
        about.to,
        incident.unwrap_or_default(),
    )
}

/// Which records.
fn range(args: &ExportArgs, origin: &Origin) -> anyhow::Result<Range<Seq>> {
    let now = jiff::ZonedDateTime::now();
    if let Some(id) = args.incident {
        let (first, last) = incident(origin, Seq(id))?;
        return near(origin, &first, &last, args.around);
    }
    let (since, until) = span(args.since.as_deref(), args.until.as_deref(), &now)?;
    around(origin, since, until)
}

/// The records from the first to the last, and those of `margin_us` before and behind, whatever the clock did in between.
///
/// # Errors
/// Those of the origin.
pub fn near(
    origin: &Origin,
    first: &Record,
    last: &Record,
    margin_us: i64,
) -> anyhow::Result<Range<Seq>> {
    let (one, other) = (first.at.wall_us, last.at.wall_us);
    let since = one.min(other).saturating_sub(margin_us);
    let until = one.max(other).saturating_add(margin_us + 1);
    let own = first.seq..last.seq.next();
    // Where the clock was far off for a while, a time is not found; the records of the incident are.
    let range = around(origin, Some(since), Some(until)).unwrap_or(own.clone());
    Ok(range.start.min(own.start)..range.end.max(own.end))
}

/// The records between two wall times.
///
/// # Errors
/// There are none, and those of the origin.
pub fn around(
    origin: &Origin,
    since: Option<i64>,
    until: Option<i64>,
) -> anyhow::Result<Range<Seq>> {
    if since.is_none() && until.is_none() {
        return Ok(Seq(1)..Seq::UNRECORDED);
    }
    let ends = [0, 1].map(|limit| Filter {
        since,
        until,
        limit,
        quiet: true,
        ..Filter::default()
    });
    let mut found = Vec::new();
    for filter in ends {
        // The first of all, and the last.
        found.extend(source::history(origin, &filter)?.next().transpose()?);
    }
    match found[..] {
        [ref first, ref last] => Ok(first.seq..last.seq.next()),
        _ => Err(Problem::failed("there are no records of that time").into()),
    }
}

/// The first and the last record of an incident.
///
/// # Errors
/// There is none of this number, and those of the origin.
pub fn incident(origin: &Origin, id: Seq) -> anyhow::Result<(Record, Record)> {
    let filter = Filter {
        incident: Some(id),
        ..Filter::default()
    };
    let mut found: Option<(Record, Record)> = None;
    for record in source::history(origin, &filter)? {
        let record = record?;
        let is_over = record.decision.notes.contains(&Note::IncidentClosed(id));
        found = Some(match found {
            Some((first, _)) => (first, record),
            None => (record.clone(), record),
        });
        if is_over {
            break;
        }
    }
    found.ok_or_else(|| {
        let problem = Problem::usage(format!("there is no incident {id}"));
        problem
            .hint("`rha history incidents -n 0` lists them.")
            .into()
    })
}

/// Writes the packed stream of `range` to `file`, reads it back from end to end, and says what it is.
fn pack(paths: &Paths, range: Range<Seq>, file: &mut File) -> anyhow::Result<About> {
    let mut packer = bundle::packer(BufWriter::new(&*file))?;
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        let (from, below) = (range.start, range.end);
        let path = format!("{}?from={from}&below={}", api::FRAMES, below.0);
        io::copy(&mut client.open(&path)?, &mut packer)
            .map_err(|error| source::cut_off(paths, error.into()))?;
    } else {
        let unread = source::unread(paths);
        let reader = Reader::open(&paths.journal()).map_err(unread)?;
        let excerpt = reader.excerpt::<Recovered>(range).map_err(unread)?;
        for piece in excerpt.into_stream() {
            packer.write_all(&piece.map_err(unread)?)?;
        }
    }
    packer.finish()?.flush()?;
    file.rewind()?;
    let stream = FrameReader::new(bundle::unpacker(BufReader::new(&*file))?)?;
    let about = describe(stream)?;
    file.rewind()?;
    Ok(about)
}

fn describe<R: Read>(stream: FrameReader<R>) -> anyhow::Result<About> {
    let before: Recovered = stream.before_first()?;
    let settings = before.states.values().map(|state| &state.settings);
    let mut node = settings
        .map(|settings| settings.node.clone())
        .find(|node| !node.is_empty());
    let mut instances: BTreeSet<String> = before.states.into_keys().collect();
    let mut ends: Option<(Record, Record)> = None;
    for record in Progress::of("records").over(stream) {
        let record = record?;
        if let Event::Configured(settings) = &record.event {
            node.get_or_insert_with(|| settings.node.clone());
        }
        instances.insert(record.instance.clone());
        ends = Some(match ends {
            Some((first, _)) => (first, record),
            None => (record.clone(), record),
        });
    }
    let (first, last) = ends.ok_or_else(|| Problem::failed("there are no records"))?;
    instances.remove("");
    Ok(About {
        node: node.unwrap_or_default(),
        instances: instances.into_iter().collect(),
        first: first.seq,
        last: last.seq,
        from: rfc3339(first.at.wall_us),
        to: rfc3339(last.at.wall_us),
        incident: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ruleset: RULESET,
        advert_ms: None,
    })
}
