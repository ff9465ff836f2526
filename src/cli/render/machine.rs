//! The transition table as text, as a diagram, as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use serde::Serialize;

use super::{Screen, role_style, wrap};
use crate::machine::RULESET;
use crate::machine::gate::GATE;
use crate::machine::row::{Cond, Order, Row, Trigger};
use crate::machine::table::TABLE;
use crate::model::role::Role;
use crate::views::json::SCHEMA;

/// Stands for every role where a row does not ask for one.
const ANY: &str = "any";

/// For people: the rules of each trigger, in the order in which they are asked.
///
/// # Errors
/// Those of `out`.
pub fn table(screen: &Screen, out: &mut dyn Write) -> io::Result<()> {
    let bold = Style::new().bold();
    let say = |out: &mut dyn Write, indent: usize, text: &str| -> io::Result<()> {
        for line in wrap(text, screen.width.saturating_sub(indent)) {
            writeln!(out, "{:indent$}{line}", "")?;
        }
        Ok(())
    };
    say(
        out,
        0,
        "For each trigger, the first rule fires whose roles (from) and conditions (if) all hold.",
    )?;
    for trigger in Trigger::ALL {
        writeln!(out, "\n{bold}on {}{bold:#}", words(trigger, " "))?;
        for row in TABLE.iter().filter(|row| row.on == trigger) {
            let to = row.to.map_or("stays", Role::word);
            let style = role_style(to);
            writeln!(
                out,
                "  {bold}{}{bold:#}: {} -> {style}{to}{style:#}",
                row.id,
                origins(row).join(", ")
            )?;
            if !row.when.is_empty() {
                say(
                    out,
                    6,
                    &format!(
                        "if {}",
                        row.when.iter().map(cond).collect::<Vec<_>>().join(", ")
                    ),
                )?;
            }
            if !row.then.is_empty() {
                say(out, 6, &format!("orders {}", orders(row).join(", ")))?;
            }
            say(out, 6, row.because)?;
        }
    }
    writeln!(out, "\n{bold}gate-open: the promotion gate{bold:#}")?;
    for guard in GATE {
        say(out, 2, &format!("{}: {}", guard.name, guard.asks))?;
    }
    Ok(())
}

/// A `stateDiagram-v2`: one arrow for each pair of roles, labelled with its rules.
///
/// # Errors
/// Those of `out`.
pub fn mermaid(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "stateDiagram-v2")?;
    writeln!(out, "    state \"any role\" as {ANY}")?;
    writeln!(out, "    [*] --> {}", Role::Undecided)?;
    for ((from, to), rules) in arrows() {
        writeln!(out, "    {from} --> {to}: {}", rules.join("<br/>"))?;
    }
    for (index, guard) in GATE.iter().enumerate() {
        let line = if index == 0 {
            "    note right of promoting\n        The promotion gate asks in this order:\n"
        } else {
            ""
        };
        writeln!(
            out,
            "{line}        {}, {}",
            guard.name,
            guard.asks.replace(':', ",")
        )?;
    }
    writeln!(out, "    end note")
}

/// A directed graph for Graphviz, with the same arrows.
///
/// # Errors
/// Those of `out`.
pub fn dot(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "digraph rha {{")?;
    writeln!(out, "    rankdir=LR;")?;
    writeln!(out, "    node [shape=box, style=rounded];")?;
    writeln!(out, "    {ANY} [label=\"any role\", style=dashed];")?;
    for ((from, to), rules) in arrows() {
        writeln!(out, "    {from} -> {to} [label=\"{}\"];", rules.join("\\n"))?;
    }
    writeln!(out, "}}")
}

/// Rows and gate, one object.
///
/// # Errors
/// Those of `out`.
pub fn json(out: &mut dyn Write) -> anyhow::Result<()> {
    let machine = MachineJson {
        schema: SCHEMA,
        ruleset: RULESET,
        rows: TABLE.iter().map(RowJson::from).collect(),
        gate: GATE
            .iter()
            .map(|guard| GuardJson {
                name: guard.name,
                asks: guard.asks,
            })
            .collect(),
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&machine)?)?;
    Ok(())
}

/// The rules that lead from one role to another. A rule that keeps the role is no arrow.
fn arrows() -> BTreeMap<(&'static str, &'static str), Vec<&'static str>> {
    let mut arrows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in TABLE {
        let Some(to) = row.to else { continue };
        for from in origins(row).into_iter().filter(|from| *from != to.word()) {
            arrows.entry((from, to.word())).or_default().push(row.id);
        }
    }
    arrows
}

fn origins(row: &Row) -> Vec<&'static str> {
    match row.from {
        [] => vec![ANY],
        roles => roles.iter().map(|role| role.word()).collect(),
    }
}

fn cond(cond: &Cond) -> String {
    match cond {
        Cond::Is(guard) => guard.word().to_owned(),
        Cond::Not(guard) => format!("not {}", guard.word()),
    }
}

fn orders(row: &Row) -> Vec<String> {
    row.then.iter().map(order).collect()
}

fn order(order: &Order) -> String {
    match order {
        Order::Promote => "promote".to_owned(),
        Order::StandAside => "stand-aside".to_owned(),
        Order::Follow => "follow".to_owned(),
        Order::Detach => "follow-nobody".to_owned(),
        Order::Eligible(eligible) => format!("set-eligible {}", u8::from(*eligible)),
        Order::Bias(standing) => format!("bias {}", format!("{standing:?}").to_lowercase()),
        Order::Rewrite => "rewrite-track-files".to_owned(),
        Order::RewriteEligible => "rewrite-eligible".to_owned(),
        Order::Drain => "drain".to_owned(),
        Order::HandOver => "hand-over".to_owned(),
        Order::LetGo => "let-go".to_owned(),
        Order::GuardWrites(on) => format!("guard-writes {}", u8::from(*on)),
        Order::EndSwitchover => "end-switchover".to_owned(),
        Order::KillRedis => "kill-redis".to_owned(),
        Order::RemoveVip => "remove-vip".to_owned(),
        Order::StartRedis => "start-redis".to_owned(),
        Order::StopRedis => "stop-redis".to_owned(),
        Order::Raise(kind) => format!("alarm {kind}"),
        Order::Suppress(kind, why) => format!("no alarm {kind} ({why})"),
        Order::Resolve(kind) => format!("resolve {kind}"),
        Order::Repeat => "repeat-alarms".to_owned(),
        Order::Arm(deadline) => format!("arm {}", deadline.word()),
        Order::Disarm(deadline) => format!("disarm {}", deadline.word()),
        Order::OpenIncident => "open-incident".to_owned(),
        Order::GrowEpoch => "grow-epoch".to_owned(),
        Order::CountPromotion => "count-promotion".to_owned(),
        Order::NameBlocker => "name-blocker".to_owned(),
        Order::NameLack => "name-lack".to_owned(),
    }
}

/// A trigger's name in lower-case words.
#[must_use]
pub fn words(trigger: Trigger, separator: &str) -> String {
    let mut text = String::new();
    for c in format!("{trigger:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push_str(separator);
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[derive(Serialize)]
struct MachineJson {
    schema: u16,
    ruleset: u16,
    rows: Vec<RowJson>,
    gate: Vec<GuardJson>,
}

#[derive(Serialize)]
struct GuardJson {
    name: &'static str,
    asks: &'static str,
}

#[derive(Serialize)]
struct RowJson {
    rule: &'static str,
    on: String,
    from: Vec<&'static str>,
    when: Vec<String>,
    to: Option<&'static str>,
    orders: Vec<String>,
    because: &'static str,
}

impl From<&Row> for RowJson {
    fn from(row: &Row) -> Self {
        Self {
            rule: row.id,
            on: words(row.on, "-"),
            from: row.from.iter().map(|role| role.word()).collect(),
            when: row.when.iter().map(cond).collect(),
            to: row.to.map(Role::word),
            orders: orders(row),
            because: row.because,
        }
    }
}
