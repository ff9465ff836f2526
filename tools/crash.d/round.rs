//! One round: load, trouble, and the books.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, anyhow};
use rha::journal::Reader;
use rha::model::event::Event;
use rha::model::record::{Record, Seq};

use crate::ask::Ask;
use crate::clock::until;
use crate::dice::Dice;
use crate::fault::{Kills, Kind, calm, strike};
use crate::ledger::{Fault, Ledger, Observed, Tally, TornJournal};
use crate::load::{Load, Numbers, Writer};
use crate::tear::{Part, tear_journal, tear_spool};
use crate::world::{Crew, World, tail};

/// What the rounds of one world share.
pub struct Rounds<'world> {
    world: &'world World,
    crew: Crew<'world>,
    ledger: Ledger,
    numbers: Numbers,
    /// One for each of those who ask.
    asks: [Ask; 4],
    spoils: bool,
}

/// What came of a round.
#[derive(Default)]
pub struct Outcome {
    /// The books.
    pub tally: Tally,
    /// Processes killed.
    pub kills: Kills,
    /// How often the journal was sealed.
    pub compacted: u64,
    /// Which file of the journal was torn.
    pub torn: Option<Part>,
}

impl Outcome {
    /// What is wrong with a volume that nobody writes to shows when it is read: the world is at its end.
    pub fn ends_world(&self) -> bool {
        self.torn == Some(Part::Sealed)
    }
}

impl<'world> Rounds<'world> {
    /// Everything is up. `spoils`: to see that it is found, a record of each round is lost.
    pub fn begin(world: &'world World, spoils: bool) -> anyhow::Result<Self> {
        let ask = || Ask::new(&world.socket());
        Ok(Self {
            world,
            crew: Crew::start(world)?,
            ledger: Ledger::default(),
            numbers: Numbers::default(),
            asks: [ask()?, ask()?, ask()?, ask()?],
            spoils,
        })
    }

    /// Plays a round.
    pub fn play(&mut self, kind: Kind, dice: &mut Dice) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut observed = self.under_load(kind, dice, &mut outcome)?;
        if kind.tears() {
            outcome.torn = self.tear(kind, dice, &mut observed)?;
            outcome.kills.agent += 1;
            outcome.kills.follower += 1;
            self.crew.launch_agent()?;
        }
        let enough = AtomicBool::new(true);
        let load = Load {
            world: self.world,
            numbers: &self.numbers,
            enough: &enough,
        };
        let ask = &self.asks[0];
        let told = &mut observed.told;
        if kind.tears() {
            // An order that is taken says that the journal is open and the spool taken in. The follower must stay
            // away until then: a spool that lost its end has lost its host, and the next boot writes another segment.
            load.last_order(ask, told)?;
            self.crew.start_follower()?;
        }
        load.last_words(ask, told)?;
        if outcome.ends_world() {
            return Ok(outcome);
        }
        let from = match kind {
            Kind::TornJournal => Seq(1),
            _ => self.ledger.next(),
        };
        // In this order: what was heard by now was ordered by now.
        let heard = self.world.sink.heard();
        observed.records = load.records_to_the_end(ask, from, told)?;
        if kind == Kind::TornJournal {
            self.wait_for_the_word(&mut observed.records);
        }
        if self.spoils {
            let line = |record: &Record| matches!(record.event, Event::VrrpNotified(_));
            let lost = observed.records.iter().rposition(line);
            lost.map(|index| observed.records.remove(index));
        }
        observed.heard = &heard;
        observed.writers_killed = outcome.kills.writers();
        outcome.tally = self.ledger.close_round(observed);
        Ok(outcome)
    }

    fn load<'a>(&'a self, enough: &'a AtomicBool) -> Load<'a> {
        Load {
            world: self.world,
            numbers: &self.numbers,
            enough,
        }
    }

    /// What was told and seen while the trouble came.
    fn under_load(
        &mut self,
        kind: Kind,
        dice: &mut Dice,
        outcome: &mut Outcome,
    ) -> anyhow::Result<Observed<'static>> {
        let enough = AtomicBool::new(false);
        let load = &Load {
            world: self.world,
            numbers: &self.numbers,
            enough: &enough,
        };
        let crew = &mut self.crew;
        let [_, operator, reader, keeper] = &self.asks;
        let from = self.ledger.next();
        let [fifo, script, order, read, keep] = std::array::from_fn(|_| dice.fork());
        thread::scope(|scope| {
            let fifo = scope.spawn(move || load.fifo(fifo));
            let script = scope.spawn(move || load.script(kind.kills_scripts(), script));
            let order = scope.spawn(move || load.operator(operator, order));
            let read = scope.spawn(move || load.reader(reader, from, read));
            let keep = scope.spawn(move || load.keeper(keeper, keep));
            thread::sleep(calm(dice));
            let struck = strike(kind, load.world, crew, dice);
            let listens = struck.and_then(|kills| crew.agent_listens().map(|()| kills));
            thread::sleep(calm(dice) / 4);
            enough.store(true, Ordering::Relaxed);
            let broken = |_| anyhow!("a thread of the load panicked");
            let fifo = fifo.join().map_err(broken)?;
            let (script, killed) = script.join().map_err(broken)??;
            let order = order.join().map_err(broken)?;
            let seen = read.join().map_err(broken)?;
            outcome.compacted = keep.join().map_err(broken)?;
            let kills = &mut outcome.kills;
            *kills = listens?;
            kills.script = killed;
            Ok(Observed {
                told: BTreeMap::from([
                    (Writer::Fifo, fifo),
                    (Writer::Script, script),
                    (Writer::Operator, order),
                ]),
                seen,
                ..Observed::default()
            })
        })
    }

    /// Ends everything, and tears a file.
    fn tear(
        &mut self,
        kind: Kind,
        dice: &mut Dice,
        observed: &mut Observed,
    ) -> anyhow::Result<Option<Part>> {
        self.crew.kill_agent()?;
        if kind == Kind::TornSpool && dice.once_in(2) {
            // The agent has not seen these.
            let enough = AtomicBool::new(true);
            self.load(&enough).last_lines(&mut observed.told)?;
        }
        self.crew.kill_follower()?;
        let state = self.world.state();
        if kind == Kind::TornSpool {
            observed.torn_spool = Some(tear_spool(&state.join("spool"), dice)?);
            return Ok(None);
        }
        let part = tear_journal(&state.join("journal"), dice)?;
        self.world.sink.settle()?;
        let orders = observed.told.get(&Writer::Operator).into_iter().flatten();
        observed.torn_journal = Some(TornJournal {
            orders: orders.map(|order| order.what.clone()).collect(),
            heard: self.world.sink.heard().len(),
        });
        Ok(Some(part))
    }

    /// A torn journal either is whole, or it is recorded that it was not: as soon as decisions are made again.
    fn wait_for_the_word(&self, records: &mut Vec<Record>) {
        if self.ledger.is_kept_in(records) {
            return;
        }
        // Where it never comes, the ledger says so.
        let _ = until("the agent records that its journal was damaged", || {
            *records = self.asks[0].records(Seq(1))?;
            Ok(self.ledger.is_set_aside_in(records).then_some(()))
        });
    }

    /// Ends the world: everything stops, and the whole journal is read from the disk.
    pub fn end(mut self, torn: bool) -> anyhow::Result<Tally> {
        self.crew.stop_agent()?;
        self.crew.kill_follower()?;
        if torn {
            return self.is_told();
        }
        for verb in ["verify", "replay"] {
            self.rha(verb)?
                .map_err(|said| anyhow!("rha {verb}: {said}"))?;
        }
        let journal = Reader::open(&self.world.state().join("journal"))?;
        journal.verify().into_result()?;
        let records: Result<Vec<Record>, _> = journal.records(Seq(1)).collect();
        self.world.sink.settle()?;
        let heard = self.world.sink.heard();
        Ok(self.ledger.close_world(records?, &heard))
    }

    /// A journal that is damaged somewhere: `rha verify` says so, or the agent has recorded it.
    fn is_told(&self) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        if self.rha("verify")?.is_ok() {
            let journal = Reader::open(&self.world.state().join("journal"))?;
            let records: Result<Vec<Record>, _> = journal.records(Seq(1)).collect();
            if !self.ledger.is_set_aside_in(&records?) {
                let told = "a torn volume is good to rha verify, and no record tells of it";
                tally.wrong(Fault::Strange, told.to_owned());
            }
        }
        Ok(tally)
    }

    /// Runs a command; what it says, where it fails.
    fn rha(&self, verb: &str) -> anyhow::Result<Result<(), String>> {
        let output = self.world.rha().arg(verb).output()?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        let said = [output.stdout, output.stderr].concat();
        Ok(Err(String::from_utf8_lossy(&said).into_owned()))
    }
}

/// Where a run stands when it ends early, for people.
pub fn last_said(world: &World) -> anyhow::Result<String> {
    let log = world.log();
    (!log.is_empty())
        .then(|| tail(&log, 20))
        .context("the agent has said nothing")
}
