//! What `rha keepalived lint` says of the host that a file is for, and when it says nothing of it.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;

use rha::keepalived::finding::Finding;
use rha::keepalived::host::Host;
use rha::keepalived::lint::{Whose, lint, whose};
use rha::keepalived::load::Document;
use rha::keepalived::parse::parse;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const GOOD: &str = include_str!("keepalived/good.conf");

/// A host with 10.0.0.1/24 on eth0, the files of which are below a directory of their own.
struct World {
    root: tempfile::TempDir,
    host: Host,
}

impl World {
    /// Everything that `good.conf` needs is there.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("t")).unwrap();
        let mut host = Host::default();
        host.interfaces
            .insert("lo".into(), vec![address("127.0.0.1/8")]);
        host.interfaces
            .insert("eth0".into(), vec![address("10.0.0.1/24")]);
        Self { root, host }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// `good.conf` with its files below this directory, and with `from` replaced by `to`.
    fn document(&self, from: &str, to: &str) -> Document {
        let root = self.root.path().display().to_string();
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD
            .replacen(from, to, 1)
            .replace("/run/", &format!("{root}/"));
        let (statements, findings) = parse(&text, "k");
        Document {
            file: "k".into(),
            statements,
            findings,
        }
    }

    /// What is said of it, with the directory as `R`.
    fn said(&self, from: &str, to: &str) -> Vec<String> {
        let root = self.root.path().display().to_string();
        let found = lint(&self.document(from, to), Some(&self.host));
        let lines = found.iter().map(Finding::to_string);
        lines.map(|line| line.replace(&root, "R")).collect()
    }

    fn make_fifo(&self, name: &str) {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, self.at(name), FileType::Fifo, mode, 0).unwrap();
    }
}

fn address(text: &str) -> (IpAddr, u8) {
    let (ip, prefix) = text.split_once('/').unwrap();
    (ip.parse().unwrap(), prefix.parse().unwrap())
}

fn assert_said(said: &[String], expected: &str) {
    assert!(
        said.len() == 1 && said[0].contains(expected),
        "expected {expected}, said {said:#?}"
    );
}

#[test]
fn a_host_with_everything_is_passed_in_silence() {
    let world = World::new();
    assert_eq!(world.said("", ""), Vec::<String>::new());
    // The file says that it is root's.
    if rustix::process::geteuid().is_root() {
        world.make_fifo("f");
    }
    fs::write(world.at("t/health"), "1\n").unwrap();
    assert_eq!(world.said("", ""), Vec::<String>::new());
    // Whoever has the VIP has one more address.
    let mut master = world;
    let eth0 = master.host.interfaces.get_mut("eth0").unwrap();
    eth0.push(address("10.0.0.100/32"));
    assert_eq!(master.said("", ""), Vec::<String>::new());
}

#[test]
fn what_is_at_the_place_of_the_fifo_is_named() {
    let world = World::new();
    let fifo = world.at("f");
    fs::write(&fifo, "").unwrap();
    assert_said(
        &world.said("", ""),
        "k:4: error: R/f is a regular file: before 2.4 it is filled up",
    );
    fs::remove_file(&fifo).unwrap();
    symlink("t", &fifo).unwrap();
    assert_said(
        &world.said("", ""),
        "k:4: error: R/f is no FIFO: keepalived goes on without it",
    );
    fs::remove_file(&fifo).unwrap();
    fs::create_dir(&fifo).unwrap();
    assert_said(&world.said("", ""), "k:4: error: R/f is no FIFO");
    fs::remove_dir(&fifo).unwrap();
    for keyword in ["vrrp_notify_fifo", "notify_fifo", "lvs_notify_fifo"] {
        assert_said(
            &world.said("vrrp_notify_fifo /run/f", &format!("{keyword} /run/none/f")),
            "k:4: error: the FIFO's directory R/none is missing: keepalived goes on without it",
        );
    }
}

#[test]
fn the_owners_of_fifos_and_scripts_must_exist() {
    let world = World::new();
    for (from, to, expected) in [
        (
            "f root root",
            "f rha-nobody",
            "k:4: error: there is no user \"rha-nobody\" on this host",
        ),
        (
            "f root root",
            "f root rha-none",
            "k:4: error: there is no group \"rha-none\" on this host",
        ),
    ] {
        assert_said(&world.said(from, to), expected);
    }
    let said = world.said("nopreempt", "nopreempt\n notify_stop /bin/sh rha-nobody");
    let named = |line: &String| line.contains("k:13: error: there is no user \"rha-nobody\"");
    assert!(said.iter().any(named), "{said:#?}");

    if rustix::process::geteuid().is_root() {
        world.make_fifo("f");
        chown(world.at("f"), Some(4242), None).unwrap();
        assert_said(
            &world.said("", ""),
            "k:4: warning: the FIFO R/f belongs to the user 4242",
        );
    }
}

#[test]
fn track_files_need_their_directory_and_a_number() {
    let world = World::new();
    assert_said(
        &world.said("/run/t/health", "/run/none/health"),
        "k:7: error: the directory R/none is missing: keepalived drops track_file health",
    );
    fs::write(world.at("t/health"), "ok\n").unwrap();
    assert_said(
        &world.said("", ""),
        "k:7: warning: R/t/health begins with no number",
    );
    fs::write(world.at("t/health"), "").unwrap();
    assert_eq!(world.said("", ""), Vec::<String>::new());
    fs::write(world.at("t/health"), "20").unwrap();
    let said = world.said("weight 0 reverse", "weight 1");
    assert!(
        said[1].contains("priority 250 + 20 (health) is 270"),
        "{said:#?}"
    );
}

#[test]
fn directories_that_systemd_removes_are_named() {
    let mut world = World::new();
    world.host.fleeting = vec![(world.at("t"), "redis.service".into())];
    assert_said(
        &world.said("", ""),
        "k:7: warning: the track file is in R/t, which systemd removes when redis.service stops",
    );
}

#[test]
fn scripts_must_be_there_and_be_run() {
    let world = World::new();
    let script = world.at("s.sh");
    let said = |line: &str| {
        let secured =
            "global_defs {\n enable_script_security\n script_user root\n}\nvrrp_instance V {";
        let mut said = world.said("vrrp_instance V {", &format!("{secured}\n {line}"));
        said.retain(|line| line.contains(" error: "));
        said
    };
    let line = format!("notify_master \"{} all\"", script.display());
    assert_said(
        &said(&line),
        "s.sh is not there: keepalived does not run it",
    );
    fs::write(&script, "").unwrap();
    assert_said(
        &said(&line),
        "s.sh is not executable: keepalived does not run it",
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).unwrap();
    assert_said(&said(&line), "others than root can write");
    fs::remove_file(&script).unwrap();
    fs::create_dir(&script).unwrap();
    assert_said(&said(&line), "s.sh is no file");
    for fine in [
        "notify \"/bin/sh -c true\"",
        "notify_deleted",
        "notify_fault sh",
        "notify_fault $S",
    ] {
        assert_eq!(said(fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn the_addresses_of_the_host_are_compared() {
    let mut world = World::new();
    assert_said(
        &world.said("10.0.0.100/32", "10.0.1.100/32"),
        "k:25: warning: the VIP 10.0.1.100 is in no subnet of eth0 (10.0.0.1/24)",
    );
    assert_said(
        &world.said("10.0.0.100/32 label eth0:v", "10.0.0.1/32"),
        "the VIP 10.0.0.1/32 is this node's own address",
    );
    let eth0 = world.host.interfaces.get_mut("eth0").unwrap();
    eth0.push(address("10.0.0.7/24"));
    assert_said(
        &world.said("10.0.0.100/32", "10.0.0.7/32"),
        "k:25: error: the VIP 10.0.0.7 is an address of this host itself, with /24",
    );
    assert_said(
        &world.said("        10.0.0.2\n", "        10.0.0.2\n 10.0.0.7\n"),
        "k:20: error: the unicast peer 10.0.0.7 is an address of this host",
    );
    world.host.interfaces.insert("eth1".into(), Vec::new());
    let second = "vrrp_instance W {\n state BACKUP\n nopreempt\n interface eth1\n virtual_router_id 8\n \
        priority 9\n virtual_ipaddress {\n 10.0.0.9\n}\n}\nvrrp_instance V {";
    assert_said(
        &world.said("vrrp_instance V {", second),
        "k:10: error: eth1 has no IPv4 address on this host: the instance stays in FAULT",
    );
    let second = second.replace("priority 9", "priority 9\n mcast_src_ip 10.0.0.8");
    assert_said(
        &world.said("vrrp_instance V {", &second),
        "k:16: error: 10.0.0.8 is no address of this host: no advert leaves it",
    );
}

#[test]
fn a_file_for_another_host_is_not_judged_by_this_one() {
    let mut world = World::new();
    world.host.kills_real_time = true;
    world
        .host
        .interfaces
        .insert("eth0".into(), vec![address("192.168.7.1/24")]);
    let bad = "vrrp_version 3\n vrrp_rt_priority 50\n notify_fifo /nowhere/f rha-nobody";
    let document = world.document("vrrp_version 3", bad);
    assert_eq!(whose(&document, &world.host), Whose::Elsewhere);
    let said = world.said("vrrp_version 3", bad);
    assert_said(
        &said,
        "k:19: warning: 10.0.0.1 is no address of this host: what another node's file needs",
    );

    // Without an address of its own, the peers tell.
    world
        .host
        .interfaces
        .insert("eth0".into(), vec![address("10.0.0.2/24")]);
    let nameless = world.document("    unicast_src_ip 10.0.0.1\n", "");
    assert_eq!(whose(&nameless, &world.host), Whose::Elsewhere);
    let multicast = world.document(
        "unicast_src_ip 10.0.0.1\n    unicast_peer",
        "virtual_routes",
    );
    assert_eq!(whose(&multicast, &world.host), Whose::Unknown);
    let both = "@a unicast_src_ip 10.0.0.1\n @b unicast_src_ip 10.0.0.2";
    let shared = world.document("unicast_src_ip 10.0.0.1", both);
    assert_eq!(whose(&shared, &world.host), Whose::Here);
}

#[test]
fn rights_and_other_keepaliveds_are_looked_at() {
    let mut world = World::new();
    world.host.kills_real_time = true;
    assert_said(
        &world.said(
            "vrrp_version 3",
            "vrrp_version 3\n vrrp_rt_priority 50\n vrrp_rlimit_rttime 1000",
        ),
        "k:3: warning: vrrp_rt_priority: this host withholds CAP_SYS_RESOURCE, so that a reload kills",
    );
    assert_eq!(world.said("", ""), Vec::<String>::new());
    world.host.keepaliveds = 2;
    assert_said(
        &world.said("", ""),
        "k: warning: 2 keepalived run on this host",
    );
}
