//! Exactly once, in order, whatever happens in between.

use std::fs;
use std::io::Read;

use tempfile::TempDir;

use super::*;
use crate::config::Paths;
use crate::journal::{Committer, Journal};
use crate::model::redis::Grade;
use crate::replay::Recovered;
use crate::views::fixture::{self, Story};
use crate::views::history::{self, Filter};

const LIMITS: Limits = Limits {
    keep: 64 << 20,
    file: 4 << 10,
};

/// A journal and a black box, both in one directory, and a story that is told to both.
struct World {
    dir: TempDir,
    journal: Option<Journal>,
    lender: Library,
    feed: broadcast::Sender<Arc<Record>>,
    story: Story,
    told: usize,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lender = Library::new(&Paths {
            state: dir.path().to_owned(),
            runtime: dir.path().to_owned(),
        });
        let mut world = Self {
            dir,
            journal: None,
            lender,
            feed: broadcast::channel(8).0,
            story: Story::default(),
            told: 0,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let journal = Journal::open(&self.dir.path().join("journal")).unwrap();
        self.lender.opened(journal.reader());
        self.journal = Some(journal);
    }

    fn close(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let committer = Committer::start::<Recovered>(self.journal.take().unwrap()).unwrap();
        runtime
            .block_on(async { self.lender.close(committer).await })
            .unwrap();
    }

    fn writer(&self) -> Writer {
        let dir = self.dir.path().join("box");
        Writer::new(dir, LIMITS, self.feed.subscribe(), self.lender.clone())
    }

    /// Commits what the story has told since, and returns it.
    fn commit(&mut self) -> Vec<Record> {
        let records = self.story.records[self.told..].to_vec();
        self.told = self.story.records.len();
        let journal = self.journal.as_mut().unwrap();
        journal.append(records.clone()).unwrap();
        records
    }

    fn checks(&mut self) -> Vec<Record> {
        for probe in [
            fixture::master(1),
            fixture::master(1),
            fixture::failed(Grade::Timeout, 9),
            fixture::master(1),
        ] {
            self.story.check(probe);
        }
        self.commit()
    }

    /// What `rha history -n 0 --output jsonl` prints of all that was told.
    fn expected(&self) -> Vec<String> {
        let all = self.story.records.iter().cloned().map(Ok::<_, Error>);
        history::all(Filter::default(), all)
            .map(|record| record.unwrap().json().unwrap().into_owned())
            .collect()
    }

    fn written(&self) -> Vec<String> {
        let mut text = String::new();
        for mut file in files::open_all(&self.dir.path().join("box")).unwrap() {
            file.read_to_string(&mut text).unwrap();
        }
        text.lines().map(str::to_owned).collect()
    }
}

fn catch_up(writer: &mut Writer) {
    while let Some(pause) = writer.catch_up() {
        assert_eq!(pause, Duration::ZERO, "{}", writer.trouble);
    }
}

#[test]
fn what_is_told_live_and_what_was_missed_are_there_once() {
    let mut world = World::new();
    world.story.start(true);
    world.commit();
    let mut writer = world.writer();
    assert!(!writer.take(&world.story.records[0]), "it has no place yet");
    catch_up(&mut writer);
    assert_eq!(world.written(), world.expected());

    world.story.lead();
    for record in world.commit() {
        assert!(writer.take(&record));
        assert!(writer.take(&record), "told twice, written once");
    }
    assert_eq!(world.written(), world.expected());

    let missed = world.checks();
    let next = world.checks();
    assert!(!writer.take(&next[0]), "{} are missing", missed.len());
    catch_up(&mut writer);
    assert!(next.iter().all(|record| writer.take(record)));
    assert_eq!(world.written(), world.expected());
    assert!(world.dir.path().join("box/records.1.jsonl").exists());
}

#[test]
fn a_restart_goes_on_behind_the_last_whole_line() {
    let mut world = World::new();
    world.story.start(true);
    world.story.lead();
    world.commit();
    let whole = world.dir.path().join("box/records.jsonl");
    for cut in 0..30 {
        // It knows what each Redis said last, as if it had been there.
        world.checks();
        let mut writer = world.writer();
        catch_up(&mut writer);
        assert_eq!(world.written(), world.expected());
        drop(writer);
        let file = fs::File::options().write(true).open(&whole).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(cut * 97)).unwrap();
    }
    let mut writer = world.writer();
    catch_up(&mut writer);
    assert_eq!(world.written(), world.expected());
}

#[test]
fn a_box_that_was_emptied_is_filled_again() {
    let mut world = World::new();
    world.story.start(true);
    world.commit();
    let mut writer = world.writer();
    catch_up(&mut writer);
    fs::remove_dir_all(world.dir.path().join("box")).unwrap();
    world.story.lead();
    let news = world.commit();
    assert!(!news.iter().all(|record| writer.take(record)));
    catch_up(&mut writer);
    assert_eq!(world.written(), world.expected());
}

#[test]
fn another_journal_is_told_from_its_beginning() {
    let mut world = World::new();
    world.story.start(true);
    world.commit();
    catch_up(&mut world.writer());
    let before = world.expected();

    world.close();
    fs::remove_dir_all(world.dir.path().join("journal")).unwrap();
    let mut writer = world.writer();
    assert_eq!(writer.catch_up(), Some(PAUSE), "there is no journal");
    assert_eq!(writer.trouble, AWAY);
    world.open();
    world.story = Story::default();
    world.story.wait_ms(5_000);
    world.story.start(false);
    world.told = 0;
    world.commit();
    catch_up(&mut writer);
    catch_up(&mut world.writer());
    assert_eq!(world.written(), [before, world.expected()].concat());
}

#[test]
fn a_journal_that_lost_its_end_is_told_on_from_there() {
    let mut world = World::new();
    world.story.start(true);
    world.commit();
    let kept = world.story.records.clone();
    let dir = world.dir.path().join("journal");
    let copy = world.dir.path().join("copy");
    world.close();
    fs::rename(&dir, &copy).unwrap();
    fs::create_dir(&dir).unwrap();
    for entry in copy.read_dir().unwrap() {
        let from = entry.unwrap().path();
        let to = dir.join(from.file_name().unwrap());
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            for file in from.read_dir().unwrap().map(|file| file.unwrap().path()) {
                if file.is_file() {
                    fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
                }
            }
        } else {
            fs::copy(from, to).unwrap();
        }
    }
    world.open();
    world.story.lead();
    world.commit();
    catch_up(&mut world.writer());
    let before = world.expected();
    world.close();
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&copy, &dir).unwrap();
    world.open();
    world.story = Story {
        records: kept.clone(),
        ..Story::default()
    };
    world.story.seq = kept.last().unwrap().seq.next();
    world.told = kept.len();
    world.story.wait_ms(90_000);
    world.story.start(false);
    world.commit();
    catch_up(&mut world.writer());
    let after = world.expected();
    let again = after.len()
        - after
            .iter()
            .zip(&before)
            .take_while(|(a, b)| a == b)
            .count();
    assert!(again > 0 && again < after.len());
    assert_eq!(
        world.written(),
        [&before, &after[after.len() - again..]].concat()
    );
}

#[test]
fn a_disk_that_fails_is_waited_for() {
    let mut world = World::new();
    world.story.start(true);
    world.commit();
    // No directory can be made where a file is.
    fs::write(world.dir.path().join("box"), "").unwrap();
    let mut writer = world.writer();
    assert_eq!(writer.catch_up(), Some(PAUSE));
    assert_ne!(writer.trouble, "");
    world.checks();
    fs::remove_file(world.dir.path().join("box")).unwrap();
    catch_up(&mut writer);
    assert_eq!(writer.trouble, "");
    assert_eq!(world.written(), world.expected());
}

/// The thread: what is in the queue when it is stopped is written, and what the queue lost too.
#[test]
fn the_queue_may_run_over() {
    let mut world = World::new();
    let writer = world.writer();
    let (stop, stopped) = oneshot::channel();
    world.story.start(true);
    let mut told = Vec::new();
    for _ in 0..20 {
        told.extend(world.checks());
    }
    for record in told {
        // Nobody waits for it.
        let _ = world.feed.send(Arc::new(record));
    }
    let whole = world.expected();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(writer.run(stopped));
    });
    let began = Instant::now();
    while !world.dir.path().join("box").is_dir() || world.written() != whole {
        assert!(began.elapsed() < Duration::from_secs(30), "in vain");
        thread::yield_now();
    }
    world.story.lead();
    for record in world.commit() {
        world.feed.send(Arc::new(record)).unwrap();
    }
    stop.send(()).unwrap();
    thread.join().unwrap();
    let (written, expected) = (world.written(), world.expected());
    assert!(written.len() <= expected.len());
    assert_eq!(written, expected[..written.len()]);
    catch_up(&mut world.writer());
    assert_eq!(world.written(), expected);
}

/// What cannot be read is passed over; what is behind it comes.
#[test]
fn a_damaged_volume_keeps_nothing_from_what_is_behind_it() {
    let mut world = World::new();
    let mut first = Vec::new();
    for volume in 0..3 {
        world.story.start(volume == 0);
        let told = world.commit();
        let journal = world.journal.as_mut().unwrap();
        journal.rotate().unwrap();
        first.push(told[0].seq);
    }
    let journal = world.journal.as_ref().unwrap();
    journal.seal::<Recovered>().unwrap();
    let place = world.dir.path().join("journal");
    fs::write(place.join(format!("{:020}.vol", first[1].0)), "rubbish").unwrap();
    let expected = world.expected();
    catch_up(&mut world.writer());
    let is_lost = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (first[1].0..first[2].0).contains(&line["seq"].as_u64().unwrap())
    };
    let due: Vec<_> = expected.into_iter().filter(|line| !is_lost(line)).collect();
    assert_eq!(world.written(), due);
}
