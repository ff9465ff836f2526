//! What `rha status` shows a person.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use jiff::tz::{Offset, TimeZone};
use rha::cli::render::{self, Screen};
use rha::model::effect::EffectId;
use rha::model::event::Event;
use rha::model::record::Seq;
use rha::model::redis::Grade;
use rha::model::time::At;
use rha::views::status::{InstanceStatus, Status};
use rha::{machine, model};

// The stories that the unit tests are told; each test file needs some of them only.
#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;

fn status_of(instances: Vec<InstanceStatus>, at: At) -> String {
    let status = Status::new("lvs1", "0.1.0", at, instances);
    let screen = Screen {
        width: 100,
        is_terminal: true,
        zone: TimeZone::fixed(Offset::constant(8)),
    };
    let mut out = anstream::StripStream::new(Vec::new());
    render::status(&status, &screen, &mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

#[test]
fn status_reads_well_for_one_and_for_many() {
    let mut story = fixture::Story::default();
    story.start(true);
    story.lead();
    let well = InstanceStatus::new("redis", &story.state);
    story.tell(Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe: fixture::replica(true),
    });
    story.tell(Event::RedisExited { pid: 900 });
    story.tell(Event::EffectTried {
        effect: EffectId {
            seq: Seq(12),
            index: 0,
        },
        order: "send alarm redis-not-ready".to_owned(),
        why: "the endpoint answers 503".to_owned(),
    });
    story.tell(Event::JournalFailed {
        at: story.now,
        why: "the disk is full".to_owned(),
        over: false,
    });
    let trouble = InstanceStatus::new("cache", &story.state);
    let one = status_of(vec![trouble.clone()], story.now);
    insta::assert_snapshot!("status_one", one);
    let mut many: Vec<_> = (1..20)
        .map(|n| InstanceStatus {
            name: format!("redis-{n}"),
            ..well.clone()
        })
        .collect();
    many.push(trouble);
    insta::assert_snapshot!("status_many", status_of(many, story.now));
}

/// What is not answered any more is told as what was last seen, and a grade with what it means.
#[test]
fn status_does_not_tell_the_past_as_the_present() {
    let mut story = fixture::Story::default();
    story.start(true);
    story.lead();
    let peer = |probe| Event::PeerProbed {
        peer: "lvs2".to_owned(),
        probe,
    };
    story.tell(peer(fixture::replica(true)));
    story.tell(peer(fixture::failed(Grade::Timeout, 500_000)));
    for _ in 0..3 {
        story.check(fixture::failed(Grade::Refused, 90));
    }
    let instance = InstanceStatus::new("redis", &story.state);
    insta::assert_snapshot!("status_stale", status_of(vec![instance.clone()], story.now));
    let many = status_of(vec![instance; 4], story.now);
    assert!(many.contains("  down (refused)  "), "{many}");
}
