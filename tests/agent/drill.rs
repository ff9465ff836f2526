//! `rha drill` with a real agent and a real Redis: who undoes it when somebody is killed.

use std::fs;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::{World, said};

fn begin(world: &World, arguments: &str) -> Child {
    let mut command = world.command();
    command.args(arguments.split(' ')).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// What is to be undone, and by whom.
fn plan(world: &World) -> Option<Value> {
    serde_json::from_slice(&fs::read(world.path("state/drill.json")).ok()?).ok()
}

/// The letter that proc(5) has for the state of a process, if there is one.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn stopped(pid: u32) -> bool {
    state(pid) == Some('T')
}

/// Whether anybody has collected it or not.
fn has_ended(pid: Pid) -> bool {
    matches!(state(pid.as_raw_pid().unsigned_abs()), None | Some('Z'))
}

#[test]
#[ignore = "needs redis-server"]
fn nobody_is_drilled_who_was_not_asked() {
    let world = World::new();
    let list = world.wants(0, "drill");
    assert_eq!(list.lines().count(), 6, "{list}");
    world.wants(2, "drill no-such-drill");
    world.wants(2, "drill redis-hang --for 0s");
    let (redis, _agent) = world.replica();
    // The other node does not answer.
    let dry = world.wants(3, "drill redis-hang --dry-run");
    assert!(
        dry.contains("no  other-node") && dry.contains("ok  agent"),
        "{dry}"
    );
    let refused = world.wants(1, "drill redis-hang --yes");
    assert!(refused.contains("--anyway goes on"), "{refused}");
    let output = world
        .command()
        .args(["drill", "redis-hang", "--anyway"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(world.count("--kind operator-drilled"), 0);
    assert!(!stopped(redis.child.id()));
    assert_eq!(world.wants(0, "drill --restore"), "nothing to restore\n");
}

#[test]
#[ignore = "needs redis-server"]
fn it_ends_in_time_though_the_command_is_killed() {
    let world = World::new();
    let (redis, agent) = world.replica();
    let mut drill = begin(&world, "drill redis-hang --for 8s --yes --anyway");
    let pid = redis.child.id();
    world.until("Redis hangs", || stopped(pid).then_some(()));
    drill.kill().unwrap();
    drill.wait().unwrap();
    let second = world.wants(1, "drill redis-stop --for 1s --yes --anyway");
    assert!(second.contains("another drill runs"), "{second}");
    world.until_status("it is shown", |status| {
        status["drill"]["drill"] == "redis-hang"
    });
    // The agent is down when it ends, and is told when it is back.
    agent.kill();
    world.until("Redis was woken", || (!stopped(pid)).then_some(()));
    let _agent = world.start();
    let ends = world.until("its end is recorded", || {
        let ends = world.history("--kind drill-ended");
        (!ends.is_empty()).then_some(ends)
    });
    assert_eq!(ends[0]["event"]["restored"], true, "{ends:?}");
    assert!(
        ends[0]["event"]["how"]
            .as_str()
            .unwrap()
            .starts_with("its time was over")
    );
    world.until_status("it is over", |status| status["drill"].is_null());
    assert!(plan(&world).is_none());
    world.is_sound();
}

#[test]
#[ignore = "needs redis-server"]
fn it_is_ended_early_and_restored_by_hand() {
    let world = World::new();
    let (redis, _agent) = world.replica();
    let pid = redis.child.id();
    let hang = |what: &str| {
        let drill = begin(&world, "drill redis-hang --for 1h --yes --anyway");
        world.until(what, || stopped(pid).then_some(()));
        let plan = world.until("the plan is there", || plan(&world));
        let keeper = i32::try_from(plan["keeper"].as_i64().unwrap()).unwrap();
        (drill, Pid::from_raw(keeper).unwrap())
    };
    let is_over = |mut drill: Child, keeper: Pid| {
        drill.kill().unwrap();
        drill.wait().unwrap();
        world.until("the keeper has ended", || has_ended(keeper).then_some(()));
        assert!(!stopped(pid) && plan(&world).is_none());
    };
    // Ctrl-C.
    let (drill, keeper) = hang("Redis hangs");
    kill_process(Pid::from_child(&drill), Signal::INT).unwrap();
    world.until("Redis was woken", || (!stopped(pid)).then_some(()));
    is_over(drill, keeper);
    // The keeper is told to.
    let (drill, keeper) = hang("Redis hangs again");
    let over = world.wants(0, "drill --restore");
    assert!(over.contains("redis-hang was ended"), "{over}");
    is_over(drill, keeper);
    // The keeper is no more.
    let (mut drill, keeper) = hang("Redis hangs once more");
    kill_process(keeper, Signal::KILL).unwrap();
    drill.wait().unwrap();
    assert!(stopped(pid) && plan(&world).is_some());
    let over = world.wants(0, "drill --restore");
    assert!(over.contains("Redis was woken"), "{over}");
    is_over(drill, keeper);
    assert_eq!(world.count("--kind drill-ended"), 3);
    let asked = world.history("--kind operator-drilled");
    let command = asked[0]["operator"]["command"].as_str().unwrap();
    assert!(command.contains("drill redis-hang"), "{command}");
}

#[test]
#[ignore = "needs redis-server"]
fn without_an_agent_nothing_is_recorded() {
    let world = World::new();
    let redis = world.redis(world.port(), &[]);
    fs::create_dir_all(world.path("state")).unwrap();
    let refused = world.wants(1, "drill redis-hang --for 1s --yes");
    assert!(refused.contains("not now: agent"), "{refused}");
    let done = world.wants(0, "drill redis-hang --for 1s --yes --anyway");
    assert!(done.contains("nothing of it is recorded"), "{done}");
    assert!(done.contains("Redis was woken"), "{done}");
    assert!(!stopped(redis.child.id()));
}
