//! Who keeps rha busy in a round: keepalived's FIFO, notify scripts, operators, and somebody who reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rha::model::event::Event;
use rha::model::record::{Record, Seq};
use rha::model::vrrp::Notification;

use crate::ask::Ask;
use crate::clock::{PATIENCE, now, until};
use crate::dice::Dice;
use crate::world::World;

/// Whose words are in order among themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// Lines in the FIFO.
    Fifo,
    /// `rha-event` with arguments, one call after the other.
    Script,
    /// Pauses and resumes over the socket.
    Operator,
}

impl Writer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fifo, Self::Script, Self::Operator];
}

/// Something that rha was told.
#[derive(Debug, Clone)]
pub struct Told {
    /// As it must stand in the journal.
    pub what: String,
    /// It was acknowledged. What was not may be there once, or not at all.
    pub certain: bool,
    /// A round was closed since.
    pub is_settled: bool,
}

impl Told {
    /// Just told.
    pub fn new(what: String, certain: bool) -> Self {
        Self {
            what,
            certain,
            is_settled: false,
        }
    }
}

/// What each writer has told.
pub type Tellings = BTreeMap<Writer, Vec<Told>>;

/// The instance of keepalived that the world's agent knows.
const OURS: &str = "RHA_REDIS";
/// The end of a line for a name of its own: a priority that says nothing.
const PRIORITY: u64 = 100;

/// Who has told what a record holds.
pub fn writer_of(record: &Record) -> Option<(Writer, String)> {
    match &record.event {
        Event::VrrpNotified(notified) => Some(writer_of_line(&notified.notification)),
        Event::OperatorPaused { operator, .. } | Event::OperatorResumed { operator } => {
            Some((Writer::Operator, operator.command.clone()))
        }
        _ => None,
    }
}

/// Who has written a line. Those about our instance are told apart by their priority: odd ones are the FIFO's.
pub fn writer_of_line(line: &Notification) -> (Writer, String) {
    let priority = u64::from(line.priority.unwrap_or_default());
    let is_fifo = if line.name == OURS {
        priority % 2 == 1
    } else {
        line.name.starts_with('f')
    };
    let writer = if is_fifo {
        Writer::Fifo
    } else {
        Writer::Script
    };
    (writer, words(&line.name, &line.word.to_string(), priority))
}

fn words(name: &str, word: &str, priority: u64) -> String {
    format!("{name} {word} {priority}")
}

/// Counts what is told in a world, so that each thing is told from all others.
#[derive(Default)]
pub struct Numbers([AtomicU64; 3]);

impl Numbers {
    fn next(&self, writer: Writer) -> u64 {
        self.0[writer as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// The next notify line: most have a name of their own, some move our instance.
    fn line(&self, writer: Writer, dice: &mut Dice) -> [String; 3] {
        let number = self.next(writer);
        let odd = u64::from(writer == Writer::Fifo);
        let word = dice.pick(&["MASTER", "BACKUP", "MASTER", "BACKUP", "FAULT"]);
        let (name, priority) = if dice.once_in(4) {
            (OURS.to_owned(), 2 * (number % 120) + odd)
        } else {
            let initial = if odd == 1 { 'f' } else { 's' };
            (format!("{initial}{number}"), PRIORITY)
        };
        [name, word.to_owned(), priority.to_string()]
    }
}

/// What all load of a world shares.
pub struct Load<'world> {
    /// The world.
    pub world: &'world World,
    /// Numbers for what is told.
    pub numbers: &'world Numbers,
    /// Set when it is enough.
    pub enough: &'world AtomicBool,
}

impl Load<'_> {
    fn goes_on(&self) -> bool {
        !self.enough.load(Ordering::Relaxed)
    }

    /// Writes into the FIFO as keepalived does. What is in there is rha's: nothing of it may be lost.
    pub fn fifo(&self, mut dice: Dice) -> Vec<Told> {
        let mut fifo = &self.world.fifo;
        let mut told = Vec::new();
        while self.goes_on() {
            let mut text = String::new();
            let mut lines = Vec::new();
            for _ in 0..dice.between(1, 4) {
                let [name, word, priority] = self.numbers.line(Writer::Fifo, &mut dice);
                text += &format!("INSTANCE \"{name}\" {word} {priority}\n");
                lines.push(format!("{name} {word} {priority}"));
            }
            // Less than PIPE_BUF: all of it or nothing.
            let certain = fifo.write_all(text.as_bytes()).is_ok();
            if certain {
                told.extend(lines.into_iter().map(|what| Told::new(what, certain)));
            }
            thread::sleep(dice.micros(100, 3000));
        }
        told
    }

    /// Runs `rha-event` as a notify script; kills some, and says how many.
    pub fn script(&self, kills: bool, mut dice: Dice) -> anyhow::Result<(Vec<Told>, u64)> {
        let mut told = Vec::new();
        let mut killed = 0;
        while self.goes_on() {
            let line = self.numbers.line(Writer::Script, &mut dice);
            let what = line.join(" ");
            let mut script = self.run_script(&line)?;
            if kills && dice.once_in(2) {
                thread::sleep(dice.micros(0, 1500));
                script.kill()?;
                killed += 1;
            }
            let certain = script.wait()?.success();
            told.push(Told::new(what, certain));
            thread::sleep(dice.micros(0, 2000));
        }
        Ok((told, killed))
    }

    fn run_script(&self, line: &[String; 3]) -> anyhow::Result<Child> {
        let mut command: Command = self.world.event();
        command.arg("INSTANCE").args(line);
        command.stdin(Stdio::null()).stderr(self.world.open_log()?);
        Ok(command.spawn()?)
    }

    /// Pauses and resumes, by turns.
    pub fn operator(&self, ask: &Ask, mut dice: Dice) -> Vec<Told> {
        let mut told = Vec::new();
        while self.goes_on() {
            let number = self.numbers.next(Writer::Operator);
            let what = format!("order {number}");
            let certain = ask.order(dice.once_in(3), &what).is_ok();
            told.push(Told::new(what, certain));
            thread::sleep(dice.micros(100, 4000));
        }
        told
    }

    /// Reads what the agent shows. A stream that is cut off shows nothing.
    pub fn reader(&self, ask: &Ask, from: Seq, mut dice: Dice) -> Vec<Vec<Record>> {
        let mut seen = Vec::new();
        while self.goes_on() {
            seen.extend(ask.records(from));
            thread::sleep(dice.micros(3000, 10_000));
        }
        seen
    }

    /// Somebody has the journal sealed now and then, also while the agent is killed. How often it was.
    pub fn keeper(&self, ask: &Ask, mut dice: Dice) -> u64 {
        let mut compacted = 0;
        while self.goes_on() {
            thread::sleep(dice.micros(2000, 80_000));
            compacted += u64::from(ask.compact().is_ok());
        }
        compacted
    }

    /// The last words of a round: with everything up, one thing of each writer that must arrive.
    pub fn last_words(&self, ask: &Ask, told: &mut Tellings) -> anyhow::Result<()> {
        self.last_lines(told)?;
        self.last_order(ask, told)
    }

    /// A line in the FIFO, and one of a script.
    pub fn last_lines(&self, told: &mut Tellings) -> anyhow::Result<()> {
        let name = format!("f{}", self.numbers.next(Writer::Fifo));
        let text = format!("INSTANCE \"{name}\" BACKUP {PRIORITY}\n");
        let mut fifo = &self.world.fifo;
        until("the FIFO takes a line", || {
            Ok(fifo.write_all(text.as_bytes()).ok())
        })?;
        let what = words(&name, "BACKUP", PRIORITY);
        let lines = told.entry(Writer::Fifo).or_default();
        lines.push(Told::new(what, true));

        let name = format!("s{}", self.numbers.next(Writer::Script));
        let line = [name, "BACKUP".to_owned(), PRIORITY.to_string()];
        let status = self.run_script(&line)?.wait()?;
        anyhow::ensure!(status.success(), "rha-event {}: {status}", line.join(" "));
        let lines = told.entry(Writer::Script).or_default();
        lines.push(Told::new(line.join(" "), true));
        Ok(())
    }

    /// Gives orders until one is taken.
    pub fn last_order(&self, ask: &Ask, told: &mut Tellings) -> anyhow::Result<()> {
        let orders = told.entry(Writer::Operator).or_default();
        until("the agent takes an order", || {
            let what = format!("order {}", self.numbers.next(Writer::Operator));
            let certain = ask.order(false, &what).is_ok();
            orders.push(Told::new(what, certain));
            Ok(certain.then_some(()))
        })
    }

    /// Every record from `from` on, once the last words are among them.
    pub fn records_to_the_end(
        &self,
        ask: &Ask,
        from: Seq,
        told: &Tellings,
    ) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::new();
        let began = now();
        // What does not come in time is lost; the ledger says so.
        while now() - began < PATIENCE {
            records = ask.records(from)?;
            let is_there = |(writer, told): (&Writer, &Vec<Told>)| {
                told.last().is_none_or(|last| {
                    let mut newest = records.iter().rev().filter_map(writer_of);
                    newest.any(|(by, what)| by == *writer && what == last.what)
                })
            };
            if told.iter().all(is_there) {
                return Ok(records);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(records)
    }
}
