//! Plays inside a world: one line of JSON for each round on stdout, and what the journals say of a broken promise on
//! stderr.

use std::path::Path;

use anyhow::Context;

use super::HereArgs;
use super::round::Round;
use super::scene::play;
use crate::clock::now;
use crate::report::{Verdict, say};
use crate::world::World;

/// Plays until a promise is broken or a fault leaves something behind: the next one gets a world that is like new.
pub fn run(world: &mut World, args: &HereArgs) -> anyhow::Result<Verdict> {
    for one in &args.plays {
        let began = now();
        let round = play(world, one.fault, one.round)?;
        let is_broken = !round.broken.is_empty();
        if is_broken {
            show_evidence(world, &round, (now() - began).as_secs() + 1);
        }
        if let Some(dir) = &args.record {
            record(world, &dir.join(&round.name), (now() - began).as_secs() + 1)?;
        }
        say(serde_json::to_string(&round)?);
        if is_broken || one.fault.spoils {
            break;
        }
    }
    Ok(Verdict::told(true))
}

/// What each host recorded in the last so many seconds, as a bundle.
fn record(world: &World, dir: &Path, seconds: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    let since = format!("{seconds}s ago");
    for host in &world.hosts {
        let file = dir.join(format!("{}.rha", host.name));
        let file = file
            .to_str()
            .context("the name of the directory is no text")?;
        host.rha_checked(&["export", "--since", &since, "--out", file])?;
    }
    Ok(())
}

fn show_evidence(world: &World, round: &Round, seconds: u64) {
    eprintln!("=== {} round {}", round.name, round.round);
    for why in &round.broken {
        eprintln!("{why}");
    }
    for alarm in &round.alarms {
        eprintln!("alarm: {alarm}");
    }
    for host in &world.hosts {
        let since = format!("{seconds}s ago");
        eprintln!("--- {}$ rha history --since '{since}'", host.name);
        match host.rha_checked(&["history", "--since", &since]) {
            Ok(history) => eprintln!("{history}"),
            Err(error) => eprintln!("{error:#}"),
        }
    }
}
