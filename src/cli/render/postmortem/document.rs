//! What stands in a postmortem, and in which order.

use jiff::tz::Offset;

use crate::cli::incidents::seconds;
use crate::cli::render::screen::{clock, clock_offset, local};
use crate::cli::render::{Screen, counted};
use crate::postmortem::{Agreement, Alignment, Moment, Phase, Postmortem};

/// A part of it.
pub(super) enum Block {
    Heading(String),
    Text(String),
    List(Vec<String>),
    Table {
        titles: Vec<&'static str>,
        rows: Vec<Vec<String>>,
    },
    /// The lanes, whole or the part that matters.
    Drawing {
        from_us: i64,
        to_us: i64,
        caption: String,
    },
}

pub(super) struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

pub(super) struct Writer<'a> {
    pub(super) told: &'a Postmortem,
    offset: Offset,
    pub(super) blocks: Vec<Block>,
}

/// The document of a postmortem, in the reader's time zone.
pub(super) fn of(screen: &Screen, told: &Postmortem) -> Document {
    let offset = screen.offset(told.began_us);
    let mut writer = Writer {
        told,
        offset,
        blocks: Vec::new(),
    };
    writer.summary();
    writer.drawings();
    writer.phases();
    writer.moments();
    writer.alarms();
    writer.list("Loss", &told.loss);
    writer.nodes();
    writer.settings();
    writer.list("What these journals cannot tell", &told.unknown);
    let title = format!(
        "Incident {} of {} on {}: {} {}",
        told.incident.id,
        told.incident.instance,
        told.nodes[0].name,
        local(told.began_us, offset),
        clock_offset(offset)
    );
    Document {
        title,
        blocks: writer.blocks,
    }
}

impl Writer<'_> {
    fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    fn list(&mut self, heading: &str, items: &[String]) {
        self.heading(heading);
        self.blocks.push(Block::List(items.to_vec()));
    }

    pub(super) fn table(&mut self, titles: &[&'static str], rows: Vec<Vec<String>>) {
        self.blocks.push(Block::Table {
            titles: titles.to_vec(),
            rows,
        });
    }

    fn drawings(&mut self) {
        let told = self.told;
        self.blocks.push(Block::Drawing {
            from_us: told.from_us,
            to_us: told.to_us,
            caption: "The whole of it".to_owned(),
        });
        let (Some(first), Some(last)) = (told.phases.first(), told.phases.last()) else {
            return;
        };
        let (from_us, to_us) = (first.from_us, last.to_us);
        let margin = ((to_us - from_us) / 6).max(2_000);
        let (from_us, to_us) = (from_us - margin, to_us + margin);
        // What fills a good part of the first drawing needs no other.
        if (to_us - from_us) * 4 < told.to_us - told.from_us {
            self.blocks.push(Block::Drawing {
                from_us,
                to_us,
                caption: "The failover itself".to_owned(),
            });
        }
    }

    fn phases(&mut self) {
        self.heading("Where the time went");
        let phases = &self.told.phases;
        if phases.is_empty() {
            let mut text = "Redis was promoted on none of these nodes.".to_owned();
            if self.told.outages.is_none() {
                text += " (Not all journals are here.)";
            }
            return self.blocks.push(Block::Text(text));
        }
        let row = |phase: &Phase| {
            vec![
                phase.name.to_owned(),
                phase.nodes.join(" to "),
                self.after(phase.from_us),
                milliseconds(between(phase.from_us, phase.to_us)),
                phase.what.to_owned(),
            ]
        };
        let mut rows: Vec<Vec<String>> = phases.iter().map(row).collect();
        let (first, last) = (&phases[0], &phases[phases.len() - 1]);
        rows.push(vec![
            "all".to_owned(),
            String::new(),
            self.after(first.from_us),
            milliseconds(between(first.from_us, last.to_us)),
            String::new(),
        ]);
        self.table(&["phase", "node", "at", "took", ""], rows);
    }

    fn moments(&mut self) {
        self.heading("What happened");
        let told = self.told;
        let several = told.nodes.len() > 1;
        let rows = told
            .moments
            .iter()
            .map(|moment| self.moment(moment, several));
        let rows: Vec<Vec<String>> = rows.collect();
        if rows.is_empty() {
            return self.blocks.push(Block::Text("Nothing.".to_owned()));
        }
        let titles = ["time", "at", "node", "seq", "what", "role", "why", "orders"];
        let titles = titles
            .into_iter()
            .filter(|title| several || *title != "node");
        let titles: Vec<&'static str> = titles.collect();
        self.table(&titles, rows);
        if told.left_out > 0 {
            let text = format!(
                "{} left out: rha history --incident shows all.",
                counted(told.left_out, "record")
            );
            self.blocks.push(Block::Text(text));
        }
    }

    fn moment(&self, moment: &Moment, several: bool) -> Vec<String> {
        let change = moment.change.as_ref();
        let what = match &moment.operator {
            Some(who) => format!("{} [{who}]", moment.what),
            None => moment.what.clone(),
        };
        let mut row = vec![clock(moment.at_us, self.offset), self.after(moment.at_us)];
        row.extend(several.then(|| moment.node.clone()));
        row.extend([
            moment.seq.to_string(),
            what,
            change.map_or_else(String::new, |(from, to)| format!("{from} -> {to}")),
            moment
                .because
                .clone()
                .or_else(|| moment.rule.clone())
                .unwrap_or_default(),
            moment.orders.join("; "),
        ]);
        row
    }

    fn alarms(&mut self) {
        self.heading("Alarms");
        let alarms = &self.told.alarms;
        let sent = alarms.sent.iter().map(|(at, node, title, status)| {
            vec![
                clock(*at, self.offset),
                self.after(*at),
                node.clone(),
                status.clone(),
                title.clone(),
            ]
        });
        let failed = alarms.failed.iter().map(|(at, node, text)| {
            vec![
                clock(*at, self.offset),
                self.after(*at),
                node.clone(),
                "not sent yet".to_owned(),
                text.clone(),
            ]
        });
        let rows: Vec<Vec<String>> = sent.chain(failed).collect();
        if rows.is_empty() {
            self.blocks.push(Block::Text("None.".to_owned()));
        } else {
            self.table(&["time", "at", "node", "", "alarm"], rows);
        }
        let kept_back = alarms
            .suppressed
            .iter()
            .map(|(why, count)| format!("kept back {count} times: {why}"));
        let kept_back: Vec<String> = kept_back.collect();
        if !kept_back.is_empty() {
            self.blocks.push(Block::List(kept_back));
        }
    }

    fn nodes(&mut self) {
        self.heading("The nodes and their clocks");
        let rows = self.told.nodes.iter().map(|node| {
            vec![
                node.name.clone(),
                counted(node.records, "record"),
                node.incidents.len().to_string(),
                node.clock
                    .as_ref()
                    .map_or_else(|| "the others were put on its clock".to_owned(), apart),
            ]
        });
        let rows = rows.collect();
        self.table(&["node", "read", "incidents", "clock"], rows);
    }

    /// A row for each setting; where the nodes have other values, one says so.
    fn settings(&mut self) {
        self.heading("Settings");
        let nodes = &self.told.nodes;
        let names = nodes[0].settings.iter().map(|(name, _)| name.clone());
        let rows = names.enumerate().map(|(index, name)| {
            let values = nodes.iter().map(|node| node.settings[index].1.clone());
            let values: Vec<String> = values.collect();
            let is_own = ["own Redis", "other nodes"].contains(&name.as_str());
            let differs = !is_own && values.iter().any(|value| *value != values[0]);
            let shown = if values.iter().all(|value| *value == values[0]) {
                values[0].clone()
            } else {
                let values = nodes
                    .iter()
                    .zip(values)
                    .map(|(node, value)| format!("{}: {value}", node.name));
                values.collect::<Vec<_>>().join("; ")
            };
            vec![
                name,
                shown,
                if differs {
                    "differs".to_owned()
                } else {
                    String::new()
                },
            ]
        });
        let rows = rows.collect();
        self.table(&["setting", "value", ""], rows);
    }

    /// Since the beginning of it: `+1.234 s`.
    pub(super) fn after(&self, at_us: i64) -> String {
        relative(at_us - self.told.began_us)
    }
}

/// `+1.234 s`, `-0.020 s`.
pub(super) fn relative(us: i64) -> String {
    let ms = (us.unsigned_abs() + 500) / 1_000;
    let sign = if us < 0 && ms > 0 { '-' } else { '+' };
    format!("{sign}{}.{:03} s", ms / 1_000, ms % 1_000)
}

pub(super) fn milliseconds(us: u64) -> String {
    match us {
        0..100_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        _ => seconds(us),
    }
}

pub(super) fn between(from_us: i64, to_us: i64) -> u64 {
    u64::try_from(to_us.saturating_sub(from_us)).unwrap_or(0)
}

pub(super) fn apart(clock: &Alignment) -> String {
    let within = match clock.within_us {
        Some(us) => format!(", to within {}", milliseconds(us.unsigned_abs())),
        None => String::new(),
    };
    let apart = milliseconds(clock.ahead_us.unsigned_abs());
    let side = if clock.ahead_us < 0 {
        "behind"
    } else {
        "ahead"
    };
    match clock.agreement {
        Agreement::Agree => format!("agrees with the first{within}"),
        Agreement::Apart => format!("{apart} {side}{within}: taken into account"),
        Agreement::Uneven => format!("was set in between: about {apart} {side}{within}"),
        Agreement::Unknown => "unknown: there is nothing that both nodes saw".to_owned(),
    }
}
