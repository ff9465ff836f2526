//! The thread that writes.

use tokio::sync::oneshot::Receiver;

use crate::journal::Committer;

use super::*;

fn wait(answer: Receiver<Result<(), Error>>) -> Result<(), Error> {
    answer.blocking_recv().unwrap()
}

#[test]
fn commits_are_stored_in_the_order_of_the_calls() {
    let dir = tempfile::tempdir().unwrap();
    let committer = Committer::start::<Tally>(Journal::open(dir.path()).unwrap()).unwrap();
    let records = stories(1_500);
    let answers: Vec<_> = records
        .chunks(3)
        .map(|group| committer.commit(group.to_vec()))
        .collect();
    let reader = committer.reader();
    for (index, answer) in answers.into_iter().enumerate() {
        wait(answer).unwrap();
        assert!(reader.head() >= Some(Seq(index as u64 * 3 + 3)));
    }
    assert_eq!(all(&reader), records);
    let journal = committer.stop().unwrap();
    assert_eq!(journal.stats().unwrap().held, 0);
    drop((journal, reader));
    assert_eq!(all(&Reader::open(dir.path()).unwrap()), records);
}

#[test]
fn a_wrong_commit_is_answered_and_the_next_right_one_taken() {
    let dir = tempfile::tempdir().unwrap();
    let committer = Committer::start::<Tally>(Journal::open(dir.path()).unwrap()).unwrap();
    let wrong = wait(committer.commit(vec![loud(2)]));
    assert!(matches!(
        wrong,
        Err(Error::Misnumbered {
            expected: Seq(1),
            found: Seq(2)
        })
    ));
    wait(committer.commit(vec![loud(1)])).unwrap();
    let journal = committer.stop().unwrap();
    assert_eq!(all(&journal), [loud(1)]);
}

#[test]
fn readers_see_whole_beginnings_while_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let committer = Committer::start::<Tally>(Journal::open(dir.path()).unwrap()).unwrap();
    let records = stories(4_000);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (reader, records) = (committer.reader(), &records);
            scope.spawn(move || {
                while reader.next_seq() <= Seq(4_000) {
                    let found = all(&reader);
                    assert_eq!(found, records[..found.len()]);
                    let last = reader.records_rev(Seq(u64::MAX)).take(40);
                    let last: Vec<_> = last.collect::<Result<_, _>>().unwrap();
                    assert!(last.is_sorted_by(|a, b| a.seq.0 == b.seq.0 + 1));
                }
            });
        }
        for group in records.chunks(5) {
            wait(committer.commit(group.to_vec())).unwrap();
        }
    });
    assert_eq!(all(&committer.reader()), records);
}
