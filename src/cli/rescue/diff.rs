//! `rha rescue diff`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::super::render::{ListForm, Problem, counted, csv_line};
use super::super::{exit, source};
use super::compare::{Difference, compare};
use super::server::Private;
use crate::agent::own_target;
use crate::agent::runtime::runtime;
use crate::config::{Config, Instance};
use crate::model::redis::{Endpoint, RedisRole};
use crate::rescue::Entry;
use crate::views::json::SCHEMA;
use crate::wire::redis::{Link, Target};

/// How long connecting to the primary may take.
const CONNECT: Duration = Duration::from_secs(5);
const TITLES: [&str; 5] = ["what", "db", "type", "ttl_ms", "key"];

/// List the keys of a saved data set that the present primary lacks, or has otherwise
///
/// The data set is read by a Redis of its own, which this command starts and ends: it takes as much memory as the data set
/// does. Its keys are compared with those of the present primary, by type and value; of lifetimes, whether there is one.
/// A key is missing, too, where it was deleted since, and otherwise where it was written since: what was written last
/// cannot be seen. Bytes of a key that cannot be printed are told as \xNN.
///
/// Exit status: 0 if the primary has everything, 3 if not.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// A number of `rha rescue list` (1 is the newest), or a file
    #[arg(value_name = "NUMBER|FILE")]
    pub which: String,
    /// The Redis to compare with; left out, the one that a replica of this instance follows
    #[arg(long, value_name = "HOST:PORT", value_parser = endpoint)]
    against: Option<Endpoint>,
    /// Stop after so many; 0 for no end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 0)]
    lines: u64,
    /// The program that reads the data set
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    server: String,
    /// The instance; can be left out where the file's note tells, or there is only one
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: ListForm,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let parts = text.rsplit_once(':');
    let parsed = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.ok_or("an address and a port, such as 192.168.192.37:6379")?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    Ok(Endpoint { host, port })
}

/// Runs `rha rescue diff`.
///
/// # Errors
/// One of the two cannot be read; the message says which, and why.
pub fn run(
    args: &DiffArgs,
    entry: &Entry,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let config = Config::load(file)?;
    let known = entry.note.as_ref().map(|note| note.instance.as_str());
    let known = known.filter(|name| config.instance(name).is_some());
    let instance = source::instance(&config, args.instance.as_deref().or(known))?;
    let target = target(args, &config, instance)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        tokio::select! {
            done = differ(args, entry, &target, out, err) => done,
            // What is private here ends with this future.
            _ = tokio::signal::ctrl_c() => Err(Problem::failed("interrupted").into()),
        }
    })
}

fn target(args: &DiffArgs, config: &Config, instance: &Instance) -> anyhow::Result<Target> {
    let own = own_target(instance)?;
    let followed = || config.settings(instance).follow;
    Ok(Target {
        endpoint: args.against.clone().unwrap_or_else(followed),
        ..own
    })
}

async fn differ(
    args: &DiffArgs,
    entry: &Entry,
    target: &Target,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let endpoint = &target.endpoint;
    let cannot = || format!("cannot compare with {endpoint}");
    let present = Link::connect(target, CONNECT).await.with_context(cannot)?;
    if present.role().await.with_context(cannot)?.role != RedisRole::Master {
        writeln!(err, "warning: {endpoint} is a replica itself")?;
    }
    let private = Private::start(&args.server, &entry.path).await?;
    let whole: u64 = private
        .link
        .databases()
        .await?
        .iter()
        .map(|(_, keys)| keys)
        .sum();
    let mut printer = Printer {
        form: args.output,
        out,
        begun: false,
    };
    let (mut missing, mut otherwise) = (0_u64, 0_u64);
    let shows = std::io::stderr().is_terminal();
    let mut told = 0;
    let compared = compare(
        &private.link,
        &present,
        |difference| {
            *(if difference.missing {
                &mut missing
            } else {
                &mut otherwise
            }) += 1;
            printer.print(&difference)?;
            Ok(args.lines == 0 || missing + otherwise < args.lines)
        },
        |compared| {
            let percent = compared * 100 / whole.max(1);
            if shows && percent > told {
                told = percent;
                let _ = write!(err, "\r{percent} % of {} ", counted(whole, "key"));
            }
        },
    )
    .await;
    if told > 0 {
        write!(err, "\r\x1b[K")?;
    }
    printer.end()?;
    let compared = compared.with_context(cannot)?;
    let of = counted(compared, "key");
    writeln!(
        err,
        "{endpoint} lacks {missing} and has otherwise {otherwise} of {of}"
    )?;
    Ok(if missing + otherwise == 0 {
        exit::OK
    } else {
        exit::TROUBLE
    })
}

#[derive(Serialize)]
struct Row<'a> {
    schema: u16,
    what: &'a str,
    db: u32,
    #[serde(rename = "type")]
    kind: &'a str,
    ttl_ms: Option<i64>,
    key: &'a str,
}

/// Each row as it is found.
struct Printer<'a> {
    form: ListForm,
    out: &'a mut dyn Write,
    begun: bool,
}

impl Printer<'_> {
    fn print(&mut self, found: &Difference) -> anyhow::Result<()> {
        let key = printable(&found.key);
        let row = Row {
            schema: SCHEMA,
            what: if found.missing {
                "missing"
            } else {
                "otherwise"
            },
            db: found.db,
            kind: &found.kind,
            ttl_ms: found.ttl_ms,
            key: &key,
        };
        let ttl = found.ttl_ms.map_or_else(String::new, |ms| ms.to_string());
        let first = !std::mem::replace(&mut self.begun, true);
        let out = &mut self.out;
        match self.form {
            ListForm::Table => {
                if first {
                    let [what, db, kind, ttl, key] = TITLES;
                    writeln!(out, "{what:9}  {db:>2}  {kind:6}  {ttl:>10}  {key}")?;
                }
                let Row { what, db, kind, .. } = row;
                writeln!(out, "{what:9}  {db:>2}  {kind:6}  {ttl:>10}  {key}")?;
            }
            ListForm::Csv => {
                if first {
                    csv_line(out, &TITLES)?;
                }
                csv_line(out, &[row.what, &row.db.to_string(), row.kind, &ttl, &key])?;
            }
            ListForm::Jsonl => writeln!(out, "{}", serde_json::to_string(&row)?)?,
            ListForm::Json => {
                let separator = if first { "[" } else { "," };
                writeln!(out, "{separator}{}", serde_json::to_string(&row)?)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        match (self.form, self.begun) {
            (ListForm::Json, true) => writeln!(self.out, "]")?,
            (ListForm::Json, false) => writeln!(self.out, "[]")?,
            (ListForm::Csv, false) => csv_line(&mut self.out, &TITLES)?,
            _ => {}
        }
        self.out.flush()?;
        Ok(())
    }
}

/// A key as text: what cannot be printed, and the backslash, is told as `\xNN`.
fn printable(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for piece in key.utf8_chunks() {
        for c in piece.valid().chars() {
            let safe = super::super::render::plain(c.encode_utf8(&mut [0; 4]))
                .chars()
                .eq([c]);
            if safe && c != '\\' {
                text.push(c);
            } else {
                let mut bytes = [0; 4];
                escape(c.encode_utf8(&mut bytes).as_bytes(), &mut text);
            }
        }
        escape(piece.invalid(), &mut text);
    }
    text
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_so_that_they_can_be_typed_again() {
        assert_eq!(printable("cart:17:größe".as_bytes()), "cart:17:größe");
        assert_eq!(printable(b"a\x00b\xffc\n"), "a\\x00b\\xffc\\x0a");
        assert_eq!(printable(b"back\\slash"), "back\\x5cslash");
    }

    #[test]
    fn addresses_of_both_families() {
        let parsed = endpoint("[fe80::1]:6379").unwrap();
        assert_eq!((parsed.host.as_str(), parsed.port), ("fe80::1", 6379));
        endpoint("localhost").unwrap_err();
        endpoint("localhost:x").unwrap_err();
    }
}
