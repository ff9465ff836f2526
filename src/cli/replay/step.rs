//! `rha replay --step`: one record after the other, and how each was decided.

use std::io::{self, BufRead, IsTerminal, Write};

use anstyle::Style;

use crate::cli::render::machine::words;
use crate::cli::render::{Screen, plain, wrap};
use crate::journal::Fold;
use crate::machine::State;
use crate::machine::row::Cond;
use crate::model::record::{Record, Seq};
use crate::replay::Recovered;
use crate::replay::step::{Step, Tried, step};
use crate::views::{LastChecks, Sentence, rfc3339};

/// Steps through the records from `first` to `last`; those before are only folded. Quiet checks are passed over unless
/// `all` are wanted. Waits for a key where a person is there to press it. Whether all were decided as recorded.
///
/// # Errors
/// Those of `out`.
pub(super) fn run(
    screen: &Screen,
    mut whole: Recovered,
    (first, last): (Seq, Seq),
    all: bool,
    records: impl Iterator<Item = Record>,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let mut is_same = true;
    let is_watched = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut checks = LastChecks::default();
    let mut wanted = first;
    for record in records {
        if record.seq > last {
            break;
        }
        let is_notable = checks.is_notable(&record);
        if record.seq < wanted || !(is_notable || all) {
            whole.fold(&record);
            continue;
        }
        let taken = step(&mut whole, record);
        is_same &= taken.decision == taken.record.decision;
        show(screen, &taken, out)?;
        out.flush()?;
        if is_watched {
            match ask(taken.record.seq, out)? {
                Some(next) => wanted = next,
                None => break,
            }
        }
    }
    Ok(is_same)
}

/// Which record is wanted next; `None` for the end.
fn ask(here: Seq, out: &mut dyn Write) -> anyhow::Result<Option<Seq>> {
    loop {
        write!(
            out,
            "[Enter] next   [number] go on to that record   [q] quit: "
        )?;
        out.flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim() {
            "" => return Ok(Some(here.next())),
            "q" => return Ok(None),
            text => match text.parse() {
                Ok(seq) if seq > here.0 => return Ok(Some(Seq(seq))),
                Ok(_) => writeln!(out, "that record is behind: start again with --from {text}")?,
                Err(_) => writeln!(out, "a number, q, or nothing")?,
            },
        }
    }
}

fn show(screen: &Screen, step: &Step, out: &mut dyn Write) -> anyhow::Result<()> {
    let record = &step.record;
    let bold = Style::new().bold();
    let sentence = Sentence::new(&record.instance, &record.event).to_string();
    writeln!(
        out,
        "{bold}record {}{bold:#}  {}  {}  {}",
        record.seq,
        screen.local(&rfc3339(record.at.wall_us)),
        plain(&record.instance),
        plain(&sentence)
    )?;
    let before = facts(&step.before);
    let known = before.iter().filter(|(_, value)| !value.is_empty());
    let known: Vec<String> = known
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    line(screen, "before", &known.join(", "), out)?;
    match step.trigger {
        None => line(screen, "rows", "none: it was only noted", out)?,
        Some(trigger) => {
            line(screen, "trigger", &words(trigger, " "), out)?;
            for tried in step.tried.iter().filter(|tried| tried.is_for_role) {
                let word = if tried.fired { "fired" } else { "" };
                line(
                    screen,
                    word,
                    &format!("{}: {}", tried.row.id, why(tried)),
                    out,
                )?;
            }
        }
    }
    decided(screen, step, out)?;
    let after = facts(&step.after);
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after);
    let changed: Vec<String> = changed
        .map(|((name, before), (_, after))| {
            format!("{name} {} -> {}", or_none(before), or_none(after))
        })
        .collect();
    let changed = if changed.is_empty() {
        "nothing".to_owned()
    } else {
        changed.join(", ")
    };
    line(screen, "changed", &changed, out)?;
    writeln!(out)?;
    Ok(())
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn decided(screen: &Screen, step: &Step, out: &mut dyn Write) -> anyhow::Result<()> {
    let decision = &step.decision;
    if let Some(change) = &decision.transition {
        line(
            screen,
            "role",
            &format!("{} -> {}", change.from, change.to),
            out,
        )?;
    }
    if let Some(tried) = step.tried.iter().find(|tried| tried.fired) {
        line(screen, "because", tried.row.because, out)?;
    }
    let orders: Vec<String> = decision.effects.iter().map(ToString::to_string).collect();
    line(screen, "orders", &orders.join("; "), out)?;
    let notes: Vec<String> = decision.notes.iter().map(ToString::to_string).collect();
    line(screen, "notes", &notes.join("; "), out)?;
    if *decision != step.record.decision {
        let text = format!(
            "otherwise, by ruleset {}: see rha replay",
            step.record.ruleset
        );
        line(screen, "recorded", &text, out)?;
    }
    Ok(())
}

/// The guards of a row, with their values.
fn why(tried: &Tried) -> String {
    if tried.conditions.is_empty() {
        return "always".to_owned();
    }
    let conditions = tried.conditions.iter().map(|(cond, holds)| {
        let (guard, is_true) = match cond {
            Cond::Is(guard) => (guard, *holds),
            Cond::Not(guard) => (guard, !holds),
        };
        let mark = if *holds { "" } else { " (stops it)" };
        format!(
            "{} {}{mark}",
            guard.word(),
            if is_true { "yes" } else { "no" }
        )
    });
    conditions.collect::<Vec<_>>().join(", ")
}

fn line(screen: &Screen, word: &str, text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    for (index, part) in wrap(text, screen.width.saturating_sub(12))
        .iter()
        .enumerate()
    {
        let word = if index == 0 { word } else { "" };
        writeln!(out, "  {word:8}  {}", plain(part))?;
    }
    Ok(())
}

/// What is known, name by name; empty where nothing is.
fn facts(state: &State) -> Vec<(String, String)> {
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let told = |fact: Option<String>| fact.unwrap_or_default();
    let redis = state.redis.as_ref().map(|seen| {
        let link = if seen.link_up { ", link up" } else { "" };
        format!("{} at {}{link}", seen.role, seen.offset)
    });
    let orders = state
        .orders
        .iter()
        .map(|(id, kind)| format!("{id} {kind:?}").to_lowercase());
    let timers = state
        .deadlines
        .keys()
        .map(|deadline| deadline.word().to_owned());
    let joined = |words: Vec<String>| words.join("+");
    let mut facts = vec![
        ("role".to_owned(), state.role.to_string()),
        ("deciding".to_owned(), yes(state.live)),
        (
            "keepalived".to_owned(),
            told(state.vrrp.map(|vrrp| vrrp.to_string())),
        ),
        ("VIP-here".to_owned(), yes(state.vip_here)),
        (
            "health".to_owned(),
            format!("{:?}", state.health.status).to_lowercase(),
        ),
        (
            "checks".to_owned(),
            told(state.grade.map(|grade| grade.to_string())),
        ),
        ("Redis".to_owned(), told(redis)),
        ("eligible".to_owned(), told(state.eligible.map(yes))),
        (
            "bias".to_owned(),
            told(state.bias.map(|bias| bias.to_string())),
        ),
        ("epoch".to_owned(), state.epoch.to_string()),
        (
            "paused".to_owned(),
            told(state.paused.as_ref().map(|pause| pause.reason.clone())),
        ),
        (
            "incident".to_owned(),
            told(state.incident.as_ref().map(|one| one.id.to_string())),
        ),
        ("pending".to_owned(), joined(orders.collect())),
        ("timers".to_owned(), joined(timers.collect())),
    ];
    for name in &state.settings.peers {
        let peer = state.peers.get(name);
        let seen = peer.map(|peer| {
            let grade = told(peer.grade.map(|grade| grade.to_string()));
            let role = told(
                peer.observation
                    .as_ref()
                    .map(|seen| format!(" {}", seen.role)),
            );
            let serves = if peer.serves { " serves" } else { "" };
            format!("{grade}{role}{serves}")
        });
        facts.push((name.clone(), told(seen)));
    }
    facts
}
