//! What the pair did: the VIP as clients see it, the roles before and after, and the records.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

use crate::agent::api;
use crate::agent::runtime::runtime;
use crate::cli::client::Client;
use crate::cli::postmortem;
use crate::cli::render::{self, Screen};
use crate::cli::source::{self, Origin, readable};
use crate::config::Paths;
use crate::model::redis::RedisRole;
use crate::views::history::Filter;
use crate::views::status::{InstanceStatus, Status};
use crate::wire::redis::{Target, probe};

/// How often the VIP is asked, and how long an answer may take.
const PACE: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(500);
/// How long the node may take until its role has settled.
const SETTLE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);

/// Asks the VIP for a master, again and again, each time anew. This host may keep the VIP as a drain address when it has left
/// already: then a master on another node is who its clients have.
pub struct Watch {
    over: Arc<AtomicBool>,
    seen: JoinHandle<Outage>,
}

/// When no master answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outage {
    asked: u32,
    times: u32,
    longest: Duration,
    all: Duration,
}

impl Outage {
    fn saw(&mut self, gap: Duration) {
        self.times += 1;
        self.longest = self.longest.max(gap);
        self.all += gap;
    }
}

impl Watch {
    /// From now on.
    pub fn start(vip: Target, others: Vec<Target>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let seen = thread::spawn(move || watched(&vip, &others, &until));
        Self { over, seen }
    }

    /// Up to now.
    pub fn stop(self) -> Outage {
        self.over.store(true, Ordering::Relaxed);
        self.seen.join().unwrap_or_default()
    }
}

fn watched(vip: &Target, others: &[Target], over: &AtomicBool) -> Outage {
    let mut outage = Outage::default();
    let runtime = runtime();
    let Ok(runtime) = runtime else { return outage };
    let mut out_since = None;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut asked = std::iter::once(vip).chain(others);
        let serves = asked.any(|target| runtime.block_on(is_master(target)));
        outage.asked += 1;
        match (serves, out_since) {
            (true, Some(since)) => {
                outage.saw(began.duration_since(since));
                out_since = None;
            }
            (false, None) => out_since = Some(began),
            (true, None) | (false, Some(_)) => {}
        }
        thread::sleep(PACE);
    }
    if let Some(since) = out_since {
        outage.saw(since.elapsed());
    }
    outage
}

async fn is_master(target: &Target) -> bool {
    let answer = probe(&mut None, target, ANSWER, ANSWER).await;
    let seen = answer.observation;
    seen.is_some_and(|seen| seen.role == RedisRole::Master)
}

/// The instance as the agent shows it; `None` where no agent answers.
pub fn look(paths: &Paths, instance: &str) -> Option<InstanceStatus> {
    let client = Client::connect(&paths.agent_socket()).ok()??;
    let status: Status = client.get(api::STATUS).ok()?;
    let mut instances = status.instances.into_iter();
    instances.find(|one| one.name == instance)
}

/// Waits until this node leads or follows, without an incident; what it is then, settled or not.
pub fn settled(paths: &Paths, instance: &str) -> Option<InstanceStatus> {
    let began = Instant::now();
    loop {
        let status = look(paths, instance);
        let is_well = status.as_ref().is_some_and(InstanceStatus::is_well);
        if is_well || began.elapsed() >= SETTLE {
            return status;
        }
        thread::sleep(LOOK);
    }
}

/// What was seen of the VIP.
///
/// # Errors
/// Those of `out`.
pub fn tell_outage(outage: &Outage, cut_off: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let Outage {
        asked,
        times,
        longest,
        all,
    } = outage;
    let from = match cut_off {
        true => "from here, which was cut off: other hosts saw less",
        false => "from here",
    };
    match times {
        0 => writeln!(out, "VIP: a master answered each of {asked} times ({from})"),
        _ => writeln!(
            out,
            "VIP: no master answered for {} ms at most, {} ms in all, {times}x ({from}; asked {asked} times)",
            longest.as_millis(),
            all.as_millis()
        ),
    }
}

/// The roles of this node and, as far as it knows, of the others.
///
/// # Errors
/// Those of `out`.
pub fn tell_roles(
    node: &str,
    before: Option<&InstanceStatus>,
    after: Option<&InstanceStatus>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let role = |status: Option<&InstanceStatus>| {
        status.map_or("not known (no agent)".to_owned(), |status| {
            status.role.clone()
        })
    };
    writeln!(out, "{node}: {} -> {}", role(before), role(after))?;
    let names = after.or(before).map(|status| &status.peers);
    for name in names.into_iter().flatten().map(|peer| &peer.name) {
        let redis = |status: Option<&InstanceStatus>| other(status, name);
        writeln!(out, "{name}: {} -> {}", redis(before), redis(after))?;
    }
    Ok(())
}

fn other(status: Option<&InstanceStatus>, name: &str) -> String {
    let peer = status.and_then(|status| status.peers.iter().find(|peer| peer.name == name));
    let redis = peer.and_then(|peer| peer.redis.as_ref());
    match redis.filter(|redis| redis.current) {
        Some(redis) => redis.role.clone(),
        None => "not seen".to_owned(),
    }
}

/// The postmortems of the incidents in the drill's time; where there was none, its records.
///
/// # Errors
/// Those of the journal and of `out`.
pub fn tell_records(
    paths: &Paths,
    instance: &str,
    since_us: i64,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (origin, screen) = (Origin::Host(paths.clone()), Screen::detect());
    let filter = Filter {
        since: Some(since_us),
        instance: Some(instance.to_owned()),
        ..Filter::default()
    };
    let mut incidents = BTreeSet::new();
    for record in source::history(&origin, &filter)? {
        incidents.extend(record?.incident);
    }
    for id in &incidents {
        postmortem::print(*id, &screen, &origin, out)?;
        writeln!(out)?;
    }
    if !incidents.is_empty() {
        return Ok(());
    }
    let mut failed = None;
    let records = readable(source::history(&origin, &filter)?, &mut failed);
    render::history_table(&screen, false, records, out)?;
    writeln!(out)?;
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_told() {
        let told = |outage: &Outage, cut_off| {
            let mut out = Vec::new();
            tell_outage(outage, cut_off, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let mut outage = Outage {
            asked: 60,
            ..Outage::default()
        };
        assert_eq!(
            told(&outage, false),
            "VIP: a master answered each of 60 times (from here)\n"
        );
        outage.saw(Duration::from_millis(50));
        outage.saw(Duration::from_millis(70));
        assert_eq!(
            told(&outage, true),
            "VIP: no master answered for 70 ms at most, 120 ms in all, 2x (from here, which was cut off: other \
             hosts saw less; asked 60 times)\n"
        );
    }
}
