//! Faults of a pair that needs the right to lead.

use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;

use super::scene::Scene;
use crate::clock::wait_for;
use crate::plan::BRIDGE;
use crate::voters::other_side;

/// Long enough for the lease to run out, and for the other node to take the writes.
const CUT: Duration = Duration::from_secs(12);
/// Longer than what was given counts.
const OUT: Duration = Duration::from_secs(8);
const WHILE: Duration = Duration::from_secs(3);
/// The other side of the partition.
const ELSEWHERE: &str = "lab1";
const LIMIT: Duration = Duration::from_secs(30);

/// The client stays with the primary; the replica and the voters are on the other side. There, the replica takes over.
pub fn partition(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    // A world may be used again.
    let _ = other_side(ELSEWHERE);
    let name = scene.replica_host().name.clone();
    scene.begins();
    for voter in &scene.world.voters {
        voter.join(ELSEWHERE)?;
    }
    crate::host::join(&name, ELSEWHERE)?;
    sleep(CUT);
    crate::host::join(&name, BRIDGE)?;
    for voter in &scene.world.voters {
        voter.join(BRIDGE)?;
    }
    scene.written();
    scene.lasts(WHILE);
    Ok(())
}

/// The primary alone is cut off; the client is with the replica and the voters.
pub fn primary_alone(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    scene.begins();
    scene.primary_host().partition(true)?;
    sleep(CUT);
    scene.primary_host().partition(false)?;
    scene.lasts(WHILE);
    Ok(())
}

/// Every voter is killed, and started again.
pub fn voters_down(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let plan = scene.world.plan;
    scene.begins();
    for voter in &mut scene.world.voters {
        voter.kill()?;
    }
    scene.lasts(OUT);
    for voter in &mut scene.world.voters {
        voter.start(plan)?;
    }
    for voter in &scene.world.voters {
        voter.answers()?;
    }
    scene.lasts(WHILE);
    Ok(())
}

/// Every voter is killed, and then the primary's Redis: nothing is promoted before an operator says so.
pub fn voters_down_and_primary(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let plan = scene.world.plan;
    for voter in &mut scene.world.voters {
        voter.kill()?;
    }
    scene.lasts(WHILE);
    scene.begins();
    scene.primary_host().kill_redis()?;
    scene.lasts(OUT);
    let role = scene.replica_host().status()?.role().to_owned();
    ensure!(
        role == "held",
        "nothing holds the promotion: the other node is {role}"
    );
    scene.replica_host().rha_checked(&["promote", "--force"])?;
    scene.taken_over();
    for voter in &mut scene.world.voters {
        voter.start(plan)?;
    }
    scene.primary_host().revive_redis()
}

/// The member that leads the others may be any: each is killed in its turn.
pub fn member_down(scene: &mut Scene<'_>) -> anyhow::Result<()> {
    let plan = scene.world.plan;
    scene.begins();
    for index in 0..scene.world.voters.len() {
        scene.world.voters[index].kill()?;
        scene.lasts(WHILE);
        scene.world.voters[index].start(plan)?;
        let voter = &scene.world.voters[index];
        wait_for("the member to be back", LIMIT, || voter.answers())?;
    }
    scene.primary_host().kill_redis()?;
    scene.taken_over();
    scene.primary_host().revive_redis()
}
