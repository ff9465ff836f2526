//! One failover as all journals and the client tell it together: who did what, so many milliseconds after the kill.

use anstyle::Style;
use anyhow::Context;
use rha::cli::render::{Cell, Columns, GAP, Screen};
use serde_json::Value;

use crate::clock::boottime;
use crate::plan::CLIENT;
use crate::report::{DIM, GREEN, ms};
use crate::world::World;

/// The records of a failover that has just been are among each host's last ones.
const LATEST: &str = "100";
/// What the first write overtook still belongs to the story.
const AFTERWARDS_US: u64 = 3_000;

/// Widths of the first columns: `1234.5 ms`, and a host's name.
const WHEN: usize = 11;
const WHO: usize = 6;

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
        lines: spelled(&moments, killed_us)?,
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

/// A moment in a row, in as many lines as the terminal makes necessary.
fn spelled(moments: &[Moment], killed_us: u64) -> anyhow::Result<Vec<String>> {
    let limit = Screen::detect().limit().unwrap_or(usize::MAX);
    let widest = |text: fn(&Moment) -> &str| {
        let changes = moments.iter().filter(|moment| !moment.change.is_empty());
        changes
            .map(|moment| text(moment).chars().count())
            .max()
            .unwrap_or(0)
    };
    let [what, change] = [
        widest(|moment| &moment.what),
        widest(|moment| &moment.change),
    ];
    let room = limit.saturating_sub(WHEN + GAP + WHO + GAP + GAP + change);
    let columns = Columns::of(vec![WHEN, WHO, what.min(room), change]).right(0);
    let mut text = Vec::new();
    for moment in moments {
        let style = match (moment.who.as_str(), moment.change.is_empty()) {
            (CLIENT, _) => GREEN,
            (_, true) => DIM,
            (_, false) => Style::new(),
        };
        let after = format!("{:.1} ms", ms(moment.at_us - killed_us));
        let cells = [&after, &moment.who, &moment.what, &moment.change];
        let row = cells.map(|text| vec![Cell::styled(text, style)]);
        columns.write_within(&mut text, &row, limit)?;
    }
    let lines = String::from_utf8_lossy(&text);
    Ok(lines.lines().map(str::to_owned).collect())
}
