//! The configuration: what is shipped loads, and every mistake gets its own clear line.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::path::Path;
use std::time::Duration;

use rha::config::{Config, Error};
use rha::model::redis::{Endpoint, Grade};

const SHIPPED: &str = include_str!("../config/rha.toml");

/// Two instances on two nodes, as short as it can be.
const SMALL: &str = r#"[node]
name = "a"
[[instance]]
name = "one"
vip = "10.0.0.100"
interface = "eth0"
virtual_router_id = 51
[[instance.node]]
name = "a"
address = "10.0.0.1"
[[instance.node]]
name = "b"
address = "10.0.0.2"
"#;

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("rha.toml"), None, "lvs2.example.org")
}

/// The lines that `SMALL`, with `from` replaced by `to`, is refused with.
fn refusal(from: &str, to: &str) -> String {
    assert!(
        SMALL.contains(from),
        "{from} is not in the small configuration"
    );
    match parse(&SMALL.replacen(from, to, 1)) {
        Ok(_) => "(accepted)".into(),
        Err(error) => error.to_string(),
    }
}

/// What is remarked on a good file.
fn remarks(text: &str) -> Vec<String> {
    let config = parse(text).unwrap();
    config.remarks.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_file_loads_on_the_host_that_it_names() {
    let config = parse(SHIPPED).unwrap();
    assert_eq!(config.node.name, "lvs2");
    let settings = config.settings(&config.instances[0]);
    assert_eq!(settings.above, ["lvs1"]);
    assert_eq!(settings.peers, ["lvs1"]);
    assert_eq!(settings.bias, 4);
    assert_eq!(
        settings.own,
        Endpoint {
            host: "192.168.192.38".into(),
            port: 6379
        }
    );
    assert_eq!(settings.follow, settings.vip);
    assert_eq!(settings.retry_ms, 200);
    assert_eq!(
        settings.fall_on,
        [
            Grade::Timeout,
            Grade::Refused,
            Grade::Unreachable,
            Grade::Garbage
        ]
    );
}

#[test]
fn the_shipped_values_are_the_defaults() {
    let node = |config: &Config| {
        (
            config.instances[0].clone(),
            config.instances[0].nodes.clone(),
        )
    };
    let shipped = parse(SHIPPED).unwrap();
    let bare = r#"
        [[instance]]
        name = "redis"
        vip = "192.168.192.161"
        interface = "eth0"
        virtual_router_id = 51
        node = [{ name = "lvs1", address = "192.168.192.37" }, { name = "lvs2", address = "192.168.192.38" }]
    "#;
    let bare = parse(bare).unwrap();
    assert_eq!(bare, shipped);
    assert_eq!(node(&bare), node(&shipped));
}

#[test]
fn show_round_trips() {
    let mut text = SHIPPED.replace("# [[alarm.sink]]", "[[alarm.sink]]");
    for key in [
        "name = \"ops\"",
        "kind =",
        "url =",
        "mail_to =",
        "sms_to =",
        "timeout = \"5s\"",
    ] {
        text = text.replace(&format!("# {key}"), key);
    }
    let config = parse(&text).unwrap();
    assert_eq!(config.alarm.sinks[0].mail_to, "ops@example.org");
    let shown = config.show().unwrap();
    assert_eq!(parse(&shown).unwrap(), config);
    let defaults = parse(SHIPPED).unwrap();
    assert_eq!(parse(&defaults.show().unwrap()).unwrap(), defaults);
}

#[test]
fn show_keeps_the_password_of_a_url_to_itself() {
    let sink =
        "[[alarm.sink]]\nname = \"s\"\nkind = \"webhook\"\nurl = \"https://me:hunter2@h/x\"\n";
    let shown = parse(&format!("{SMALL}{sink}")).unwrap().show().unwrap();
    assert!(shown.contains("https://me:***@h/x"), "{shown}");
    assert!(!shown.contains("hunter2"));
}

#[test]
fn priorities_are_as_high_as_the_bias_allows() {
    let third = "[[instance.node]]\nname = \"c\"\naddress = \"10.0.0.3\"\n";
    let config = parse(&format!("{SMALL}{third}")).unwrap();
    let instance = &config.instances[0];
    let priorities: Vec<_> = instance.nodes.iter().map(|node| node.priority).collect();
    assert_eq!((priorities, instance.bias()), (vec![248, 247, 246], 6));

    let text = SMALL.replacen("10.0.0.1\"", "10.0.0.1\"\npriority = 90", 1);
    let text = text.replacen("10.0.0.2\"", "10.0.0.2\"\npriority = 100", 1);
    let config = parse(&text).unwrap();
    assert_eq!(
        config.instances[0].bias(),
        22,
        "90 + 11 outranks 100, and 90 + 22 outranks 100 + 11"
    );
    assert_eq!(config.settings(&config.instances[0]).above, ["b"]);
}

#[test]
fn each_mistake_has_its_line() {
    let cases = [
        (
            "[node]",
            "[nod]\nx = 1\n[node]",
            "rha.toml:1: nod: unknown key; did you mean \"node\"?",
        ),
        (
            "[node]",
            "[health]\nintervall = \"1s\"\n[node]",
            "rha.toml:2: health.intervall: unknown key; did you mean \"interval\"?",
        ),
        (
            "[node]",
            "[paths]\npassword = \"x\"\n[node]",
            "rha.toml:2: paths.password: unknown key; allowed here: state, runtime",
        ),
        (
            "[node]",
            "[paths]\nstate = \"var\"\n[node]",
            "rha.toml:2: paths.state: \"var\" is not an absolute path; it must begin with /",
        ),
        (
            "[node]",
            "[blackbox]\nkeep = \"64MB\"\n[node]",
            "rha.toml:2: blackbox.keep: \"64MB\" is not a size; a whole number and KiB, MiB, GiB or TiB, such as \"64MiB\", or \"0\" for none",
        ),
        (
            "[node]",
            "[blackbox]\nkeep = 0\n[node]",
            "rha.toml:2: blackbox.keep: must be a size in quotes, such as \"64MiB\", or \"0\" for none",
        ),
        (
            "[node]",
            "[blackbox]\nfile = \"1KiB\"\n[node]",
            "rha.toml:2: blackbox.file: \"1KiB\" is out of range; \"64KiB\" to \"64GiB\"",
        ),
        (
            "[node]",
            "[blackbox]\nkeep = \"10MiB\"\nfile = \"6MiB\"\n[node]",
            "rha.toml:3: blackbox.file: \"6MiB\" is out of range for blackbox.keep; \"40KiB\" to \"5MiB\"",
        ),
        (
            "[node]",
            "[health]\ninterval = \"1sec\"\n[node]",
            "rha.toml:2: health.interval: \"1sec\" is not a duration; a whole number and ms, s, m, h or d, such as \"250ms\"",
        ),
        (
            "[node]",
            "[health]\ninterval = 5\n[node]",
            "rha.toml:2: health.interval: must be a duration in quotes, such as \"250ms\"",
        ),
        (
            "[node]",
            "[health]\ninterval = \"2h\"\n[node]",
            "rha.toml:2: health.interval: \"2h\" is out of range; \"10ms\" to \"1h\"",
        ),
        (
            "[node]",
            "[health]\ninterval = \"100ms\"\nslow = \"10ms\"\n[node]",
            "rha.toml:1: health.timeout: \"500ms\" is longer than health.interval; at most \"100ms\"",
        ),
        (
            "[node]",
            "[health]\nslow = \"700ms\"\n[node]",
            "rha.toml:2: health.slow: \"700ms\" is longer than health.timeout; at most \"500ms\"",
        ),
        (
            "[node]",
            "[health]\nfall = 0\n[node]",
            "rha.toml:2: health.fall: 0 is out of range; 1 to 1000",
        ),
        (
            "[node]",
            "[health]\nfall_on = [\"dead\"]\n[node]",
            "rha.toml:2: health.fall_on: \"dead\" cannot count as failed; loading, busy, timeout, refused, unreachable, auth, misconf, garbage, degraded",
        ),
        (
            "[node]",
            "[keepalived]\nvrrp_version = 2\n[node]",
            "rha.toml:1: keepalived.advert_interval: VRRP version 2 cannot say \"100ms\"; whole seconds, \"1s\" to \"255s\"",
        ),
        (
            "[node]",
            "[keepalived]\nadvert_interval = \"15ms\"\n[node]",
            "rha.toml:2: keepalived.advert_interval: VRRP version 3 cannot say \"15ms\"; \"10ms\" to \"40950ms\" in steps of 10ms",
        ),
        (
            "[node]",
            "[keepalived]\ncheck_interval = \"1500ms\"\n[node]",
            "rha.toml:2: keepalived.check_interval: keepalived runs scripts in whole seconds; \"1s\" or more, or \"0s\" for never",
        ),
        (
            "[node]",
            "[keepalived]\ntransport = \"broadcast\"\n[node]",
            "rha.toml:2: keepalived.transport: \"broadcast\" is not known; \"unicast\" or \"multicast\"",
        ),
        (
            "[node]",
            "[alarm]\nlocal_ip = \"here\"\n[node]",
            "rha.toml:2: alarm.local_ip: \"here\" is not an IP address; such as \"192.168.192.37\"",
        ),
        (
            "[node]",
            "[[alarm.sink]]\nname = \"s\"\nkind = \"webhook\"\nurl = \"ftp://h/x\"\n[node]",
            "rha.toml:4: alarm.sink.url: \"ftp:\" is not supported; http or https",
        ),
        (
            "[node]",
            "[[alarm.sink]]\nname = \"s\"\nkind = \"webhook\"\nurl = \"http://h/x\"\nsms_to = \"1\"\n[node]",
            "rha.toml:5: alarm.sink.sms_to: only a simplealarm sink has recipients; leave it out",
        ),
        (
            "[node]",
            "[failover]\nfollow = \"c\"\n[node]",
            "rha.toml:2: failover.follow: \"c\" is not a node of instance \"one\"; \"vip\" or one of its nodes",
        ),
        (
            "[node]",
            "[failover]\nfollow = \"a\"\n[node]",
            "rha.toml:2: failover.follow: this node is \"a\" and cannot follow itself; \"vip\" or another node",
        ),
        (
            "name = \"a\"\n[[",
            "name = \"c\"\n[[",
            "rha.toml:2: node.name: \"c\" is not a node of instance \"one\"; \"a\" or \"b\"",
        ),
        (
            "name = \"a\"\n[[",
            "[[",
            "rha.toml:1: node.name: \"lvs2\", the host name, is not a node of instance \"one\"; \"a\" or \"b\"",
        ),
        (
            "\"one\"",
            "\"o/e\"",
            "rha.toml:4: instance.name: \"o/e\" is not a name; 1 to 64 letters, digits, \"_\" and \"-\"",
        ),
        (
            "10.0.0.100",
            "10.0.0.300",
            "rha.toml:5: instance.vip: \"10.0.0.300\" is not an IP address; such as \"192.168.192.37\"",
        ),
        (
            "10.0.0.100",
            "10.0.0.2",
            "rha.toml:13: instance.node.address: 10.0.0.2 is the VIP; the node's own address",
        ),
        (
            "vip = \"10.0.0.100\"\n",
            "",
            "rha.toml:3: instance.vip: is missing and has no default",
        ),
        (
            "eth0",
            "a-very-long-name",
            "rha.toml:6: instance.interface: \"a-very-long-name\" is not an interface name; 1 to 15 letters, digits, \"_\", \"-\" and \".\"",
        ),
        (
            "= 51",
            "= 256",
            "rha.toml:7: instance.virtual_router_id: 256 is out of range; 1 to 255",
        ),
        (
            "[[instance.node]]",
            "[instance.redis]\nhost = \"10.0.0.100\"\n[[instance.node]]",
            "rha.toml:9: instance.redis.host: 10.0.0.100 is the VIP, which may be on another node; the local address, such as \"127.0.0.1\"",
        ),
        (
            "10.0.0.2",
            "10.0.0.1",
            "rha.toml:13: instance.node.address: 10.0.0.1 is the address of node \"a\" already",
        ),
        (
            "10.0.0.2",
            "fd00::2",
            "rha.toml:13: instance.node.address: fd00::2 and the VIP 10.0.0.100 are of different address families; the same one, or keepalived.transport = \"multicast\"",
        ),
        (
            "\"b\"",
            "\"a\"",
            "rha.toml:12: instance.node.name: \"a\" is the name of a node of this instance already; each its own",
        ),
        (
            "10.0.0.2\"",
            "10.0.0.2\"\npriority = 255",
            "rha.toml:14: instance.node.priority: 255 is out of range; 1 to 254",
        ),
        (
            "10.0.0.2\"",
            "10.0.0.2\"\npriority = 200",
            "rha.toml:8: instance.node.priority: is missing, and other nodes have one; for all nodes or for none",
        ),
        (
            "10.0.0.1\"\n[[instance.node]]",
            "10.0.0.1\"\npriority = 254\n[[instance.node]]\npriority = 253",
            "rha.toml:11: instance.node.priority: 254 and the bias of 4 that outranks every node make 258; together at most 254: choose them lower or closer together, or leave them all out",
        ),
        (
            "10.0.0.1\"\n[[instance.node]]",
            "10.0.0.1\"\npriority = 9\n[[instance.node]]\npriority = 9",
            "rha.toml:13: instance.node.priority: 9 is the priority of node \"a\" already; each its own",
        ),
        (
            "name = \"a\"\n",
            "name = \n",
            "rha.toml:2: syntax: string values must be quoted, expected literal string",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(refusal(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn what_can_never_work_is_refused() {
    let vip = |address: &str, why: &str| {
        let expected = format!("rha.toml:5: instance.vip: {address} {why}");
        assert_eq!(refusal("10.0.0.100", address), expected);
    };
    for address in ["255.255.255.255", "0.0.0.0", "0.1.2.3", "240.0.0.1"] {
        vip(address, "is not the address of a host");
    }
    vip("224.0.0.18", "is not the address of a host");
    vip("ff02::1", "is not the address of a host");
    vip("::ffff:10.0.0.9", "is an IPv4 address; write 10.0.0.9");
    vip(
        "127.0.0.9",
        "is a loopback address: no other host reaches it",
    );
    vip("::1", "is a loopback address: no other host reaches it");
    let redis = |line: &str| {
        refusal(
            "[[instance.node]]",
            &format!("[instance.redis]\n{line}\n[[instance.node]]"),
        )
    };
    let paths = |lines: &str| refusal("[node]", &format!("[paths]\n{lines}\n[node]"));
    for (refused, expected) in [
        (
            redis("start = [\"\"]"),
            "rha.toml:9: instance.redis.start: the program is \"\"; such as [\"redis-server\", …], or [] for none",
        ),
        (
            redis("start = [\"a\\u0000b\"]"),
            "rha.toml:9: instance.redis.start: \"a\\u{0}b\" has control characters",
        ),
        (
            redis("username = \"a\\nb\""),
            "rha.toml:9: instance.redis.username: \"a\\nb\" has control characters",
        ),
        (
            redis("username = \"a b\""),
            "rha.toml:9: instance.redis.username: \"a b\" has spaces, and Redis knows no such user",
        ),
        (
            redis("host = \"10.0.0.2\""),
            "rha.toml:9: instance.redis.host: 10.0.0.2 is the address of node \"b\", and this one is \"a\"; the local address, such as \"127.0.0.1\"",
        ),
        (redis("host = \"10.0.0.1\""), "(accepted)"),
        (
            paths("runtime = \"/\""),
            "rha.toml:2: paths.runtime: \"/\" is the root directory; a path below it",
        ),
        (
            paths("state = \"/var/../\""),
            "rha.toml:2: paths.state: \"/var/../\" has \"..\" in it; the path without",
        ),
        (
            paths("runtime = \"/srv/rha\"\nstate = \"/srv/rha/\""),
            "rha.toml:3: paths.state: is the same directory as paths.runtime; each its own",
        ),
    ] {
        assert_eq!(refused, expected);
    }
    let second = SMALL.split_once("[[instance]]").unwrap().1;
    let second = second
        .replacen("one", "two", 1)
        .replacen("10.0.0.100", "10.0.0.1", 1)
        .replacen("51", "52", 1)
        .replace("\"10.0.0.1\"\n[", "\"10.0.0.3\"\n[")
        .replace("10.0.0.2", "10.0.0.4");
    assert_eq!(
        parse(&format!("{SMALL}[[instance]]{second}"))
            .unwrap_err()
            .to_string(),
        "rha.toml:16: instance.vip: 10.0.0.1 is the address of node \"a\" in instance \"one\"; an address of its own"
    );
}

#[test]
fn what_two_instances_share_is_named() {
    let again = SMALL.split_once("[[instance]]").unwrap().1;
    let upper = again
        .replacen("one", "ONE", 1)
        .replacen("100", "101", 1)
        .replacen("51", "52", 1);
    let refused = |second: &str| {
        parse(&format!("{SMALL}[[instance]]{second}"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(again),
        "rha.toml:15: instance.name: \"one\" is the name of an instance already; each its own\n\
         rha.toml:16: instance.vip: 10.0.0.100 is the VIP of instance \"one\" already\n\
         rha.toml:18: instance.virtual_router_id: 51 is used on eth0 by instance \"one\" already; 1 to 255, each once"
    );
    assert_eq!(
        refused(&upper),
        "rha.toml:14: instance.vrrp_instance: \"RHA_ONE\" is the name of instance \"one\" in keepalived.conf already\n\
         rha.toml:21: instance.node.address: the Redis at 10.0.0.1 port 6379 belongs to instance \"one\" already\n\
         rha.toml:24: instance.node.address: the Redis at 10.0.0.2 port 6379 belongs to instance \"one\" already"
    );
}

#[test]
fn all_mistakes_come_at_once_and_in_order() {
    let text =
        "[health]\nfall = 0\nrice = 3\n[keepalived]\nvrrp_version = 4\n[paths]\nstate = \"x\"\n";
    let error = parse(text).unwrap_err().to_string();
    let lines: Vec<_> = error
        .lines()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "rha.toml:2 health.fall",
            "rha.toml:3 health.rice",
            "rha.toml:5 keepalived.vrrp_version",
            "rha.toml:7 paths.state"
        ]
    );
}

#[test]
fn what_is_quoted_stays_on_its_line_and_commands_no_terminal() {
    assert_eq!(
        refusal("10.0.0.100", "10.0.0.1\\u001b[31m\\n\\u0000"),
        "rha.toml:5: instance.vip: \"10.0.0.1\\u{1b}[31m\\n\\u{0}\" is not an IP address; such as \"192.168.192.37\""
    );
    assert_eq!(
        refusal("[node]", "\"a\\u202e\\n\" = 1\n[node]"),
        "rha.toml:1: a\\u{202e}\\n: unknown key; allowed here: node, paths, journal, blackbox, rescue, keepalived, health, failover, quorum, alarm, instance"
    );
    let syntax = refusal("[node]", "\u{7}[node]");
    assert!(
        syntax
            .lines()
            .all(|line| line.starts_with("rha.toml:1: syntax: ")),
        "{syntax}"
    );
}

#[test]
fn passwords_are_read_and_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let mut config = parse(SMALL).unwrap();
    config.instances[0].redis.password_file = Some(file.clone());
    let redis = config.instances[0].redis.clone();
    assert_eq!(
        redis.password().unwrap_err().to_string(),
        format!(
            "rha.toml:3: instance.redis.password_file: cannot read {}: there is no such file",
            file.display()
        )
    );
    assert!(config.host_remarks()[0].fatal, "the file is not there");
    std::fs::write(&file, "hunter2\r\nsecond line\n").unwrap();
    let secret = redis.password().unwrap().unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    mode(0o644);
    assert!(
        config.host_remarks()[0]
            .text
            .contains("everyone on this host can read")
    );
    mode(0o640);
    assert_eq!(config.host_remarks(), []);
    std::fs::write(&file, "\n").unwrap();
    assert!(redis.password().is_err());
}

#[test]
fn what_is_unwise_is_remarked() {
    let text = format!("{SMALL}[health]\nfall_on = [\"loading\", \"auth\"]\n");
    assert_eq!(
        remarks(&text),
        [
            "rha.toml:15: warning: health.fall_on: \"loading\": a restart with a large data set gives the VIP away while it loads; leave it out",
            "rha.toml:15: warning: health.fall_on: \"auth\": a changed password fails over to a node that refuses it as well; leave it out",
            "rha.toml:15: warning: health.fall_on: without \"timeout\" a hung Redis is never failed over; add it",
        ]
    );
    let (alone, _) = SMALL.rsplit_once("[[instance.node]]").unwrap();
    assert_eq!(
        remarks(alone),
        [
            "rha.toml:8: warning: instance.node: instance \"one\" has one node: nothing can take over"
        ]
    );
    assert_eq!(remarks(SMALL), [""; 0]);
    assert_eq!(
        remarks(&SMALL.replace("eth0", "lo")),
        [
            "rha.toml:6: warning: instance.interface: keepalived cannot speak to other nodes on \"lo\"; the interface that they are reached on"
        ]
    );
    assert_eq!(
        remarks(&SMALL.replace("10.0.0.2", "127.0.0.2")),
        [
            "rha.toml:13: warning: instance.node.address: 127.0.0.2 is a loopback address: no other node reaches it"
        ]
    );
    assert_eq!(
        remarks(&format!(
            "{SMALL}[paths]\nruntime = \"/run/a\"\nstate = \"/run/a/state\"\n"
        )),
        [
            "rha.toml:16: warning: paths.state: is below paths.runtime, which need not survive a reboot: the journal must"
        ]
    );
}

#[test]
fn durations_are_typed() {
    let config = parse(SHIPPED).unwrap();
    assert_eq!(config.health.interval, Duration::from_secs(1));
    assert_eq!(config.alarm.repeat, Duration::from_secs(4 * 3600));
}

#[test]
fn the_black_box_can_be_left_out() {
    let config = parse(SHIPPED).unwrap();
    assert_eq!(
        (config.black_box.keep, config.black_box.file),
        (64 << 20, 8 << 20)
    );
    for none in ["0", "", "0MiB"] {
        let config = parse(&format!("{SMALL}[blackbox]\nkeep = '{none}'\n")).unwrap();
        assert_eq!(config.black_box.keep, 0);
        assert!(config.show().unwrap().contains("keep = \"0\""));
    }
}

#[test]
fn a_quorum_is_witnesses_or_etcd() {
    let with = |table: &str| refusal("[[instance]]", &format!("{table}\n[[instance]]"));
    let etcd = "[quorum]\netcd = [\"http://10.0.0.9:2379\"]";
    let witness = "[quorum]\nwitnesses = [\"tcp://10.0.0.9:6379\"]";
    for good in [etcd, witness] {
        assert_eq!(with(good), "(accepted)");
    }
    for (table, said) in [
        (
            "[quorum]",
            "rha.toml:3: quorum: names nobody who votes; witnesses or etcd, or no [quorum] at all",
        ),
        (
            "[quorum]\nttl = \"1s\"\netcd = [\"http://10.0.0.9:2379\"]",
            "rha.toml:4: quorum.ttl: \"1s\" is out of range; \"2s\" to \"60s\"",
        ),
        (
            "[quorum]\nttl = \"2500ms\"\netcd = [\"http://10.0.0.9:2379\"]",
            "rha.toml:4: quorum.ttl: etcd counts it in whole seconds; \"2s\" or more",
        ),
        (
            "[quorum]\netcd = [\"tcp://10.0.0.9:2379\"]",
            "rha.toml:4: quorum.etcd: \"tcp://10.0.0.9:2379\" is no member; \"http://10.0.0.9:2379\"",
        ),
        (
            "[quorum]\nwitnesses = [\"10.0.0.9\"]",
            "rha.toml:4: quorum.witnesses: \"10.0.0.9\" is no witness; \"tcp://10.0.0.9:6379\"",
        ),
        (
            "[quorum]\nwitnesses = [\"tcp://10.0.0.2:6380\"]",
            "rha.toml:4: quorum.witnesses: 10.0.0.2:6380 is an address of instance \"one\", and would be lost with its host; a third host",
        ),
        (
            "[quorum]\nwitnesses = [\"tcp://10.0.0.9:6379\"]\netcd = [\"http://10.0.0.9:2379\"]",
            "rha.toml:5: quorum.etcd: witnesses and etcd exclude each other; one of the two",
        ),
        (
            "[quorum]\nprefix = \"rha\"\netcd = [\"http://10.0.0.9:2379\"]",
            "rha.toml:4: quorum.prefix: \"rha\" is no prefix; such as \"/rha/\": it ends with a slash",
        ),
        (
            "[quorum]\nusername = \"rha\"\netcd = [\"http://10.0.0.9:2379\"]",
            "rha.toml:4: quorum.username: etcd wants a user and a password; both or neither",
        ),
    ] {
        assert_eq!(with(table), said, "{table}");
    }
    let third = "name = \"b\"\naddress = \"10.0.0.2\"\n[[instance.node]]\nname = \"c\"\naddress = \"10.0.0.3\"";
    let three = SMALL.replace("name = \"b\"\naddress = \"10.0.0.2\"", third);
    let text = three.replace("[[instance]]", &format!("{witness}\n[[instance]]"));
    let error = parse(&text).unwrap_err().to_string();
    assert!(
        error.contains("quorum.witnesses: 1 for the 3 nodes"),
        "{error}"
    );
}

#[test]
fn a_quorum_that_is_no_safer_or_cannot_hold_is_remarked() {
    let with = |table: &str| {
        remarks(&SMALL.replacen("[[instance]]", &format!("{table}\n[[instance]]"), 1))
    };
    let one = "[quorum]\nwitnesses = [\"tcp://10.0.0.9:6379\"]";
    assert!(with(one).is_empty(), "{:?}", with(one));
    let even = with("[quorum]\nwitnesses = [\"tcp://10.0.0.8:6379\", \"tcp://10.0.0.9:6379\"]");
    assert!(even[0].contains("4 votes"), "{even:?}");
    let two = with("[quorum]\netcd = [\"http://10.0.0.8:2379\", \"http://10.0.0.9:2379\"]");
    assert!(two[0].contains("2 members"), "{two:?}");
    let slow = format!("[health]\ninterval = \"2s\"\n{one}");
    assert!(with(&slow)[0].contains("a longer ttl"), "{:?}", with(&slow));
}
