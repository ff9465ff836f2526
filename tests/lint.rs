//! What `rha keepalived lint` says of other people's files, and of rha's own.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::path::Path;

use rha::keepalived::finding::{Finding, Place};
use rha::keepalived::lint::{fold, lint, lint_pair};
use rha::keepalived::load::{Document, load};
use rha::keepalived::parse::parse;

fn document(text: &str) -> Document {
    let (statements, findings) = parse(text, "k");
    Document {
        file: "k".into(),
        statements,
        findings,
    }
}

fn file(name: &str) -> Document {
    load(&Path::new("tests/keepalived").join(name)).unwrap()
}

fn lines(found: &[Finding]) -> Vec<String> {
    found.iter().map(Finding::to_string).collect()
}

/// A node without a fault, in the manner of people who write by hand.
const GOOD: &str = include_str!("keepalived/good.conf");

/// `GOOD` with `from` replaced by `to`: what is said of it.
fn said(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    lines(&lint(&document(&GOOD.replacen(from, to, 1)), None))
}

#[test]
fn a_good_file_is_passed_in_silence() {
    assert_eq!(lines(&lint(&document(GOOD), None)), Vec::<String>::new());
    assert_eq!(
        lines(&lint(&document(&GOOD.replace('\n', "\r\n")), None)),
        Vec::<String>::new()
    );
    let braces = GOOD.replace(" {\n", "\n{\n");
    assert_eq!(lines(&lint(&document(&braces), None)), Vec::<String>::new());
}

#[test]
fn our_own_renderings_are_passed_in_silence() {
    for name in [
        "unicast.lvs1.conf",
        "unicast.lvs2.conf",
        "multicast-v2.lvs1.conf",
        "many.b.conf",
    ] {
        assert_eq!(
            lines(&lint(&file(name), None)),
            Vec::<String>::new(),
            "{name}"
        );
    }
    let pair = lint_pair(&file("unicast.lvs1.conf"), &file("unicast.lvs2.conf"));
    assert_eq!(lines(&pair), Vec::<String>::new());
}

#[test]
fn the_seeds_mistakes_are_named() {
    assert_eq!(
        lines(&lint(&file("seed.master.conf"), None)),
        [
            "tests/keepalived/seed.master.conf:3: error: \"global_def\" is no keyword in the top level: its whole block is ignored (did you mean \"global_defs\"?)",
            "tests/keepalived/seed.master.conf:7: warning: scripts are run without enable_script_security: whoever can write them is root (add enable_script_security and script_user to global_defs)",
            "tests/keepalived/seed.master.conf:9: error: \"internal\" is no keyword in vrrp_script: it is ignored (did you mean \"interval\"?)",
            "tests/keepalived/seed.master.conf:35: warning: notify scripts run side by side and unordered when states change quickly (use vrrp_notify_fifo)",
            "tests/keepalived/seed.master.conf:38: warning: notify and notify_<state> scripts run side by side, in no order (keep one of them, better: vrrp_notify_fifo)",
        ]
    );
    let pair = lint_pair(&file("seed.master.conf"), &file("seed.backup.conf"));
    assert_eq!(lines(&pair), Vec::<String>::new());
}

/// Each mistake with a piece of the first line that is said about it.
#[test]
fn each_mistake_is_named() {
    let cases = [
        (
            "vrrp_check_unicast_src",
            "vrrp_check_unicast_srcs",
            "k:3: error: \"vrrp_check_unicast_srcs\" is no keyword",
        ),
        (
            "nopreempt",
            "no_preempt",
            "k:12: error: \"no_preempt\" is no keyword in vrrp_instance: it is ignored (did you mean \"nopreempt\"?)",
        ),
        (
            "nopreempt",
            "nopreempt\n vrrp_strict",
            "k:13: error: \"vrrp_strict\" is no keyword in vrrp_instance: it is ignored (it belongs into global_defs)",
        ),
        (
            "vrrp_version 3",
            "vrrp_version 3\nvrrp_strict",
            "k:3: error: vrrp_strict: the firewall drops",
        ),
        (
            "vrrp_version 3",
            "vrrp_version 3\nvrrp_garp_interval 0.001",
            "k:3: warning: vrrp_garp_interval",
        ),
        (
            "vrrp_version 3",
            "vrrp_version 3\nnotify_fifo /run/f",
            "is named twice",
        ),
        (
            "vrrp_version 3",
            "vrrp_version 3\nvrrp_notify_fifo_script /x",
            "k:3: warning: vrrp_notify_fifo_script",
        ),
        (
            "vrrp_version 3",
            "vrrp_version 2",
            "advert_int 0.1 is not used as written (VRRP version 2",
        ),
        (
            "state BACKUP",
            "state MASTER",
            "k:11: error: state MASTER switches nopreempt off",
        ),
        (
            "state BACKUP\n    nopreempt",
            "state MASTER",
            "k:11: warning: state MASTER: a node that returns",
        ),
        ("    nopreempt\n", "", "k:11: warning: without nopreempt"),
        (
            "state BACKUP",
            "state SLAVE",
            "k:11: error: \"SLAVE\" is no state",
        ),
        ("    state BACKUP\n", "", "k:10: warning: no state"),
        (
            "    priority 250\n",
            "",
            "k:10: warning: no priority: 100 is assumed",
        ),
        (
            "state BACKUP\n    nopreempt\n    interface eth0\n    virtual_router_id 7\n    priority 250",
            "state MASTER\n interface eth0\n virtual_router_id 7",
            "k:10: error: no priority: with state MASTER that is 255",
        ),
        (
            "priority 250",
            "priority 255",
            "k:15: error: priority 255 is the address owner",
        ),
        (
            "priority 250",
            "priority 256",
            "k:15: error: \"256\" is no priority",
        ),
        (
            "    virtual_router_id 7\n",
            "",
            "k:10: error: no virtual_router_id",
        ),
        (
            "router_id 7",
            "router_id 0",
            "k:14: error: \"0\" is no virtual_router_id",
        ),
        (
            "advert_int 0.1",
            "advert_int 0.015",
            "k:16: error: advert_int 0.015 is not used as written (0.01 to",
        ),
        (
            "advert_int 0.1",
            "advert_int 0.1\n preempt_delay 5",
            "k:17: error: preempt_delay does nothing",
        ),
        (
            "advert_int 0.1",
            "advert_int 0.1\n dont_track_primary",
            "k:17: warning: dont_track_primary",
        ),
        (
            "advert_int 0.1",
            "advert_int 0.1\n no_accept",
            "k:17: error: no_accept: the firewall",
        ),
        (
            "advert_int 0.1",
            "advert_int 0.1\n authentication {\n auth_type PASS\n}",
            "k:17: error: VRRP version 3 has no authentication",
        ),
        (
            "advert_int 0.1",
            "advert_int 1\n version 2\n authentication {\n auth_type PASS\n auth_pass 123456789\n}",
            "k:20: error: auth_pass is longer than 8",
        ),
        (
            "        10.0.0.2\n",
            "",
            "k:17: error: unicast without a unicast_peer: adverts go out by multicast",
        ),
        (
            "        10.0.0.2\n",
            "        10.0.0.1\n",
            "k:19: error: the unicast peer 10.0.0.1 is this node itself",
        ),
        (
            "    unicast_src_ip 10.0.0.1\n",
            "",
            "k:10: warning: unicast without unicast_src_ip",
        ),
        (
            "    vrrp_check_unicast_src\n",
            "",
            "k:9: warning: adverts are taken from any address",
        ),
        (
            "10.0.0.100/32",
            "10.0.0.300/32",
            "k:25: error: \"10.0.0.300/32\" is no address",
        ),
        (
            "10.0.0.100/32",
            "10.0.0.1/32",
            "k:25: error: the VIP 10.0.0.1/32 is this node's own address",
        ),
        (
            "10.0.0.100/32",
            "10.0.0.100/32 no_track",
            "k:25: warning: no_track",
        ),
        (
            "eth0:v",
            "eth0:a-long-label",
            "k:25: error: the label eth0:a-long-label is longer",
        ),
        (
            "eth0:v",
            "rha",
            "k:25: warning: the label rha does not begin with eth0:",
        ),
        (
            "        10.0.0.100/32 label eth0:v\n",
            "",
            "k:10: error: no virtual_ipaddress",
        ),
        (
            "weight 0 reverse",
            "weight 0",
            "k:8: warning: weight 0 fails open",
        ),
        (
            "    weight 0 reverse\n",
            "",
            "k:6: warning: a track_file without a weight",
        ),
        (
            "        health\n",
            "        health weight 0\n",
            "k:22: warning: weight 0 fails open",
        ),
        (
            "weight 0 reverse",
            "weight 1",
            "k:8: warning: weight 1: a 1 in the file adds 1 to the priority and is no failure (for health: weight 0 reverse, and 1 in the file for healthy)",
        ),
        (
            "weight 0 reverse",
            "weight 2 reverse",
            "k:8: warning: weight 2 reverse: a 1 in the file takes 2 off the priority and is no failure",
        ),
        (
            "weight 0 reverse",
            "weight 10",
            "k:15: warning: priority 250 + 10 (health) is 260: keepalived stops at 254",
        ),
        (
            "        health\n",
            "        health weight 1\n",
            "k:22: warning: weight 1: a 1 in the file adds 1",
        ),
        (
            "weight 0 reverse",
            "weight 1\n init_file 9",
            "k:16: warning: priority 250 + 9 (health) is 259: keepalived",
        ),
        (
            "    priority 250\n",
            "    priority 20\n    track_interface {\n eth1 weight -30\n}\n",
            "k:15: warning: priority 20 - 30 (eth1) is -10: keepalived stops at 1",
        ),
        (
            "weight 0 reverse",
            "weight 300",
            "k:8: error: the weight 300 is out of range",
        ),
        (
            "weight 0 reverse",
            "weight 0 reverse\n init_file 1",
            "k:9: warning: init_file declares",
        ),
        (
            "        health\n",
            "        helth\n",
            "k:22: error: track_file helth is not declared",
        ),
        (
            "        health\n",
            "",
            "k:6: warning: track_file health is not used",
        ),
        (
            "}\nvrrp_instance",
            "}\nvrrp_script s {\n script \"/bin/true\"\n interval 0.1\n}\nvrrp_instance",
            "before 2.3.2 a script runs in whole seconds",
        ),
        (
            "        10.0.0.100/32 label eth0:v\n    }\n}\n",
            "        10.0.0.100/32\n}\n}\n}\n",
            "k:28: error: a } without a block",
        ),
        (
            "        10.0.0.100/32 label eth0:v\n    }\n}\n",
            "        10.0.0.100/32\n}\n",
            "k:10: error: the block of \"vrrp_instance V\" is never closed",
        ),
    ];
    for (from, to, expected) in cases {
        let said = said(from, to);
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{to}: expected {expected}, said {said:#?}"
        );
    }
}

#[test]
fn order_and_uniqueness_are_checked() {
    let (head, instance) = GOOD.split_at(GOOD.find("vrrp_instance").unwrap());
    let (globals, tracker) = head.split_at(head.find("track_file").unwrap());
    let late = lines(&lint(
        &document(&format!("{globals}{instance}{tracker}")),
        None,
    ));
    assert_eq!(
        late,
        [
            "k:18: error: track_file health is declared after vrrp_instance V, which runs without it (move the declaration up)"
        ]
    );
    let twice = lines(&lint(&document(&format!("{GOOD}{instance}")), None));
    assert_eq!(twice.len(), 3, "name, virtual_router_id, VIP: {twice:#?}");
}

#[test]
fn weights_without_effect_are_named() {
    let script = "vrrp_script s {\n script \"/bin/true\"\n weight -20\n}\nvrrp_instance";
    let text = GOOD.replace("vrrp_instance", script).replace(
        "advert_int",
        "track_script {\n s\n}\n track_interface {\n eth1 weight -5\n eth2\n}\n advert_int",
    );
    let text = text.replacen(
        "vrrp_version 3",
        "vrrp_version 3\nenable_script_security",
        1,
    );
    let said = lines(&lint(&document(&text), None));
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said.iter()
            .all(|line| line.contains("has no effect on who is master")),
        "{said:#?}"
    );
    let group = format!(
        "{}vrrp_sync_group G {{\n group {{\n V\n W\n}}\n}}\n",
        text.replace("    nopreempt\n", "")
    );
    let said = lines(&lint(&document(&group), None));
    assert!(
        said.iter()
            .any(|line| line.contains("there is no vrrp_instance W")),
        "{said:#?}"
    );
    assert!(
        said.iter()
            .any(|line| line.contains("the weight of s is dropped: V is in a sync group")),
        "{said:#?}"
    );
}

#[test]
fn definitions_and_conditions_are_not_judged() {
    let text = GOOD.replace(
        "priority 250",
        "@a priority $P\n @b priority 100\n ~SEQ(I, 1, 3) virtual_routes",
    );
    assert_eq!(
        lines(&lint(&document(&format!("$P=200\n{text}")), None)),
        Vec::<String>::new()
    );
}

#[test]
fn two_nodes_are_compared() {
    let mirror = GOOD
        .replace("unicast_src_ip 10.0.0.1", "unicast_src_ip 10.0.0.2")
        .replace("        10.0.0.2\n", "        10.0.0.1\n")
        .replace("priority 250", "priority 249");
    let said = |from: &str, to: &str| {
        assert!(mirror.contains(from), "{from}");
        lines(&lint_pair(
            &document(GOOD),
            &document(&mirror.replacen(from, to, 1)),
        ))
    };
    assert_eq!(said("V", "V"), Vec::<String>::new());
    for (from, to, expected) in [
        (
            "router_id 7",
            "router_id 8",
            "k:14: error: virtual_router_id 8, the other node has 7: both nodes become master",
        ),
        (
            "version 3",
            "version 2",
            "k:10: error: VRRP version 2, the other node has 3",
        ),
        (
            "10.0.0.100",
            "10.0.0.101",
            "k:24: error: another list of VIPs",
        ),
        ("249", "250", "k:15: warning: priority 250 on both nodes"),
        (
            "    nopreempt\n",
            "",
            "k:10: error: nopreempt on the other node only",
        ),
        (
            "0.1",
            "0.2",
            "k:16: warning: advert_int 0.2, the other node has 0.1",
        ),
        (
            "        10.0.0.1\n",
            "        10.0.0.3\n",
            "k:18: error: the other node (10.0.0.1) is not among the unicast peers",
        ),
        (
            "nopreempt",
            "nopreempt\n down_timer_adverts 5",
            "k:13: error: another down_timer_adverts",
        ),
        ("vrrp_instance V", "vrrp_instance W", ""),
        (
            "unicast_peer {",
            "virtual_routes {",
            "error: unicast on one node, multicast on the other",
        ),
        (
            "unicast_src_ip 10.0.0.2",
            "unicast_src_ip 10.0.0.1",
            "k:17: error: 10.0.0.1 is the address of both nodes (each node its own)",
        ),
        (
            "nopreempt",
            "nopreempt\n virtual_ipaddress_excluded {\n 10.0.1.100\n}",
            "k:13: warning: another virtual_ipaddress_excluded",
        ),
    ] {
        let said = said(from, to);
        assert!(expected.is_empty() == said.is_empty(), "{to}: {said:#?}");
        assert!(
            expected.is_empty() || said.iter().any(|line| line.contains(expected)),
            "{to}: {said:#?}"
        );
    }
    let multicast = |group: &str| {
        let peerless = GOOD.replace("unicast_peer {", "virtual_routes {");
        document(&peerless.replacen("vrrp_version 3", &format!("vrrp_version 3\n{group}"), 1))
    };
    let (one, other) = (multicast(""), multicast("vrrp_mcast_group4 224.0.0.19"));
    let differ = lines(&lint_pair(&one, &other)).join("\n");
    assert!(differ.contains("another multicast group"), "{differ}");
    let alone = said(
        "vrrp_instance V {",
        "vrrp_instance W {\n virtual_router_id 9\n}\nvrrp_script x {",
    );
    assert_eq!(alone.len(), 2, "{alone:#?}");
}

#[test]
fn a_password_is_compared_and_never_shown() {
    let auth = |pass: &str| {
        GOOD.replace("vrrp_version 3", "vrrp_version 2").replace(
            "advert_int 0.1",
            &format!("advert_int 1\n authentication {{\n auth_type PASS\n auth_pass {pass}\n}}"),
        )
    };
    let (one, other) = (document(&auth("hunter2")), document(&auth("hunter3longer")));
    let said = [lint(&other, None), lint_pair(&one, &other)].concat();
    let said = lines(&said).join("\n");
    assert!(
        said.contains("another authentication") && said.contains("longer than 8"),
        "{said}"
    );
    assert!(!said.contains("hunter"), "{said}");
}

/// A bias beside a gate is what it is; named like a health check, it is asked about.
#[test]
fn a_bias_is_no_health_check() {
    let with = |name: &str| {
        let second =
            format!("track_file {name} {{\n file /run/t/{name}\n weight 1\n}}\nvrrp_instance");
        let text = GOOD.replace("vrrp_instance", &second);
        let text = text.replace("        health\n", &format!("        health\n {name}\n"));
        lines(&lint(&document(&text), None))
    };
    assert_eq!(with("bias"), Vec::<String>::new());
    let said = with("redis_eligible");
    assert!(
        said[0].contains("is no failure") && said.len() == 1,
        "{said:#?}"
    );
}

#[test]
fn a_fault_by_a_large_weight_is_a_gate() {
    let said = said("weight 0 reverse", "weight -254");
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_file_without_an_instance_is_asked_about_and_passed() {
    let text = "virtual_server 10.0.0.9 80 {\n delay_loop 6\n}\n";
    assert_eq!(
        lines(&lint(&document(text), None)),
        [
            "k: warning: there is no vrrp_instance: nothing is taken over here (for a virtual_server alone that is right; lint looks at VRRP only)"
        ]
    );
}

/// keepalived's words about the block of `global_def`, word by word, add nothing to ours.
#[test]
fn keepalived_is_not_heard_twice() {
    let seed = file("seed.master.conf");
    let ours = lint(&seed, None);
    let place = |file: &str, line| Place {
        file: file.into(),
        line,
    };
    let path = "tests/keepalived/seed.master.conf";
    let said = |place: &Place, text: &str| Finding::error(place, format!("keepalived: {text}"), "");
    let left = fold(
        &seed,
        &ours,
        vec![
            said(&place(path, 3), "Unknown keyword 'global_def'"),
            said(&place(path, 3), "Unexpected '{' - ignoring"),
            said(&place(path, 4), "Unknown keyword 'router_id'"),
            said(&place("seed.master.conf", 5), "Unknown keyword '}'"),
            said(&place(path, 9), "Unknown keyword 'internal'"),
            said(&place(path, 15), "Unknown keyword 'state'"),
            said(&place("seed.master.conf", 16), "something"),
            said(&place(path, 0), "Disabling track script chk_alive"),
        ],
    );
    assert_eq!(
        lines(&left),
        [
            format!("{path}:15: error: keepalived: Unknown keyword 'state' ()"),
            format!("{path}:16: error: keepalived: something ()"),
            format!("{path}: error: keepalived: Disabling track script chk_alive ()"),
        ]
    );
}

#[test]
fn a_missing_include_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("main.conf");
    std::fs::write(&main, "include none.inc\n").unwrap();
    let document = load(&main).unwrap();
    let ours = lint(&document, None);
    let place = |line| Place {
        file: "main.conf".into(),
        line,
    };
    let said = Finding::error(
        &place(1),
        "keepalived: Config files missing 'none.inc'.",
        "",
    );
    assert_eq!(fold(&document, &ours, vec![said]), []);
}
