//! `rha explain`: what a name of rha's means, and what to do at three in the morning.

use std::io::Write;

use anstyle::Style;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use serde::Serialize;

use super::exit;
use super::render::{Problem, ReportForm, Screen, wrap};
use crate::config::suggest::closest;
use crate::machine::gate::GATE;
use crate::machine::row::Row;
use crate::machine::switchover;
use crate::machine::table::TABLE;
use crate::model::alarm::AlarmKind;
use crate::model::redis::Grade;
use crate::model::role::Role;
use crate::views::json::SCHEMA;

mod causes;
mod rules;
mod votes;
mod words;

/// What names mean, and what to do.
struct Text {
    /// Those that it is true of.
    names: &'static [&'static str],
    means: &'static str,
    todo: &'static str,
}

/// Explain a name that rha uses, and say what to do
///
/// Rules (as in `rha history --why`), guards of the promotion gate, conditions of a switchover, alarms, roles, and grades of
/// checks: what it means, and
/// which command to type. Without a name, all of them with a line each.
///
/// Example: `rha explain lineage-intact`
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// A rule, a guard of the gate, an alarm, a role, or the grade of a check; left out, all are listed
    #[arg(value_parser = Name, hide_possible_values = true)]
    name: Option<String>,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t = ReportForm::Table)]
    output: ReportForm,
}

/// Any word: the known ones are for the shell's completion.
#[derive(Debug, Clone)]
struct Name;

impl TypedValueParser for Name {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let mut names: Vec<&str> = entries().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}

/// A name and all that is said of it. Names may be of several families: `unserved` is a rule and an alarm.
#[derive(Debug, Serialize)]
struct Entry {
    family: &'static str,
    name: &'static str,
    /// One line.
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    means: &'static str,
    todo: &'static str,
}

/// What the table says of a rule.
#[derive(Debug, Serialize)]
struct Rule {
    /// The roles that it applies to; empty for all.
    from: Vec<&'static str>,
    /// The role afterwards; none to stay.
    to: Option<&'static str>,
    conditions: Vec<String>,
    orders: Vec<String>,
}

impl From<&Row> for Rule {
    fn from(row: &Row) -> Self {
        Self {
            from: row.from.iter().map(|role| role.word()).collect(),
            to: row.to.map(Role::word),
            conditions: row.when.iter().copied().map(words::condition).collect(),
            orders: row.then.iter().copied().map(words::order).collect(),
        }
    }
}

const RULES: &[&[Text]] = &[rules::RULES, votes::RULES];

/// Everything that can be explained, family by family.
fn entries() -> impl Iterator<Item = Entry> {
    let rules = TABLE.iter().map(|row| Entry {
        rule: Some(Rule::from(row)),
        ..entry("rule", RULES, row.id, row.because)
    });
    let gate = GATE.map(|guard| {
        entry(
            "guard of the promotion gate",
            &[causes::GATE],
            guard.name,
            guard.asks,
        )
    });
    let alarms = AlarmKind::ALL.map(|kind| entry("alarm", &[causes::ALARMS], kind.word(), ""));
    let roles = Role::ALL.map(|role| entry("role", &[causes::ROLES], role.word(), ""));
    let grades =
        Grade::ALL.map(|grade| entry("grade of a check", &[causes::GRADES], grade.word(), ""));
    let switchover = switchover::CHECKS.map(|check| {
        entry(
            "condition of a switchover",
            &[causes::SWITCHOVER],
            check.name,
            check.asks,
        )
    });
    rules
        .chain(gate)
        .chain(switchover)
        .chain(alarms)
        .chain(roles)
        .chain(grades)
}

/// What is said of a name. That each has its text, a test sees to.
fn entry(
    family: &'static str,
    texts: &[&[Text]],
    name: &'static str,
    summary: &'static str,
) -> Entry {
    let mut texts = texts.iter().copied().flatten();
    let text = texts.find(|text| text.names.contains(&name));
    let (means, todo) = text.map_or(("", ""), |text| (text.means, text.todo));
    Entry {
        family,
        name,
        summary: if summary.is_empty() {
            first_sentence(means)
        } else {
            summary
        },
        rule: None,
        means,
        todo,
    }
}

fn first_sentence(text: &'static str) -> &'static str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// Runs `rha explain`.
///
/// # Errors
/// The name is not known; those of `out`.
pub fn run(args: &ExplainArgs, screen: &Screen, out: &mut dyn Write) -> anyhow::Result<u8> {
    let found: Vec<Entry> = match &args.name {
        None => entries().collect(),
        Some(name) => entries()
            .filter(|entry| entry.name == name.as_str())
            .collect(),
    };
    match (&args.name, &args.output) {
        (Some(name), _) if found.is_empty() => return Err(unknown(name).into()),
        (_, ReportForm::Json) => {
            let all = serde_json::json!({ "schema": SCHEMA, "names": found });
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        (None, ReportForm::Table) => list(&found, screen, out)?,
        (Some(_), ReportForm::Table) => {
            for (index, entry) in found.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                tell(entry, screen, out)?;
            }
        }
    }
    out.flush()?;
    Ok(exit::OK)
}

fn unknown(name: &str) -> Problem {
    let known: Vec<&str> = entries().map(|entry| entry.name).collect();
    let problem = Problem::usage(format!("nothing is called {name:?} here"));
    match closest(name, known) {
        Some(near) => problem.hint(format!("Did you mean {near}?")),
        None => problem.hint("rha explain lists all names."),
    }
}

fn list(entries: &[Entry], screen: &Screen, out: &mut dyn Write) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    let mut family = "";
    for entry in entries {
        if entry.family != family {
            let gap = if family.is_empty() { "" } else { "\n" };
            family = entry.family;
            writeln!(out, "{gap}{bold}{family}{bold:#}")?;
        }
        // As wide as nearly all names are; what does not fit begins a line of its own.
        let lines = wrap(entry.summary, screen.width.saturating_sub(30).max(30));
        let mut name = entry.name;
        if name.len() > 26 {
            writeln!(out, "  {name}")?;
            name = "";
        }
        for line in lines {
            writeln!(out, "  {name:26}  {line}")?;
            name = "";
        }
    }
    Ok(())
}

fn tell(entry: &Entry, screen: &Screen, out: &mut dyn Write) -> anyhow::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{bold}{}{bold:#} ({})", entry.name, entry.family)?;
    let mut say = |label: &str, text: &str| -> std::io::Result<()> {
        let mut label = label;
        for line in wrap(text, screen.width.saturating_sub(14).max(30)) {
            writeln!(out, "  {label:10}  {line}")?;
            label = "";
        }
        Ok(())
    };
    if let Some(rule) = &entry.rule {
        say("decides", entry.summary)?;
        let from = if rule.from.is_empty() {
            "any role".to_owned()
        } else {
            rule.from.join(", ")
        };
        say("role", &format!("{from} -> {}", rule.to.unwrap_or("stays")))?;
        for (index, condition) in rule.conditions.iter().enumerate() {
            say(if index == 0 { "when" } else { "" }, condition)?;
        }
        for (index, order) in rule.orders.iter().enumerate() {
            say(if index == 0 { "orders" } else { "" }, order)?;
        }
    } else if entry.summary != first_sentence(entry.means) {
        say("asks", entry.summary)?;
    }
    say("means", entry.means)?;
    say("to do", entry.todo)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every name has one text, and no text is for something that there is not.
    #[test]
    fn every_name_is_explained_once_and_nothing_else_is() {
        let families: [(&str, &[&[Text]]); 6] = [
            ("rule", RULES),
            ("guard of the promotion gate", &[causes::GATE]),
            ("condition of a switchover", &[causes::SWITCHOVER]),
            ("alarm", &[causes::ALARMS]),
            ("role", &[causes::ROLES]),
            ("grade of a check", &[causes::GRADES]),
        ];
        for (family, texts) in families {
            let of_family = entries().filter(|entry| entry.family == family);
            let known: BTreeSet<&str> = of_family.map(|entry| entry.name).collect();
            let mut explained = BTreeSet::new();
            for text in texts.iter().copied().flatten() {
                assert!(
                    !text.means.is_empty() && !text.todo.is_empty(),
                    "{:?}",
                    text.names
                );
                for name in text.names {
                    assert!(
                        explained.insert(*name),
                        "{family} {name} is explained twice"
                    );
                }
            }
            let missing: Vec<_> = known.difference(&explained).collect();
            let surplus: Vec<_> = explained.difference(&known).collect();
            assert!(missing.is_empty(), "{family}: not explained: {missing:?}");
            assert!(surplus.is_empty(), "{family}: there is no {surplus:?}");
        }
    }

    fn told(name: &str) -> String {
        let screen = Screen {
            width: 100,
            is_terminal: false,
            zone: jiff::tz::TimeZone::UTC,
        };
        let args = ExplainArgs {
            name: Some(name.to_owned()),
            output: ReportForm::Table,
        };
        let mut out = Vec::new();
        run(&args, &screen, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_rule_a_guard_and_a_name_of_two_families() {
        let all = ["wait-on-vip", "lineage-intact", "unserved", "timeout"].map(told);
        insta::assert_snapshot!(all.join("----\n"));
    }

    #[test]
    fn an_unknown_name_is_met_with_the_nearest() {
        let hint = |name| format!("{:?}", unknown(name));
        assert!(hint("linage-intact").contains("Did you mean lineage-intact?"));
        assert!(hint("xyzzy").contains("rha explain lists all names"));
    }
}
