//! The journal as a whole. The bytes themselves are held in `migrations/`.

mod commit;
mod damage;
mod gone;
mod kill;
mod packing;
pub(super) mod power;
mod races;
mod reading;
pub(super) mod steps;
mod streams;
mod told;
mod trouble;
mod volumes;

use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::migrations::samples::samples;
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::record::{Record, Seq};
use crate::model::redis::{Endpoint, Grade, Observation, Probe, RedisId, RedisRole};
use crate::model::time::{At, BootId};

use super::{Damage, Error, Fold, Journal, Order, Reader, Salvaged, kind_index};

/// The check number `seq` of a pair that is watched once a second, from this node's side. Its
/// numbers wander as those of a busy Redis do.
fn quiet(seq: u64) -> Record {
    let noise = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let probe = Probe {
        paced: true,
        grade: Grade::Ok,
        latency_us: 250 + (noise % 400) as u32,
        observation: Some(Observation {
            role: RedisRole::Master,
            run_id: RedisId([0x5a; 20]),
            replid: RedisId([0xa5; 20]),
            replid2: RedisId::default(),
            second_offset: -1,
            offset: 9_000_000_000 + (seq * 40_000 + noise % 9_000) as i64,
            master: None,
            link_up: false,
            sync_in_progress: false,
            loading: false,
            replicas_online: 1,
            keys: 1_000_000 + noise % 50,
        }),
    };
    Record {
        seq: Seq(seq),
        at: at(seq * 500_000 + noise % 2_000, noise % 3),
        instance: "redis".to_owned(),
        cause: None,
        ruleset: 1,
        incident: None,
        event: if seq.is_multiple_of(2) {
            Event::RedisProbed(probe)
        } else {
            Event::PeerProbed {
                peer: "lvs2".to_owned(),
                probe,
            }
        },
        decision: Decision::default(),
    }
}

/// A record that must be on the disk at once.
fn loud(seq: u64) -> Record {
    Record {
        event: Event::VipChanged {
            here: seq.is_multiple_of(2),
        },
        ..quiet(seq)
    }
}

/// A story with everything in it: every sixteenth record is loud, and of every kind there is.
fn story(seq: u64) -> Record {
    if seq.is_multiple_of(16) {
        let samples = samples();
        let sample = samples[(seq / 16) as usize % samples.len()].clone();
        Record {
            seq: Seq(seq),
            at: quiet(seq).at,
            ..sample
        }
    } else {
        quiet(seq)
    }
}

fn at(mono_us: u64, skew: u64) -> At {
    At {
        wall_us: 1_763_900_000_000_000 + (mono_us + skew) as i64,
        mono_us,
        boot: BootId(0xb007),
    }
}

fn stories(count: u64) -> Vec<Record> {
    (1..=count).map(story).collect()
}

/// A journal in `dir` with these records, closed again.
fn written(dir: &Path, records: &[Record]) {
    let mut journal = Journal::open(dir).unwrap();
    for group in records.chunks(7) {
        journal.append(group.to_vec()).unwrap();
    }
    journal.flush_quiet().unwrap();
}

/// How many records there were, and what all of them say together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    records: u64,
    hash: [u8; 32],
}

impl Fold for Tally {
    fn fold(&mut self, record: &Record) {
        self.records += 1;
        let text = format!("{:?}{record:?}", self.hash);
        self.hash = *blake3::hash(text.as_bytes()).as_bytes();
    }

    fn upcast(_: u8, _: &[u8]) -> Option<Self> {
        None
    }
}

fn tally(records: &[Record]) -> Tally {
    let mut tally = Tally::default();
    records.iter().for_each(|record| tally.fold(record));
    tally
}

/// Opens as an agent does. What it folds to is what its records fold to.
fn salvaged(dir: &Path, suffix: &str) -> Result<(Journal, Option<Damage>), Error> {
    let Salvaged {
        journal,
        fold,
        damage,
    } = Journal::open_or_salvage::<Tally>(dir, suffix)?;
    if journal
        .records(Seq(1))
        .next()
        .is_none_or(|first| first.is_ok_and(|first| first.seq == Seq(1)))
    {
        assert_eq!(fold, tally(&all(&journal)));
    }
    Ok((journal, damage))
}

/// The sled of the volume that begins with the first record.
fn first_volume(dir: &Path) -> PathBuf {
    dir.join(format!("{:020}", 1))
}

fn all(reader: &Reader) -> Vec<Record> {
    reader.records(Seq(0)).collect::<Result<_, _>>().unwrap()
}

/// Few subjects, so that runs form; any numbers; now and then something that ends a run.
fn any_record() -> impl Strategy<Value = Record> {
    let loud = proptest::sample::select(samples());
    prop_oneof![12 => any_check(), 1 => loud]
}

fn any_check() -> impl Strategy<Value = Record> {
    let subject = (0..2_usize, 0..3_usize);
    let rare = prop_oneof![20 => Just(0_u64), 1 => 1..3_u64];
    let time = (any_step(), any_step(), rare.clone());
    let said = (rare.clone(), any_step(), any_step(), any::<u32>());
    let rest = (rare.clone(), rare.clone(), rare);
    (subject, time, said, rest).prop_map(
        |((instance, peer), (wall, mono, boot), (grade, offset, keys, latency), rest)| {
            let probe = Probe {
                paced: true,
                grade: Grade::ALL[grade as usize],
                latency_us: latency,
                observation: (peer != 2).then(|| Observation {
                    offset: offset.cast_signed(),
                    keys,
                    master: (peer == 1).then(|| Endpoint {
                        host: "10.0.0.9".to_owned(),
                        port: 6379,
                    }),
                    ..observation(&quiet(0))
                }),
            };
            let event = match peer {
                0 => Event::RedisProbed(probe),
                _ => Event::PeerProbed {
                    peer: format!("node{peer}"),
                    probe,
                },
            };
            Record {
                seq: Seq(0),
                at: At {
                    wall_us: wall.cast_signed(),
                    mono_us: mono,
                    boot: BootId(boot),
                },
                instance: ["redis", "sessions"][instance].to_owned(),
                cause: (rest.0 == 2).then_some(Seq(1)),
                ruleset: rest.1 as u16,
                incident: (rest.2 > 0).then_some(Seq(rest.2)),
                event,
                decision: Decision::default(),
            }
        },
    )
}

/// Mostly small, now and then anything at all.
fn any_step() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..5_000_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX), 1 => Just(1 << 63)]
}

fn observation(record: &Record) -> Observation {
    match &record.event {
        Event::RedisProbed(probe) | Event::PeerProbed { probe, .. } => {
            probe.observation.clone().unwrap()
        }
        other => panic!("no check: {other:?}"),
    }
}

/// Records with the numbers that a journal gives.
fn numbered(records: Vec<Record>, from: u64) -> Vec<Record> {
    (from..)
        .zip(records)
        .map(|(seq, record)| Record {
            seq: Seq(seq),
            ..record
        })
        .collect()
}

fn is_locked(result: Result<Journal, Error>) -> bool {
    matches!(result, Err(Error::Locked { .. }))
}

/// The records of a kind: by the index, but for checks, most of which are not in it.
fn of_kind(reader: &Reader, kind: &str, range: Range<Seq>, order: Order) -> Vec<Record> {
    if kind.ends_with("-probed") {
        let within = reader.records_within(range, order).map(Result::unwrap);
        within
            .filter(|record| record.event.kind() == kind)
            .collect()
    } else {
        let kind = kind_index(kind).unwrap();
        reader
            .notable(&[kind], range, order)
            .map(Result::unwrap)
            .collect()
    }
}

/// The record `seq` tells that those before `below` are being removed.
fn removed(seq: u64, below: u64) -> Record {
    let mut removed = loud(seq);
    removed.event = Event::RecordsRemoved {
        below: Seq(below),
        records: below - 1,
        bytes: 1,
        why: "they are old".to_owned(),
    };
    removed
}
