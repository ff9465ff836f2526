//! One round: load, trouble, and the books.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, anyhow, ensure};
use rha::journal::Reader;
use rha::model::event::Event;
use rha::model::record::{Record, Seq};

use crate::ask::Ask;
use crate::clock::until;
use crate::dice::Dice;
use crate::fault::{Kind, calm, strike, tear};
use crate::ledger::{Ledger, Tally};
use crate::load::{Load, Numbers, Tellings, Writer};
use crate::world::{Crew, World, tail};

/// What the rounds of one world share.
pub struct Rounds<'world> {
    world: &'world World,
    crew: Crew<'world>,
    ledger: Ledger,
    numbers: Numbers,
    /// One for each of those who ask.
    asks: [Ask; 3],
}

/// What came of a round.
#[derive(Default)]
pub struct Outcome {
    /// The books.
    pub tally: Tally,
    /// Processes killed, scripts not counted.
    pub kills: u64,
    /// The journal was damaged, set aside, and this was said: the world is at its end.
    pub quarantined: bool,
}

impl<'world> Rounds<'world> {
    /// Everything is up.
    pub fn begin(world: &'world World) -> anyhow::Result<Self> {
        let ask = || Ask::new(&world.socket());
        Ok(Self {
            world,
            crew: Crew::start(world)?,
            ledger: Ledger::default(),
            numbers: Numbers::default(),
            asks: [ask()?, ask()?, ask()?],
        })
    }

    /// Plays a round.
    pub fn play(&mut self, kind: Kind, dice: &mut Dice) -> anyhow::Result<Outcome> {
        let (mut told, seen, kills) = self.under_load(kind, dice)?;
        let mut outcome = Outcome {
            kills,
            ..Outcome::default()
        };
        let enough = AtomicBool::new(true);
        let load = Load {
            world: self.world,
            numbers: &self.numbers,
            enough: &enough,
        };
        let ask = &self.asks[0];
        if kind.tears() {
            tear(kind, self.world, &mut self.crew, dice)?;
            // An order that is taken says that the journal is open and the spool taken in.
            load.last_order(ask, &mut told)?;
            self.crew.start_follower()?;
        }
        load.last_words(ask, &mut told)?;
        if kind == Kind::TornJournal && self.is_quarantined()? {
            outcome.quarantined = true;
            return Ok(outcome);
        }
        let heard = self.world.sink.ids();
        let records = load.records_to_the_end(ask, self.ledger.next(), &told)?;
        outcome.tally = self.ledger.check_alarms(&heard);
        self.ledger.heard(self.world.sink.ids().len());
        let damage = records
            .iter()
            .any(|record| matches!(record.event, Event::SpoolDamaged { .. }));
        let mut books = self.ledger.close_round(&told, &seen, records);
        if kind == Kind::TornSpool {
            forgive_a_torn_line(&mut books, damage);
        } else if damage {
            books.strange += 1;
            books.told.push("the spool is called damaged".to_owned());
        }
        outcome.tally.add(books);
        Ok(outcome)
    }

    /// What was told and seen while the trouble came, and how many processes were killed.
    fn under_load(
        &mut self,
        kind: Kind,
        dice: &mut Dice,
    ) -> anyhow::Result<(Tellings, Vec<Vec<Record>>, u64)> {
        let enough = AtomicBool::new(false);
        let load = Load {
            world: self.world,
            numbers: &self.numbers,
            enough: &enough,
        };
        let load = &load;
        let crew = &mut self.crew;
        let [_, operator, reader] = &mut self.asks;
        let (operator, reader) = (&*operator, &*reader);
        let from = self.ledger.next();
        let throws = [dice.fork(), dice.fork(), dice.fork(), dice.fork()];
        let [fifo, script, order, read] = throws;
        thread::scope(|scope| {
            let fifo = scope.spawn(move || load.fifo(fifo));
            let script = scope.spawn(move || load.script(kind.kills_scripts(), script));
            let order = scope.spawn(move || load.operator(operator, order));
            let read = scope.spawn(move || load.reader(reader, from, read));
            thread::sleep(calm(dice));
            let struck = strike(kind, load.world, crew, dice);
            let listens = struck.and_then(|kills| crew.agent_listens().map(|()| kills));
            thread::sleep(calm(dice) / 4);
            enough.store(true, Ordering::Relaxed);
            let broken = |_| anyhow!("a thread of the load panicked");
            let told = BTreeMap::from([
                (Writer::Fifo, fifo.join().map_err(broken)?),
                (Writer::Script, script.join().map_err(broken)??),
                (Writer::Operator, order.join().map_err(broken)?),
            ]);
            let seen = read.join().map_err(broken)?;
            Ok((told, seen, listens?))
        })
    }

    /// A torn journal either is whole, or is set aside and this is recorded.
    fn is_quarantined(&self) -> anyhow::Result<bool> {
        let state = self.world.state();
        let aside = std::fs::read_dir(state)?.flatten().any(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("journal.bad-")
        });
        if !aside {
            return Ok(false);
        }
        until("the agent records that its journal was set aside", || {
            let records = self.asks[0].records(Seq(1))?;
            let said = records
                .iter()
                .any(|record| matches!(record.event, Event::JournalQuarantined { .. }));
            Ok(said.then_some(()))
        })?;
        Ok(true)
    }

    /// Ends the world: everything stops, and the whole journal is read from the disk.
    pub fn end(mut self, quarantined: bool) -> anyhow::Result<Tally> {
        self.crew.stop_agent()?;
        self.crew.kill_follower()?;
        self.wants("verify")?;
        self.wants("replay")?;
        let mut tally = Tally::default();
        if quarantined {
            return Ok(tally);
        }
        let journal = Reader::open(&self.world.state().join("journal"))?;
        journal.verify().into_result()?;
        let mut settled = self.ledger.settled().iter().peekable();
        for record in journal.records(Seq(1)) {
            let record = record?;
            let Some(known) = settled.next_if(|known| known.seq == record.seq) else {
                continue;
            };
            if *known != record {
                tally.strange += 1;
                tally
                    .told
                    .push(format!("record {} has changed", record.seq));
            }
        }
        for gone in settled {
            tally.lost += 1;
            tally.told.push(format!("record {} is gone", gone.seq));
        }
        tally.add(self.ledger.check_orders(&self.world.sink.ids()));
        Ok(tally)
    }

    fn wants(&self, verb: &str) -> anyhow::Result<()> {
        let output = self.world.rha().arg(verb).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(output.status.success(), "rha {verb}: {said}");
        Ok(())
    }
}

/// The line that was torn may be missing, or be there twice where it was in the journal already; if it is missing,
/// the journal says that something is.
fn forgive_a_torn_line(books: &mut Tally, damage: bool) {
    if damage && books.lost + books.doubled == 1 {
        books.lost = 0;
        books.doubled = 0;
        books.told.clear();
    }
}

/// Where a run stands when it ends early, for people.
pub fn last_said(world: &World) -> anyhow::Result<String> {
    let log = world.log();
    (!log.is_empty())
        .then(|| tail(&log, 20))
        .context("the agent has said nothing")
}
