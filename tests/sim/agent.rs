//! The shell around the machine, as DESIGN.md section 2 has it: stamp, step, record, and only then act.

use std::collections::BTreeMap;

use rha::machine::{self, State};
use rha::model::drill::Drill;
use rha::model::effect::{Effect, EffectId, Outcome};
use rha::model::event::{Event, Operator, RedisRequest};
use rha::model::record::{Record, Seq};
use rha::model::redis::{Grade, Probe, RedisId, Sign};
use rha::model::time::Tilt;

use super::effects::Act as EffectAct;
use super::probe::TIMEOUT_US;
use super::{Action, MS, SECOND, World};

/// From the start of the process to its first look at the world.
const START_US: u64 = 20 * MS;
/// Four adverts.
const SILENCE_US: u64 = 400 * MS;
/// One append and flush.
const JOURNAL_US: u64 = 300;

/// The process. What outlives it are the records, the spool and the alarms on their way.
#[derive(Debug, Default)]
pub struct Agent {
    pub running: bool,
    /// It has said `AgentReady`.
    pub ready: bool,
    pub state: State,
    /// The process whose exit it will see.
    pub watches: Option<u32>,
    /// Tells what an ended process had under way from what this one has.
    pub(super) life: u64,
    attached: Option<RedisId>,
    timer: Option<u64>,
    /// A first write had not come at the last check, and the next look for it is under way.
    awaits: bool,
    looks: bool,
    /// Whose adverts it hears, and since when it has heard none.
    heard: BTreeMap<usize, u64>,
    /// What the other agents showed when it last looked.
    shown: BTreeMap<usize, Option<Sign>>,
}

impl Agent {
    pub(super) fn end(&mut self) {
        *self = Self {
            life: self.life + 1,
            ..Self::default()
        };
    }
}

/// What reaches the agent, each for one life of it.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // a few thousand of them at most
pub(super) enum Act {
    Begin(u64),
    /// The doorbell: there are lines in the spool.
    Spool(u64),
    Fact(u64, Box<Event>),
    /// A check of the local Redis; one that is not paced is not repeated.
    Check {
        life: u64,
        paced: bool,
    },
    Checked {
        life: u64,
        paced: bool,
        grade: Grade,
        took_us: u64,
        pid: u32,
    },
    AwaitWrite(u64),
    CheckPeer {
        life: u64,
        peer: usize,
        paced: bool,
    },
    PeerChecked {
        life: u64,
        peer: usize,
        grade: Grade,
        took_us: u64,
    },
    Timer(u64),
    /// Ask the voters; and again and again, or this once.
    Canvass {
        life: u64,
        again: bool,
    },
    /// Has this node fallen silent?
    Silence {
        life: u64,
        peer: usize,
    },
}

impl World {
    pub fn start_agent(&mut self, node: usize) {
        let agent = &mut self.nodes[node].agent;
        if agent.running {
            return;
        }
        agent.running = true;
        let life = agent.life;
        self.after(START_US, Action::Agent(node, Act::Begin(life)));
    }

    /// SIGKILL: what it had not recorded did not happen, what it had ordered and not done is not done.
    pub fn kill_agent(&mut self, node: usize) {
        self.nodes[node].agent.end();
    }

    /// SIGTERM.
    pub fn stop_agent(&mut self, node: usize) {
        if self.nodes[node].agent.ready {
            self.take(node, Event::AgentStopping, None);
            self.take_drain_down(node);
        }
        self.kill_agent(node);
    }

    pub fn pause(&mut self, node: usize, reason: &str, for_us: Option<u64>) {
        let until_us =
            for_us.map(|us| self.at(node).wall_us + i64::try_from(us).expect("a story is short"));
        let reason = reason.to_owned();
        let operator = operator("rha pause");
        self.inform(
            node,
            0,
            Event::OperatorPaused {
                until_us,
                reason,
                operator,
            },
        );
    }

    pub fn unpause(&mut self, node: usize) {
        let operator = operator("rha resume");
        self.inform(node, 0, Event::OperatorResumed { operator });
    }

    pub fn ask(&mut self, node: usize, request: RedisRequest) {
        let operator = operator("rha redis");
        self.inform(node, 0, Event::OperatorAsked { request, operator });
    }

    pub fn ask_switchover(&mut self, node: usize, to: Option<&str>) {
        let asked = Event::SwitchoverAsked {
            to: to.map(str::to_owned),
            within_ms: 5_000,
            operator: operator("rha switchover"),
        };
        self.inform(node, 0, asked);
    }

    /// Another host's card claims the VIP, or none does any more.
    pub fn claim_vip(&mut self, node: usize, by: Option<&str>) {
        let by = by.map(str::to_owned);
        self.inform(node, 0, Event::VipClaimed { by });
    }

    /// Said, not done: what it breaks is said beside it.
    pub fn begin_drill(&mut self, node: usize, drill: Drill, for_ms: u64) {
        let began = Event::OperatorDrilled {
            drill,
            for_ms,
            operator: operator("rha drill"),
        };
        self.inform(node, 0, began);
    }

    pub fn end_drill(&mut self, node: usize, drill: Drill) {
        let ended = Event::DrillEnded {
            drill,
            restored: true,
            how: "its time was over".to_owned(),
            operator: operator("rha drill"),
        };
        self.inform(node, 0, ended);
    }

    pub fn ack(&mut self, node: usize, note: &str) {
        let acked = Event::OperatorAcked {
            note: note.to_owned(),
            operator: operator("rha ack"),
        };
        self.inform(node, 0, acked);
    }

    /// Somebody, or something, sets the wall clock.
    pub fn jump_clock(&mut self, node: usize, by_us: i64) {
        self.nodes[node].skew_us += by_us;
        let jumped = Event::Tilted {
            why: Tilt::ClockJump,
            by_ms: by_us / 1000,
        };
        self.inform(node, 0, jumped);
    }

    /// Settings that a reload brought.
    pub fn reload(&mut self, node: usize) {
        let settings = self.nodes[node].settings.clone();
        self.inform(node, 0, Event::Configured(settings));
    }

    /// Its journal cannot be written any more, or again. Decisions are kept all the same here.
    pub fn journal_fails(&mut self, node: usize, over: bool) {
        let (at, why) = (self.at(node), "the disk is full".to_owned());
        self.inform(node, 0, Event::JournalFailed { at, why, over });
    }

    /// Tells the agent something in a while; nobody hears it where no agent runs then.
    pub(super) fn inform(&mut self, node: usize, us: u64, event: Event) {
        let life = self.nodes[node].agent.life;
        self.after(us, Action::Agent(node, Act::Fact(life, Box::new(event))));
    }

    pub(super) fn agent_acts(&mut self, node: usize, act: Act) {
        let agent = &self.nodes[node].agent;
        let (present, ready, running) = (agent.life, agent.ready, agent.running);
        match act {
            Act::Begin(life) if life == present && running => self.begin(node),
            Act::Spool(life) if life == present && ready => self.take_spool(node),
            Act::Fact(life, event) if life == present && ready => self.take(node, *event, None),
            Act::Check { life, paced } if life == present && ready => self.check_redis(node, paced),
            Act::Checked {
                life,
                paced,
                grade,
                took_us,
                pid,
            } if life == present && ready => {
                let probe = self.check_ended(node, grade, took_us, pid);
                if !self.awaits_first_write(node, &probe) || paced {
                    self.take(node, Event::RedisProbed(Probe { paced, ..probe }), None);
                }
            }
            Act::AwaitWrite(life) if life == present && ready => {
                self.nodes[node].agent.looks = false;
                self.check_redis(node, false);
            }
            Act::CheckPeer { life, peer, paced } if life == present && ready => {
                let (took_us, grade) = self.check(node, peer);
                let done = Act::PeerChecked {
                    life,
                    peer,
                    grade,
                    took_us,
                };
                self.after(took_us, Action::Agent(node, done));
                if paced {
                    let next = Act::CheckPeer { life, peer, paced };
                    self.after(SECOND, Action::Agent(node, next));
                }
            }
            Act::PeerChecked {
                life,
                peer,
                grade,
                took_us,
            } if life == present && ready => {
                let probe = self.probe(peer, grade, took_us);
                if probe.observation.is_some() {
                    self.read_sign(node, peer);
                }
                let peer = self.nodes[peer].name.clone();
                self.take(node, Event::PeerProbed { peer, probe }, None);
            }
            Act::Timer(life) if life == present && ready => self.timer_rings(node),
            Act::Canvass { life, again } if life == present && ready => self.canvass(node, again),
            Act::Silence { life, peer } if life == present && ready => {
                self.look_for_silence(node, peer);
            }
            _ => {}
        }
    }

    /// Fold, look at the world, say so.
    fn begin(&mut self, node: usize) {
        let folded = self.refold(node).expect("the records replay");
        self.nodes[node].agent.state = folded;
        let pid = u32::try_from(self.nodes[node].agent.life + 1).expect("a story is short");
        let version = "0.1.0".to_owned();
        self.take(node, Event::AgentStarted { version, pid }, None);
        let settings = self.nodes[node].settings.clone();
        self.take(node, Event::Configured(settings), None);
        self.reconcile_effects(node);
        self.take_spool(node);
        self.nodes[node].drain = false;
        let (took_us, grade) = self.check(node, node);
        let pid = self.nodes[node].redis.pid;
        let probe = self.check_ended(node, grade, took_us.min(TIMEOUT_US), pid);
        self.take(node, Event::RedisProbed(probe), None);
        let vip_here = self.nodes[node].vip;
        let keepalived = Some(self.nodes[node].keepalived.running);
        self.nodes[node].agent.ready = true;
        self.take(
            node,
            Event::AgentReady {
                vip_here,
                keepalived,
            },
            None,
        );
        let life = self.nodes[node].agent.life;
        // Nodes do not check at the same moment.
        let phase = 100 * MS * node as u64;
        self.after(
            SECOND + phase,
            Action::Agent(node, Act::Check { life, paced: true }),
        );
        for peer in (0..self.nodes.len()).filter(|&peer| peer != node) {
            let first = phase + 50 * MS * (peer as u64 + 1);
            let paced = true;
            self.after(
                first,
                Action::Agent(node, Act::CheckPeer { life, peer, paced }),
            );
        }
        self.nodes[node].canvass = super::quorum::Canvass::default();
        self.after(MS, Action::Agent(node, Act::Canvass { life, again: true }));
        self.after(0, Action::Effect(node, EffectAct::Mail(life)));
    }

    /// The state that the records fold to.
    ///
    /// # Errors
    /// The first record that is not decided again as it was.
    pub fn refold(&self, node: usize) -> Result<State, String> {
        let mut state = State::default();
        for kept in &self.nodes[node].records {
            let again = machine::decide(
                &mut state,
                kept.seq,
                kept.at,
                &kept.instance,
                kept.cause,
                kept.event.clone(),
            );
            if again != *kept {
                return Err(format!("kept:  {kept:#?}\nagain: {again:#?}"));
            }
        }
        Ok(state)
    }

    /// The orders of an earlier life without an outcome: alarms are sent, of the others it is not known.
    fn reconcile_effects(&mut self, node: usize) {
        for (id, effect) in self.unfinished(node) {
            let order = effect.to_string();
            if let Effect::SendAlarm { alarm, .. } = effect {
                self.nodes[node].lanes.mail.insert(id, alarm);
            } else {
                let outcome = Outcome::Failed("the agent ended before it was confirmed".to_owned());
                let finished = Event::EffectFinished {
                    effect: id,
                    order,
                    outcome,
                };
                self.take(node, finished, Some(id.seq));
            }
        }
    }

    /// Every effect in the records that has no outcome.
    pub fn unfinished(&self, node: usize) -> Vec<(EffectId, Effect)> {
        let mut open = std::collections::BTreeMap::new();
        for Record {
            seq,
            event,
            decision,
            ..
        } in &self.nodes[node].records
        {
            if let Event::EffectFinished { effect, .. } = event {
                open.remove(effect);
            }
            for (index, effect) in (0..).zip(&decision.effects) {
                open.insert(EffectId { seq: *seq, index }, effect.clone());
            }
        }
        open.into_iter().collect()
    }

    /// What the spool has behind the last line in the records: each line is taken in once.
    fn take_spool(&mut self, node: usize) {
        let taken = self.nodes[node]
            .records
            .iter()
            .rev()
            .find_map(|record| record.event.spool());
        let taken = taken.map_or(0, |position| position.offset);
        let from = usize::try_from(taken).expect("a story is short");
        let lines = self.nodes[node].spool.split_off(from);
        if self.nodes[node].agent.ready && !lines.is_empty() {
            self.nudge(node);
            self.look_at_others(node);
        }
        for line in lines {
            self.nodes[node].spool.push(line.clone());
            self.take(node, Event::VrrpNotified(line), None);
        }
    }

    /// A new primary's first write is looked for often. True where it was awaited before, and has not come.
    fn awaits_first_write(&mut self, node: usize, probe: &Probe) -> bool {
        let seen = probe.observation.as_ref();
        let awaits = seen.is_some_and(|seen| seen.is_untouched() && seen.replicas_online == 0);
        let agent = &mut self.nodes[node].agent;
        let awaited = std::mem::replace(&mut agent.awaits, awaits);
        if awaits && !std::mem::replace(&mut agent.looks, true) {
            let life = agent.life;
            self.after(50 * MS, Action::Agent(node, Act::AwaitWrite(life)));
        }
        awaited && awaits
    }

    /// At once, and again: the other one may be told of it a moment later.
    fn look_at_others(&mut self, node: usize) {
        let life = self.nodes[node].agent.life;
        for peer in (0..self.nodes.len()).filter(|&peer| peer != node) {
            for look in 0..4 {
                let paced = false;
                self.after(
                    look * 50 * MS,
                    Action::Agent(node, Act::CheckPeer { life, peer, paced }),
                );
            }
        }
    }

    fn check_redis(&mut self, node: usize, paced: bool) {
        let life = self.nodes[node].agent.life;
        let pid = self.nodes[node].redis.pid;
        let (took_us, grade) = self.check(node, node);
        let done = Act::Checked {
            life,
            paced,
            grade,
            took_us,
            pid,
        };
        self.after(took_us, Action::Agent(node, done));
        if paced {
            self.after(SECOND, Action::Agent(node, Act::Check { life, paced }));
        }
    }

    /// What it found; a process that was not seen before is announced first.
    fn check_ended(&mut self, node: usize, grade: Grade, took_us: u64, pid: u32) -> Probe {
        let redis = &self.nodes[node].redis;
        let died = !redis.running || redis.pid != pid;
        let grade = if died && grade != Grade::Refused {
            Grade::Unreachable
        } else {
            grade
        };
        let (pid, run_id) = (redis.pid, redis.run_id);
        let probe = self.probe(node, grade, took_us);
        let agent = &mut self.nodes[node].agent;
        if probe.observation.is_some() && agent.attached != Some(run_id) {
            agent.attached = Some(run_id);
            agent.watches = Some(pid);
            let version = "7.0.15".to_owned();
            let attached = Event::RedisAttached {
                pid,
                run_id,
                version,
                watched: true,
            };
            self.take(node, attached, None);
        }
        probe
    }

    /// What the agent there shows at its Redis, where it is something else than before. One that stands still shows it on.
    fn read_sign(&mut self, node: usize, peer: usize) {
        let other = &self.nodes[peer].agent;
        let sign = other.ready.then(|| other.state.sign());
        let shown = &mut self.nodes[node].agent.shown;
        if shown.insert(peer, sign) != Some(sign) {
            let peer = self.nodes[peer].name.clone();
            self.take(node, Event::PeerSigned { peer, sign }, None);
        }
    }

    /// A copy of each advert, whatever keepalived makes of it.
    pub(super) fn hear_advert(&mut self, node: usize, peer: usize, priority: u8) {
        let agent = &mut self.nodes[node].agent;
        if !agent.ready {
            return;
        }
        let was_heard = if priority == 0 {
            agent.heard.remove(&peer)
        } else {
            agent.heard.insert(peer, self.now)
        };
        if was_heard.is_some() != (priority > 0) {
            self.tell_advertised(node, peer, priority > 0);
        }
        if was_heard.is_none() && priority > 0 {
            let life = self.nodes[node].agent.life;
            self.after(SILENCE_US, Action::Agent(node, Act::Silence { life, peer }));
        }
    }

    fn look_for_silence(&mut self, node: usize, peer: usize) {
        let agent = &mut self.nodes[node].agent;
        let Some(last) = agent.heard.get(&peer).copied() else {
            return;
        };
        if self.now - last >= SILENCE_US {
            agent.heard.remove(&peer);
            self.tell_advertised(node, peer, false);
        } else {
            let life = agent.life;
            let left = last + SILENCE_US - self.now;
            self.after(left, Action::Agent(node, Act::Silence { life, peer }));
        }
    }

    fn tell_advertised(&mut self, node: usize, peer: usize, heard: bool) {
        let peer = self.nodes[peer].name.clone();
        self.inform(node, 0, Event::PeerAdvertised { peer, heard });
        if heard {
            self.look_at_others(node);
        }
    }

    fn timer_rings(&mut self, node: usize) {
        let mono = self.mono(node);
        self.nodes[node].agent.timer = None;
        for _ in 0..8 {
            let next = self.nodes[node].agent.state.next_deadline();
            let Some((deadline, armed)) = next.filter(|(_, armed)| armed.due_us <= mono) else {
                break;
            };
            self.take(node, Event::DeadlinePassed { deadline }, Some(armed.by));
        }
        self.set_timer(node);
    }

    fn set_timer(&mut self, node: usize) {
        let mono = self.mono(node);
        let agent = &mut self.nodes[node].agent;
        let Some((_, armed)) = agent.state.next_deadline() else {
            return;
        };
        if agent.timer.is_some_and(|set| set <= armed.due_us) {
            return;
        }
        agent.timer = Some(armed.due_us);
        let life = agent.life;
        let wait = armed.due_us.saturating_sub(mono);
        self.after(wait, Action::Agent(node, Act::Timer(life)));
    }

    /// Stamp, step, record; the effects follow when the record is on the disk.
    pub(super) fn take(&mut self, node: usize, event: Event, cause: Option<Seq>) {
        let at = self.at(node);
        let host = &mut self.nodes[node];
        let seq = Seq(host.records.len() as u64 + 1);
        let state = &mut host.agent.state;
        let record = machine::decide(state, seq, at, "redis", cause, event);
        self.tell_record(node, &record);
        if !record.decision.effects.is_empty() {
            let life = self.nodes[node].agent.life;
            // Effects are handed out in the order of their records.
            let us = self.lag(JOURNAL_US);
            let flushed = &mut self.nodes[node].lanes.flushed;
            *flushed = (*flushed).max(self.now + us);
            let us = *flushed - self.now;
            self.after(us, Action::Effect(node, EffectAct::Start(life, seq)));
        }
        self.nodes[node].records.push(record);
        self.set_timer(node);
    }

    /// Asks for a check at once, as every finished order does.
    pub(super) fn nudge(&mut self, node: usize) {
        let life = self.nodes[node].agent.life;
        self.after(0, Action::Agent(node, Act::Check { life, paced: false }));
    }
}

fn operator(command: &str) -> Operator {
    Operator {
        uid: 0,
        user: "root".to_owned(),
        command: command.to_owned(),
    }
}
