//! rha itself ends, or is kept from its work.

use std::fs::{self, File};
use std::io::{Read, copy, repeat};
use std::time::Duration;

use anyhow::{bail, ensure};

use super::scene::{Scene, Skipped};
use crate::clock::wait_for;
use crate::config::is_real_root;
use crate::host::{Host, Service};

/// How long it is so.
const WHILE: Duration = Duration::from_secs(3);
/// Three checks, and some.
const CHECKED: Duration = Duration::from_secs(5);
/// Lines at once, so that the agent's queue does not grow.
const SCRIBBLES: usize = 50;
/// The account by which rha comes to Redis, where it has one.
const USER: &str = "rha";

pub fn kill(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().kill(Service::Agent)?;
    scene.lasts(WHILE);
    scene.primary_host().start(Service::Agent)?;
    scene.lasts(WHILE);
    Ok(())
}

/// Only `rha check`, which keepalived runs, can tell then.
pub fn kill_with_redis(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    if !is_real_root()? {
        bail!(Skipped(
            "keepalived runs no rha check in a user namespace".to_owned()
        ));
    }
    scene.begins();
    let host = scene.primary_host();
    host.kill(Service::Agent)?;
    host.kill_redis()?;
    scene.taken_over();
    let host = scene.primary_host();
    host.start(Service::Agent)?;
    host.answers()?;
    host.revive_redis()
}

pub fn restart_both(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    for host in &mut scene.world.hosts {
        host.stop(Service::Agent)?;
    }
    for host in &mut scene.world.hosts {
        host.start(Service::Agent)?;
    }
    scene.lasts(WHILE);
    Ok(())
}

pub fn kill_recorder(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.replica_host().kill(Service::Recorder)?;
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.lasts(WHILE);
    scene.replica_host().start(Service::Recorder)?;
    scene.primary_host().revive_redis()
}

pub fn journal_disk_full(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let disk = scene.replica_host().journal_to_small_disk()?;
    scene.leads(scene.primary)?;
    let filler = disk.join("filler");
    // It ends with an error: the disk is full.
    let _ = copy(&mut repeat(0).take(u64::MAX), &mut File::create(&filler)?);
    // What the journal has of the disk already takes some more records.
    let alarms = scene.world.alarms.all().len();
    wait_for("the journal to fail", WHILE * 5, || {
        scene.replica_host().scribble(SCRIBBLES)?;
        ensure!(scene.world.alarms.all().len() > alarms, "no alarm says so");
        Ok(())
    })?;
    scene.begins();
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.lasts(WHILE);
    fs::remove_file(filler)?;
    scene.primary_host().revive_redis()?;
    // What an agent did while it had no journal, its successor cannot know.
    scene.alarms_over(1);
    scene.lasts(WHILE);
    scene.replica_host().journal_from_small_disk()
}

pub fn password_changed(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    for host in &mut scene.world.hosts {
        give_account(host)?;
    }
    scene.leads(scene.primary)?;
    scene.begins();
    let host = scene.primary_host();
    let set_password = |host: &Host, password: &str| {
        host.tell_redis(&["ACL", "SETUSER", USER, "resetpass", password])
    };
    set_password(host, ">another")?;
    // Who is logged in stays so, else.
    host.tell_redis(&["CLIENT", "KILL", "USER", USER])?;
    scene.lasts(CHECKED);
    set_password(scene.primary_host(), ">right")?;
    scene.lasts(WHILE);
    Ok(())
}

/// From now on rha logs in with a password. Everybody else needs none, so that only rha is locked out.
fn give_account(host: &mut Host) -> anyhow::Result<()> {
    let may_all = ["~*", "&*", "+@all"];
    host.tell_redis(&[&["ACL", "SETUSER", USER, "on", ">right"][..], &may_all].concat())?;
    let file = host.paths.run.join("password");
    fs::write(&file, "right\n")?;
    let section = "[instance.redis]\n";
    let account = format!(
        "{section}username = \"{USER}\"\npassword_file = '{}'\n",
        file.display()
    );
    let config = fs::read_to_string(host.paths.config())?;
    ensure!(config.contains(section), "rha.toml has no {section}");
    fs::write(host.paths.config(), config.replace(section, &account))?;
    host.stop(Service::Agent)?;
    host.start(Service::Agent)?;
    host.answers()
}
