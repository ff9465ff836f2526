//! `rha doctor`: everything on this host that an operator would get wrong. It changes nothing.

mod agent;
mod boot;
mod finding;
mod host;
mod keepalived;
mod nodes;
mod redis;
mod settings;
mod vip;

use std::io::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::exit;
use super::render::{self, Cell, Columns, ListForm, Screen, counted};
use crate::agent::runtime::runtime;
use crate::config::Config;
use crate::keepalived::host::Host;
use agent::Agent;
use finding::{Finding, Findings, State};

/// Look at everything on this host that a failover rests on
///
/// The agent and its configuration, keepalived and its notify FIFO, Redis with its settings and its rights, who starts
/// it at boot and as what, the other nodes, the VIP and the kernel. One line for each thing: ok, warning or trouble,
/// and what to do about it. Nothing is changed, and no agent is needed. Run it as root on each node: else some of it
/// cannot be found out. `rha verify` checks the journal.
///
/// Exit status: 3 if there is trouble, 0 if there are only warnings or nothing at all.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    output: ListForm,
    /// Leave out what is as it should be
    #[arg(long, short)]
    quiet: bool,
}

/// Runs `rha doctor`.
///
/// # Errors
/// There is no configuration, or `out` cannot be written.
pub fn run(
    args: &DoctorArgs,
    file: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let config = Config::load(file)?;
    let mut found = look(&config)?;
    let count = |state| found.iter().filter(|one| one.state == state).count() as u64;
    let (trouble, warnings) = (count(State::Trouble), count(State::Warning));
    if args.quiet {
        found.retain(|one| one.state != State::Ok);
    }
    match args.output {
        ListForm::Table => table(&found, &Screen::detect(), out)?,
        ListForm::Jsonl => {
            for finding in &found {
                writeln!(out, "{}", serde_json::to_string(finding)?)?;
            }
        }
        ListForm::Json => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
        ListForm::Csv => render::findings_csv(&rows(&found), out)?,
    }
    out.flush()?;
    writeln!(err, "{trouble} trouble, {}", counted(warnings, "warning"))?;
    Ok(if trouble > 0 { exit::TROUBLE } else { exit::OK })
}

fn look(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let runtime = runtime()?;
    let host = Host::look().ok();
    let mut of_agent = Findings::of("agent");
    let agent = Agent::ask(config, &mut of_agent);
    agent::check(config, &agent, &mut of_agent);
    let mut of_keepalived = Findings::of("keepalived");
    keepalived::check(config, &agent, host.as_ref(), &mut of_keepalived);
    let mut found = of_agent.all;
    found.append(&mut of_keepalived.all);
    for instance in &config.instances {
        let name = &instance.name;
        let status = agent.instance(name);
        let mut of_redis = Findings::of_instance("redis", name);
        let local = redis::check(config, instance, status, &runtime, &mut of_redis);
        let mut of_nodes = Findings::of_instance("nodes", name);
        nodes::check(config, instance, &local, &agent, &runtime, &mut of_nodes);
        let mut of_vip = Findings::of_instance("vip", name);
        if let Some(host) = &host {
            vip::check(config, instance, status, host, &vip::sysctl, &mut of_vip);
        }
        for mut findings in [of_redis, of_nodes, of_vip] {
            found.append(&mut findings.all);
        }
    }
    let mut of_host = Findings::of("host");
    host::check(&mut of_host);
    found.append(&mut of_host.all);
    Ok(found)
}

fn rows(found: &[Finding]) -> Vec<[&str; 6]> {
    found.iter().map(row).collect()
}

fn row(finding: &Finding) -> [&str; 6] {
    let Finding {
        state,
        subject,
        instance,
        check,
        text,
        todo,
    } = finding;
    [state.word(), subject, instance, check, text, todo]
}

fn table(found: &[Finding], screen: &Screen, out: &mut dyn Write) -> std::io::Result<()> {
    let several = found
        .iter()
        .map(|one| &one.instance)
        .filter(|name| !name.is_empty());
    let several = several.collect::<std::collections::BTreeSet<_>>().len() > 1;
    let rows: Vec<Vec<Cell>> = found
        .iter()
        .map(|one| {
            let subject = match one.instance.as_str() {
                "" => one.subject.to_owned(),
                name if several => format!("{} {name}", one.subject),
                _ => one.subject.to_owned(),
            };
            let text = match one.todo.as_str() {
                "" => one.text.clone(),
                todo => format!("{} ({todo})", one.text),
            };
            vec![
                Cell::styled(one.state.word(), style(one.state)),
                Cell::from(subject),
                Cell::from(one.check),
                Cell::from(text),
            ]
        })
        .collect();
    let mut columns = Columns::new(&["", "", "", ""], 40);
    columns.fit(&rows);
    for row in rows {
        match screen.limit() {
            Some(limit) => {
                let stacks: Vec<_> = row.into_iter().map(|cell| vec![cell]).collect();
                columns.write_within(out, &stacks, limit)?;
            }
            None => {
                columns.write(out, &row)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

fn style(state: State) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match state {
        State::Ok => Style::new().dimmed(),
        State::Warning => colour(AnsiColor::Yellow),
        State::Trouble => colour(AnsiColor::Red).bold(),
    }
}
