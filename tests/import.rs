//! From the old scripts' configuration to rha.toml.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::path::Path;

use rha::config::Config;
use rha::config::import::{OldConfig, import};
use rha::keepalived::parse::parse;

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
    let imported = import(SHELL, "config.sh", &[]);
    assert_eq!(
        imported.ignored,
        ["config.sh:5: ignored what stands behind LOCALIP=: <--- 本机IP, 告警通知将使用这个IP"]
    );
    assert_eq!(imported.toml, include_str!("config/imported.toml"));
    assert_eq!(
        refused(&imported.toml),
        r#"rha.toml:16: instance.interface: "" is not an interface name; 1 to 15 letters, digits, "_", "-" and "."
rha.toml:18: instance.virtual_router_id: 0 is out of range; 1 to 255
rha.toml:31: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:33: instance.node.address: "" is not an IP address; such as "192.168.192.37"
rha.toml:36: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:38: instance.node.address: "" is not an IP address; such as "192.168.192.37""#
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
    let imported = import(&shell, "config.sh", &old);
    assert_eq!(imported.ignored, Vec::<String>::new());
    assert!(
        !imported.toml.contains("auth"),
        "the old password is a secret"
    );
    assert_eq!(
        refused(&imported.toml),
        r#"rha.toml:29: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:33: instance.node.name: "" is not a name; 1 to 64 letters, digits, "_" and "-"
rha.toml:35: instance.node.address: "" is not an IP address; such as "192.168.192.37""#
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

#[test]
fn the_old_priorities_rank_the_nodes() {
    let peer = |own: &str, other: &str, priority: u8| {
        let text = format!(
            "vrrp_instance V {{\nunicast_src_ip {own}\npriority {priority}\nunicast_peer {{\n{other}\n}}\n}}\n"
        );
        parse(&text, "k").0
    };
    let (low, high) = (
        peer("10.0.0.2", "10.0.0.1", 90),
        peer("10.0.0.1", "10.0.0.2", 100),
    );
    let old = [
        OldConfig {
            file: "low",
            statements: &low,
        },
        OldConfig {
            file: "high",
            statements: &high,
        },
    ];
    let toml = import(
        "VIP=10.0.0.9\nMAIL='a@b'\nNEW=x\nALARM=http://h/a",
        "config.sh",
        &old,
    )
    .toml;
    let first = toml.find("\"10.0.0.1\"").unwrap();
    assert!(first < toml.find("\"10.0.0.2\"").unwrap(), "{toml}");
    assert!(toml.contains("mail_to = \"a@b\""), "{toml}");
}

#[test]
fn values_cannot_break_out_of_their_quotes() {
    let toml = import(
        "VIP='1\" x\nSERVER=\"a\\\"b\"\nALARM='http://h/\"'\nCLI='x'\n",
        "config.sh",
        &[],
    )
    .toml;
    let lines = refused(&toml);
    assert!(!lines.contains("syntax"), "{lines}");
}
