//! The text of `INFO`, understood (Redis 5 to 8, Valkey, KeyDB).
//!
//! Sections are lines `key:value`, ended by CR LF; lines beginning with `#` are headings. A field that a
//! version does not have takes the value that it had when it did not exist.

use std::str::FromStr;
use std::time::Duration;

use crate::model::redis::{Endpoint, Observation, RedisId, RedisRole};

/// Which process answers (`INFO server`). Constant as long as the process lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `process_id`, in the pid namespace of Redis; 0 where it is not told.
    pub pid: u32,
    /// `run_id`: drawn at each start.
    pub run_id: RedisId,
    /// `redis_version`.
    pub version: String,
}

/// Reads `INFO server`; `None` without a `run_id`.
#[must_use]
pub fn identity(server: &str) -> Option<Identity> {
    Some(Identity {
        pid: number(server, "process_id", 0),
        run_id: RedisId::parse(field(server, "run_id")?)?,
        version: short(field(server, "redis_version").unwrap_or("")),
    })
}

/// Reads `INFO replication`, `INFO persistence` and `INFO keyspace` of the process `run_id`; `None` where no
/// role is told.
#[must_use]
pub fn observation(
    run_id: RedisId,
    replication: &str,
    persistence: &str,
    keyspace: &str,
) -> Option<Observation> {
    let role = match field(replication, "role")? {
        "master" => RedisRole::Master,
        "slave" | "replica" => RedisRole::Replica,
        _ => return None,
    };
    let id = |key| {
        field(replication, key)
            .and_then(RedisId::parse)
            .unwrap_or_default()
    };
    let master = field(replication, "master_host").map(|host| Endpoint {
        host: short(host),
        port: number(replication, "master_port", 0),
    });
    Some(Observation {
        role,
        run_id,
        replid: id("master_replid"),
        replid2: id("master_replid2"),
        second_offset: number(replication, "second_repl_offset", -1),
        offset: offset(replication)?,
        master,
        link_up: link_up(replication),
        sync_in_progress: flag(replication, "master_sync_in_progress"),
        loading: flag(persistence, "loading"),
        replicas_online: replicas_online(replication),
        keys: keys(keyspace),
    })
}

/// What a promotion asks of the local data set at the last moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSet {
    /// `master_sync_in_progress:1`: another one is being received in its place.
    pub sync_in_progress: bool,
    /// `loading:1`: it is being read from disk.
    pub loading: bool,
    /// `master_link_status:up`: more may come.
    pub link_up: bool,
    /// How much of the replication stream Redis has read, in bytes (`slave_read_repl_offset`, since 7.0); before
    /// that how much of it is in the data set (`slave_repl_offset`).
    pub read_offset: i64,
}

/// How far a data set has come, in bytes of the replication stream; `None` where no role is told.
#[must_use]
pub fn offset(replication: &str) -> Option<i64> {
    let key = match field(replication, "role")? {
        "master" => "master_repl_offset",
        _ => "slave_repl_offset",
    };
    Some(number(replication, key, 0))
}

/// Reads `INFO replication` and `INFO persistence`; `None` where no role is told.
#[must_use]
pub fn data_set(replication: &str, persistence: &str) -> Option<DataSet> {
    field(replication, "role")?;
    Some(DataSet {
        sync_in_progress: flag(replication, "master_sync_in_progress"),
        loading: flag(persistence, "loading"),
        link_up: link_up(replication),
        read_offset: number(
            replication,
            "slave_read_repl_offset",
            number(replication, "slave_repl_offset", 0),
        ),
    })
}

/// How far `BGSAVE` has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// It is being written.
    UnderWay,
    /// The last one was written, so long since 1970 (`rdb_last_save_time`).
    Done(Duration),
    /// The last one could not be written.
    Failed,
}

/// Reads `INFO persistence`.
#[must_use]
pub fn saving(persistence: &str) -> Saving {
    if flag(persistence, "rdb_bgsave_in_progress") {
        Saving::UnderWay
    } else if field(persistence, "rdb_last_bgsave_status") == Some("ok") {
        Saving::Done(Duration::from_secs(number(
            persistence,
            "rdb_last_save_time",
            0,
        )))
    } else {
        Saving::Failed
    }
}

fn link_up(replication: &str) -> bool {
    field(replication, "master_link_status") == Some("up")
}

/// Replicas that are in step: `slave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0`.
///
/// Redis calls a replica online as soon as the data set is on its way, and tells `offset=0` of it until its
/// first acknowledgement, up to a second later: until then it may have nothing. That holds also where the master
/// itself is at 0, for what was written before its first replica came does not count. There it takes until the
/// first ping (`repl-ping-replica-period`, 10 s) is acknowledged.
fn replicas_online(replication: &str) -> u16 {
    let online = fields(replication).filter(|(key, value)| {
        let has = |wanted: fn(&str) -> bool| value.split(',').any(wanted);
        numbered(key, "slave") && has(|part| part == "state=online") && has(acknowledges)
    });
    u16::try_from(online.count()).unwrap_or(u16::MAX)
}

/// `offset=42`, and more than 0.
fn acknowledges(part: &str) -> bool {
    part.strip_prefix("offset=")
        .and_then(|offset| offset.parse().ok())
        .is_some_and(|offset: i64| offset > 0)
}

/// Keys in all databases.
fn keys(keyspace: &str) -> u64 {
    let counts = databases(keyspace).into_iter().map(|(_, keys)| keys);
    counts.fold(0, u64::saturating_add)
}

/// The databases that have keys, and how many each: `db0:keys=5,expires=0,avg_ttl=0` (`INFO keyspace`).
#[must_use]
pub fn databases(keyspace: &str) -> Vec<(u32, u64)> {
    let database = |(key, value): (&str, &str)| {
        let number = key.strip_prefix("db")?.parse().ok()?;
        let mut parts = value.split(',');
        let keys = parts.find_map(|part| part.strip_prefix("keys=")?.parse().ok())?;
        Some((number, keys))
    };
    fields(keyspace).filter_map(database).collect()
}

/// No host name is longer (RFC 1035); whatever answers in place of Redis may say anything.
fn short(text: &str) -> String {
    text.chars().take(255).collect()
}

fn fields(section: &str) -> impl Iterator<Item = (&str, &str)> {
    section.lines().filter_map(|line| line.split_once(':'))
}

fn field<'a>(section: &'a str, key: &str) -> Option<&'a str> {
    fields(section)
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

fn number<T: FromStr>(section: &str, key: &str, otherwise: T) -> T {
    field(section, key)
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}

fn flag(section: &str, key: &str) -> bool {
    field(section, key) == Some("1")
}

/// `slave0`, `db15`: the word and a number.
fn numbered(key: &str, word: &str) -> bool {
    key.strip_prefix(word)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "5bd5b9fba15f9b2b9cdfbdeb7a6b3a1f3c2d4e5f";
    const REPLID: &str = "8371445ef47cb9a1ebd24e4f8a6d6e5ae7d4d0e2";
    const SERVER: &str = "# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\nredis_mode:standalone\r\n\
        os:Linux 6.1.0 x86_64\r\nprocess_id:4711\r\nprocess_supervised:no\r\n\
        run_id:5bd5b9fba15f9b2b9cdfbdeb7a6b3a1f3c2d4e5f\r\ntcp_port:6379\r\n";
    const MASTER: &str = "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n\
        slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=0\r\n\
        slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
        slave10:ip=10.0.0.4,port=6379,state=online,offset=42,lag=1\r\n\
        master_failover_state:no-failover\r\nmaster_replid:8371445ef47cb9a1ebd24e4f8a6d6e5ae7d4d0e2\r\n\
        master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:42\r\n\
        second_repl_offset:-1\r\nrepl_backlog_active:1\r\n";
    const REPLICA: &str = "# Replication\r\nrole:slave\r\nmaster_host:192.168.192.161\r\nmaster_port:6379\r\n\
        master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:1\r\n\
        slave_read_repl_offset:99\r\nslave_repl_offset:98\r\nslave_priority:100\r\nslave_read_only:1\r\n\
        connected_slaves:0\r\nmaster_replid:8371445ef47cb9a1ebd24e4f8a6d6e5ae7d4d0e2\r\n\
        master_replid2:5bd5b9fba15f9b2b9cdfbdeb7a6b3a1f3c2d4e5f\r\nmaster_repl_offset:97\r\n\
        second_repl_offset:57\r\n";
    const IDLE: &str = "# Persistence\r\nloading:0\r\nasync_loading:0\r\n";

    #[test]
    fn no_text_is_kept_that_is_too_long_for_the_journal() {
        let long = "x".repeat(100_000);
        let server = format!("redis_version:{long}\r\nrun_id:{RUN}\r\n");
        assert_eq!(identity(&server).unwrap().version.len(), 255);
        let replication = format!("role:slave\r\nmaster_host:{long}\r\nmaster_port:1\r\n");
        let id = RedisId::parse(RUN).unwrap();
        let seen = observation(id, &replication, IDLE, "").unwrap();
        assert_eq!(seen.master.unwrap().host.len(), 255);
    }

    #[test]
    fn identity_of_7_0_15() {
        let identity = identity(SERVER).unwrap();
        assert_eq!(identity.pid, 4711);
        assert_eq!(identity.run_id, RedisId::parse(RUN).unwrap());
        assert_eq!(identity.version, "7.0.15");
        assert_eq!(
            super::identity("# Server\r\nredis_version:7.0.15\r\n"),
            None
        );
    }

    #[test]
    fn a_master_counts_only_online_replicas() {
        let keyspace =
            "# Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=0\r\ndb11:keys=7,expires=1,avg_ttl=3\r\n";
        let seen = observation(RedisId::default(), MASTER, IDLE, keyspace).unwrap();
        assert_eq!(seen.role, RedisRole::Master);
        assert_eq!(seen.replicas_online, 2);
        assert_eq!(seen.offset, 42);
        assert_eq!(seen.second_offset, -1);
        assert_eq!(seen.replid, RedisId::parse(REPLID).unwrap());
        assert_eq!(seen.replid2, RedisId::default());
        assert_eq!(seen.keys, 12);
        assert_eq!(seen.master, None);
        assert!(!seen.loading && !seen.link_up && !seen.sync_in_progress);
    }

    #[test]
    fn an_online_replica_counts_from_its_first_acknowledgement() {
        let online = |slave: &str| {
            replicas_online(&format!(
                "role:master\r\nslave0:ip=10.0.0.2,port=6379,{slave}\r\nmaster_repl_offset:42\r\n"
            ))
        };
        assert_eq!(online("state=online,offset=0,lag=0"), 0);
        assert_eq!(online("state=online,offset=1,lag=0"), 1);
        assert_eq!(online("state=send_bulk,offset=7,lag=0"), 0);
        assert_eq!(online("state=online,offset=x,lag=0"), 0);
        assert_eq!(online("state=online,lag=0"), 0);
    }

    #[test]
    fn the_data_set_at_the_last_moment() {
        let told = |replication, persistence| data_set(replication, persistence).unwrap();
        let whole = DataSet {
            sync_in_progress: false,
            loading: false,
            link_up: false,
            read_offset: 0,
        };
        assert_eq!(told(MASTER, IDLE), whole);
        let receiving = DataSet {
            sync_in_progress: true,
            read_offset: 99,
            ..whole
        };
        assert_eq!(told(REPLICA, IDLE), receiving);
        assert!(told(REPLICA, "loading:1\r\n").loading);
        let old = told(
            "role:slave\r\nmaster_link_status:up\r\nslave_repl_offset:98\r\n",
            IDLE,
        );
        assert_eq!((old.link_up, old.read_offset), (true, 98));
        assert_eq!(data_set("", IDLE), None);
    }

    #[test]
    fn a_replica_in_its_first_sync() {
        let seen = observation(
            RedisId::default(),
            REPLICA,
            "loading:1\r\n",
            "# Keyspace\r\n",
        )
        .unwrap();
        assert_eq!(seen.role, RedisRole::Replica);
        let master = seen.master.unwrap();
        assert_eq!(
            (master.host.as_str(), master.port),
            ("192.168.192.161", 6379)
        );
        assert_eq!(
            seen.offset, 98,
            "a replica's own offset, not the one it announces"
        );
        assert_eq!(seen.second_offset, 57);
        assert!(seen.sync_in_progress && seen.loading && !seen.link_up);
        assert_eq!(seen.keys, 0);
    }

    #[test]
    fn how_far_a_save_has_come() {
        let said = |lines: &str| saving(&format!("# Persistence\r\n{lines}"));
        let ok =
            "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\nrdb_last_save_time:17\r\n";
        assert_eq!(said(ok), Saving::Done(Duration::from_secs(17)));
        assert_eq!(said(&ok.replace(":0", ":1")), Saving::UnderWay);
        assert_eq!(said(&ok.replace("ok", "err")), Saving::Failed);
        assert_eq!(
            said(""),
            Saving::Failed,
            "what is no Redis has saved nothing"
        );
    }

    #[test]
    fn text_without_a_role_is_no_observation() {
        assert_eq!(observation(RedisId::default(), "", IDLE, ""), None);
        assert_eq!(
            observation(RedisId::default(), "role:sentinel\r\n", IDLE, ""),
            None
        );
    }

    #[test]
    fn odd_lines_do_no_harm() {
        let odd = "role:slave\r\nmaster_host:fe80::1\r\nmaster_port:x\r\nslaves:state=online\r\nslave:state=online\r\n";
        let seen =
            observation(RedisId::default(), odd, "", "db:keys=3\r\ndb0:keys=-1\r\n").unwrap();
        assert_eq!(seen.master.unwrap().host, "fe80::1");
        assert_eq!((seen.replicas_online, seen.keys), (0, 0));
    }
}
