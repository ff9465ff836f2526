//! `rha rescue show`.

use std::io::Write;

use serde::Serialize;

use super::super::exit;
use super::super::render::{ReportForm, counted, plain};
use super::lacks;
use crate::rescue::{Entry, Note};
use crate::views::json::SCHEMA;

#[derive(Serialize)]
struct Shown<'a> {
    schema: u16,
    path: String,
    bytes: u64,
    note: Option<&'a Note>,
}

/// Prints what is known of one, and how to use it.
///
/// # Errors
/// Those of `out`.
pub fn show(entry: &Entry, form: ReportForm, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = entry.path.display().to_string();
    if form == ReportForm::Json {
        let shown = Shown {
            schema: SCHEMA,
            path,
            bytes: entry.bytes,
            note: entry.note.as_ref(),
        };
        writeln!(out, "{}", serde_json::to_string(&shown)?)?;
        return Ok(exit::OK);
    }
    let path = plain(&path);
    writeln!(out, "file       {path}")?;
    writeln!(out, "size       {}", counted(entry.bytes, "byte"))?;
    let target = match &entry.note {
        Some(note) => {
            told(note, out)?;
            note.target.as_str()
        }
        None => {
            writeln!(out, "nothing else is known of it: its note is gone")?;
            "HOST:PORT"
        }
    };
    let dir = entry.path.parent().map(|dir| dir.display().to_string());
    let dir = dir.filter(|dir| !dir.is_empty()).unwrap_or(".".to_owned());
    let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "6379"));
    writeln!(out)?;
    writeln!(
        out,
        "What the present primary lacks of it, or has otherwise:"
    )?;
    writeln!(out, "  rha rescue diff '{path}'")?;
    writeln!(
        out,
        "To look into it, in a Redis of its own that keeps nothing:"
    )?;
    writeln!(
        out,
        "  redis-server --port 7777 --bind 127.0.0.1 --dir '{}' --dbfilename '{}' --save '' --appendonly no",
        plain(&dir),
        plain(&name)
    )?;
    writeln!(
        out,
        "To copy a key from there to the primary (REPLACE overwrites it):"
    )?;
    writeln!(
        out,
        "  redis-cli -p 7777 MIGRATE {} {} KEY 0 5000 COPY REPLACE",
        plain(host),
        plain(port)
    )?;
    writeln!(
        out,
        "When all is done: rm '{path}' '{}'",
        plain(&Note::place(&entry.path).display().to_string())
    )?;
    Ok(exit::OK)
}

fn told(note: &Note, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows = [
        ("saved", note.at.clone()),
        (
            "instance",
            format!("{} on node {}", note.instance, note.node),
        ),
        ("epoch", note.epoch.to_string()),
        ("stream", format!("{}, offset {}", note.replid, note.offset)),
        ("lacking", format!("{} at {}", lacks(note), note.target)),
        ("keys", note.keys.to_string()),
        ("version", note.redis_version.clone()),
    ];
    for (name, text) in rows {
        writeln!(out, "{name:10} {}", plain(&text))?;
    }
    Ok(())
}
