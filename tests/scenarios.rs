//! Stories: each file in `tests/scenarios` tells what is done to a small world and, behind `----`, what came
//! of it. `RHA_REWRITE=1` writes the second part anew; read it before it is committed.

mod sim;

use std::fs;
use std::path::{Path, PathBuf};

use rha::model::drill::Drill;
use rha::model::event::RedisRequest;
use rha::model::redis::Endpoint;
use rha::model::vrrp::VrrpState;

use sim::{Boot, MS, Part, SECOND, VIP, World, address};

const RULE: &str = "----";

#[test]
fn every_story_ends_as_it_is_told() {
    let rewrite = std::env::var_os("RHA_REWRITE").is_some();
    let files = stories();
    assert!(files.len() >= 14, "only {} stories were found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a story can be read");
        let (script, told) = text.split_once(&format!("{RULE}\n")).unwrap_or((&text, ""));
        let came = play(&file, script);
        if rewrite {
            fs::write(&file, format!("{script}{RULE}\n{came}")).expect("a story can be written");
        } else if came != told {
            wrong.push(format!("{}:\n{}", file.display(), difference(told, &came)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nRHA_REWRITE=1 writes them anew",
        wrong.join("\n")
    );
}

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("tests/scenarios is there")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    files.sort();
    files
}

/// The first line that differs, with what stood before it.
fn difference(told: &str, came: &str) -> String {
    let (told, came): (Vec<&str>, Vec<&str>) = (told.lines().collect(), came.lines().collect());
    let at = told.iter().zip(&came).take_while(|(a, b)| a == b).count();
    let before = told[at.saturating_sub(3)..at].join("\n");
    format!(
        "line {}:\n{before}\n- {}\n+ {}",
        at + 1,
        told.get(at).unwrap_or(&"(the end)"),
        came.get(at).unwrap_or(&"(the end)"),
    )
}

fn play(file: &Path, script: &str) -> String {
    let mut world = World::new(2, None);
    for (number, line) in (1..).zip(script.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(why) = command(&mut world, line) {
            panic!("{}:{number}: {line}: {why}", file.display());
        }
    }
    for node in 0..world.nodes.len() {
        if let Err(difference) = world.refold(node) {
            panic!("{}: does not replay: {difference}", file.display());
        }
    }
    let mut text = world.told.join("\n");
    text.push('\n');
    text
}

fn command(world: &mut World, line: &str) -> Result<(), String> {
    let words = split(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["given", count, "nodes"] => *world = World::new(size(count)?, None),
        ["given", count, "settled", "nodes"] => {
            *world = World::new(size(count)?, None);
            for node in 0..world.nodes.len() {
                world.start_all(node);
            }
            world.run(10 * SECOND);
            world.told.clear();
        }
        // The settled pair learns of it by a reload.
        ["quorum", kind @ ("etcd" | "witnesses"), rest @ ..] => {
            let witnesses = match (*kind, rest) {
                ("etcd", []) => 0,
                ("witnesses", [count]) => count.parse().map_err(|_| "how many?")?,
                _ => return Err("quorum etcd, or quorum witnesses 1".to_owned()),
            };
            world.set_quorum(witnesses);
            for node in 0..world.nodes.len() {
                world.reload(node);
            }
            world.run(10 * SECOND);
            world.told.clear();
        }
        ["run", time] => {
            let us = duration(time)?;
            world.run(us);
        }
        ["show"] => world.show(),
        ["sync", "takes", time] => world.sync_us = duration(time)?,
        _ => {
            world.tell(&format!(">  {line}"));
            return fault(world, &words);
        }
    }
    Ok(())
}

/// What is done to the world. It is told in the transcript too.
fn fault(world: &mut World, words: &[&str]) -> Result<(), String> {
    match words {
        ["write", keys, to @ ..] => {
            let keys = keys.parse().map_err(|_| "how many?")?;
            let written = match to {
                [] => world.write(keys),
                ["to", node] => world.write_to(find(world, node)?, keys),
                _ => return Err("write COUNT, or write COUNT to NODE".to_owned()),
            };
            let line = match written {
                Ok(node) => format!("-  {} takes the writes", world.nodes[node].name),
                Err(why) => format!("-  no write: {why}"),
            };
            world.tell(&line);
        }
        ["partition", node] => {
            let node = find(world, node)?;
            world.set_side(node, 1 + u8::try_from(node).map_err(|_| "too many nodes")?);
        }
        ["heal"] => {
            for node in 0..world.nodes.len() {
                world.set_side(node, 0);
                world.nodes[node].vrrp_cut = false;
            }
        }
        ["switchover", node, to @ ..] => {
            let node = find(world, node)?;
            world.ask_switchover(node, to.first().copied());
        }
        ["drill", drill, node, time] => {
            let drill = Drill::of(drill).ok_or("no such drill")?;
            let ms = duration(time)? / 1000;
            let node = find(world, node)?;
            world.begin_drill(node, drill, ms);
        }
        ["drill", drill, node] => {
            let drill = Drill::of(drill).ok_or("no such drill")?;
            let node = find(world, node)?;
            world.end_drill(node, drill);
        }
        [
            "voter",
            name,
            state @ ("down" | "up" | "hides-from"),
            node @ ..,
        ] => {
            let hidden_from = node.first().map(|node| find(world, node)).transpose()?;
            let voter = world.voters.iter_mut().find(|voter| voter.name == *name);
            let voter = voter.ok_or_else(|| format!("there is no voter {name}"))?;
            voter.up = *state != "down";
            voter.hidden_from = hidden_from;
        }
        ["cut", "vrrp", node] => {
            let node = find(world, node)?;
            world.nodes[node].vrrp_cut = true;
        }
        ["link", state, node] => {
            let node = find(world, node)?;
            world.set_link(node, *state == "up");
        }
        ["pause", node, reason, rest @ ..] => {
            let node = find(world, node)?;
            let until = rest.first().map(|time| duration(time)).transpose()?;
            world.pause(node, reason, until);
        }
        ["resume", node] => {
            let node = find(world, node)?;
            world.unpause(node);
        }
        ["fail", effect, node, times] => {
            let node = find(world, node)?;
            let times = times.parse().map_err(|_| "how often?")?;
            world.nodes[node]
                .failing
                .insert((*effect).to_owned(), times);
        }
        ["slow", effect, node, time] => {
            let (node, us) = (find(world, node)?, duration(time)?);
            if *effect == "redis" {
                world.nodes[node].redis.latency_us = us;
            } else {
                world.nodes[node].taking_us.insert((*effect).to_owned(), us);
            }
        }
        ["replicated", "writes"] => {
            for node in 0..world.nodes.len() {
                world.nodes[node].settings.replicated_writes = true;
                world.reload(node);
            }
        }
        ["clock", way @ ("forward" | "back"), node, time] => {
            let (node, us) = (find(world, node)?, duration(time)?);
            let us = i64::try_from(us).map_err(|_| "too far")?;
            world.jump_clock(node, if *way == "back" { -us } else { us });
        }
        ["ack", node, note] => {
            let node = find(world, node)?;
            world.ack(node, note);
        }
        ["budget", count, "in", time] => {
            let (count, ms) = (
                count.parse().map_err(|_| "how many?")?,
                duration(time)? / MS,
            );
            for node in 0..world.nodes.len() {
                let settings = &mut world.nodes[node].settings;
                (settings.max_promotions, settings.promotions_window_ms) = (count, ms);
                world.reload(node);
            }
        }
        ["prefer", "consistency", node] => {
            let node = find(world, node)?;
            world.nodes[node].settings.prefer_availability = false;
            world.reload(node);
        }
        ["set", node, key, time] => {
            let (node, ms) = (find(world, node)?, duration(time)? / MS);
            let settings = &mut world.nodes[node].settings;
            match *key {
                "repeat" => settings.repeat_ms = ms,
                "unserved" => settings.unserved_ms = ms,
                _ => return Err("set what?".to_owned()),
            }
            world.reload(node);
        }
        ["delete", "track", "file", "of", node] => {
            let node = find(world, node)?;
            world.nodes[node].eligible = false;
            world.track_file_written(node);
        }
        ["vip", "by", "hand", verb @ ("add" | "remove"), node] => {
            let node = find(world, node)?;
            world.set_vip(node, *verb == "add");
        }
        ["claim", "vip", "of", node, by] => {
            let node = find(world, node)?;
            world.claim_vip(node, Some(by).filter(|by| **by != "nobody").copied());
        }
        ["repeat", "line", node] => {
            let node = find(world, node)?;
            world.repeat_line(node);
        }
        ["journal", verb @ ("fails" | "returns"), node] => {
            let node = find(world, node)?;
            world.journal_fails(node, *verb == "returns");
        }
        ["stray", "line", word, node] => {
            let node = find(world, node)?;
            let state = match *word {
                "MASTER" => VrrpState::Master,
                "BACKUP" => VrrpState::Backup,
                "FAULT" => VrrpState::Fault,
                _ => return Err("MASTER, BACKUP or FAULT".to_owned()),
            };
            world.stray_line(node, state);
        }
        ["lose", node, lines] => {
            let node = find(world, node)?;
            world.nodes[node].lose_lines = lines.parse().map_err(|_| "how many?")?;
        }
        [verb, "redis", node, rest @ ..] => return redis(world, verb, node, rest),
        [verb, part @ ("keepalived" | "agent" | "host"), node] => {
            return process(world, verb, part, node);
        }
        ["start", nodes @ ..] if !nodes.is_empty() => {
            for node in nodes {
                let node = find(world, node)?;
                world.start_all(node);
            }
        }
        _ => return Err("this is no command".to_owned()),
    }
    Ok(())
}

fn redis(world: &mut World, verb: &str, node: &str, rest: &[&str]) -> Result<(), String> {
    let node = find(world, node)?;
    match (verb, rest) {
        ("start", options) => {
            let mut boot = Boot::default();
            for option in options {
                match *option {
                    "empty" => boot.empty = true,
                    "stale" => boot.stale = true,
                    "as-master" => boot.as_master = true,
                    loading => boot.loading_us = duration(loading)?,
                }
            }
            world.start_redis(node, boot);
        }
        ("save", []) => world.save_redis(node),
        ("kill", []) => world.kill_redis(node),
        ("hang", []) => world.stall(node, Part::Redis),
        ("wake", []) => world.resume(node, Part::Redis),
        ("ask-start", []) => world.ask(node, RedisRequest::Start),
        ("ask-stop", []) => world.ask(node, RedisRequest::Stop),
        ("force", []) => world.ask(node, RedisRequest::Promote),
        ("ask-restart", []) => world.ask(node, RedisRequest::Restart),
        ("rotate-password-of", []) => world.nodes[node].redis.auth_ok = false,
        ("give-password-of", []) => world.nodes[node].redis.auth_ok = true,
        ("fill-disk-of", []) => world.nodes[node].redis.misconf = true,
        ("no-room-to-rescue", []) => world.nodes[node].rescues_fail = true,
        ("room-to-rescue", []) => world.nodes[node].rescues_fail = false,
        ("free-disk-of", []) => world.nodes[node].redis.misconf = false,
        ("promote-by-hand", []) => world.redis_cli(node, None)?,
        ("demote-by-hand", [master]) => {
            let master = match *master {
                "vip" => Endpoint {
                    host: VIP.to_owned(),
                    port: sim::PORT,
                },
                "nobody" => Endpoint {
                    host: "127.0.0.1".to_owned(),
                    port: 1,
                },
                name => address(find(world, name)?),
            };
            world.redis_cli(node, Some(master))?;
        }
        _ => return Err("what about Redis?".to_owned()),
    }
    Ok(())
}

fn process(world: &mut World, verb: &str, part: &str, node: &str) -> Result<(), String> {
    let node = find(world, node)?;
    let all = [Part::Keepalived, Part::Redis, Part::Agent];
    match (verb, part) {
        ("start", "keepalived") => world.start_keepalived(node),
        ("stop", "keepalived") => world.stop_keepalived(node),
        ("kill", "keepalived") => world.kill_keepalived(node),
        ("freeze", "keepalived") => world.stall(node, Part::Keepalived),
        ("thaw", "keepalived") => world.resume(node, Part::Keepalived),
        ("start", "agent") => world.start_agent(node),
        ("stop", "agent") => world.stop_agent(node),
        ("kill", "agent") => world.kill_agent(node),
        ("freeze", "agent") => world.stall(node, Part::Agent),
        ("thaw", "agent") => world.resume(node, Part::Agent),
        ("freeze", "host") => all.into_iter().for_each(|part| world.stall(node, part)),
        ("thaw", "host") => all.into_iter().for_each(|part| world.resume(node, part)),
        ("crash", "host") => world.crash_host(node),
        ("boot", "host") => world.boot_host(node),
        _ => return Err("this cannot be done to it".to_owned()),
    }
    Ok(())
}

fn find(world: &World, name: &str) -> Result<usize, String> {
    world
        .index(name)
        .ok_or_else(|| format!("there is no node {name}"))
}

fn size(word: &str) -> Result<usize, String> {
    match word {
        "two" => Ok(2),
        "three" => Ok(3),
        _ => Err("two nodes, or three".to_owned()),
    }
}

fn duration(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits]
        .parse()
        .map_err(|_| format!("{text}: no time"))?;
    match &text[digits..] {
        "us" => Ok(number),
        "ms" => Ok(number * MS),
        "s" => Ok(number * SECOND),
        "m" => Ok(number * 60 * SECOND),
        "h" => Ok(number * 3600 * SECOND),
        _ => Err(format!("{text}: no time (us ms s m h)")),
    }
}

/// Words, and what stands between double quotes as one.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, piece) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}
