//! Status for people: a block for each instance, or a line where there are many.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::iter;

use anstyle::{AnsiColor, Style};

use super::{Cell, Columns, Screen, counted, role_style, thousands, wrap};
use crate::model::record::Seq;
use crate::views::explained;
use crate::views::status::{InstanceStatus, PeerStatus, RedisStatus, Status};

/// Up to so many instances have a block each; beyond that, only those with trouble.
const BLOCKS: usize = 3;

/// Writes the whole status.
///
/// # Errors
/// Those of `out`.
pub fn status(status: &Status, screen: &Screen, out: &mut dyn Write) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(
        out,
        "{bold}{}{bold:#}, rha {}, {}",
        super::plain(&status.node),
        super::plain(&status.version),
        screen.local(&status.at)
    )?;
    let is_long = status.instances.len() > BLOCKS;
    if is_long {
        writeln!(out)?;
        lines(&status.instances, out)?;
    }
    for instance in &status.instances {
        if !is_long || !instance.is_well() {
            writeln!(out)?;
            block(instance, screen, out)?;
        }
    }
    Ok(())
}

fn lines(instances: &[InstanceStatus], out: &mut dyn Write) -> io::Result<()> {
    let titles = [
        "instance",
        "role",
        "VIP",
        "keepalived",
        "Redis",
        "others",
        "trouble",
    ];
    let mut columns = Columns::new(&titles, 48);
    let rows: Vec<Vec<Cell>> = instances.iter().map(line).collect();
    columns.fit(&rows);
    let titles = titles.map(|title| Cell::styled(title, Style::new().bold()));
    for row in [titles.to_vec()].iter().chain(&rows) {
        columns.write(out, row)?;
        writeln!(out)?;
    }
    Ok(())
}

fn line(instance: &InstanceStatus) -> Vec<Cell> {
    let serving = instance.peers.iter().filter(|peer| peer.serves);
    let serving: Vec<&str> = serving.map(|peer| peer.name.as_str()).collect();
    let others = match (instance.peers.len(), serving.as_slice()) {
        (0, _) => "none".to_owned(),
        (known, []) => format!("{known} known, none leads"),
        (_, leading) => format!("{} leads", leading.join(", ")),
    };
    let redis = match (&instance.redis, &instance.grade) {
        (Some(redis), _) if redis.current => format!("{}, {}", instance.health, link(redis)),
        (_, Some(grade)) if !instance.exited => format!("{} ({grade})", instance.health),
        _ => instance.health.clone(),
    };
    vec![
        Cell::from(instance.name.as_str()),
        Cell::styled(instance.role.as_str(), role_style(&instance.role)),
        Cell::from(vip(instance)),
        Cell::from(instance.vrrp.as_deref().unwrap_or("-")),
        Cell::from(redis),
        Cell::from(others),
        Cell::styled(trouble(instance).join(", "), alert()),
    ]
}

fn block(instance: &InstanceStatus, screen: &Screen, out: &mut dyn Write) -> io::Result<()> {
    let since = instance.since.as_deref();
    let since = since.map_or_else(String::new, |at| format!(" since {}", screen.local(at)));
    let style = role_style(&instance.role);
    let name = super::plain(&instance.name);
    let role = super::plain(&instance.role);
    writeln!(out, "{name}: {style}{role}{style:#}{since}")?;
    for (word, text) in facts(instance, screen) {
        let style = match word {
            "journal" | "unsent" | "paused" | "drill" | "incident" | "copy" | "aside" => alert(),
            _ => Style::new(),
        };
        for (index, text) in wrap(&text, screen.width.saturating_sub(15))
            .iter()
            .enumerate()
        {
            let word = if index == 0 { word } else { "" };
            writeln!(out, "  {word:11}  {style}{}{style:#}", super::plain(text))?;
        }
    }
    Ok(())
}

fn facts(instance: &InstanceStatus, screen: &Screen) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("VIP", vip(instance)),
        ("keepalived", keepalived(instance)),
        ("Redis", redis(instance)),
    ];
    for (index, peer) in instance.peers.iter().enumerate() {
        facts.push((if index == 0 { "others" } else { "" }, other(peer)));
    }
    facts.extend(right_to_lead(instance));
    for (index, meaning) in meanings(instance).into_iter().enumerate() {
        facts.push((if index == 0 { "meaning" } else { "" }, meaning));
    }
    facts.push(("epoch", instance.epoch.to_string()));
    facts.extend(ways(instance));
    if let Some(since) = &instance.journal_out {
        facts.push((
            "journal",
            format!("cannot be written since {}", screen.local(since)),
        ));
    }
    if let Some(last) = instance.unsent.last() {
        facts.push(("unsent", unsent(instance.unsent.len(), &last.why)));
    }
    if let Some(pause) = &instance.paused {
        let until = match &pause.until {
            Some(until) => format!("until {}", screen.local(until)),
            None => "until resumed".to_owned(),
        };
        facts.push(("paused", format!("{until}: {}", pause.reason)));
    }
    if let Some(drill) = &instance.drill {
        let until = screen.local(&drill.until);
        facts.push(("drill", format!("{}, until {until}", drill.drill)));
    }
    if let Some(incident) = &instance.incident {
        let mut text = format!(
            "{}, open since {}",
            Seq(incident.id),
            screen.local(&incident.opened)
        );
        if !incident.alarms.is_empty() {
            text = format!("{text}; alarms: {}", incident.alarms.join(", "));
        }
        facts.push(("incident", text));
        if let Some(acked) = &incident.acked {
            let note = if acked.note.is_empty() { "" } else { ": " };
            let at = screen.local(&acked.at);
            facts.push((
                "acked",
                format!("by {}, {at}{note}{}", acked.by, acked.note),
            ));
        }
    }
    facts
}

/// The right to lead, and what each voter says.
fn right_to_lead(instance: &InstanceStatus) -> Vec<(&'static str, String)> {
    let Some(quorum) = &instance.quorum else {
        return Vec::new();
    };
    let mut facts = vec![("quorum", quorum.told(&instance.role))];
    for voter in &quorum.voters {
        facts.push(("", format!("{}: {}", voter.name, voter.said)));
    }
    facts
}

/// What is in the way of a promotion, and what is on its way.
fn ways(instance: &InstanceStatus) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(guard) = &instance.barred_by {
        facts.push((
            "gate",
            format!("{guard} does not hold: Redis would not be promoted (rha explain {guard})"),
        ));
    }
    if let Some(lack) = &instance.copy {
        facts.push(("copy", lack.clone()));
    }
    if instance.aside {
        let aside = "gave way to a newer primary, and waits until its adverts are heard, or it serves no more";
        facts.push(("aside", aside.to_owned()));
    }
    if !instance.waiting_for.is_empty() {
        facts.push(("timers", instance.waiting_for.join(", ")));
    }
    if instance.orders_pending > 0 {
        facts.push((
            "orders",
            format!("{} without an outcome", instance.orders_pending),
        ));
    }
    facts
}

fn vip(instance: &InstanceStatus) -> String {
    let here = if instance.vip_here {
        "here"
    } else {
        "elsewhere"
    };
    format!("{} {here}", instance.vip)
}

fn keepalived(instance: &InstanceStatus) -> String {
    let mut parts = vec![
        instance
            .vrrp
            .clone()
            .unwrap_or_else(|| "silent so far".to_owned()),
    ];
    if instance.keepalived == Some(false) {
        parts.push("not running".to_owned());
    }
    match instance.eligible {
        Some(true) => parts.push("eligible".to_owned()),
        Some(false) => parts.push("not eligible".to_owned()),
        None => {}
    }
    if let Some(bias) = instance.bias {
        parts.push(format!("bias {bias}"));
    }
    parts.join(", ")
}

/// What the grades that are not ok mean, each once.
fn meanings(instance: &InstanceStatus) -> BTreeSet<String> {
    let peers = instance.peers.iter().map(|peer| &peer.grade);
    let grades = iter::once(&instance.grade).chain(peers).flatten();
    grades.filter_map(|grade| explained(grade)).collect()
}

fn redis(instance: &InstanceStatus) -> String {
    let mut parts = vec![match &instance.grade {
        _ if instance.exited => format!("{} (it exited after the last check)", instance.health),
        Some(grade) => format!("{} (last check: {grade})", instance.health),
        None => instance.health.clone(),
    }];
    if let Some(pid) = instance.pid {
        parts.push(format!("process {pid}"));
    }
    parts.extend(instance.redis.as_ref().map(seen));
    parts.join(", ")
}

fn other(peer: &PeerStatus) -> String {
    let mut parts = vec![
        peer.grade
            .clone()
            .unwrap_or_else(|| "not seen yet".to_owned()),
    ];
    parts.extend(peer.redis.as_ref().map(seen));
    format!("{}: {}", peer.name, parts.join(", "))
}

/// What Redis said of itself; what it does not say any more may have changed since.
fn seen(redis: &RedisStatus) -> String {
    let when = if redis.current { "" } else { "last seen: " };
    format!("{when}{}, {}", link(redis), size(redis))
}

fn link(redis: &RedisStatus) -> String {
    match &redis.master {
        Some(master) if redis.role == "replica" => {
            let link = if redis.link_up { "up" } else { "down" };
            format!("replica of {master}, link {link}")
        }
        _ => match redis.replicas_online {
            1 => format!("{}, 1 replica online", redis.role),
            online => format!("{}, {online} replicas online", redis.role),
        },
    }
}

fn size(redis: &RedisStatus) -> String {
    let offset = u64::try_from(redis.offset).unwrap_or(0);
    format!(
        "{}, offset {}",
        counted(redis.keys, "key"),
        thousands(offset)
    )
}

fn trouble(instance: &InstanceStatus) -> Vec<String> {
    let mut trouble = Vec::new();
    if instance.keepalived == Some(false) {
        trouble.push("keepalived is not running".to_owned());
    }
    if instance.paused.is_some() {
        trouble.push("paused".to_owned());
    }
    if let Some(drill) = &instance.drill {
        trouble.push(format!("drill {}", drill.drill));
    }
    if let Some(incident) = &instance.incident {
        trouble.push(format!("incident {}", Seq(incident.id)));
    }
    if instance.journal_out.is_some() {
        trouble.push("no journal".to_owned());
    }
    if !instance.unsent.is_empty() {
        trouble.push("alarms unsent".to_owned());
    }
    trouble
}

fn unsent(alarms: usize, why: &str) -> String {
    let alarms = counted(u64::try_from(alarms).unwrap_or(u64::MAX), "alarm");
    format!("{alarms}, tried on; the last attempt: {why}")
}

fn alert() -> Style {
    Style::new().fg_color(Some(AnsiColor::Red.into()))
}
