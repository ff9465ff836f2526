//! keepalived as it was measured: VRRP v3, `nopreempt` that holds in BACKUP only, a track file that means
//! FAULT, and lines into a FIFO. RFC 5798 section 6.4.

use rha::model::event::Event;
use rha::model::vrrp::{Notification, Notified, SpoolPosition, Subject, VrrpState, Word};

use super::agent::Act as AgentAct;
use super::{Action, MS, World};

/// One advert each.
const ADVERT_US: u64 = 100 * MS;
/// From a renamed track file to keepalived's reaction.
const TRACK_US: u64 = 300;
/// How long one packet takes.
const WIRE_US: u64 = 100;
/// From the VIP on the interface to the line in the FIFO.
const LINE_US: u64 = 50;

/// The process, and its one instance.
#[derive(Debug, Default)]
pub struct Keepalived {
    pub running: bool,
    /// FAULT, BACKUP or MASTER while it runs.
    pub state: Option<VrrpState>,
    /// Tells a timer that was set anew, or a process that ended, from the present one.
    life: u64,
    timer: u64,
    seen_bias: u8,
}

impl Keepalived {
    pub(super) fn end(&mut self) {
        self.running = false;
        self.state = None;
        self.life += 1;
        self.timer += 1;
    }
}

/// What keepalived does by itself.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// It has read its configuration.
    Begin(u64),
    /// It looks at its track files and at the interface.
    Look(u64),
    /// `Master_Down_Timer` ran out.
    Down(u64),
    /// The next advert is due.
    Tick(u64),
    /// An advert arrived.
    Advert {
        from: usize,
        priority: u8,
    },
    /// It writes STOP, then ends.
    Stopped(u64),
    Ended(u64),
}

impl World {
    pub fn start_keepalived(&mut self, node: usize) {
        let keepalived = &mut self.nodes[node].keepalived;
        if keepalived.running {
            return;
        }
        keepalived.end();
        keepalived.running = true;
        let life = keepalived.life;
        self.after(50 * MS, Action::Keepalived(node, Act::Begin(life)));
        self.inform(node, 60 * MS, Event::KeepalivedChanged { running: true });
    }

    /// SIGTERM: priority 0, VIP away, STOP, and a second later the process is gone.
    pub fn stop_keepalived(&mut self, node: usize) {
        if !self.nodes[node].keepalived.running {
            return;
        }
        self.advertise(node, 0);
        self.set_vip(node, false);
        let keepalived = &mut self.nodes[node].keepalived;
        keepalived.state = None;
        keepalived.timer += 1;
        let life = keepalived.life;
        self.after(17 * MS, Action::Keepalived(node, Act::Stopped(life)));
        self.after(1_000 * MS, Action::Keepalived(node, Act::Ended(life)));
    }

    /// SIGKILL of all its processes: the VIP stays where it is.
    pub fn kill_keepalived(&mut self, node: usize) {
        if !self.nodes[node].keepalived.running {
            return;
        }
        self.nodes[node].keepalived.end();
        self.inform(node, MS, Event::KeepalivedChanged { running: false });
    }

    /// It says its state once more, as after some reloads.
    pub fn repeat_line(&mut self, node: usize) {
        if let Some(state) = self.nodes[node].keepalived.state {
            self.write_line(node, Word::State(state));
        }
    }

    /// A line that is not true: late, out of order, or somebody's who tries the notify script by hand.
    pub fn stray_line(&mut self, node: usize, state: VrrpState) {
        self.write_line(node, Word::State(state));
    }

    /// A track file or the cable changed.
    pub(super) fn keepalived_notices(&mut self, node: usize, us: u64) {
        let life = self.nodes[node].keepalived.life;
        let us = self.lag(us);
        self.after(us, Action::Keepalived(node, Act::Look(life)));
    }

    pub fn track_file_written(&mut self, node: usize) {
        self.keepalived_notices(node, TRACK_US);
    }

    pub(super) fn keepalived_acts(&mut self, node: usize, act: Act) {
        let keepalived = &self.nodes[node].keepalived;
        let (life, timer) = (keepalived.life, keepalived.timer);
        match act {
            Act::Begin(then) if then == life => {
                self.set_vip(node, false);
                let first = if self.may_serve(node) {
                    VrrpState::Backup
                } else {
                    VrrpState::Fault
                };
                self.enter(node, first);
            }
            Act::Look(then) if then == life => self.look(node),
            Act::Down(then) if then == timer => self.enter(node, VrrpState::Master),
            Act::Tick(then) if then == timer => {
                self.advertise(node, self.priority(node));
                self.after(ADVERT_US, Action::Keepalived(node, Act::Tick(timer)));
            }
            Act::Advert { from, priority } => {
                self.hear_advert(node, from, priority);
                self.heard(node, from, priority);
            }
            Act::Stopped(then) if then == life => {
                self.write_line(node, Word::State(VrrpState::Stop));
            }
            Act::Ended(then) if then == life => self.kill_keepalived(node),
            Act::Begin(_)
            | Act::Look(_)
            | Act::Down(_)
            | Act::Tick(_)
            | Act::Stopped(_)
            | Act::Ended(_) => {}
        }
    }

    fn may_serve(&self, node: usize) -> bool {
        self.nodes[node].eligible && self.nodes[node].link_up
    }

    /// The effective priority.
    pub fn priority(&self, node: usize) -> u8 {
        self.nodes[node].priority + self.nodes[node].bias
    }

    fn look(&mut self, node: usize) {
        let may = self.may_serve(node);
        let Some(state) = self.nodes[node].keepalived.state else {
            return;
        };
        match (state, may) {
            (VrrpState::Master, false) => {
                self.advertise(node, 0);
                self.enter(node, VrrpState::Fault);
            }
            (VrrpState::Backup, false) => self.enter(node, VrrpState::Fault),
            (VrrpState::Fault, true) => self.enter(node, VrrpState::Backup),
            _ => {}
        }
        let host = &mut self.nodes[node];
        if std::mem::replace(&mut host.keepalived.seen_bias, host.bias) != host.bias {
            self.write_line(node, Word::PriorityChanged);
        }
    }

    fn enter(&mut self, node: usize, state: VrrpState) {
        let keepalived = &mut self.nodes[node].keepalived;
        keepalived.state = Some(state);
        keepalived.timer += 1;
        let timer = keepalived.timer;
        self.set_vip(node, state == VrrpState::Master);
        match state {
            VrrpState::Master => self.after(0, Action::Keepalived(node, Act::Tick(timer))),
            VrrpState::Backup => self.wait_for_master(node, 3 * ADVERT_US),
            _ => {}
        }
        self.write_line(node, Word::State(state));
    }

    /// Sets `Master_Down_Timer` to `us` and the skew time.
    fn wait_for_master(&mut self, node: usize, us: u64) {
        let skew = (256 - u64::from(self.priority(node))) * ADVERT_US / 256;
        let keepalived = &mut self.nodes[node].keepalived;
        keepalived.timer += 1;
        let timer = keepalived.timer;
        self.after(us + skew, Action::Keepalived(node, Act::Down(timer)));
    }

    fn advertise(&mut self, from: usize, priority: u8) {
        for to in 0..self.nodes.len() {
            let cut = self.nodes[from].vrrp_cut || self.nodes[to].vrrp_cut;
            if to != from && !cut && self.reaches(from, to) {
                let advert = Act::Advert { from, priority };
                self.after(WIRE_US, Action::Keepalived(to, advert));
            }
        }
    }

    fn heard(&mut self, node: usize, from: usize, priority: u8) {
        match self.nodes[node].keepalived.state {
            // nopreempt: any advert is respected, whatever its priority.
            Some(VrrpState::Backup) if priority == 0 => self.wait_for_master(node, 0),
            Some(VrrpState::Backup) => self.wait_for_master(node, 3 * ADVERT_US),
            // Two masters: the priority decides, then the address. nopreempt is not asked.
            Some(VrrpState::Master) if (priority, from) > (self.priority(node), node) => {
                self.enter(node, VrrpState::Backup);
            }
            Some(VrrpState::Master) => {
                self.write_line(node, Word::RxLowerPriority);
                self.advertise(node, self.priority(node));
            }
            _ => {}
        }
    }

    /// Puts the VIP on the interface or takes it off; the kernel tells the agent.
    pub fn set_vip(&mut self, node: usize, here: bool) {
        let now = self.now;
        let host = &mut self.nodes[node];
        if host.vip == here {
            return;
        }
        host.vip = here;
        host.vip_since = now;
        self.settle_links();
        self.inform(node, 20, Event::VipChanged { here });
    }

    fn write_line(&mut self, node: usize, word: Word) {
        let host = &mut self.nodes[node];
        if host.lose_lines > 0 {
            host.lose_lines -= 1;
            let line = format!("{}  keepalived's line {word} is lost", host.name);
            self.tell(&line);
            return;
        }
        let priority = u16::from(self.priority(node));
        let stamped = self.at(node);
        let host = &mut self.nodes[node];
        let offset = host.spool.len() as u64 + 1;
        host.spool.push(Notified {
            notification: Notification {
                subject: Subject::Instance,
                name: "RHA_REDIS".to_owned(),
                word,
                priority: Some(priority),
                raw: None,
            },
            stamped,
            spool: Some(SpoolPosition { segment: 0, offset }),
        });
        let life = host.agent.life;
        let us = self.lag(LINE_US);
        self.after(us, Action::Agent(node, AgentAct::Spool(life)));
    }
}
