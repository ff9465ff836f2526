//! `rha replay --set`: what would have been decided with other settings.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use crate::cli::incidents::seconds;
use crate::cli::render::{Cell, Problem, ReportForm, Screen, counted, fitted, thousands};
use crate::config::parse_duration;
use crate::replay::knobs::Knob;
use crate::replay::whatif::{Departure, Fate, WhatIf};
use crate::views::json::SCHEMA;
use crate::views::rfc3339;

/// How long VRRP takes to notice silence, in adverts: three, and a part of one for the priority.
const ADVERTS: u64 = 3;

/// What is asked: settings, and the interval between adverts, which keepalived knows and the machine does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub knobs: Vec<Knob>,
    /// In milliseconds.
    pub advert: Option<u64>,
}

/// Names of that interval: short, and as in the configuration.
const ADVERT: [&str; 2] = ["vrrp.advert", "keepalived.advert_interval"];

impl Asked {
    /// Reads `table.key=value` each.
    ///
    /// # Errors
    /// A [`Problem`] of usage.
    pub fn read(texts: &[String]) -> Result<Self, Problem> {
        let mut asked = Self::default();
        for text in texts {
            let Some((name, value)) = text.split_once('=') else {
                let problem = Problem::usage(format!("--set {text}: no value"));
                return Err(problem.hint("Write it as --set health.fall=5."));
            };
            let (name, value) = (name.trim(), value.trim());
            if ADVERT.contains(&name) {
                let ms = millis(value).filter(|ms| (10..=255_000).contains(ms));
                let wrong =
                    || Problem::usage(format!("{name} = {value}: a time from 10ms to 255s"));
                asked.advert = Some(ms.ok_or_else(wrong)?);
            } else {
                let is_known = Knob::names().any(|known| known == name);
                let knob = Knob::read(name, value, millis).map_err(|why| match is_known {
                    true => Problem::usage(why),
                    false => Problem::usage(why).hint(format!(
                        "And {}: how long VRRP takes to notice silence.",
                        ADVERT[0]
                    )),
                })?;
                asked.knobs.push(knob);
            }
        }
        Ok(asked)
    }
}

/// A duration as in the configuration, or a bare number of seconds; in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let seconds = || {
        let seconds = text.parse::<f64>().ok()?;
        (0.0..=86_400.0)
            .contains(&seconds)
            .then(|| Duration::from_secs_f64(seconds))
    };
    let duration = parse_duration(text).or_else(seconds)?;
    u64::try_from(duration.as_millis()).ok()
}

/// How many failovers came otherwise, by what would have been instead.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    never: u64,
    later: u64,
    latest_us: u64,
    earlier: u64,
    additional: u64,
    otherwise: u64,
}

impl Counts {
    fn of(found: &WhatIf) -> Self {
        let mut counts = Self::default();
        for departure in found.departures.iter().filter(|one| one.is_failover) {
            match departure.fate {
                Fate::Never(_) => counts.never += 1,
                Fate::Later(us, _) => {
                    counts.later += 1;
                    counts.latest_us = counts.latest_us.max(us);
                }
                Fate::Earlier(_) => counts.earlier += 1,
                Fate::Additional => counts.additional += 1,
                Fate::Otherwise => counts.otherwise += 1,
            }
        }
        counts
    }
}

/// Prints what came of it.
///
/// # Errors
/// Those of `out`.
pub(super) fn print(
    form: ReportForm,
    screen: &Screen,
    asked: &Asked,
    recorded_advert: Option<u64>,
    found: &WhatIf,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if form == ReportForm::Json {
        let json = Json {
            schema: SCHEMA,
            set: asked
                .knobs
                .iter()
                .map(|knob| format!("{}={}", knob.name, knob.value))
                .collect(),
            records: found.records,
            failovers: found.failovers,
            departed: found.departed,
            departures: found.departures.iter().map(DepartureJson::from).collect(),
            sentence: sentence(found),
            advert: asked
                .advert
                .map(|ms| of_vrrp(ms, recorded_advert, found.by_vrrp)),
            unknown: unknown(),
        };
        writeln!(out, "{}", serde_json::to_string(&json)?)?;
        return Ok(());
    }
    for knob in &asked.knobs {
        writeln!(out, "{} = {}", knob.name, knob.value)?;
    }
    writeln!(
        out,
        "replayed {}, {} in them",
        counted(found.records, "record"),
        counted(found.failovers, "failover decision")
    )?;
    if !asked.knobs.is_empty() {
        writeln!(out, "{}", sentence(found))?;
    }
    if let Some(advert) = asked.advert {
        writeln!(out, "{}", of_vrrp(advert, recorded_advert, found.by_vrrp))?;
    }
    if !found.departures.is_empty() {
        writeln!(out)?;
        table(screen, &found.departures, out)?;
        let more = found.departed - found.departures.len() as u64;
        if more > 0 {
            writeln!(out, "and {} more", thousands(more))?;
        }
    }
    writeln!(out, "\nWhat a what-if cannot know:")?;
    for line in unknown() {
        writeln!(out, "- {line}")?;
    }
    Ok(())
}

fn sentence(found: &WhatIf) -> String {
    let counts = Counts::of(found);
    let all = counted(found.failovers, "failover decision");
    let mut parts = Vec::new();
    if counts.never > 0 {
        parts.push(format!(
            "{} of {all} would not have been made",
            counts.never
        ));
    }
    if counts.later > 0 {
        let most = if counts.later > 1 { "up to " } else { "" };
        parts.push(format!(
            "{} would have come {most}{} later",
            counts.later,
            seconds(counts.latest_us)
        ));
    }
    if counts.earlier > 0 {
        parts.push(format!("{} would have come earlier", counts.earlier));
    }
    if counts.additional > 0 {
        parts.push(format!("{} more would have been made", counts.additional));
    }
    if counts.otherwise > 0 {
        parts.push(format!("{} would have been another", counts.otherwise));
    }
    if found.uncompared > 0 {
        parts.push(format!(
            "{} of {all}, behind what differs, cannot be compared",
            found.uncompared
        ));
    }
    let others = found.departed
        - found
            .departures
            .iter()
            .filter(|one| one.is_failover)
            .count() as u64;
    if parts.is_empty() && others == 0 {
        return format!("Nothing would have been decided otherwise: {all}, all the same.");
    }
    if parts.is_empty() {
        return format!(
            "All of {all} would have been the same; {} otherwise.",
            counted(others, "other decision")
        );
    }
    format!("{}.", parts.join("; "))
}

/// VRRP takes over after three adverts and a part of one: what another interval would have changed.
fn of_vrrp(advert: u64, recorded: Option<u64>, by_vrrp: u64) -> String {
    let promotions = counted(by_vrrp, "promotion");
    let Some(recorded) = recorded else {
        return format!(
            "{promotions} followed keepalived; with what interval of adverts is not in these records."
        );
    };
    let (word, apart) = if advert < recorded {
        ("earlier", recorded - advert)
    } else {
        ("later", advert - recorded)
    };
    format!(
        "Adverts every {advert} ms, not {recorded} ms: of {promotions} that followed keepalived, each that it made because the \
         other node had fallen silent would have come {} {word}; those for which the other node gave the VIP up would have come about when they did.",
        seconds(apart * 1_000 * ADVERTS)
    )
}

fn unknown() -> Vec<&'static str> {
    vec![
        "What the world would have made of another decision: each incident is followed up to the first one that differs, and \
         both go on together when the recorded one is over.",
        "What Redis would have answered where it was killed or promoted: its checks are taken to go on as the last one, for 60 s.",
        "What the other nodes would have done: this is the journal of one node, and they are taken to have the settings that \
         they had. What began on another node shows in a replay of its journal.",
        "Checks at another interval: only those that were made are recorded.",
    ]
}

fn fate(departure: &Departure) -> String {
    if let Some(instead) = &departure.instead {
        return format!("instead: {instead}");
    }
    match departure.fate {
        Fate::Later(us, true) => format!("{} later", seconds(us)),
        Fate::Later(us, false) => format!("{} later, if the checks had gone on so", seconds(us)),
        Fate::Never(true) => "not at all".to_owned(),
        Fate::Never(false) => "not within 60 s, if the checks had gone on so".to_owned(),
        Fate::Earlier(us) => format!("this, {} before it was", seconds(us)),
        Fate::Additional => "this, which was not decided".to_owned(),
        Fate::Otherwise => "something else".to_owned(),
    }
}

fn table(screen: &Screen, departures: &[Departure], out: &mut dyn Write) -> anyhow::Result<()> {
    let rows: Vec<Vec<Cell>> = departures
        .iter()
        .map(|one| {
            vec![
                Cell::from(screen.local(&rfc3339(one.at.wall_us))),
                Cell::from(one.seq.to_string()),
                Cell::from(one.event.as_str()),
                Cell::from(one.decision.as_str()),
                Cell::from(fate(one)),
            ]
        })
        .collect();
    let titles = ["time", "seq", "event", "decision", "would have been"];
    fitted(screen, &titles, Some(1), &rows, out)
}

#[derive(Serialize)]
struct Json {
    schema: u16,
    set: Vec<String>,
    records: u64,
    failovers: u64,
    departed: u64,
    departures: Vec<DepartureJson>,
    sentence: String,
    /// What another interval between adverts would have changed.
    advert: Option<String>,
    unknown: Vec<&'static str>,
}

#[derive(Serialize)]
struct DepartureJson {
    seq: u64,
    at: String,
    instance: String,
    event: String,
    decision: String,
    failover: bool,
    fate: &'static str,
    by_us: Option<u64>,
    assumed: bool,
    instead: Option<String>,
}

impl From<&Departure> for DepartureJson {
    fn from(one: &Departure) -> Self {
        let (fate, by_us, assumed) = match one.fate {
            Fate::Later(us, known) => ("later", Some(us), !known),
            Fate::Never(known) => ("never", None, !known),
            Fate::Earlier(us) => ("earlier", Some(us), false),
            Fate::Additional => ("additional", None, false),
            Fate::Otherwise => ("otherwise", None, false),
        };
        Self {
            seq: one.seq.0,
            at: rfc3339(one.at.wall_us),
            instance: one.instance.clone(),
            event: one.event.clone(),
            decision: one.decision.clone(),
            failover: one.is_failover,
            fate,
            by_us,
            assumed,
            instead: one.instead.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{ADVERT, millis};
    use crate::replay::knobs::Knob;

    #[test]
    fn the_help_names_what_can_be_set() {
        let mut command = crate::cli::Cli::command();
        let replay = command.find_subcommand_mut("replay").unwrap();
        let help = replay.render_long_help().to_string();
        for name in Knob::names().chain([ADVERT[0]]) {
            assert!(help.contains(name), "{name}: {help}");
        }
    }

    #[test]
    fn times_are_read() {
        for (text, ms) in [
            ("200ms", 200),
            ("5s", 5_000),
            ("0.1", 100),
            ("2m", 120_000),
            ("0", 0),
        ] {
            assert_eq!(millis(text), Some(ms), "{text}");
        }
        for text in ["", "s", "-1s", "5 parsecs", "inf", "nan", "-1"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
