//! Records as an agent makes them: decided by the machine, told by a pair that fails over now and then.

use rha::model::event::Event;
use rha::model::record::{Record, Seq};
use rha::model::redis::{Grade, Probe};
use rha::model::vrrp::VrrpState;

use crate::fixture::{self, Story};

/// Records without an end, from the first one of a journal on.
pub struct Told {
    story: Story,
    ready: std::vec::IntoIter<Record>,
    primary: bool,
    next_failover: u64,
    calm: u64,
    /// What Redis counts.
    offset: i64,
}

impl Told {
    /// `calm` records from one failover to the next.
    pub fn new(calm: u64) -> Self {
        let mut story = Story::default();
        story.start(true);
        story.lead();
        Self {
            story,
            ready: Vec::new().into_iter(),
            primary: true,
            next_failover: calm,
            calm,
            offset: 123_456,
        }
    }

    /// The next second, or the next failover.
    fn tell(&mut self) {
        let Seq(seq) = self.story.seq;
        if seq >= self.next_failover {
            self.next_failover += self.calm;
            if self.primary {
                self.lose();
            } else {
                self.win();
            }
            self.primary = !self.primary;
            return;
        }
        // A busy Redis, and an operating system that wakes nobody on the microsecond.
        let noise = noise(seq);
        self.offset += 14 + i64::from(noise % 40_000);
        self.story.now.mono_us += u64::from(noise >> 8) % 1_500;
        self.story.now.wall_us += i64::from(noise >> 8) % 1_500 + i64::from(noise >> 20) % 3;
        let (own, other) = if self.primary {
            (fixture::master(1), fixture::replica(true))
        } else {
            (fixture::replica(true), fixture::master(1))
        };
        let (own, other) = (self.counted(own, seq), self.counted(other, seq / 3));
        self.story.check(own);
        self.see(other);
    }

    /// The local Redis dies, the other node takes over, and this one comes back as its replica.
    fn lose(&mut self) {
        let story = &mut self.story;
        story.tell(Event::RedisExited { pid: 900 });
        story.obey();
        story.notify(VrrpState::Fault);
        story.tell(Event::VipChanged { here: false });
        story.check(fixture::failed(Grade::Refused, 90));
        self.see(fixture::master(0));
        let story = &mut self.story;
        story.tell(Event::RedisAttached {
            pid: 900,
            run_id: fixture::id(1),
            version: "8.0.2".to_owned(),
            watched: true,
        });
        for _ in 0..4 {
            story.check(fixture::replica(false));
            story.obey();
        }
        story.notify(VrrpState::Backup);
        story.obey();
        story.check(fixture::replica(true));
        story.obey();
        self.see(fixture::master(1));
    }

    /// The other node's Redis dies, and this one takes over.
    fn win(&mut self) {
        self.see(fixture::failed(Grade::Refused, 90));
        let story = &mut self.story;
        story.notify(VrrpState::Master);
        story.obey();
        story.tell(Event::VipChanged { here: true });
        for online in [0, 0, 1, 1] {
            story.check(fixture::master(online));
            story.obey();
        }
        self.see(fixture::replica(true));
    }

    fn see(&mut self, probe: Probe) {
        let peer = "lvs2".to_owned();
        self.story.tell(Event::PeerProbed { peer, probe });
    }

    /// A check with what changes from one to the next; the numbers need no chance to differ.
    fn counted(&self, mut probe: Probe, seq: u64) -> Probe {
        probe.latency_us = 180 + noise(seq) % 400;
        if let Some(seen) = &mut probe.observation {
            seen.offset = self.offset;
            seen.keys = 1_000_000 + u64::from(noise(seq) % 50);
        }
        probe
    }
}

impl Iterator for Told {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            self.tell();
            self.story.obeyed = 0;
            self.ready = std::mem::take(&mut self.story.records).into_iter();
        }
    }
}

/// The same for the same number.
fn noise(seq: u64) -> u32 {
    (seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Records that are each stored at once, numbered from `first`: those of a failover, again and again.
pub fn notable(first: Seq) -> impl Iterator<Item = Record> {
    let is_check =
        |event: &Event| matches!(event, Event::RedisProbed(_) | Event::PeerProbed { .. });
    let records: Vec<_> = fixture::failover()
        .into_iter()
        .filter(|record| !is_check(&record.event))
        .collect();
    let mut seq = first;
    std::iter::repeat_with(move || records.clone())
        .flatten()
        .map(move |mut record| {
            record.seq = seq;
            record.cause = None;
            seq = seq.next();
            record
        })
}
