//! The failover of the fixture, told.

use std::path::Path;

use super::*;
use crate::journal::Bundle;
use crate::model::record::Seq;
use crate::model::time::BootId;
use crate::replay::Recovered;
use crate::views::fixture;

fn journal(node: &str) -> Journal {
    let mut records = fixture::failover();
    for record in &mut records {
        if let Event::Configured(settings) = &mut record.event {
            settings.node = node.to_owned();
        }
    }
    Journal {
        node: node.to_owned(),
        before: State::default(),
        records,
    }
}

fn first_incident(journal: &Journal) -> IncidentId {
    let first = journal.records.iter().find_map(|record| record.incident);
    first.unwrap()
}

#[test]
fn a_failover_is_told() {
    let journal = journal("lvs2");
    let id = first_incident(&journal);
    let told = tell(id, vec![journal]).unwrap();
    assert_eq!(told.incident.id, id);
    assert!(told.began_us <= told.ended_us.unwrap());
    let names: Vec<&str> = told.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(names, ["detect", "decide", "promote", "first check"]);
    assert!(
        told.moments
            .iter()
            .any(|moment| moment.what == "promote: done")
    );
    assert!(told.nodes[0].lanes.iter().all(|lane| {
        lane.spans
            .windows(2)
            .all(|pair| pair[0].to_us <= pair[1].from_us)
    }));
    assert!(!told.alarms.sent.is_empty());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let own = journal("lvs2");
    let id = first_incident(&own);
    let twice = tell(id, vec![own.clone(), own.clone()]).unwrap_err();
    assert_eq!(twice, Unfit::SameNode("lvs2".to_owned()));
    let missing = tell(Seq(9_999), vec![own.clone()]).unwrap_err();
    assert_eq!(missing, Unfit::NoIncident(Seq(9_999), "lvs2".to_owned()));
    let mut foreign = journal("lvs9");
    for record in &mut foreign.records {
        if let Event::Configured(settings) = &mut record.event {
            settings.vip.host = "10.9.9.9".to_owned();
        }
    }
    let unrelated = tell(id, vec![own.clone(), foreign]).unwrap_err();
    assert!(matches!(unrelated, Unfit::Unrelated(..)), "{unrelated}");
    let mut later = journal("lvs1");
    for record in &mut later.records {
        record.at.wall_us += 86_400_000_000;
    }
    let other_time = tell(id, vec![own, later]).unwrap_err();
    assert!(matches!(other_time, Unfit::OtherTime(..)), "{other_time}");
}

/// Of a recording, as `tell` gets it.
fn recorded(name: &str, node: &str) -> Journal {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let bundle = Bundle::open(&dir.join(name).join(node).with_extension("rha")).unwrap();
    let before: Recovered = bundle.before_first().unwrap();
    Journal {
        node: node.to_owned(),
        before: before.states.get("redis").cloned().unwrap_or_default(),
        records: bundle.map(Result::unwrap).collect(),
    }
}

/// The recordings were made on one host: its clock is put wrong here, by a known time.
#[test]
fn clocks_that_are_apart_are_put_right() {
    const AHEAD_US: i64 = 7_300_000;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let first = recorded(&name, "lvs1");
        let mut other = recorded(&name, "lvs2");
        let same = clocks::align(&first, &other);
        assert_eq!(
            (same.ahead_us, same.within_us),
            (0, Some(0)),
            "{name}: one boot"
        );
        for record in &mut other.records {
            record.at.wall_us += AHEAD_US;
            record.at.boot = BootId(4_711);
            if let Event::VrrpNotified(notified) = &mut record.event {
                notified.stamped.wall_us += AHEAD_US;
            }
        }
        let found = clocks::align(&first, &other);
        assert_eq!(found.agreement, Agreement::Apart, "{name}: {found:?}");
        let within = found.within_us.unwrap();
        let off = (found.ahead_us - AHEAD_US).abs();
        assert!(off <= within && within < 500_000, "{name}: {found:?}");
    }
}
