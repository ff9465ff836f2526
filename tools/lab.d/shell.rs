//! A world to play with: one command in each line of stdin.

use std::io::{BufRead, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;

use crate::host::Service;
use crate::panel::table;
use crate::report::{BOLD, RED, Verdict, say, styled};
use crate::run::in_netns;
use crate::world::World;

const HELP: &str = "\
show                             every host: the VIP, its role, its Redis
settle                           wait until one serves and all others follow it
alarms                           what the alarm sink was told
redis HOST start|stop|restart    rha redis ... on that host
redis HOST kill|hang|resume      SIGKILL, SIGSTOP or SIGCONT to its Redis
cut HOST, heal HOST              its port out of the switch (the carrier stays)
link HOST up|down                its cable
start HOST SERVICE               SERVICE is rha, rha-event or keepalived
stop HOST SERVICE                SIGTERM
kill HOST SERVICE                SIGKILL, without a last word
rha HOST ARGS...                 rha there: status, pause --reason \"a test\" ...
logs HOST                        the end of its logs
sh HOST, sh client               a shell there (see /run/lab/HOST)
sleep SECONDS                    for scripts; lines are read as a shell would
quit                             the end of the world
Try: redis lvs1 kill, then show, then rha lvs2 history --why";

/// Reads commands until `quit` or the end of stdin. A command that fails is told; in a script it makes the exit
/// code 1, at a terminal it is part of playing.
pub fn run(world: &mut World) -> anyhow::Result<Verdict> {
    say(styled(
        BOLD,
        "The world is up. help lists what can be done to it.",
    ));
    let at_terminal = std::io::stdin().is_terminal();
    let mut ok = true;
    prompt(at_terminal);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words = shlex::split(&line).with_context(|| format!("{line}: a quote is left open"));
        let done = match words {
            Ok(words) if words == ["quit"] => break,
            Ok(words) => command(world, &words),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            ok = at_terminal;
            say(styled(RED, format_args!("{error:#}")));
        }
        prompt(at_terminal);
    }
    Ok(Verdict::told(ok))
}

fn prompt(at_terminal: bool) {
    if at_terminal {
        let mut out = anstream::stdout();
        // A terminal that went away ends stdin as well.
        let _ = write!(out, "{} ", styled(BOLD, "lab>"));
        let _ = out.flush();
    }
}

fn command(world: &mut World, words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => {}
        ["help"] => say(HELP),
        ["show"] => show(world),
        ["settle"] => {
            let everybody: Vec<usize> = (0..world.hosts.len()).collect();
            let primary = world.settled(&everybody)?;
            say(format_args!("{} is primary", world.hosts[primary].name));
        }
        ["alarms"] => {
            for alarm in world.alarms.all() {
                say(format_args!("{}\n    {}", alarm.title, alarm.content));
            }
        }
        ["redis", host, verb] => redis(world, host, verb)?,
        ["cut", host] => world.host(host)?.partition(true)?,
        ["heal", host] => world.host(host)?.partition(false)?,
        ["link", host, state @ ("up" | "down")] => world.host(host)?.link(state)?,
        ["start", host, name] => world.host(host)?.start(service(name)?)?,
        ["stop", host, name] => world.host(host)?.stop(service(name)?)?,
        ["kill", host, name] => world.host(host)?.kill(service(name)?)?,
        ["rha", host, ref args @ ..] => {
            world.host(host)?.rha_command(args).status()?;
        }
        ["sleep", seconds] => sleep(span(seconds)?),
        ["logs", host] => say(world.host(host)?.tails()),
        ["sh", place] => {
            in_netns(place, "bash").status()?;
        }
        _ => bail!("unknown: {}; help lists what there is", words.join(" ")),
    }
    Ok(())
}

fn redis(world: &mut World, host: &str, verb: &str) -> anyhow::Result<()> {
    let host = world.host(host)?;
    match verb {
        "start" | "stop" | "restart" => host.redis(verb),
        "kill" => host.signal("redis", Signal::KILL),
        "hang" => host.signal("redis", Signal::STOP),
        "resume" => host.signal("redis", Signal::CONT),
        _ => bail!("redis {verb}: start, stop, restart, kill, hang or resume"),
    }
}

fn span(seconds: &str) -> anyhow::Result<Duration> {
    let said = || format!("sleep {seconds}: a number of seconds is wanted");
    let seconds: f64 = seconds.parse().with_context(said)?;
    Duration::try_from_secs_f64(seconds).with_context(said)
}

fn service(name: &str) -> anyhow::Result<Service> {
    Service::parse(name).with_context(|| format!("no service {name}: rha, rha-event or keepalived"))
}

fn show(world: &World) {
    for line in table(world) {
        say(line);
    }
}
