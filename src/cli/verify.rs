//! `rha verify`: is the journal what was written?

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::render::{ReportForm, counted, plain};
use crate::agent::api::{Bad, Verified};
use crate::model::record::Seq;
use crate::views::json::SCHEMA;

/// Check that no record of the journal was altered or lost
///
/// Each record carries a hash of itself and of the record before it. Exit status: 3 if one is bad; the first is named,
/// and the first in each volume of the journal behind that.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ReportForm,
}

/// Prints the report: 0 if all is well, else 3.
///
/// # Errors
/// Those of `out`.
pub fn run(args: &VerifyArgs, verified: &Verified, out: &mut dyn Write) -> anyhow::Result<u8> {
    match args.output {
        ReportForm::Table => table(verified, out)?,
        ReportForm::Json => {
            let json = serde_json::to_string(&VerifiedJson::from(verified))?;
            writeln!(out, "{json}")?;
        }
    }
    out.flush()?;
    Ok(if verified.first_bad.is_none() { 0 } else { 3 })
}

fn table(verified: &Verified, out: &mut dyn Write) -> anyhow::Result<()> {
    let span = match (verified.first, verified.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let read = format!(
        "{}{span} in {}",
        counted(verified.records, "record"),
        counted(verified.blocks, "packed block")
    );
    match &verified.first_bad {
        None => writeln!(out, "verified {read}: every hash holds")?,
        Some(Bad { seq, why }) => {
            writeln!(out, "record {seq} is bad: {}", plain(why))?;
            writeln!(out, "good before it: {read}")?;
            for Bad { seq, why } in &verified.more_bad {
                writeln!(out, "record {seq} is bad, too: {}", plain(why))?;
            }
            writeln!(
                out,
                "hint: When the agent starts, it sets aside what is damaged and goes on behind what is good."
            )?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct VerifiedJson<'a> {
    schema: u16,
    ok: bool,
    records: u64,
    blocks: u64,
    first: Option<Seq>,
    last: Option<Seq>,
    first_bad: Option<&'a Bad>,
    more_bad: &'a [Bad],
}

impl<'a> From<&'a Verified> for VerifiedJson<'a> {
    fn from(verified: &'a Verified) -> Self {
        let first_bad = verified.first_bad.as_ref();
        Self {
            schema: SCHEMA,
            ok: first_bad.is_none(),
            records: verified.records,
            blocks: verified.blocks,
            first: verified.first,
            last: verified.last,
            first_bad,
            more_bad: &verified.more_bad,
        }
    }
}
