//! The seeds: real values, from the machine and the journal themselves, and files that people wrote.

use std::fs;
use std::path::Path;

use rha::journal::sealed::Index;
use rha::journal::{Frames, Journal, Reader, codec};
use rha::model::record::{Record, Seq};
use rha::model::time::At;
use rha::replay::Recovered;
use rha::views::line::Entry;
use rha::views::status::{InstanceStatus, Status};

use tempfile::TempDir;

use super::fixture::{self, Story};
use super::samples;

/// Behind an entry, and behind a snapshot.
const HASH: usize = 16;
/// See `src/journal/snapshot.rs` and `src/journal/sealed.rs`.
const STATE_HEADER: usize = 32;
const TRAILER: usize = 39;

const LINES: &[&str] = &[
    "INSTANCE \"VI_1\" MASTER 150",
    "INSTANCE \"my vip\" BACKUP_PRIORITY 100",
    "GROUP \"VG_1\" BACKUP 0",
    "INSTANCE VI_1 FAULT",
    "INSTANCE \"a \"b\" c\" MASTER_RX_LOWER_PRI 255",
    "VS [192.168.201.15]:tcp:80 UP",
];

const REPLICA: &str = "# Server\r\nredis_version:7.0.15\r\nprocess_id:1515\r\n\
    run_id:0101010101010101010101010101010101010101\r\n# Replication\r\nrole:slave\r\n\
    master_host:192.168.192.161\r\nmaster_port:6000\r\nmaster_link_status:up\r\n\
    master_sync_in_progress:0\r\nslave_read_repl_offset:473\r\nslave_repl_offset:473\r\n\
    master_replid:0707070707070707070707070707070707070707\r\nsecond_repl_offset:-1\r\n\
    # Persistence\r\nloading:0\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n";

const PRIMARY: &str = "role:master\r\nconnected_slaves:1\r\n\
    slave0:ip=192.168.192.38,port=6000,state=online,offset=473,lag=0\r\n\
    master_replid:0707070707070707070707070707070707070707\r\nmaster_repl_offset:473\r\n";

/// A query for each of its words.
const QUERIES: &[&str] = &[
    "since=2026-08-03T06%3A00%3A00.000001Z&kinds=redis-exited%2Cvip-changed&instance=redis&limit=50",
    "until=2026-08-03T06:00:00%2B02:00&rule=promote-on-vip&quiet=true&limit=0",
];

/// Writes all of them below `seeds`, each under the name of its target. What is named `bad-…` was found by
/// fuzzing and stays.
pub fn write(seeds: &Path) {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder).expect("a folder for the seeds");
        fs::write(folder.join(name), bytes).expect("a seed can be written");
    };
    remove_old(seeds);
    streams(&put);
    volumes(&put);
    told(&put);
    for (index, line) in LINES.iter().enumerate() {
        put("notify", &index.to_string(), line.as_bytes());
    }
    put("spool", "lines", &spool());
    put("info", "replica", REPLICA.as_bytes());
    put("info", "primary", PRIMARY.as_bytes());
    for (target, from) in [
        ("config", "config/rha.toml"),
        ("import", "tests/config/config.sh"),
        ("keepalived", "tests/keepalived/good.conf"),
        ("keepalived", "tests/keepalived/many.b.conf"),
        ("keepalived", "tests/keepalived/seed.master.conf"),
        ("keepalived", "tests/keepalived/unicast.lvs1.conf"),
    ] {
        let bytes = fs::read(from).expect("a file of this repository");
        let name = Path::new(from)
            .file_name()
            .expect("a file")
            .to_string_lossy();
        put(target, &name, &bytes);
    }
}

/// Those of a story that is told otherwise now have no successor of their name.
fn remove_old(seeds: &Path) {
    for folder in seeds.read_dir().expect("seeds") {
        let files = folder.expect("a folder").path().read_dir().expect("files");
        for file in files.map(|file| file.expect("a file")) {
            if !file.file_name().to_string_lossy().starts_with("bad-") {
                fs::remove_file(file.path()).expect("a seed can be removed");
            }
        }
    }
}

/// Streams, their entries, and the blocks among those; of every format.
fn streams(put: &dyn Fn(&str, &str, &[u8])) {
    let entry = |name: String, value: &[u8]| {
        put("entry", &name, value);
        // The second byte says which kind of entry it is.
        if let [_, 1, block @ ..] = value {
            put("block", &name, block);
        }
    };
    for (name, records) in [
        ("failover", fixture::failover()),
        ("checks", checks()),
        ("empty", Vec::new()),
        ("events", fixture::folded(samples::every_event())),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path(), records);
        let frames = || journal.frames(Seq(1)).expect("it can be read");
        // Each event has an entry of its own.
        if name != "events" {
            put("frames", name, &stream(frames()));
        }
        for (index, value) in values(frames()).iter().enumerate() {
            entry(format!("{name}-{index:02}"), value);
        }
    }
    for format in ["v1", "v2"] {
        let dir = golden(format);
        let reader = Reader::open(dir.path()).expect("a whole journal");
        let frames = || reader.frames(Seq(1)).expect("it can be read");
        // That of the second format begins with a state.
        put("frames", format, &stream(frames()));
        for (index, value) in values(frames()).iter().enumerate() {
            entry(format!("{format}-{index:02}"), value);
        }
    }
}

/// Sealed volumes, snapshots and marks.
fn volumes(put: &dyn Fn(&str, &str, &[u8])) {
    for (name, records) in [("failover", fixture::failover()), ("checks", checks())] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut journal = journal(dir.path(), records);
        journal.rotate().expect("it can go on");
        journal.seal::<Recovered>().expect("it can be sealed");
        let file = read(&dir.path().join("00000000000000000001.vol"));
        put("volume", &format!("{name}.vol"), &file);
        put("volume", name, &laid_open(&file));
    }
    let dir = golden("v2");
    put(
        "volume",
        "v2",
        &laid_open(&read(&dir.path().join("00000000000000000012.vol"))),
    );
    for first in ["00000000000000000012", "00000000000000000023"] {
        let file = read(&dir.path().join(format!("{first}.state")));
        put("state", first, &file[STATE_HEADER..file.len() - HASH]);
    }
    put(
        "state",
        "12.state",
        &read(&dir.path().join("00000000000000000012.state")),
    );
    put("mark", "v2", &read(&dir.path().join("mark")));
}

/// What readers are told.
fn told(put: &dyn Fn(&str, &str, &[u8])) {
    let mut story = Story::default();
    story.start(false);
    story.check(fixture::replica(true));
    let instance = InstanceStatus::new("redis", &story.state);
    let status = Status::new("lvs1", "0.1.0", At::default(), [instance]);
    let status = serde_json::to_vec(&status).expect("every status has its JSON");
    put("status", "replica", &status);
    let records = fixture::failover();
    let lines = records.iter().step_by(3).map(|record| {
        let line = record.json().expect("every record has its JSON");
        line.into_owned() + "\n"
    });
    put("blackbox", "failover", lines.collect::<String>().as_bytes());
    for (index, query) in QUERIES.iter().enumerate() {
        put("query", &index.to_string(), query.as_bytes());
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file that was just written")
}

/// A copy of a whole journal, for it is locked and cleaned when it is opened.
fn golden(format: &str) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for file in from.read_dir().expect("a folder of this repository") {
            let (from, to) = (
                file.as_ref().expect("a file").path(),
                to.join(file.as_ref().expect("a file").file_name()),
            );
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(&from, &to).expect("a file can be copied");
            }
        }
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    copy(&Path::new("tests/golden/journal").join(format), dir.path());
    dir
}

fn journal(dir: &Path, records: Vec<Record>) -> Journal {
    let mut journal = Journal::open(dir).expect("a journal");
    journal.append(records).expect("it takes them");
    journal.flush_quiet().expect("it stores them");
    journal
}

fn stream(frames: Frames) -> Vec<u8> {
    let stream: Result<Vec<_>, _> = frames.into_stream().collect();
    stream.expect("it can be read").concat()
}

/// The entries without their hashes.
fn values(frames: Frames) -> Vec<Vec<u8>> {
    let values = frames.map(|frame| {
        let (_, mut value) = frame.expect("it can be read");
        value.truncate(value.len() - HASH);
        value
    });
    values.collect()
}

/// A sealed volume as its decoder takes it: nothing stays as told, index, chunks.
fn laid_open(file: &[u8]) -> Vec<u8> {
    let trailer = &file[file.len() - TRAILER..];
    let place = usize::try_from(number(&trailer[..8])).expect("a place in it");
    let unpack = |packed: &[u8], raw: u64| {
        let raw = usize::try_from(raw).expect("a length");
        zstd::bulk::decompress(packed, raw).expect("what was packed")
    };
    let raw = unpack(&file[place..file.len() - TRAILER], number(&trailer[12..16]));
    let index: Index = codec::deserialize(&raw).expect("an index");
    let length = u16::try_from(raw.len()).expect("a short index");
    let mut open = [&[0], length.to_be_bytes().as_slice(), &raw].concat();
    for chunk in &index.chunks {
        let place = usize::try_from(chunk.place).expect("a place in it");
        let packed = &file[place..place + chunk.stored as usize];
        open.extend(unpack(packed, chunk.raw.into()));
    }
    open
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Quiet checks of two Redis.
fn checks() -> Vec<Record> {
    let mut story = Story::default();
    story.start(false);
    for n in 0_u32..30 {
        let mut own = fixture::replica(true);
        own.latency_us += n * 7 % 50;
        if let Some(seen) = &mut own.observation {
            seen.offset += i64::from(n) * 14;
        }
        story.check(own);
        story.tell(rha::model::event::Event::PeerProbed {
            peer: "lvs2".to_owned(),
            probe: fixture::master(1),
        });
    }
    story.records
}

/// A segment with a write that was cut short in it; the checksums are set by its decoder's own means.
fn spool() -> Vec<u8> {
    let mut segment = b"rha-spool 1 1122334455667788\n".to_vec();
    for (index, line) in LINES.iter().enumerate() {
        let length = line.len();
        let checked =
            format!("17857368000000{index:02} 5000000 1122334455667788 f {length} {line}");
        let crc = crc32fast::hash(checked.as_bytes());
        let frame = format!("\n1 {crc:08x} {checked}\n");
        let end = if index == 3 { 40 } else { frame.len() };
        segment.extend_from_slice(&frame.as_bytes()[..end]);
    }
    segment
}
