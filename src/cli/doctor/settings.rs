//! Redis' settings in force (`CONFIG GET`), against what a pair needs. Looks at values only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::finding::Findings;

/// What of the configuration it is compared with.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The address that clients use.
    pub vip: IpAddr,
    /// This node's own address: the others reach it there.
    pub address: Option<IpAddr>,
    /// rha logs in with a password.
    pub has_password: bool,
    /// `failover.replicated_writes`.
    pub replicated_writes: bool,
}

/// What Redis says of itself.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// `CONFIG GET *`.
    pub settings: BTreeMap<String, String>,
    /// Sections of `INFO`, together.
    pub info: BTreeMap<String, String>,
}

/// The write rate is that of one moment: so long the backlog should last at it.
const BACKLOG: Duration = Duration::from_secs(60);
/// Redis' own defaults are larger.
const OUTPUT_LEAST: u64 = 64 << 20;

impl Said {
    fn setting(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.setting(key) == value
    }

    fn number(&self, key: &str) -> u64 {
        self.setting(key).parse().unwrap_or(0)
    }

    fn told(&self, key: &str) -> u64 {
        self.info
            .get(key)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    fn saves(&self) -> bool {
        !self.setting("save").is_empty() || self.is("appendonly", "yes")
    }
}

/// Everything that these settings make go wrong.
pub fn check(said: &Said, wanted: &Wanted, found: &mut Findings) {
    reach(said, wanted, found);
    replication(said, wanted, found);
    sizes(said, found);
    data(said, found);
}

/// Can clients and the other nodes get in?
fn reach(said: &Said, wanted: &Wanted, found: &mut Findings) {
    let bound: Vec<&str> = said.setting("bind").split_ascii_whitespace().collect();
    let names: Vec<&str> = bound
        .iter()
        .map(|one| one.trim_start_matches('-'))
        .collect();
    let has = |ip: IpAddr| {
        let any = if ip.is_ipv4() {
            ["0.0.0.0", "*"]
        } else {
            ["::", "::*"]
        };
        names.is_empty()
            || names
                .iter()
                .any(|name| any.contains(name) || name.parse() == Ok(ip))
    };
    let lacks: Vec<String> = [Some(wanted.vip), wanted.address]
        .into_iter()
        .flatten()
        .filter(|ip| !ip.is_loopback() && !has(*ip))
        .map(|ip| ip.to_string())
        .collect();
    if lacks.is_empty() {
        found.ok("bind", "it listens at the VIP and at the node's address");
    } else {
        let text = format!(
            "bind {} does not cover {}: nobody reaches it there",
            said.setting("bind"),
            lacks.join(" and ")
        );
        found.trouble("bind", text, "bind * -::* (a VIP comes and goes)");
    }
    let open = said.is("protected-mode", "no") || !said.setting("requirepass").is_empty();
    if !open && !wanted.has_password {
        let text = "protected-mode is on and there is no password: other hosts are refused";
        found.trouble(
            "protected-mode",
            text,
            "set a password, or protected-mode no",
        );
    }
    if said.is("tcp-keepalive", "0") {
        let text = "tcp-keepalive is 0: clients of a host that is gone are kept for ever";
        found.warning("tcp-keepalive", text, "tcp-keepalive 300");
    }
    if said.is("cluster-enabled", "yes") {
        let text = "cluster-enabled: REPLICAOF is refused, rha can neither promote nor demote";
        found.trouble("cluster", text, "cluster-enabled no, and restart Redis");
    }
}

/// Can it follow, and be followed?
fn replication(said: &Said, wanted: &Wanted, found: &mut Findings) {
    if wanted.has_password && said.setting("masterauth").is_empty() {
        let text = "masterauth is not set: as a replica it cannot log in at the primary";
        found.trouble(
            "masterauth",
            text,
            "set masterauth (and masteruser), as on the other nodes",
        );
    } else {
        found.ok("masterauth", "as a replica it can log in at the primary");
    }
    if said.is("replica-read-only", "no") {
        let text = "replica-read-only is no: what is written to a replica is on no other node";
        found.trouble("replica-read-only", text, "replica-read-only yes");
    }
    if said.number("min-replicas-to-write") > 0 && !wanted.replicated_writes {
        let text =
            "min-replicas-to-write is set for good: writes stop when merely the replica dies";
        let todo = "set it to 0, and replicated_writes = true in rha.toml: rha sets it by role";
        found.warning("min-replicas", text, todo);
    }
    if said.is("replica-serve-stale-data", "no") {
        let text = "replica-serve-stale-data is no: a replica without its primary fails its checks";
        found.warning("stale-data", text, "replica-serve-stale-data yes");
    }
    let timeout = said.number("repl-timeout");
    let ping = said.number("repl-ping-replica-period");
    if timeout > 0 && timeout <= ping {
        let text = format!(
            "repl-timeout {timeout} is not above repl-ping-replica-period {ping}: the link is cut when nobody writes"
        );
        found.trouble("repl-timeout", text, "repl-timeout 60");
    } else if timeout > 60 {
        let text = format!("repl-timeout is {timeout} s: a replica notices a dead link so late");
        found.warning("repl-timeout", text, "repl-timeout 60 or less");
    }
    if said.is("repl-diskless-load", "flushdb") || said.is("repl-diskless-load", "always") {
        let text = "repl-diskless-load throws the old copy away before a new one is complete";
        found.warning(
            "diskless-load",
            text,
            "repl-diskless-load swapdb or disabled",
        );
    }
}

/// Are buffers large enough for a replica that was away?
fn sizes(said: &Said, found: &mut Findings) {
    let size = said.number("repl-backlog-size");
    // Kilobytes a second, of all replicas; the replication offset counts them once.
    let uptime = said.told("uptime_in_seconds").max(1);
    let mean = said.told("master_repl_offset") / uptime;
    let now = said
        .info
        .get("instantaneous_input_kbps")
        .and_then(|text| text.split('.').next()?.parse::<u64>().ok())
        .map_or(0, |kbps| kbps * 1024);
    let rate = mean.max(if said.told("connected_slaves") > 0 {
        now
    } else {
        0
    });
    if size > 0 && rate > 0 && size / rate < BACKLOG.as_secs() {
        let text = format!(
            "repl-backlog-size {size} lasts {} s at {rate} bytes written a second: who is away longer copies everything",
            size / rate
        );
        let todo = format!("repl-backlog-size {}", (rate * 600).next_power_of_two());
        found.warning("repl-backlog", text, todo);
    } else {
        found.ok(
            "repl-backlog",
            "the backlog outlasts a short absence of the replica",
        );
    }
    if let Some(hard) = output_limit(said.setting("client-output-buffer-limit"))
        && hard > 0
        && hard < OUTPUT_LEAST
    {
        let text = format!(
            "client-output-buffer-limit replica is {hard}: a copy under writes is cut off and begins again, for ever"
        );
        found.warning(
            "output-buffer",
            text,
            "client-output-buffer-limit replica 256mb 64mb 60",
        );
    }
}

/// The hard limit of replicas: `normal 0 0 0 slave 268435456 67108864 60 pubsub …`.
fn output_limit(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let mut classes = words.chunks_exact(4);
    let found = classes.find(|class| matches!(class[0], "slave" | "replica"))?;
    found[1].parse().ok()
}

/// What becomes of the data set?
fn data(said: &Said, found: &mut Findings) {
    if said.saves() {
        found.ok("persistence", "it saves its data set");
    } else {
        let text =
            "neither save nor appendonly: where all nodes are down at once, everything is gone";
        found.warning(
            "persistence",
            text,
            "appendonly yes, or save points, on every node",
        );
    }
    if said.number("maxmemory") > 0 && said.is("replica-ignore-maxmemory", "no") {
        let text =
            "replica-ignore-maxmemory is no: a replica throws keys away that its primary has";
        found.trouble("maxmemory", text, "replica-ignore-maxmemory yes");
    }
    if said.number("maxmemory") > 0 && said.is("maxmemory-policy", "noeviction") {
        let text = "maxmemory with noeviction: when it is full, writes are refused, and rha does nothing about that";
        found.warning(
            "maxmemory-policy",
            text,
            "watch used_memory, or choose a policy that evicts",
        );
    }
    if said
        .info
        .get("rdb_last_bgsave_status")
        .is_some_and(|how| how == "err")
    {
        let text = "the last save to the disk failed: MISCONF stops the writes";
        found.trouble("save", text, "see Redis' log, and the disk under its dir");
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    fn said(changes: &[(&str, &str)]) -> Said {
        let good = [
            ("bind", "* -::*"),
            ("protected-mode", "no"),
            ("tcp-keepalive", "300"),
            ("save", "3600 1"),
            ("repl-timeout", "60"),
            ("repl-ping-replica-period", "10"),
            ("repl-backlog-size", "1048576"),
            (
                "client-output-buffer-limit",
                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            ),
        ];
        let settings = good.iter().chain(changes);
        Said {
            settings: settings
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            info: BTreeMap::new(),
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            vip: "10.0.0.100".parse().unwrap(),
            address: Some("10.0.0.1".parse().unwrap()),
            has_password: false,
            replicated_writes: false,
        }
    }

    fn of(said: &Said, wanted: &Wanted) -> Vec<(&'static str, State)> {
        let mut found = Findings::of("redis");
        check(said, wanted, &mut found);
        unwell(&found)
    }

    #[test]
    fn good_settings_are_good() {
        assert_eq!(of(&said(&[]), &wanted()), []);
        for bind in ["", "0.0.0.0", "10.0.0.1 -10.0.0.100"] {
            assert_eq!(of(&said(&[("bind", bind)]), &wanted()), []);
        }
    }

    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, State);

    #[test]
    fn each_setting_can_be_wrong() {
        use State::{Trouble, Warning};
        let cases: [Case; 16] = [
            (&[("bind", "127.0.0.1 10.0.0.1")], "bind", Trouble),
            (&[("protected-mode", "yes")], "protected-mode", Trouble),
            (&[("tcp-keepalive", "0")], "tcp-keepalive", Warning),
            (&[("cluster-enabled", "yes")], "cluster", Trouble),
            (&[("replica-read-only", "no")], "replica-read-only", Trouble),
            (&[("min-replicas-to-write", "1")], "min-replicas", Warning),
            (&[("replica-serve-stale-data", "no")], "stale-data", Warning),
            (&[("repl-timeout", "5")], "repl-timeout", Trouble),
            (&[("repl-timeout", "600")], "repl-timeout", Warning),
            (
                &[("repl-diskless-load", "flushdb")],
                "diskless-load",
                Warning,
            ),
            (
                &[(
                    "client-output-buffer-limit",
                    "normal 0 0 0 slave 1048576 0 0",
                )],
                "output-buffer",
                Warning,
            ),
            (&[("save", "")], "persistence", Warning),
            (
                &[("maxmemory", "1"), ("replica-ignore-maxmemory", "no")],
                "maxmemory",
                Trouble,
            ),
            (
                &[("maxmemory", "1"), ("maxmemory-policy", "noeviction")],
                "maxmemory-policy",
                Warning,
            ),
            (&[("bind", "127.0.0.1 -::1")], "bind", Trouble),
            (&[("bind", "10.0.0.100")], "bind", Trouble),
        ];
        for (changes, check, state) in cases {
            assert_eq!(
                of(&said(changes), &wanted()),
                [(check, state)],
                "{changes:?}"
            );
        }
    }

    #[test]
    fn what_is_wanted_and_told_counts_too() {
        let with_password = Wanted {
            has_password: true,
            ..wanted()
        };
        let wrong = of(&said(&[("protected-mode", "yes")]), &with_password);
        assert_eq!(wrong, [("masterauth", State::Trouble)]);
        let guarded = Wanted {
            replicated_writes: true,
            ..wanted()
        };
        assert_eq!(of(&said(&[("min-replicas-to-write", "1")]), &guarded), []);
        let mut busy = said(&[]);
        for (key, value) in [
            ("uptime_in_seconds", "100"),
            ("master_repl_offset", "10000000"),
            ("rdb_last_bgsave_status", "err"),
        ] {
            busy.info.insert(key.to_owned(), value.to_owned());
        }
        assert_eq!(
            of(&busy, &wanted()),
            [("repl-backlog", State::Warning), ("save", State::Trouble)]
        );
    }
}
