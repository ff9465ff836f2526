//! `rha journal`: how much there is, and keeping it small.

use std::io::Write;

use clap::{Args, Subcommand};

use super::client::Client;
use super::exit;
use super::render::{Cell, Columns, ReportForm, counted, thousands};
use super::source;
use super::verify::{self, VerifyArgs};
use crate::agent::api::{self, JournalStats, Volume};
use crate::config::Paths;
use crate::journal::Journal;
use crate::replay::Recovered;

/// Look after the journal
///
/// The journal is a row of volumes. The newest is written to; one that is full is sealed: packed into a plain file
/// that never changes again. The agent does that by itself, and removes the oldest as [journal] in the configuration
/// says.
#[derive(Debug, Clone, Args)]
pub struct JournalArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Stats(StatsArgs),
    /// Seal everything that is there, now
    ///
    /// Before the journal is copied, or to see what it takes when it is packed. Through the agent, where one runs.
    Compact,
    Verify(VerifyArgs),
}

/// Tell how many records there are, since when, and what they take on the disk
#[derive(Debug, Clone, Args)]
pub struct StatsArgs {
    /// Each volume, too
    #[arg(long)]
    pub volumes: bool,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ReportForm,
}

/// Runs one of them.
///
/// # Errors
/// Neither the agent nor the journal can be used, and those of `out`.
pub fn run(args: &JournalArgs, paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.command {
        Command::Stats(args) => stats(args, &source::stats(paths)?, out),
        Command::Compact => compact(paths, out),
        Command::Verify(args) => verify::run(args, &source::verify(paths)?, out),
    }
}

/// Prints how much there is.
///
/// # Errors
/// Those of `out`.
pub fn stats(args: &StatsArgs, stats: &JournalStats, out: &mut dyn Write) -> anyhow::Result<u8> {
    match args.output {
        ReportForm::Json => writeln!(out, "{}", serde_json::to_string(stats)?)?,
        ReportForm::Table => {
            summary(stats, out)?;
            if args.volumes {
                writeln!(out)?;
                table(&stats.volumes, out)?;
            }
        }
    }
    out.flush()?;
    Ok(exit::OK)
}

fn summary(stats: &JournalStats, out: &mut dyn Write) -> anyhow::Result<()> {
    let sealed = stats.volumes.iter().filter(|volume| volume.sealed).count();
    let first = stats.volumes.first().map_or(1, |volume| volume.first);
    let next = first + stats.records;
    match stats.records {
        0 => writeln!(out, "no records")?,
        _ => writeln!(
            out,
            "{}, {first} to {}",
            counted(stats.records, "record"),
            next - 1
        )?,
    }
    let from = stats.volumes.iter().find_map(|volume| volume.from.as_ref());
    let to = stats
        .volumes
        .iter()
        .rev()
        .find_map(|volume| volume.to.as_ref());
    if let (Some(from), Some(to)) = (from, to) {
        let (from, to) = (local(Some(from)), local(Some(to)));
        writeln!(out, "from {from} to {to}")?;
    }
    writeln!(
        out,
        "{} bytes in {}, {sealed} of them sealed{}",
        thousands(stats.bytes),
        counted(stats.volumes.len() as u64, "volume"),
        per_record(stats.bytes, stats.records)
    )?;
    if stats.held > 0 {
        writeln!(
            out,
            "{} held in memory, to be packed",
            counted(stats.held, "quiet check")
        )?;
    }
    Ok(())
}

fn per_record(bytes: u64, records: u64) -> String {
    match (bytes * 10).checked_div(records) {
        None => String::new(),
        Some(tenths) => format!(", {}.{} bytes a record", tenths / 10, tenths % 10),
    }
}

fn table(volumes: &[Volume], out: &mut dyn Write) -> anyhow::Result<()> {
    let titles = ["FIRST", "RECORDS", "BYTES", "STATE", "FROM", "TO"];
    let rows: Vec<Vec<Cell>> = volumes.iter().map(row).collect();
    let mut columns = Columns::new(&titles, 100);
    columns.fit(&rows);
    let titles: Vec<Cell> = titles.into_iter().map(Cell::from).collect();
    for row in std::iter::once(&titles).chain(&rows) {
        columns.write(out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

/// To the second, where whoever reads it is.
fn local(time: Option<&str>) -> String {
    let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    time.map_or("-".to_owned(), |time| {
        let offset = jiff::tz::TimeZone::system().to_offset(time);
        let civil = offset.to_datetime(time);
        civil.strftime("%Y-%m-%d %H:%M:%S").to_string()
    })
}

fn row(volume: &Volume) -> Vec<Cell> {
    let time = |time: &Option<String>| Cell::from(local(time.as_deref()).as_str());
    vec![
        Cell::from(volume.first.to_string().as_str()),
        Cell::from(thousands(volume.records).as_str()),
        Cell::from(thousands(volume.bytes).as_str()),
        Cell::from(if volume.sealed { "sealed" } else { "open" }),
        time(&volume.from),
        time(&volume.to),
    ]
}

fn compact(paths: &Paths, out: &mut dyn Write) -> anyhow::Result<u8> {
    let before = source::stats(paths)?;
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        client.post(api::COMPACT, &api::Compact {})?;
    } else {
        let mut journal = Journal::open(&paths.journal())?;
        journal.rotate()?;
        journal.seal::<Recovered>()?;
    }
    let after = source::stats(paths)?;
    writeln!(
        out,
        "sealed: {} bytes were {}{}",
        thousands(after.bytes),
        thousands(before.bytes),
        per_record(after.bytes, after.records)
    )?;
    Ok(exit::OK)
}
