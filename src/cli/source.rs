//! Where a command reads records: from the agent while it runs, else from the journal itself.

use std::io::{BufRead, BufReader};
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::bundle;
use super::client::Client;
use super::render::{Problem, waiting};
use crate::agent::api;
use crate::agent::api::{Bad, JournalStats, Verified};
use crate::agent::blackbox::compare;
use crate::agent::lookup;
use crate::config::{Config, Instance, Paths};
use crate::journal::{Error, Fold as _, FrameReader, Reader};
use crate::model::record::{Record, Seq};
use crate::replay::Recovered;
use crate::views::history::Filter;
use crate::views::status::Status;

/// Records as they come, wherever from.
pub type Records = Box<dyn Iterator<Item = anyhow::Result<Record>>>;

/// Whose records are looked at.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The journal of this host, through the agent where one runs.
    Host(Paths),
    /// A bundle.
    Bundle(PathBuf),
}

/// The instance that is meant: the named one, or the only one.
///
/// # Errors
/// There is no such instance, or more than one to choose from.
pub fn instance<'config>(
    config: &'config Config,
    name: Option<&str>,
) -> anyhow::Result<&'config Instance> {
    let known = || {
        let names: Vec<&str> = config
            .instances
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        names.join(", ")
    };
    match (name, config.instances.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Problem::usage(format!("which instance? there are: {}", known())).into()),
        (Some(name), _) => config.instance(name).ok_or_else(|| {
            Problem::usage(format!(
                "no instance is called {name:?}; there are: {}",
                known()
            ))
            .into()
        }),
    }
}

/// As [`instance`], of those that the agent has.
///
/// # Errors
/// The agent does not answer, or has more than one to choose from.
pub fn instance_of_agent(client: &Client, name: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = name {
        return Ok(name.to_owned());
    }
    let status: Status = client.get(api::STATUS)?;
    let names: Vec<_> = status.instances.into_iter().map(|one| one.name).collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        _ => {
            let names = names.join(", ");
            Err(Problem::usage(format!("which instance? there are: {names}")).into())
        }
    }
}

/// All records, oldest first, and what those come to that are kept no more; damage is the last item.
///
/// # Errors
/// Neither the agent nor the journal can be read.
pub fn records(origin: &Origin) -> anyhow::Result<(Recovered, Records)> {
    let paths = match origin {
        Origin::Host(paths) => paths,
        Origin::Bundle(file) => {
            let bundle = bundle::open(file)?;
            return Ok((bundle.before_first()?, bundle::records(file, bundle)));
        }
    };
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        return frames_of_agent(paths, &client, api::FRAMES);
    }
    let unread = unread(paths);
    let reader = Reader::open(&paths.journal()).map_err(unread)?;
    let before = reader.before_first().map_err(unread)?;
    let records = reader.records(Seq(1)).chain(lost_end(reader));
    let records = records.map(move |record| record.map_err(unread));
    Ok((before, Box::new(records)))
}

/// The records in `range`, and what those before them come to.
///
/// # Errors
/// As above.
pub fn excerpt(origin: &Origin, range: Range<Seq>) -> anyhow::Result<(Recovered, Records)> {
    let paths = match origin {
        Origin::Host(paths) => paths,
        Origin::Bundle(_) => return part_of_bundle(origin, range),
    };
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        let (from, below) = (range.start, range.end.0);
        let path = format!("{}?from={from}&below={below}", api::FRAMES);
        return frames_of_agent(paths, &client, &path);
    }
    let unread = unread(paths);
    let reader = Reader::open(&paths.journal()).map_err(unread)?;
    let (before, records) = reader.part::<Recovered>(range).map_err(unread)?;
    let records = records.map(move |record| record.map_err(unread));
    Ok((before, Box::new(records)))
}

fn part_of_bundle(bundle: &Origin, range: Range<Seq>) -> anyhow::Result<(Recovered, Records)> {
    let (mut before, records) = records(bundle)?;
    let mut records = records.peekable();
    let is_before = |record: &anyhow::Result<Record>| {
        let record = record.as_ref();
        record.is_ok_and(|record| record.seq < range.start)
    };
    while let Some(record) = records.next_if(is_before) {
        before.fold(&record?);
    }
    let is_inside = move |record: &anyhow::Result<Record>| {
        let record = record.as_ref();
        record.map_or(true, |record| record.seq < range.end)
    };
    Ok((before, Box::new(records.take_while(is_inside))))
}

/// How much there is.
///
/// # Errors
/// As above.
pub fn stats(paths: &Paths) -> anyhow::Result<JournalStats> {
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        return client.get(api::JOURNAL);
    }
    let unread = unread(paths);
    let reader = Reader::open(&paths.journal()).map_err(unread)?;
    JournalStats::of(&reader).map_err(unread)
}

/// The records that a query asks for, oldest first; damage is the last item.
///
/// # Errors
/// As above.
pub fn history(origin: &Origin, filter: &Filter) -> anyhow::Result<Records> {
    let paths = match origin {
        Origin::Host(paths) => paths,
        Origin::Bundle(file) => return bundle::history(file, filter),
    };
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        let path = format!("{}?{}", api::HISTORY, serde_urlencoded::to_string(filter)?);
        let lines = BufReader::new(client.open(&path)?).lines();
        let records = lines.map(|line| Ok(serde_json::from_str(&line?)?));
        return Ok(of_agent(paths, records));
    }
    let unread = unread(paths);
    let reader = Reader::open(&paths.journal()).map_err(unread)?;
    // Nobody else waits for the journal: who does not listen any more ends this process.
    let found = lookup::found(&reader, filter, || true).map_err(unread)?;
    let found = found.chain(lost_end(reader));
    Ok(Box::new(found.map(move |record| record.map_err(unread))))
}

/// Records that the agent reads, until it tells no more of them.
fn of_agent(
    paths: &Paths,
    records: impl Iterator<Item = anyhow::Result<Record>> + 'static,
) -> Records {
    let paths = paths.clone();
    Box::new(records.map(move |record| record.map_err(|error| cut_off(&paths, error))))
}

fn frames_of_agent(
    paths: &Paths,
    client: &Client,
    path: &str,
) -> anyhow::Result<(Recovered, Records)> {
    let frames = FrameReader::new(client.open(path)?);
    let frames = frames.map_err(|error| cut_off(paths, error.into()))?;
    let before = frames.before_first()?;
    let records = frames.map(|record| Ok(record?));
    Ok((before, of_agent(paths, records)))
}

/// Why an answer of the agent's ended in the middle: the journal may be damaged, which is said as without an agent.
pub fn cut_off(paths: &Paths, error: anyhow::Error) -> anyhow::Error {
    let verified = verify_all(paths).ok();
    match verified.and_then(|verified| verified.first_bad) {
        Some(Bad { seq, why }) => unread(paths)(Error::Damaged {
            seq: Some(seq),
            why,
        }),
        None => error,
    }
}

/// What is told behind the last record, if the disk once reached further.
fn lost_end(reader: Reader) -> impl Iterator<Item = Result<Record, Error>> {
    let lost = iter::once_with(move || reader.check_end().err()).flatten();
    lost.map(Err)
}

/// Why the journal, or the rest of it, cannot be read: damage is trouble that was found, all else a failure.
pub fn unread(paths: &Paths) -> impl Fn(Error) -> anyhow::Error + Copy + use<> {
    let has_black_box = paths.black_box().is_dir();
    move |error| match error {
        Error::Damaged { .. } => {
            let problem = Problem::trouble(format!("{error}; `rha verify` tells more"));
            if has_black_box {
                let hint = "`rha history --blackbox` shows what was recorded, from plain files.";
                problem.hint(hint).into()
            } else {
                problem.into()
            }
        }
        _ => error.into(),
    }
}

/// The records before the first error. That is kept in `failed`: what was read is worth telling, whatever came then.
pub fn readable<R, E: Into<anyhow::Error>>(
    source: impl Iterator<Item = Result<R, E>>,
    failed: &mut Option<anyhow::Error>,
) -> impl Iterator<Item = R> {
    source.map_while(|record| match record {
        Ok(record) => Some(record),
        Err(error) => {
            *failed = Some(error.into());
            None
        }
    })
}

/// The journal checked from end to end.
///
/// # Errors
/// As above.
pub fn verify(paths: &Paths) -> anyhow::Result<Verified> {
    waiting("checking the journal", || verify_all(paths))
}

fn verify_all(paths: &Paths) -> anyhow::Result<Verified> {
    if let Some(client) = Client::connect(&paths.agent_socket())? {
        return client.get_slowly(api::VERIFY);
    }
    let bad = |seq, why| Verified {
        first_bad: Some(Bad { seq, why }),
        ..Verified::default()
    };
    let missing = |journal| compare::missing(&paths.black_box(), journal);
    let reader = match Reader::open(&paths.journal()) {
        Ok(reader) => reader,
        Err(Error::Damaged { seq, why }) => return Ok(bad(seq.unwrap_or(Seq(1)), why)),
        Err(error @ Error::Missing { .. }) => {
            let why = missing(None).ok_or(error)?;
            return Ok(bad(Seq(1), why));
        }
        Err(error) => return Err(error.into()),
    };
    let mut verified = Verified::of(&reader)?;
    if verified.first_bad.is_none() {
        let seq = reader.next_seq();
        verified.first_bad = missing(Some(&reader)).map(|why| Bad { seq, why });
    }
    Ok(verified)
}

/// The node whose records these are, where that `is_wanted` and known.
///
/// # Errors
/// The bundle cannot be read.
pub fn node(origin: &Origin, file: &Path, is_wanted: bool) -> anyhow::Result<Option<String>> {
    match origin {
        _ if !is_wanted => Ok(None),
        Origin::Host(_) => Ok(Config::load(file).ok().map(|config| config.node.name)),
        Origin::Bundle(bundle) => Ok(Some(bundle::open(bundle)?.about().node.clone())),
    }
}
