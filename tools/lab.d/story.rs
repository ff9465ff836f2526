//! One failover as all journals and the client tell it together: who did what, so many milliseconds after the kill.

use anyhow::Context;
use serde_json::Value;

use crate::clock::boottime;
use crate::plan::CLIENT;
use crate::report::{DIM, GREEN, ms, styled};
use crate::world::World;

/// The records of a failover that has just been are among each host's last ones.
const LATEST: &str = "100";
/// What the first write overtook still belongs to the story.
const AFTERWARDS_US: u64 = 3_000;

/// The story, and where it begins.
pub struct Story {
    /// A line for each moment, in order.
    pub lines: Vec<String>,
    /// The second in which it begins, RFC 3339, for `rha history --since`.
    pub since: String,
}

struct Moment {
    /// `CLOCK_BOOTTIME` in microseconds, the same on all hosts of the lab.
    at_us: u64,
    who: String,
    what: String,
    change: String,
}

/// What happened from the kill until a write was accepted again. Times are those of [`crate::clock::now_us`].
///
/// # Errors
/// A host does not show its history, or none has recorded the failover.
pub fn story(world: &World, killed_us: u64, accepted_us: u64) -> anyhow::Result<Story> {
    let (killed_us, accepted_us) = (boottime(killed_us), boottime(accepted_us));
    let mut moments = Vec::new();
    let mut since = None;
    for host in &world.hosts {
        let text = host.rha_checked(&["history", "-n", LATEST, "--output", "jsonl"])?;
        for line in text.lines() {
            let record: Value = serde_json::from_str(line)?;
            let at_us = record["mono_us"].as_u64().context("a record's time")?;
            if !(killed_us..=accepted_us + AFTERWARDS_US).contains(&at_us) {
                continue;
            }
            let second = record["at"].as_str().and_then(|at| at.get(..19));
            let second = second.context("a record's time")?.to_owned();
            since = Some(since.map_or(second.clone(), |earlier: String| earlier.min(second)));
            moments.push(moment(at_us, &host.name, &record));
        }
    }
    moments.push(Moment {
        at_us: accepted_us,
        who: CLIENT.to_owned(),
        what: "a write is accepted again".to_owned(),
        change: String::new(),
    });
    moments.sort_by_key(|moment| moment.at_us);
    let since = since.context("no host has recorded the failover")?;
    Ok(Story {
        lines: spelled(&moments, killed_us),
        since: format!("{since}Z"),
    })
}

fn moment(at_us: u64, host: &str, record: &Value) -> Moment {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let transition = &record["transition"];
    let change = match (word(&transition["from"]), word(&transition["to"])) {
        (_, to) if to.is_empty() => String::new(),
        (from, to) => format!("{from} -> {to}"),
    };
    Moment {
        at_us,
        who: host.to_owned(),
        what: word(&record["summary"]),
        change,
    }
}

fn spelled(moments: &[Moment], killed_us: u64) -> Vec<String> {
    let lengths = moments.iter().map(|moment| moment.what.chars().count());
    let width = lengths.max().unwrap_or_default();
    let line = |moment: &Moment| {
        let after = ms(moment.at_us - killed_us);
        let (who, what, change) = (&moment.who, &moment.what, &moment.change);
        let text = format!("{after:>8.1} ms  {who:<6}  {what:<width$}  {change}");
        let style = match (who.as_str(), change.is_empty()) {
            (CLIENT, _) => GREEN,
            (_, true) => DIM,
            (_, false) => return text,
        };
        styled(style, text.trim_end())
    };
    moments.iter().map(line).collect()
}
