//! `rha drill` on real hosts: each drill once on the primary, and one whose command and agent are killed meanwhile. What
//! was broken is as before each time, and the pair has settled. `rha doctor` finds no trouble before and after.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::json;

use crate::clock::wait_for;
use crate::host::Service;
use crate::report::{Verdict, say};
use crate::run::ip;
use crate::world::{LIMIT, World};

/// Long enough for a hung Redis to be given up, short enough for a test.
const DRILL: &str = "8s";
/// What is done to the primary, and the service that another process runs afterwards.
const DRILLS: [(&str, Option<Service>); 6] = [
    ("link", None),
    ("redis-stop", None),
    ("redis-kill", None),
    ("redis-hang", None),
    ("keepalived-stop", Some(Service::Keepalived)),
    ("agent-kill", Some(Service::Agent)),
];
/// A route that no kernel brings back by itself.
const ROUTE: &str = "198.51.100.0/24";

/// All of it.
pub fn run(world: &mut World) -> anyhow::Result<Verdict> {
    let everybody: Vec<usize> = (0..world.hosts.len()).collect();
    let mut told = Vec::new();
    doctor(world)?;
    let left = left_alone(world, &everybody)?;
    say(format_args!("link, command and agent killed: {left}"));
    for (drill, service) in DRILLS {
        let primary = quiet(world, &everybody)?;
        let host = &mut world.hosts[primary];
        let said = host.rha_checked(&["drill", drill, "--for", DRILL, "--yes"])?;
        if let Some(service) = service {
            host.hand_on(service);
        }
        ensure!(said.contains("\nover: "), "{drill}: {said}");
        for kind in ["operator-drilled", "drill-ended"] {
            let found = host.rha_checked(&["history", "-n", "1", "--kind", kind])?;
            ensure!(found.contains(drill), "{drill}: no {kind}: {found}");
        }
        let moves = drill != "agent-kill";
        ensure!(
            moves == said.contains("\nsuspected cause"),
            "{drill}: postmortem: {said}"
        );
        let now = world.settled(&everybody)?;
        let (before, after) = (&world.hosts[primary].name, &world.hosts[now].name);
        let told_now = format!("{drill}: {before} led, {after} leads");
        say(&told_now);
        told.push(told_now);
        ensure!(
            moves == (primary != now),
            "{drill}: {before} led, {after} leads"
        );
    }
    quiet(world, &everybody)?;
    doctor(world)?;
    let audits = world.audit()?;
    let ok = audits.iter().all(|audit| audit.ok);
    Ok(Verdict::measured(ok, json!({"ok": ok, "drills": told})))
}

/// Settled, and no incident is open any more on any host.
fn quiet(world: &mut World, everybody: &[usize]) -> anyhow::Result<usize> {
    let primary = world.settled(everybody)?;
    wait_for("every incident to be closed", LIMIT, || {
        for host in &world.hosts {
            let output = host.rha(&["status"])?;
            ensure!(
                output.status.success(),
                "{}: rha status: {}",
                host.name,
                output.status
            );
        }
        Ok(())
    })?;
    Ok(primary)
}

/// The command and the agent are killed while the link is down; nobody but the keeper is left to bring it back.
fn left_alone(world: &mut World, everybody: &[usize]) -> anyhow::Result<String> {
    let primary = quiet(world, everybody)?;
    let host = &mut world.hosts[primary];
    let name = host.name.clone();
    ip(&format!(
        "-n {name} route add {ROUTE} via {}",
        world.plan.lab()
    ))?;
    let mut command = host.rha_alone(&["drill", "link", "--for", DRILL, "--yes"]);
    let mut drill = command.stdout(Stdio::null()).spawn()?;
    let is_up = |name: &str| {
        let link = ip(&format!("-n {name} -o link show dev eth0"))?;
        anyhow::Ok(link.contains(",UP") || link.contains("<UP"))
    };
    wait_for("the link to go down", LIMIT, || {
        ensure!(!is_up(&name)?, "it is up");
        Ok(())
    })?;
    drill.kill()?;
    drill.wait()?;
    host.kill(Service::Agent)?;
    ensure!(!is_up(&name)?, "the link came back too early");
    wait_for("the link to come back", Duration::from_secs(30), || {
        ensure!(is_up(&name)?, "it is down");
        Ok(())
    })?;
    wait_for("the route to come back", LIMIT, || {
        let routes = ip(&format!("-n {name} route show {ROUTE}"))?;
        ensure!(routes.contains("via"), "it is not there");
        Ok(())
    })?;
    host.start(Service::Agent)?;
    let now = world.settled(everybody)?;
    if now == primary {
        bail!("{name} leads again");
    }
    wait_for("the end of the drill to be recorded", LIMIT, || {
        let found = world.hosts[primary].rha_checked(&["history", "--kind", "drill-ended"])?;
        found
            .contains("its time was over")
            .then_some(())
            .context(found)
    })?;
    Ok(format!("{name} led, {} leads", world.hosts[now].name))
}

/// Warnings are what a laboratory is.
fn doctor(world: &World) -> anyhow::Result<()> {
    for host in &world.hosts {
        host.rha_checked(&["doctor", "--quiet"])?;
    }
    Ok(())
}
