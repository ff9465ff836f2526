//! The seeds: real values, from the machine and the journal themselves, and files that people wrote.

use std::fs;
use std::path::Path;

use rha::journal::Journal;
use rha::model::record::{Record, Seq};

use super::fixture::{self, Story};
use super::samples;

/// Format byte before a body, hash behind it.
const HASH: usize = 16;

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

/// Writes all of them below `seeds`, each under the name of its target. What is named `bad-…` was found by
/// fuzzing and stays.
pub fn write(seeds: &Path) {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder).expect("a folder for the seeds");
        fs::write(folder.join(name), bytes).expect("a seed can be written");
    };
    let (stream, values) = journal(fixture::failover());
    put("frames", "failover", &stream);
    put("frames", "empty", &journal(Vec::new()).0);
    let (_, samples) = journal(fixture::folded(samples::every_event()));
    let (stream, quiet) = journal(checks());
    put("frames", "checks", &stream);
    for (index, value) in values.iter().chain(&samples).chain(&quiet).enumerate() {
        put("entry", &format!("{index:03}"), value);
        // The second byte says which kind of entry it is.
        if let Some(block) = value.strip_prefix(&[1, 1]) {
            put("block", &format!("{index:03}"), block);
        }
    }
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

/// What the journal makes of records: the stream, and its entries without their hashes.
fn journal(records: Vec<Record>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(&dir.path().join("journal")).expect("a journal");
    journal.append(records).expect("it takes them");
    journal.flush_quiet().expect("it stores them");
    let frames = || journal.frames(Seq(1)).expect("it can be read");
    let stream: Result<Vec<_>, _> = frames().into_stream().collect();
    let values = frames().map(|frame| {
        let (_, mut value) = frame.expect("it can be read");
        value.truncate(value.len() - HASH);
        value
    });
    (stream.expect("it can be read").concat(), values.collect())
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
