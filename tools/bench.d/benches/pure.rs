//! The parts without I/O, by themselves: what a check costs the machine, a notify line its grammar, a block its
//! packing.

// The stories that the library's own tests are told; this needs some of them only.
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../../src/views/fixture.rs"]
mod fixture;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rha::ingest::notify;
use rha::journal::block::{Block, MAX_ROWS};
use rha::model::event::Event;
use rha::model::record::Record;
// The stories name them as the library does.
use rha::{machine, model};

use fixture::Story;

const LINE: &[u8] = b"INSTANCE \"VI_1\" MASTER 150";

fn step(c: &mut Criterion) {
    let mut story = Story::default();
    story.start(true);
    story.lead();
    let event = Event::RedisProbed(fixture::master(1));
    let mut group = c.benchmark_group("machine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("step, a quiet check", |b| {
        b.iter(|| {
            story.seq = story.seq.next();
            story.now.mono_us += 1_000_000;
            machine::step(&mut story.state, story.seq, story.now, black_box(&event))
        });
    });
    let records = fixture::failover();
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("step, the records of a failover", |b| {
        b.iter(|| {
            let mut state = machine::State::default();
            for record in &records {
                black_box(machine::step(
                    &mut state,
                    record.seq,
                    record.at,
                    &record.event,
                ));
            }
        });
    });
}

fn grammar(c: &mut Criterion) {
    let mut group = c.benchmark_group("notify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a line", |b| b.iter(|| notify::parse(black_box(LINE))));
}

fn blocks(c: &mut Criterion) {
    let checks = checks();
    let block = Block::pack(&checks).expect("checks pack");
    let mut group = c.benchmark_group("block");
    group.throughput(Throughput::Elements(checks.len() as u64));
    group.bench_function("pack", |b| b.iter(|| Block::pack(black_box(&checks))));
    group.bench_function("unpack", |b| {
        b.iter(|| {
            black_box(&block)
                .clone()
                .unpack()
                .for_each(|record| drop(black_box(record)))
        });
    });
}

/// As many quiet checks as a block takes.
fn checks() -> Vec<Record> {
    let mut story = Story::default();
    story.start(true);
    story.lead();
    // What is decided about the first few is over by then.
    let told = story.records.len() + 100;
    while story.records.len() < told + MAX_ROWS {
        story.check(fixture::master(1));
    }
    story.records.split_off(told)
}

criterion_group!(benches, step, grammar, blocks);
criterion_main!(benches);
