//! One failover and return, told while it happens.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rha::cli::render::{Screen, wrap};
use rustix::process::Signal;

use crate::client::Writing;
use crate::clock::{now, now_us};
use crate::panel::Panel;
use crate::report::{BOLD, DIM, GREEN, RED, Verdict, ms, say, styled};
use crate::run::checked;
use crate::story::story;
use crate::world::{LIMIT, World};

const OUTAGE_LIMIT: Duration = Duration::from_secs(15);
/// The demo's client writes at an easy pace: it is here to be interrupted.
const PAUSE_US: u64 = 200;
const INDENT: &str = "  ";

/// Tells it.
pub fn run(world: &mut World) -> anyhow::Result<Verdict> {
    let everybody: Vec<usize> = (0..world.hosts.len()).collect();
    let mut panel = Panel::new();
    let primary = world.settled(&everybody)?;
    introduce(world, &mut panel)?;
    let client = Writing::start(world.plan.vip_redis(), "demo:", PAUSE_US)?;
    panel.pause(world, Some(&client), 2);

    let (heir, since) = fail_over(world, &mut panel, &client, primary)?;
    let name = world.hosts[primary].name.clone();
    panel.tell(&headline(&format!("{name}$ rha redis start")));
    let started = now();
    world.hosts[primary].redis("start")?;
    let settled = watch_return(world, &mut panel, &client, &everybody)?;
    panel.tell(&format!(
        "  {} fit to take over again after {:.1} s; the VIP stays where it is (no preempt)",
        styled(GREEN, "->"),
        (now() - started).as_secs_f32(),
    ));
    ensure!(settled == heir, "the VIP moved again");
    panel.pause(world, Some(&client), 1);
    panel.erase();
    let tally = client.finish()?;
    let style = if tally.lost.is_empty() { GREEN } else { RED };
    say(format_args!(
        "  {} {} writes acknowledged, {}",
        styled(style, "->"),
        tally.acknowledged,
        styled(style, format_args!("{} lost", tally.lost.len())),
    ));
    let content = look_back(world, &since)?;
    Ok(Verdict::plain(content && tally.lost.is_empty()))
}

fn introduce(world: &World, panel: &mut Panel) -> anyhow::Result<()> {
    let redis = checked(Command::new("redis-server").arg("--version"))?;
    let redis = redis.split_ascii_whitespace().nth(2).unwrap_or_default();
    let keepalived = Command::new("keepalived").arg("--version").output()?;
    let keepalived = String::from_utf8_lossy(&keepalived.stderr);
    let keepalived = keepalived
        .split_ascii_whitespace()
        .nth(1)
        .unwrap_or_default();
    panel.tell(&headline(&format!(
        "{} hosts on a switch, and a client",
        world.hosts.len()
    )));
    let said = format!(
        "Each is a network namespace. On each host: keepalived {}, Redis {} and rha. \
         The client writes to {}. Whoever has that VIP must have the Redis that takes writes.",
        keepalived.trim_start_matches('v'),
        redis.trim_start_matches("v="),
        world.plan.vip_redis(),
    );
    for line in wrap(&said, Screen::detect().width.saturating_sub(INDENT.len())) {
        panel.tell(&format!("{INDENT}{line}"));
    }
    Ok(())
}

/// Kills the primary's Redis and tells what happened; the heir, and from when on the journals show it.
fn fail_over(
    world: &World,
    panel: &mut Panel,
    client: &Writing,
    primary: usize,
) -> anyhow::Result<(usize, String)> {
    let host = &world.hosts[primary];
    panel.tell(&headline(&format!(
        "{}$ kill -9 {}    # Redis of the primary",
        host.name,
        host.pid("redis")?.as_raw_nonzero(),
    )));
    let killed_us = now_us();
    host.signal("redis", Signal::KILL)?;
    let gap = client.outage(killed_us, OUTAGE_LIMIT)?;
    let heir = world.holder()?;
    panel.tell(&format!(
        "  {} {} after the kill, {} accepts a write ({} attempts failed)",
        styled(GREEN, "->"),
        styled(
            GREEN.bold(),
            format_args!("{} ms", ms(gap.accepted_us - killed_us))
        ),
        world.hosts[heir].name,
        gap.errors,
    ));
    panel.pause(world, Some(client), 1);
    let story = story(world, killed_us, gap.accepted_us)?;
    panel.tell("  All journals and the client together, from the kill on:\n");
    for line in &story.lines {
        panel.tell(line);
    }
    panel.pause(world, Some(client), 4);
    Ok((heir, story.since))
}

/// Shows the picture until everybody is well again; as [`World::settled`], with frames in between.
fn watch_return(
    world: &mut World,
    panel: &mut Panel,
    client: &Writing,
    everybody: &[usize],
) -> anyhow::Result<usize> {
    let end = now() + LIMIT;
    loop {
        match world.look_settled(everybody) {
            Ok(primary) => return Ok(primary),
            Err(error) if now() >= end => return Err(error).context("the return"),
            Err(_) => panel.frame(world, Some(client)),
        }
    }
}

/// What the journals say about it, and whether they prove it.
fn look_back(world: &World, since: &str) -> anyhow::Result<bool> {
    let mut content = true;
    for args in [&["history", "--since", since][..], &["replay"]] {
        for host in &world.hosts {
            say(headline(&format!("{}$ rha {}", host.name, args.join(" "))));
            // On the reader's own terminal: its width and its colours.
            let status = host.rha_command(args).stdin(Stdio::null()).status()?;
            content &= status.success();
            if !status.success() {
                say(styled(RED, status));
            }
        }
    }
    Ok(content)
}

fn headline(text: &str) -> String {
    format!("\n{} {}", styled(DIM, "==="), styled(BOLD, text))
}
