//! A process that is killed keeps every record that it was told of.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const PLACE: &str = "RHA_TEST_JOURNAL";

/// Not a test but the process that is killed: it does something only where `PLACE` names a directory.
#[test]
fn the_writer_that_is_killed() {
    let Some(dir) = std::env::var_os(PLACE) else {
        return;
    };
    let mut journal = Journal::open(Path::new(&dir)).unwrap();
    loop {
        let next = journal.next_seq().0;
        // Now and then a group; each ends with a record that does not wait.
        let end = next + next % 5;
        let mut group: Vec<_> = (next..end).map(story).collect();
        group.push(loud(end));
        journal.append(group).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {end}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_process_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for lines in [1, 40, 150, 333] {
        acknowledged = acknowledged.max(kill_after(dir.path(), lines));
        let (journal, set_aside) = salvaged(dir.path(), "x").unwrap();
        assert_eq!(set_aside, None);
        assert!(
            journal.head() >= Some(Seq(acknowledged)),
            "{:?}",
            journal.head()
        );
        for record in all(&journal) {
            let seq = record.seq.0;
            assert!(record == story(seq) || record == loud(seq), "record {seq}");
        }
    }
}

/// Lets a process write and kills it when it has acknowledged so often; the last number that it told.
fn kill_after(dir: &Path, lines: usize) -> u64 {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "journal::tests::kill::the_writer_that_is_killed",
            "--nocapture",
        ])
        .env(PLACE, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(writer.stdout.take().unwrap());
    let mut numbers = said.lines().filter_map(|line| {
        line.ok()?
            .strip_prefix("acknowledged ")?
            .parse::<u64>()
            .ok()
    });
    let mut last = numbers
        .by_ref()
        .nth(lines - 1)
        .expect("the writer acknowledges");
    writer.kill().unwrap();
    writer.wait().unwrap();
    // What it told while it was dying counts too.
    last = numbers.last().unwrap_or(last);
    last
}
