//! What the journal of a primary tells of some hours.

use rha::model::record::Record;

use crate::fixture::{Story, master};

/// A primary from its start on, and its checks; its replica comes and goes every hour.
pub fn hours() -> Vec<Record> {
    let mut story = Story::default();
    story.start(true);
    story.lead();
    for hour in 0..24 {
        for _ in 0..20 {
            story.check(master(1));
        }
        story.check(master(hour % 2));
    }
    story.records
}
