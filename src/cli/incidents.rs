//! `rha history incidents`: one row for each time that something was wrong.

use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::history::span;
use super::render::{self, Cell, ListForm, Problem, Progress, Screen};
use super::source::{self, Origin};
use crate::model::record::Seq;
use crate::model::role::Role;
use crate::views::history::Filter;
use crate::views::rfc3339;
use crate::views::timeline::{IncidentSummary, Loss, Timeline};

/// What `rha history incidents` is told.
#[derive(Debug, Clone, Args)]
pub struct IncidentsArgs {
    /// Incidents that began from this time on: `2h ago`, `14:00`, `yesterday 14:00` or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Incidents that began before this time, written as for --since
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Only this instance
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,

    /// Only the last N incidents; 0 for all [default: 20, with --since: all]
    #[arg(short = 'n', value_name = "N")]
    pub limit: Option<usize>,

    /// The newest first
    #[arg(long, short = 'r')]
    pub reverse: bool,

    /// Read this bundle, not the journal
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: ListForm,
}

/// Rows without `-n` and `--since`.
const DEFAULT_LIMIT: usize = 20;
/// What was before an incident is looked for so far back: longer than checks are apart.
const BEFORE_US: i64 = 10_000_000;

/// Prints the incidents of `origin`.
///
/// # Errors
/// A [`Problem`] of usage, and those of the origin and of `out`.
pub fn run(
    args: &IncidentsArgs,
    screen: &Screen,
    origin: &Origin,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let now = jiff::ZonedDateTime::now();
    let (since, until) = span(args.since.as_deref(), args.until.as_deref(), &now)?;
    let limit = match args.limit {
        None if since.is_none() => DEFAULT_LIMIT,
        None | Some(0) => Filter::MAX_LIMIT,
        Some(limit) if limit > Filter::MAX_LIMIT => {
            let most = Filter::MAX_LIMIT;
            return Err(Problem::usage(format!("-n {limit} is more than {most}")).into());
        }
        Some(limit) => limit,
    };
    let filter = Filter {
        since,
        until: None,
        instance: args.instance.clone(),
        ..Filter::default()
    };
    let began_before = until.map(rfc3339);
    let mut found = Found {
        limit,
        kept: VecDeque::new(),
    };
    let mut timeline = Timeline::behind(roles_before(origin, since)?);
    let mut failed = None;
    let records = Progress::of("records").over(source::history(origin, &filter)?);
    for record in source::readable(records, &mut failed) {
        if let Some(incident) = timeline.fold(&record) {
            found.keep(incident, began_before.as_deref());
        }
    }
    for incident in timeline.open() {
        found.keep(incident.clone(), began_before.as_deref());
    }
    let mut incidents: Vec<IncidentSummary> = found.kept.into_iter().collect();
    incidents.sort_by_key(|incident| incident.id);
    for incident in &mut incidents {
        look_closer(incident, origin)?;
    }
    if args.reverse {
        incidents.reverse();
    }
    print(args.output, screen, &incidents, out)?;
    out.flush()?;
    failed.map_or(Ok(0), Err)
}

/// The roles before the first record that is looked at.
fn roles_before(origin: &Origin, since: Option<i64>) -> anyhow::Result<Vec<(String, Role)>> {
    let before = match since {
        None => source::records(origin)?.0,
        Some(_) => {
            let Some(first) = first_since(origin, since)? else {
                return Ok(Vec::new());
            };
            // What lies before and cannot be read costs these roles, not the incidents.
            let before = source::excerpt(origin, first..first);
            before.map(|(before, _)| before).unwrap_or_default()
        }
    };
    let states = before.states.into_iter();
    Ok(states.map(|(name, state)| (name, state.role)).collect())
}

fn first_since(origin: &Origin, since: Option<i64>) -> anyhow::Result<Option<Seq>> {
    let filter = Filter {
        since,
        quiet: true,
        ..Filter::default()
    };
    let first = source::history(origin, &filter)?.next().transpose()?;
    Ok(first.map(|record| record.seq))
}

struct Found {
    limit: usize,
    kept: VecDeque<IncidentSummary>,
}

impl Found {
    fn keep(&mut self, incident: IncidentSummary, before: Option<&str>) {
        if before.is_some_and(|before| incident.opened.as_str() >= before) {
            return;
        }
        if self.kept.len() == self.limit {
            self.kept.pop_front();
        }
        self.kept.push_back(incident);
    }
}

/// Quiet checks say how far the copy here had come; they are read for an incident that is shown only.
fn look_closer(incident: &mut IncidentSummary, origin: &Origin) -> anyhow::Result<()> {
    if incident.loss.unseen_us.is_none() && incident.promotions == 0 {
        return Ok(());
    }
    let moment = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_microsecond)
    };
    let opened = moment(&incident.opened)?;
    let until = incident.closed.as_deref().map(moment).transpose()?;
    let filter = Filter {
        since: Some(opened.saturating_sub(BEFORE_US)),
        until: until.map(|until| until.saturating_add(1)),
        instance: Some(incident.instance.clone()),
        quiet: true,
        ..Filter::default()
    };
    let mut timeline = Timeline::default();
    for record in source::history(origin, &filter)? {
        // What cannot be read was told before.
        let Ok(record) = record else { break };
        match timeline.fold(&record) {
            Some(seen) if seen.id == incident.id => {
                take(&mut incident.loss, seen.loss);
                return Ok(());
            }
            _ => {}
        }
    }
    if let Some(seen) = timeline.open().find(|seen| seen.id == incident.id) {
        take(&mut incident.loss, seen.loss);
    }
    Ok(())
}

/// The closer look tells less where nothing of it lies near.
fn take(loss: &mut Loss, closer: Loss) {
    if closer.unseen_us.is_some() || loss.unseen_us.is_none() {
        *loss = closer;
    }
}

fn print(
    form: ListForm,
    screen: &Screen,
    incidents: &[IncidentSummary],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match form {
        ListForm::Json => writeln!(out, "{}", serde_json::to_string(incidents)?)?,
        ListForm::Jsonl => {
            for incident in incidents {
                writeln!(out, "{}", serde_json::to_string(incident)?)?;
            }
        }
        ListForm::Csv => csv(incidents, out)?,
        ListForm::Table if incidents.is_empty() => writeln!(out, "no incidents")?,
        ListForm::Table => table(screen, incidents, out)?,
    }
    Ok(())
}

fn table(
    screen: &Screen,
    incidents: &[IncidentSummary],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let titles = [
        "incident", "instance", "began", "lasted", "role", "outage", "loss", "alarms", "cause",
    ];
    let several = incidents
        .iter()
        .any(|one| one.instance != incidents[0].instance);
    let shown = |cells: Vec<Cell>| -> Vec<Cell> {
        let cells = cells.into_iter().enumerate();
        let cells = cells.filter(|(index, _)| several || *index != 1);
        cells.map(|(_, cell)| cell).collect()
    };
    let rows: Vec<Vec<Cell>> = incidents
        .iter()
        .map(|one| shown(cells(screen, one)))
        .collect();
    let titles = titles.into_iter().enumerate();
    let titles = titles.filter(|(index, _)| several || *index != 1);
    let titles: Vec<&str> = titles.map(|(_, title)| title).collect();
    render::fitted(screen, &titles, Some(0), &rows, out)
}

fn cells(screen: &Screen, incident: &IncidentSummary) -> Vec<Cell> {
    let role = |role: &Option<String>| role.clone().unwrap_or_else(|| "?".to_owned());
    let (from, to) = (role(&incident.from), role(&incident.to));
    let style = render::role_style(&to);
    let role = if from == to {
        to
    } else {
        format!("{from} -> {to}")
    };
    let lasted = match &incident.closed {
        Some(_) => seconds(incident.duration_us),
        None => "goes on".to_owned(),
    };
    vec![
        Cell::from(incident.id.to_string()),
        Cell::from(incident.instance.as_str()),
        Cell::from(screen.local(&incident.opened)),
        Cell::from(lasted),
        Cell::styled(role, style),
        Cell::from(incident.outage_us.map_or_else(|| "-".to_owned(), seconds)),
        Cell::from(incident.loss.to_string()),
        Cell::from(alarms(incident)),
        Cell::from(incident.cause.as_str()),
    ]
}

fn alarms(incident: &IncidentSummary) -> String {
    match incident.alarms_suppressed {
        0 => incident.alarms_raised.to_string(),
        suppressed => format!("{} (+{suppressed} kept back)", incident.alarms_raised),
    }
}

/// To the millisecond.
pub fn seconds(us: u64) -> String {
    match us {
        0..10_000_000 => format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000),
        10_000_000..600_000_000 => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
        600_000_000..36_000_000_000 => format!("{} min", us / 60_000_000),
        _ => format!("{} h", us / 3_600_000_000),
    }
}

fn csv(incidents: &[IncidentSummary], out: &mut dyn Write) -> anyhow::Result<()> {
    let header = [
        "incident",
        "instance",
        "opened",
        "closed",
        "duration_us",
        "from",
        "to",
        "outage_us",
        "loss",
        "promotions",
        "alarms_raised",
        "alarms_repeated",
        "alarms_suppressed",
        "alarms_resolved",
        "rule",
        "cause",
    ];
    render::csv_line(out, &header)?;
    for one in incidents {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let outage = one.outage_us.map(|us| us.to_string());
        render::csv_line(
            out,
            &[
                &one.id.to_string(),
                &one.instance,
                &one.opened,
                &text(&one.closed),
                &one.duration_us.to_string(),
                &text(&one.from),
                &text(&one.to),
                &text(&outage),
                &one.loss.to_string(),
                &one.promotions.to_string(),
                &one.alarms_raised.to_string(),
                &one.alarms_repeated.to_string(),
                &one.alarms_suppressed.to_string(),
                &one.alarms_resolved.to_string(),
                &text(&one.rule),
                &one.cause,
            ],
        )?;
    }
    Ok(())
}
