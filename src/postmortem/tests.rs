//! The failover of the fixture, told.

use super::*;
use crate::model::record::Seq;
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
