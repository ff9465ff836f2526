//! Worlds in which everything fails at random: `RHA_SEEDS=10000` for more of them, `RHA_SEED=7` for one.
//!
//! A failure prints its seed, what was done, and the end of the story. The same seed is the same run.

mod sim;

use rha::model::event::RedisRequest;
use rha::model::vrrp::VrrpState;
use sim::rng::Rng;
use sim::{Boot, MS, Part, SECOND, World, address};

/// How long a world without a fault is given to settle: three rises, the longest retry, the longest timer.
const SETTLING_US: u64 = 120 * SECOND;

#[test]
fn worlds_heal() {
    if let Some(seed) = number("RHA_SEED") {
        live_freely(seed);
        return;
    }
    for seed in 0..number("RHA_SEEDS").unwrap_or(200) {
        live_freely(seed);
    }
}

/// Whatever happens to the network, to Redis and to the voters: two Redis never take writes at once. (An agent that does not
/// run, or is paused, cannot fence; a Redis that is made a master by hand asks nobody.)
#[test]
fn a_quorum_lets_one_lead() {
    if let Some(seed) = number("RHA_SEED") {
        live_with_quorum(seed);
        return;
    }
    for seed in 0..number("RHA_SEEDS").unwrap_or(200) {
        live_with_quorum(seed);
    }
}

fn live_with_quorum(seed: u64) {
    live(Life::with_quorum(seed), 30, World::always_with_quorum);
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

fn live_freely(seed: u64) {
    live(Life::new(seed), 20, World::always);
}

/// Fewer than so many things happen; `always` says what is wrong at any time.
fn live(mut life: Life, harms: u64, always: fn(&World) -> Vec<String>) {
    for _ in 0..life.rng.below(harms) {
        let pause = [20 * MS, 400 * MS, 4 * SECOND, 40 * SECOND][life.rng.below(4) as usize];
        let pause = life.rng.below(pause);
        life.world.run(pause);
        life.harm();
        life.expect_nothing_wrong(always);
    }
    life.world.run(SECOND);
    life.heal();
    life.world.run(SETTLING_US);
    life.expect_nothing_wrong(always);
    life.expect_nothing_wrong(World::when_healed);
    life.fail_over();
    life.expect_nothing_wrong(always);
}

/// One run.
struct Life {
    seed: u64,
    rng: Rng,
    world: World,
    /// The few sorts of harm that this run knows: rare combinations meet more often than if all had all.
    harms: Vec<Harm>,
    done: Vec<String>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let size = if rng.chance(70) { 2 } else { 3 };
        let jitter = rng.chance(80).then(|| Rng::new(rng.next()));
        let mut all = HARMS.to_vec();
        if std::env::var_os("RHA_ALL_HARMS").is_some() {
            all.extend(UNHEALED);
        }
        let harms = (0..3 + rng.below(8))
            .map(|_| all[rng.below(all.len() as u64) as usize])
            .collect();
        let mut world = World::new(size, jitter);
        let replicated = rng.chance(30);
        // Used up within one run, and left behind when it has healed.
        let budget = if rng.chance(30) {
            1 + rng.below(3) as u16
        } else {
            20
        };
        for node in &mut world.nodes {
            node.settings.replicated_writes = replicated;
            node.settings.max_promotions = budget;
            node.settings.promotions_window_ms = 60_000;
        }
        world.sync_us = [2 * MS, 300 * MS, 8 * SECOND][rng.below(3) as usize];
        for node in 0..size {
            world.start_all(node);
            world.run(rng.below(3 * SECOND));
        }
        world.run(rng.below(30 * SECOND));
        Self {
            seed,
            rng,
            world,
            harms,
            done: Vec::new(),
        }
    }

    fn with_quorum(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let size = if rng.chance(70) { 2 } else { 3 };
        let jitter = rng.chance(80).then(|| Rng::new(rng.next()));
        let mut world = World::new(size, jitter);
        let least = rng.below(2) as usize * (size - 1);
        world.set_quorum(least + rng.below(2) as usize * usize::from(least > 0));
        for node in 0..size {
            world.start_all(node);
            world.run(rng.below(3 * SECOND));
        }
        world.run(rng.below(30 * SECOND));
        let harms = (0..3 + rng.below(8))
            .map(|_| QUORUM_HARMS[rng.below(QUORUM_HARMS.len() as u64) as usize])
            .collect();
        Self {
            seed,
            rng,
            world,
            harms,
            done: Vec::new(),
        }
    }

    /// Breaks something, or mends a little of it.
    fn harm(&mut self) {
        let node = self.rng.below(self.world.nodes.len() as u64) as usize;
        let harm = self.harms[self.rng.below(self.harms.len() as u64) as usize];
        let name = self.world.nodes[node].name.clone();
        self.done
            .push(format!("{} ms: {harm:?} at {name}", self.world.now / MS));
        self.do_harm(node, harm);
    }

    fn do_harm(&mut self, node: usize, harm: Harm) {
        let world = &mut self.world;
        match harm {
            Harm::Redis(harm) => self.do_harm_to_redis(node, harm),
            Harm::KillAgent => world.kill_agent(node),
            Harm::StopAgent => world.stop_agent(node),
            Harm::StartAgent => world.start_agent(node),
            Harm::ReloadAgent => world.reload(node),
            Harm::KillKeepalived => world.kill_keepalived(node),
            Harm::StopKeepalived => world.stop_keepalived(node),
            Harm::StartKeepalived => world.start_keepalived(node),
            Harm::FreezeKeepalived => world.stall(node, Part::Keepalived),
            Harm::FreezeAgent => world.stall(node, Part::Agent),
            Harm::JumpClock => {
                let far = i64::try_from(self.rng.below(3600 * SECOND)).expect("an hour");
                let by_us = if self.rng.chance(50) { far } else { -far };
                world.jump_clock(node, by_us);
            }
            Harm::Ack => world.ack(node, "simulated"),
            Harm::FreezeHost => PARTS.into_iter().for_each(|part| world.stall(node, part)),
            Harm::Thaw => PARTS.into_iter().for_each(|part| world.resume(node, part)),
            Harm::CrashHost => world.crash_host(node),
            Harm::Partition => world.set_side(node, 1 + node as u8),
            Harm::CutVrrp => world.nodes[node].vrrp_cut = true,
            Harm::PullCable => world.set_link(node, false),
            Harm::PlugCable => world.set_link(node, true),
            Harm::StrayLine => {
                // Without the VIP, FAULT instead of BACKUP shows nowhere.
                let states = [VrrpState::Master, VrrpState::Backup, VrrpState::Fault];
                let known = if world.nodes[node].vip { 3 } else { 2 };
                world.stray_line(node, states[self.rng.below(known) as usize]);
            }
            Harm::LoseLines => world.nodes[node].lose_lines = 1 + self.rng.below(3) as u32,
            Harm::Switchover => world.ask_switchover(node, None),
            Harm::Force => world.ask(node, RedisRequest::Promote),
            Harm::PauseBriefly => world.pause(node, "simulated", Some(self.rng.below(20 * SECOND))),
            Harm::Pause => world.pause(node, "simulated", None),
            Harm::FailRoleOrders => {
                let word = if self.rng.chance(50) {
                    "promote"
                } else {
                    "follow"
                };
                let times = 1 + self.rng.below(4) as u32;
                world.nodes[node].failing.insert(word.to_owned(), times);
            }
            Harm::FailTrackFiles => {
                let word = if self.rng.chance(50) {
                    "set-eligible"
                } else {
                    "set-bias"
                };
                world.nodes[node].failing.insert(word.to_owned(), 1);
            }
            Harm::SlowRoleOrders => {
                let word = if self.rng.chance(50) {
                    "promote"
                } else {
                    "follow"
                };
                let us = self.rng.below(2 * SECOND);
                world.nodes[node].taking_us.insert(word.to_owned(), us);
            }
            Harm::VoterDown => {
                let voter = self.rng.below(world.voters.len().max(1) as u64) as usize;
                let up = self.rng.chance(50);
                if let Some(voter) = world.voters.get_mut(voter) {
                    voter.up = up;
                }
            }
            Harm::VoterHides => {
                let voter = self.rng.below(world.voters.len().max(1) as u64) as usize;
                if let Some(voter) = world.voters.get_mut(voter) {
                    voter.hidden_from = Some(node);
                }
            }
            Harm::PartitionWithVoters => {
                world.set_side(node, 1);
                for voter in &mut world.voters {
                    voter.side = 1;
                }
            }
            Harm::Write => {
                // Where nobody serves, a client is refused: that is what the harm is about.
                let _ = world.write(1 + self.rng.below(100));
            }
        }
    }

    fn do_harm_to_redis(&mut self, node: usize, harm: ToRedis) {
        let world = &mut self.world;
        match harm {
            ToRedis::Save => world.save_redis(node),
            ToRedis::Kill => world.kill_redis(node),
            ToRedis::Start => {
                let loading_us = self.rng.below(4) * 5 * SECOND;
                let as_master = self.rng.chance(20);
                let empty = self.rng.chance(20);
                let stale = !empty && self.rng.chance(20);
                world.start_redis(
                    node,
                    Boot {
                        empty,
                        stale,
                        as_master,
                        loading_us,
                    },
                );
            }
            ToRedis::StartAsReplica => world.start_redis(node, Boot::default()),
            ToRedis::Hang => world.stall(node, Part::Redis),
            ToRedis::Wake => world.resume(node, Part::Redis),
            ToRedis::Slow => world.nodes[node].redis.latency_us = self.rng.below(700 * MS),
            ToRedis::RotatePassword => world.nodes[node].redis.auth_ok = false,
            ToRedis::FillDisk => world.nodes[node].redis.misconf = true,
            ToRedis::Meddle => {
                let to = self
                    .rng
                    .chance(50)
                    .then(|| address((node + 1) % world.nodes.len()));
                // A Redis that is down cannot be meddled with.
                let _ = world.redis_cli(node, to);
            }
        }
    }

    /// Mends everything.
    fn heal(&mut self) {
        self.done.push(format!("{} ms: heal", self.world.now / MS));
        let world = &mut self.world;
        for node in 0..world.nodes.len() {
            PARTS.into_iter().for_each(|part| world.resume(node, part));
            let host = &mut world.nodes[node];
            host.side = 0;
            host.vrrp_cut = false;
            host.lose_lines = 0;
            host.failing.clear();
            host.taking_us.clear();
            host.redis.auth_ok = true;
            host.redis.misconf = false;
            host.redis.latency_us = 400;
            if !host.booted {
                world.boot_host(node);
            }
            world.set_link(node, true);
            world.start_all(node);
        }
        for voter in &mut world.voters {
            (voter.up, voter.side, voter.hidden_from) = (true, 0, None);
        }
        // An agent hears of the end of its pause when it is ready.
        world.run(3 * SECOND);
        for node in 0..world.nodes.len() {
            world.start_keepalived(node);
            world.unpause(node);
        }
    }

    /// What has healed can do what it is for.
    fn fail_over(&mut self) {
        let Ok(primary) = self.world.write(1) else {
            panic!("SEED {}: the healed world takes no write", self.seed);
        };
        self.world.kill_redis(primary);
        self.world.run(5 * SECOND);
        let next = self.world.write(1);
        assert!(
            next.as_ref().is_ok_and(|&node| node != primary),
            "SEED {}: no failover of the healed world: {next:?}",
            self.seed
        );
        self.world.start_redis(primary, Boot::default());
        self.world.run(SETTLING_US);
        self.expect_nothing_wrong(World::when_healed);
    }

    fn expect_nothing_wrong(&self, check: impl Fn(&World) -> Vec<String>) {
        let wrong = check(&self.world);
        let story = &self.world.told;
        assert!(
            wrong.is_empty(),
            "SEED {}: {}\n\nwhat was done:\n{}\n\nthe end of the story:\n{}",
            self.seed,
            wrong.join("\n"),
            self.done.join("\n"),
            story[story.len().saturating_sub(120)..].join("\n"),
        );
    }
}

const PARTS: [Part; 3] = [Part::Keepalived, Part::Redis, Part::Agent];

#[derive(Debug, Clone, Copy)]
enum Harm {
    Redis(ToRedis),
    KillAgent,
    StopAgent,
    StartAgent,
    ReloadAgent,
    KillKeepalived,
    StopKeepalived,
    StartKeepalived,
    FreezeKeepalived,
    FreezeAgent,
    FreezeHost,
    Thaw,
    CrashHost,
    Partition,
    CutVrrp,
    PullCable,
    PlugCable,
    LoseLines,
    StrayLine,
    Switchover,
    Force,
    PauseBriefly,
    Pause,
    FailRoleOrders,
    FailTrackFiles,
    SlowRoleOrders,
    Write,
    JumpClock,
    Ack,
    VoterDown,
    VoterHides,
    PartitionWithVoters,
}

#[derive(Debug, Clone, Copy)]
enum ToRedis {
    Save,
    Kill,
    Start,
    Hang,
    Wake,
    Slow,
    RotatePassword,
    FillDisk,
    Meddle,
    StartAsReplica,
}

/// What the rules heal, some of it more often.
const HARMS: [Harm; 43] = [
    Harm::Redis(ToRedis::Save),
    Harm::Redis(ToRedis::Kill),
    Harm::Redis(ToRedis::Kill),
    Harm::Redis(ToRedis::Kill),
    Harm::Redis(ToRedis::Start),
    Harm::Redis(ToRedis::Start),
    Harm::Redis(ToRedis::Start),
    Harm::Redis(ToRedis::Hang),
    Harm::Redis(ToRedis::Wake),
    Harm::Redis(ToRedis::Slow),
    Harm::Redis(ToRedis::RotatePassword),
    Harm::Redis(ToRedis::FillDisk),
    Harm::Redis(ToRedis::Meddle),
    Harm::KillAgent,
    Harm::KillAgent,
    Harm::StopAgent,
    Harm::StartAgent,
    Harm::StartAgent,
    Harm::ReloadAgent,
    Harm::KillKeepalived,
    Harm::StopKeepalived,
    Harm::StartKeepalived,
    Harm::FreezeKeepalived,
    Harm::FreezeAgent,
    Harm::FreezeHost,
    Harm::Thaw,
    Harm::CrashHost,
    Harm::Partition,
    Harm::CutVrrp,
    Harm::PullCable,
    Harm::PlugCable,
    Harm::Switchover,
    Harm::Switchover,
    Harm::Force,
    Harm::PauseBriefly,
    Harm::Pause,
    Harm::FailRoleOrders,
    Harm::SlowRoleOrders,
    Harm::FailTrackFiles,
    Harm::StrayLine,
    Harm::Write,
    Harm::JumpClock,
    Harm::Ack,
];

/// What happens where votes are needed to lead.
const QUORUM_HARMS: [Harm; 21] = [
    Harm::Redis(ToRedis::Kill),
    Harm::Redis(ToRedis::Kill),
    Harm::Redis(ToRedis::StartAsReplica),
    Harm::Redis(ToRedis::StartAsReplica),
    Harm::Redis(ToRedis::StartAsReplica),
    Harm::StopKeepalived,
    Harm::StartKeepalived,
    Harm::KillKeepalived,
    Harm::CrashHost,
    Harm::Partition,
    Harm::Partition,
    Harm::PartitionWithVoters,
    Harm::CutVrrp,
    Harm::PullCable,
    Harm::PlugCable,
    Harm::Switchover,
    Harm::ReloadAgent,
    Harm::Write,
    Harm::VoterDown,
    Harm::VoterDown,
    Harm::VoterHides,
];

/// What they do not heal: a lost BACKUP line shows nowhere. `RHA_ALL_HARMS=1` adds it.
const UNHEALED: [Harm; 1] = [Harm::LoseLines];
