//! Redis is back at once as a master: an init system has started it, and knows nothing of rha.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::scene::Scene;
use crate::host::Host;

/// The old dump lacks what was written for so long.
const AGE: Duration = Duration::from_millis(500);
/// So long what came back may do harm.
const WHILE: Duration = Duration::from_secs(3);

pub fn with_data(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    let host = scene.primary_host();
    // It ends without an answer.
    let _ = host.tell_redis(&["SHUTDOWN", "SAVE"]);
    host.redis_ends()?;
    back_as_master(scene)
}

pub fn empty(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    // There is one where it once received its data set.
    let _ = fs::remove_file(dump(scene.primary_host()));
    scene.begins();
    scene.primary_host().kill_redis()?;
    back_as_master(scene)
}

pub fn stale(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let host = scene.primary_host();
    host.tell_redis(&["SAVE"])?;
    let old = dump(host).with_extension("old");
    fs::copy(dump(host), &old)?;
    scene.lasts(AGE);
    scene.begins();
    let host = scene.primary_host();
    host.kill_redis()?;
    fs::rename(old, dump(host))?;
    back_as_master(scene)
}

fn back_as_master(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.primary_host().start_redis_as_master()?;
    scene.taken_over();
    scene.lasts(WHILE);
    Ok(())
}

fn dump(host: &Host) -> PathBuf {
    host.paths.redis_dir().join("dump.rdb")
}
