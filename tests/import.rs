//! From the old scripts' configuration to rha.toml.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::path::Path;

use rha::config::Config;
use rha::config::import::{OldConfig, import};
use rha::keepalived::parse::{Statement, parse};

const SHELL: &str = include_str!("config/config.sh");
const MASTER: &str = include_str!("keepalived/seed.master.conf");
const BACKUP: &str = include_str!("keepalived/seed.backup.conf");

fn refused(toml: &str) -> String {
    match Config::parse(toml, Path::new("rha.toml"), None, "lvs1") {
        Ok(_) => "(accepted)".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_old_file_becomes_a_complete_one_with_clear_gaps() {
    let imported = import(SHELL, "config.sh", &[]).unwrap();
    assert_eq!(
        imported.ignored,
        ["config.sh:5: ignored what stands behind LOCALIP=: <--- 本机IP, 告警通知将使用这个IP"]
    );
    assert_eq!(imported.toml, include_str!("config/imported.toml"));
    assert_eq!(
        refused(&imported.toml),
        r#"rha.toml:17: instance.interface: "" is not an interface name; 1 to 15 letters, digits, "_", "-" and "."
rha.toml:19: instance.virtual_router_id: 0 is out of range; 1 to 255
rha.toml:32: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:34: instance.node.address: "" is not an IP address; such as "192.168.192.37"
rha.toml:37: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:39: instance.node.address: "" is not an IP address; such as "192.168.192.37""#
    );
}

#[test]
fn the_old_keepalived_files_fill_gaps() {
    let statements = [parse(BACKUP, "b.conf").0, parse(MASTER, "m.conf").0];
    let old = ["b.conf", "m.conf"];
    let old: Vec<_> = old
        .iter()
        .zip(&statements)
        .map(|(file, statements)| OldConfig { file, statements })
        .collect();
    let shell = SHELL.replace("LOCALIP=    <---", "LOCALIP=192.168.192.37 #");
    let imported = import(&shell, "config.sh", &old).unwrap();
    assert_eq!(imported.ignored, Vec::<String>::new());
    assert!(
        !imported.toml.contains("auth"),
        "the old password is a secret"
    );
    assert_eq!(
        refused(&imported.toml),
        r#"rha.toml:30: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:34: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:36: instance.node.address: "" is not an IP address; such as "192.168.192.37""#
    );

    let filled = imported.toml.replacen("name = \"\"", "name = \"lvs1\"", 1);
    let filled = filled.replacen("name = \"\"", "name = \"lvs2\"", 1);
    let filled = filled.replacen("address = \"\"", "address = \"192.168.192.38\"", 1);
    let config = Config::parse(&filled, Path::new("rha.toml"), None, "lvs1").unwrap();
    let instance = &config.instances[0];
    assert_eq!((instance.port, instance.virtual_router_id), (6000, 51));
    assert_eq!(
        instance.redis.start[0],
        "/export/App/redis-3.0.2/bin/redis-server"
    );
    assert_eq!(
        config.alarm.sinks[0].url.as_str(),
        "http://172.17.57.241/simplealarm"
    );
    assert_eq!(
        instance.member("lvs1").unwrap().address.to_string(),
        "192.168.192.37"
    );
}

/// An old keepalived.conf of a node, with one peer.
fn unicast(own: &str, peer: &str, priority: u8) -> Vec<Statement> {
    let text = format!(
        "vrrp_instance V {{\nunicast_src_ip {own}\npriority {priority}\nunicast_peer {{\n{peer}\n}}\n}}\n"
    );
    parse(&text, "k").0
}

/// The addresses of the nodes, in their order.
fn order(shell: &str, old: &[&[Statement]]) -> Vec<String> {
    let old: Vec<_> = old
        .iter()
        .map(|statements| OldConfig {
            file: "k",
            statements,
        })
        .collect();
    let toml = import(shell, "config.sh", &old).unwrap().toml;
    let lines = toml
        .lines()
        .filter_map(|line| line.strip_prefix("address = "));
    lines.map(|line| line.replace('"', "")).collect()
}

#[test]
fn both_hosts_files_rank_the_nodes_alike() {
    let (low, high) = (
        unicast("10.0.0.10", "10.0.0.9", 90),
        unicast("10.0.0.9", "10.0.0.10", 100),
    );
    for order in [
        order("LOCALIP=10.0.0.10", &[&low]),
        order("LOCALIP=10.0.0.9", &[&high]),
        order("LOCALIP=10.0.0.10", &[&low, &high]),
    ] {
        assert_eq!(order, ["10.0.0.9", "10.0.0.10"]);
    }
    // With both priorities it is they that rank.
    let high = unicast("10.0.0.10", "10.0.0.9", 100);
    let low = unicast("10.0.0.9", "10.0.0.10", 90);
    assert_eq!(
        order("VIP=10.0.0.1", &[&low, &high]),
        ["10.0.0.10", "10.0.0.9"]
    );
}

#[test]
fn recipients_are_taken_over() {
    let toml = import("MAIL='a@b'\nPHONE=1\nALARM=http://h/a", "config.sh", &[])
        .unwrap()
        .toml;
    assert!(toml.contains("mail_to = \"a@b\"\nsms_to = \"1\""), "{toml}");
}

#[test]
fn what_a_shell_would_have_to_find_out_is_to_be_filled_in() {
    let shell = "VIP=`hostname -i`\nALARM=$(cat url)\nPORT=7000\nPORT=$(cat port)\nMAIL=$(cat mail)\n\
                 SERVER=$BIN/redis-server\nCONFIG=/r.conf\n";
    let imported = import(shell, "config.sh", &[]).unwrap();
    assert_eq!(
        imported.ignored,
        [
            "config.sh:1: ignored VIP=`hostname -i`: a command is not executed",
            "config.sh:2: ignored ALARM=$(cat url): a command is not executed",
            "config.sh:4: ignored PORT=$(cat port): a command is not executed",
            "config.sh:5: ignored MAIL=$(cat mail): a command is not executed",
            "config.sh:6: ignored SERVER=$BIN/redis-server: $BIN is not assigned above",
        ]
    );
    let toml = &imported.toml;
    assert!(!toml.contains("had no") && !toml.contains("7000"), "{toml}");
    for marked in [
        "# FILL IN: the URL of the alarms (ALARM is computed in config.sh, and nothing is executed)",
        "# FILL IN: mail_to, or leave it empty (MAIL is computed in config.sh, and nothing is executed)",
        "# FILL IN: the command that starts Redis (SERVER is computed in config.sh, and nothing is executed)",
    ] {
        assert!(toml.contains(marked), "{toml}");
    }
    let refused = refused(toml);
    for key in [
        "alarm.sink.url",
        "instance.vip",
        "instance.port",
        "redis.start",
    ] {
        assert!(refused.contains(&format!("{key}: ")), "{key} in {refused}");
    }
}

#[test]
fn values_cannot_break_out_of_their_quotes() {
    let toml = import(
        "VIP='1\" x\nSERVER=\"a\\\"b\"\nALARM='http://h/\"'\nCLI='x'\n",
        "config.sh",
        &[],
    )
    .unwrap()
    .toml;
    let lines = refused(&toml);
    assert!(!lines.contains("syntax"), "{lines}");
}
