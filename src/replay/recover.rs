//! What the journal says was going on: where a start begins, and a replay of a journal that has lost its oldest records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::Fold;
use crate::machine::{self, State};
use crate::model::effect::{Effect, EffectId};
use crate::model::record::{Record, Seq};
use crate::model::vrrp::SpoolPosition;
use crate::views::spool_position;
use crate::views::unresolved::{Ordered, Unresolved};

mod layout1;

/// The fold of the whole journal, of which its snapshots are made. Stored by position: see `journal/snapshot.rs`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// The number behind the last record; 0 before the first.
    pub next: Seq,
    /// The machine's states by instance.
    pub states: BTreeMap<String, State>,
    /// Up to where the spool was taken in.
    pub spool: Option<SpoolPosition>,
    orders: Unresolved,
}

impl Fold for Recovered {
    fn fold(&mut self, record: &Record) {
        self.next = record.seq.next();
        let state = match self.states.get_mut(&record.instance) {
            Some(state) => state,
            None => self.states.entry(record.instance.clone()).or_default(),
        };
        machine::step(state, record.seq, record.at, &record.event);
        self.spool = spool_position(self.spool, record);
        self.orders.fold(record);
    }

    fn upcast(format: u8, bytes: &[u8]) -> Option<Self> {
        let layout1::Recovered {
            next,
            states,
            spool,
            orders,
        } = match format {
            1 => layout1::recovered(bytes)?,
            _ => return None,
        };
        let states = states
            .into_iter()
            .map(|(name, state)| (name, state.upcast()));
        Some(Self {
            next,
            states: states.collect(),
            spool,
            orders,
        })
    }
}

impl Recovered {
    /// Alarms that were ordered and never known to be sent.
    pub fn alarms(&self) -> impl Iterator<Item = (EffectId, &Ordered)> {
        let orders = self.orders.iter();
        orders.filter(|(_, order)| matches!(order.effect, Effect::SendAlarm { .. }))
    }

    /// Other effects whose outcome nobody knows: the review at `AgentReady` looks at the world instead.
    pub fn unknown(&self) -> usize {
        self.orders.iter().count() - self.alarms().count()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::journal::{Committer, Journal, Reader, Salvaged};
    use crate::machine::RULESET;
    use crate::model::decision::Decision;
    use crate::model::event::Event;
    use crate::views::fixture;

    /// Two volumes of a failover, the first sealed; the records before them are only known from their snapshot.
    const GOLDEN: &str = "tests/golden/journal/v3";

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    fn write() {
        let dir = golden(GOLDEN);
        // There is none the first time.
        let _ = fs::remove_dir_all(&dir);
        let mut records = fixture::failover();
        let mut removed = records[records.len() - 1].clone();
        removed.seq = removed.seq.next();
        removed.decision = Decision::default();
        removed.event = Event::RecordsRemoved {
            below: Seq((records.len() as u64 + 1).div_ceil(3) + 1),
            records: (records.len() as u64 + 1).div_ceil(3),
            bytes: 4_711,
            why: "they are older than what is kept".to_owned(),
        };
        records.push(removed);
        let mut journal = Journal::open(&dir).unwrap();
        for part in records.chunks(records.len().div_ceil(3)) {
            journal.rotate().unwrap();
            journal.append(part.to_vec()).unwrap();
        }
        journal.seal::<Recovered>().unwrap();
        let committer = Committer::start::<Recovered>(journal).unwrap();
        let second = Seq(records.len().div_ceil(3) as u64 + 1);
        committer.trim(second).blocking_recv().unwrap().unwrap();
        drop(committer.stop().unwrap());
        fs::remove_file(dir.join("lock")).unwrap();
        let lines = records
            .iter()
            .map(|r| serde_json::to_string(r).unwrap() + "\n");
        fs::write(
            golden(&format!("{GOLDEN}.jsonl")),
            lines.collect::<String>(),
        )
        .unwrap();
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for file in from.read_dir().unwrap().map(|file| file.unwrap().path()) {
            let name = to.join(file.file_name().unwrap());
            if file.is_dir() {
                copy(&file, &name);
            } else {
                fs::copy(&file, name).unwrap();
            }
        }
    }

    #[test]
    fn a_golden_journal_and_its_snapshots_are_read_as_ever() {
        if std::env::var_os("RHA_REWRITE").is_some() {
            write();
        }
        read(GOLDEN, |recovered| recovered);
    }

    #[test]
    fn that_of_format_2_and_its_snapshots_of_layout_1_are_too() {
        // What the machine has learnt to look at since is not in them.
        read("tests/golden/journal/v2", |mut recovered| {
            for state in recovered.states.values_mut() {
                state.newest = None;
            }
            recovered
        });
    }

    fn read(name: &str, told: impl Fn(Recovered) -> Recovered) {
        let lines = fs::read_to_string(golden(&format!("{name}.jsonl"))).unwrap();
        let records: Vec<Record> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let folded = |records: &[Record]| {
            let mut fold = Recovered::default();
            records.iter().for_each(|record| fold.fold(record));
            fold
        };
        let dir = tempfile::tempdir().unwrap();
        copy(&golden(name), dir.path());
        let reader = Reader::open(dir.path()).unwrap();
        let kept: Vec<_> = reader.records(Seq(1)).collect::<Result<_, _>>().unwrap();
        assert!(records.ends_with(&kept) && kept.len() < records.len());
        let before = &records[..records.len() - kept.len()];
        // Where the rules have changed since, other things are ordered, and what became of these is not in it.
        let is_of_today = records.iter().all(|record| record.ruleset == RULESET);
        let told = |mut recovered: Recovered| {
            if !is_of_today {
                let states = recovered.states.values_mut();
                states.for_each(|state| state.orders.clear());
            }
            told(recovered)
        };
        // Not made again: nothing else in the journal tells it.
        let snapshot = reader.before_first::<Recovered>().unwrap();
        assert_eq!(told(snapshot), told(folded(before)));
        drop(reader);
        let opened: Salvaged<Recovered> = Journal::open_or_salvage(dir.path(), "x").unwrap();
        assert_eq!(opened.damage, None);
        assert_eq!(told(opened.fold), told(folded(&records)));
    }
}
