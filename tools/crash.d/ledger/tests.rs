//! The tool can fail: observations are spoiled one at a time, and each must be told.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use rha::model::alarm::AlarmStatus;
use rha::model::effect::EffectId;
use rha::model::record::Seq;

use super::fixture::{Story, good, heard, observed};
use super::{Ledger, TornJournal, TornSpool};
use crate::load::{Told, Writer};

use super::tally::Tally;

/// Closes the good round, spoiled.
fn spoiled(spoil: impl FnOnce(&mut super::Observed)) -> Tally {
    let (story, heard) = good();
    let mut round = observed(&story, &heard, 0, 1..=3);
    spoil(&mut round);
    Ledger::default().close_round(round)
}

/// Lost, doubled, out of order, strange.
fn counts(tally: &Tally) -> [u64; 4] {
    [tally.lost, tally.doubled, tally.disordered, tally.strange]
}

fn renumbered(story: &mut Story) {
    for (seq, record) in (1..).zip(&mut story.records) {
        record.seq.0 = seq;
    }
}

/// A ledger that has closed the good round, and the journal of it.
fn one_round() -> (Ledger, Story) {
    let (story, heard) = good();
    let mut ledger = Ledger::default();
    let tally = ledger.close_round(observed(&story, &heard, 0, 1..=3));
    assert!(tally.is_good(), "{:?}", tally.told);
    (ledger, story)
}

#[test]
fn a_good_round_is_good() {
    let tally = spoiled(|_| {});
    assert_eq!(counts(&tally), [0; 4], "{:?}", tally.told);
    assert_eq!((tally.records, tally.acknowledged), (11, 20));
    let (mut ledger, story) = one_round();
    let heard = good().1;
    let tally = ledger.close_world(story.records, &heard);
    assert!(tally.is_good(), "{:?}", tally.told);
}

#[test]
fn a_record_that_was_shown_and_is_gone_is_lost() {
    let tally = spoiled(|round| {
        round.records.pop();
    });
    assert_eq!(counts(&tally), [1, 0, 0, 0], "{:?}", tally.told);
    let tally = spoiled(|round| round.records[4].at.wall_us = 1);
    assert_eq!(counts(&tally), [1, 0, 0, 0], "{:?}", tally.told);
}

#[test]
fn a_record_that_was_on_the_disk_and_is_gone_or_changed_is_lost() {
    let heard = good().1;
    let (mut ledger, mut story) = one_round();
    story.records.pop();
    assert_eq!(ledger.close_world(story.records, &heard).lost, 1);
    let (mut ledger, mut story) = one_round();
    story.records[2].at.wall_us = 1;
    assert_eq!(ledger.close_world(story.records, &heard).lost, 1);
}

#[test]
fn a_line_that_is_missing_is_lost() {
    let lose = |index: usize| {
        let (mut story, heard) = good();
        story.records.remove(index);
        renumbered(&mut story);
        // The alarm moved with its record; this is about lines.
        let round = observed(&story, &heard[..0], 0, 1..=3);
        Ledger::default().close_round(round)
    };
    for index in 0..9 {
        assert_eq!(counts(&lose(index)), [1, 0, 0, 0]);
    }
    let tally = spoiled(|round| {
        let told = round.told.get_mut(&Writer::Script).unwrap();
        told.insert(1, Told::new("s9 BACKUP 100".to_owned(), false));
    });
    assert!(tally.is_good(), "it was not acknowledged: {:?}", tally.told);
}

#[test]
fn a_line_that_is_there_twice_is_doubled() {
    let (mut story, heard) = good();
    story.line("f2");
    let tally = Ledger::default().close_round(observed(&story, &heard, 0, 1..=3));
    assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
    // In a later round, or when nothing is told any more.
    for line in ["f2", "s1"] {
        let (mut ledger, mut story) = one_round();
        story.line(line);
        let tally = ledger.close_round(observed(&story, &heard, 11, 4..4));
        assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
        let (mut ledger, _) = one_round();
        let tally = ledger.close_world(story.records, &heard);
        assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
    }
}

#[test]
fn a_line_that_was_overtaken_is_out_of_order() {
    for (one, other) in [(0, 3), (1, 4), (2, 8)] {
        let (mut story, heard) = good();
        story.records.swap(one, other);
        renumbered(&mut story);
        let tally = Ledger::default().close_round(observed(&story, &heard, 0, 1..=3));
        assert!(tally.disordered > 0, "{:?}", tally.told);
    }
}

#[test]
fn a_line_that_nobody_told_is_strange() {
    let (mut story, heard) = good();
    story.line("f77");
    let tally = Ledger::default().close_round(observed(&story, &heard, 0, 1..=3));
    assert_eq!(counts(&tally), [0, 0, 0, 1], "{:?}", tally.told);
}

#[test]
fn an_alarm_that_is_sent_although_its_sending_is_recorded_is_doubled() {
    let (mut story, mut alarms) = good();
    let alarm = story.alarm(12, AlarmStatus::Raised);
    // Twice before it was recorded: nobody could know.
    alarms.extend([heard(alarm, 1), heard(alarm, 1)]);
    story.sent(alarm);
    let (mut ledger, _) = one_round();
    let tally = ledger.close_round(observed(&story, &alarms, 11, 4..4));
    assert!(tally.is_good(), "{:?}", tally.told);
    let mut again = alarms.clone();
    again.push(heard(alarm, 3));
    let tally = ledger.close_world(story.records.clone(), &again);
    assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
    assert_eq!(tally.resent, 2);
    // Within one round, too.
    let (mut ledger, _) = one_round();
    let tally = ledger.close_round(observed(&story, &again, 11, 4..4));
    assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
}

#[test]
fn an_alarm_is_raised_once() {
    let (mut story, heard) = good();
    story.alarm(10, AlarmStatus::Raised);
    let tally = Ledger::default().close_round(observed(&story, &heard, 0, 1..=3));
    assert_eq!(counts(&tally), [0, 1, 0, 0], "{:?}", tally.told);
}

#[test]
fn an_alarm_needs_an_order_and_a_sent_one_comes() {
    let (story, mut alarms) = good();
    let mut other = alarms[0].clone();
    other.id = "a/3.0".to_owned();
    alarms.push(other);
    let tally = Ledger::default().close_round(observed(&story, &alarms, 0, 1..=3));
    assert_eq!(counts(&tally), [0, 0, 0, 1], "{:?}", tally.told);
    // Its order was given again: what was sent first had an order that is lost.
    let early = heard(
        EffectId {
            seq: Seq(10),
            index: 0,
        },
        0,
    );
    let tally = Ledger::default().close_round(observed(&story, &[early], 0, 1..=3));
    assert_eq!(counts(&tally), [0, 0, 0, 1], "{:?}", tally.told);
    let mut ledger = Ledger::default();
    ledger.close_round(observed(&story, &[], 0, 1..=3));
    let tally = ledger.close_world(story.records, &[]);
    assert_eq!(counts(&tally), [1, 0, 0, 0], "{:?}", tally.told);
}

/// What is ordered and sent between the last look at a world and its end is ordered by a record all the same.
#[test]
fn an_alarm_of_the_last_moment_has_its_order_too() {
    let (mut ledger, mut story) = one_round();
    let mut alarms = good().1;
    let last = story.alarm(12, AlarmStatus::Raised);
    alarms.push(heard(last, 1));
    let tally = ledger.close_world(story.records, &alarms);
    assert!(tally.is_good(), "{:?}", tally.told);
}

#[test]
fn a_damaged_spool_needs_a_reason() {
    let damaged = |offset, passed, killed| {
        let (mut story, heard) = good();
        story.damage(offset, passed);
        let mut round = observed(&story, &heard, 0, 1..=3);
        round.writers_killed = killed;
        Ledger::default().close_round(round)
    };
    assert_eq!(counts(&damaged(8193, 20, 0)), [0, 0, 0, 1]);
    assert_eq!(counts(&damaged(8190, 20, 1)), [0, 0, 0, 1]);
    assert_eq!(counts(&damaged(8193, 0, 1)), [0, 0, 0, 1]);
    let tally = damaged(8193, 20, 1);
    assert_eq!((counts(&tally), tally.forgiven.cut_short), ([0; 4], 1));
    // One for each that was killed.
    let (mut story, heard) = good();
    story.damage(8193, 20);
    story.damage(12289, 20);
    let mut round = observed(&story, &heard, 0, 1..=3);
    round.writers_killed = 1;
    assert_eq!(Ledger::default().close_round(round).strange, 1);
}

/// A round in which this line was torn off the spool, which ends at 5000 since.
fn torn_round(line: &str, spoil: impl FnOnce(&mut Story)) -> Tally {
    let (mut ledger, mut story) = one_round();
    story.line("f4");
    story.line("s4");
    story.order("order 4");
    spoil(&mut story);
    renumbered(&mut story);
    let heard = good().1;
    let mut round = observed(&story, &heard, 11, 4..=4);
    round.seen.clear();
    round.torn_spool = Some(TornSpool {
        segment: 1,
        end: 5000,
        lines: vec![(Writer::Fifo, format!("{line} BACKUP 100"))],
    });
    ledger.close_round(round)
}

#[test]
fn a_torn_line_is_forgiven_against_its_damage_alone() {
    let gone = |story: &mut Story| drop(story.records.remove(11));
    let tally = torn_round("f4", |story| {
        gone(story);
        story.damage(5001, 30);
    });
    assert_eq!((counts(&tally), tally.forgiven.torn_lines), ([0; 4], 1));
    // No damage is told; that of another place; the agent says that it had passed the place.
    assert_eq!(torn_round("f4", gone).lost, 1);
    let elsewhere = torn_round("f4", |story| {
        gone(story);
        story.damage(4000, 30);
    });
    assert_eq!(counts(&elsewhere), [1, 0, 0, 1], "{:?}", elsewhere.told);
    let behind = torn_round("f4", |story| {
        gone(story);
        story.damage(5000, 0);
    });
    assert_eq!(counts(&behind), [1, 0, 0, 0], "{:?}", behind.told);
    // Another line.
    let other = torn_round("f3", |story| {
        gone(story);
        story.damage(5001, 30);
    });
    assert_eq!(counts(&other), [1, 0, 0, 0], "{:?}", other.told);
}

#[test]
fn a_torn_line_may_come_again_out_of_the_fifo() {
    let again = |line: &str, passed: u64| {
        torn_round(line, |story| {
            story.damage(5000 + u64::from(passed > 0), passed);
            story.line("f4");
        })
    };
    let tally = again("f4", 0);
    assert_eq!(
        (counts(&tally), tally.forgiven.torn_lines_again),
        ([0; 4], 1)
    );
    assert_eq!(counts(&again("f4", 30)), [0, 1, 0, 0]);
    assert_eq!(counts(&again("f3", 0)), [0, 1, 0, 0]);
}

/// The journal of the good round lost its records behind `kept`, and went on with this.
fn torn_journal(kept: usize, goes_on: impl FnOnce(&mut Story)) -> Tally {
    let (mut ledger, mut story) = one_round();
    story.records.truncate(kept);
    goes_on(&mut story);
    renumbered(&mut story);
    for record in &mut story.records[kept..] {
        record.at.wall_us = 1;
    }
    let heard = good().1;
    let mut round = observed(&story, &heard, 0, 4..=4);
    round.seen.clear();
    round.torn_journal = Some(TornJournal {
        orders: Default::default(),
        heard: heard.len(),
    });
    let mut tally = ledger.close_round(round);
    tally.add(ledger.close_world(story.records, &heard));
    tally
}

/// Each line that is not in the first `kept` records comes again, and the round's own.
fn all_again(story: &mut Story, kept: usize) {
    for (index, (line, number)) in (1..=3).flat_map(|n| [("f", n), ("s", n)]).enumerate() {
        // Each third record of the good round is an order.
        if index / 2 * 3 + index % 2 >= kept {
            story.line(&format!("{line}{number}"));
        }
    }
    story.line("f4");
    story.line("s4");
    story.order("order 4");
}

#[test]
fn what_a_torn_journal_loses_is_forgiven_if_it_says_so() {
    for (kept, orders) in [(0, 3), (4, 2), (11, 0)] {
        let tally = torn_journal(kept, |story| {
            all_again(story, kept);
            story.set_aside();
        });
        assert!(tally.is_good(), "{:?}", tally.told);
        let forgiven = &tally.forgiven;
        let figures = (
            forgiven.set_aside,
            forgiven.torn_records,
            forgiven.torn_orders,
        );
        assert_eq!(figures, (1, 11 - kept as u64, orders));
    }
}

#[test]
fn what_a_torn_journal_loses_in_silence_is_lost() {
    let tally = torn_journal(9, |story| all_again(story, 9));
    assert!(tally.lost >= 2, "{:?}", tally.told);
}

#[test]
fn a_torn_journal_excuses_no_line_and_no_later_order() {
    let tally = torn_journal(4, |story| {
        all_again(story, 6);
        story.set_aside();
    });
    assert_eq!(tally.lost, 1, "s2 is in the spool: {:?}", tally.told);
    let tally = torn_journal(4, |story| {
        all_again(story, 4);
        story.line("f1");
        story.set_aside();
    });
    assert_eq!(tally.doubled, 1, "{:?}", tally.told);
    let tally = torn_journal(4, |story| {
        all_again(story, 4);
        story.records.pop();
        story.set_aside();
    });
    assert_eq!(tally.lost, 1, "order 4 came later: {:?}", tally.told);
}
