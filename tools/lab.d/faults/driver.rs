//! Makes worlds, one after the other, each in namespaces of its own, and hands them plays. A world is used until it
//! is spoilt.

use std::io::{BufRead, BufReader};
use std::path::{Path, absolute};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::report::Matrix;
use super::round::Round;
use super::table::{Fault, chosen};
use super::{FaultsArgs, Play};
use crate::WorldArgs;
use crate::report::{BOLD, Verdict, say, styled};
use crate::stage::another_world;

/// Longer than any round takes, with all of its time-outs and the making of its world.
const ROUND_LIMIT: Duration = Duration::from_secs(300);

/// Plays the chosen faults.
pub fn run(world: &WorldArgs, args: &FaultsArgs) -> anyhow::Result<Verdict> {
    let faults = chosen(&args.only)?;
    if args.list {
        for fault in faults {
            say(styled(BOLD, fault.name));
            say(format_args!("    {}\n    {}", fault.what, fault.promise));
        }
        return Ok(Verdict::told(true));
    }
    let rounds = |fault| (1..=args.rounds).map(move |round| Play { fault, round });
    let plays: Vec<Play> = faults.into_iter().flat_map(rounds).collect();
    let record = args.record.as_deref().map(absolute).transpose()?;
    let mut matrix = Matrix::begin(args.rounds);
    let (mut done, mut worlds) = (0, 0);
    while done < plays.len() {
        worlds += 1;
        done += in_one_world(
            world,
            worlds,
            record.as_deref(),
            batch(&plays[done..]),
            &mut matrix,
        )?;
    }
    Ok(matrix.end())
}

/// The first plays that can share a world.
fn batch(plays: &[Play]) -> &[Play] {
    let is_last = |play: &Play| play.fault.spoils;
    let world = |fault: &Fault| (fault.hosts, fault.quorum);
    let share = |play: &&Play| world(play.fault) == world(plays[0].fault);
    let count = plays.iter().take_while(share).count();
    let end = plays[..count].iter().position(is_last);
    &plays[..end.map_or(count, |index| index + 1)]
}

/// Plays in a world of their own until it is spoilt; says how many were played, which is at least one.
fn in_one_world(
    world: &WorldArgs,
    number: u32,
    record: Option<&Path>,
    plays: &[Play],
    matrix: &mut Matrix,
) -> anyhow::Result<usize> {
    let mut child = another_world(&words(world, number, record, plays)?)?
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let rounds = rounds_of(&mut child)?;
    let mut played = 0;
    let in_time = loop {
        match rounds.recv_timeout(ROUND_LIMIT) {
            Ok(round) => {
                matrix.add(round);
                played += 1;
            }
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                break false;
            }
        }
    };
    let status = child.wait()?;
    if in_time && status.success() && played > 0 {
        return Ok(played);
    }
    let why = match in_time {
        true => format!("the world ended: {status}"),
        false => format!("not over within {} s", ROUND_LIMIT.as_secs()),
    };
    let Some(play) = plays.get(played) else {
        matrix.trouble(&why);
        return Ok(played);
    };
    matrix.add(Round {
        name: play.fault.name.to_owned(),
        round: play.round,
        broken: vec![why],
        ..Round::default()
    });
    Ok(played + 1)
}

/// The words of `lab` that play this.
fn words(
    world: &WorldArgs,
    number: u32,
    record: Option<&Path>,
    plays: &[Play],
) -> anyhow::Result<Vec<String>> {
    let first = plays.first().context("a world has something to play")?;
    let mut words = vec![
        "faults-here".to_owned(),
        format!("--hosts={}", first.fault.hosts),
        format!("--quorum={}", first.fault.quorum.word()),
        format!("--network={}", world.network),
    ];
    if let Some(dir) = &world.bin_dir {
        words.push(format!("--bin-dir={}", absolute(dir)?.display()));
    }
    if let Some(dir) = &world.keep {
        let dir = absolute(dir)?.join(format!("{number:02}-{}", first.fault.name));
        words.push(format!("--keep={}", dir.display()));
    }
    if let Some(dir) = record {
        words.push(format!("--record={}", dir.display()));
    }
    words.extend(plays.iter().map(Play::to_string));
    Ok(words)
}

/// The rounds that a world tells of, as they come. Whatever else it says is talk.
fn rounds_of(child: &mut Child) -> anyhow::Result<Receiver<Round>> {
    let stdout = child.stdout.take().context("stdout was piped")?;
    let (sender, rounds) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                // Nobody listens any more to a world that takes too long.
                Ok(round) => drop(sender.send(round)),
                Err(_) => eprintln!("{line}"),
            }
        }
    });
    Ok(rounds)
}
