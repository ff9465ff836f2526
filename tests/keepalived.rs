//! What rha writes for keepalived: word for word, and in the eyes of the real keepalived.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::path::Path;
use std::process::Command;

use rha::config::Config;
use rha::keepalived::render::render;

const SHIPPED: &str = include_str!("../config/rha.toml");

/// Three nodes, IPv6, an interface too long for a label, and a second VIP with settings of its own.
const MANY: &str = r#"
[keepalived]
user = "daemon"
group = "daemon"
advert_interval = "250ms"
check_interval = "0s"
[[instance]]
name = "sessions"
vip = "fd00:99::100"
interface = "eth0"
virtual_router_id = 51
node = [{ name = "a", address = "fd00:99::1" }, { name = "b", address = "fd00:99::2" }, { name = "c", address = "fd00:99::3" }]
[[instance]]
name = "cache-2"
vip = "10.99.0.101"
port = 6380
interface = "enp216s0f1np1"
virtual_router_id = 51
vrrp_instance = "CACHE"
node = [
    { name = "a", address = "10.99.0.1", priority = 100 },
    { name = "b", address = "10.99.0.2", priority = 90 },
    { name = "c", address = "10.99.0.3", priority = 101 },
]
"#;

fn config(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/rha/rha.toml"), None, "lvs1")
        .or_else(|_| Config::parse(text, Path::new("/etc/rha/rha.toml"), Some("a"), ""))
        .unwrap()
}

fn rendered(text: &str, node: &str) -> String {
    render(&config(text), node, Path::new("/usr/bin/rha")).unwrap()
}

fn multicast_v2() -> String {
    SHIPPED
        .replace("vrrp_version = 3", "vrrp_version = 2")
        .replace("\"100ms\"\n# unicast", "\"1s\"\n# unicast")
        .replace("\"unicast\"", "\"multicast\"")
}

/// Golden file, and what it is the rendering of.
fn golden() -> Vec<(&'static str, String)> {
    vec![
        ("unicast.lvs1.conf", rendered(SHIPPED, "lvs1")),
        ("unicast.lvs2.conf", rendered(SHIPPED, "lvs2")),
        ("multicast-v2.lvs1.conf", rendered(&multicast_v2(), "lvs1")),
        ("many.b.conf", rendered(MANY, "b")),
    ]
}

/// To accept a change: UPDATE_GOLDEN=1 cargo test --test keepalived, and read the difference.
#[test]
fn renderings_are_golden() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived");
    for (name, text) in golden() {
        let file = directory.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{name}");
    }
}

#[test]
fn nodes_differ_only_where_they_must() {
    let (one, two) = (rendered(SHIPPED, "lvs1"), rendered(SHIPPED, "lvs2"));
    let pairs = one.lines().zip(two.lines());
    let different: Vec<_> = pairs
        .filter(|(one, two)| one != two)
        .map(|(one, _)| one.trim())
        .collect();
    assert_eq!(
        different,
        [
            "# Made for node lvs1 by `rha keepalived render`: change /etc/rha/rha.toml instead.",
            "router_id rha-lvs1",
            "priority 250",
            "unicast_src_ip 192.168.192.37",
            "192.168.192.38",
        ]
    );
}

#[test]
fn an_unknown_node_is_named() {
    let error = render(&config(SHIPPED), "lvs3", Path::new("/usr/bin/rha")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"lvs3\" is not a node of instance \"redis\"; \"lvs1\" or \"lvs2\""
    );
}

#[test]
fn a_path_with_blanks_is_refused() {
    let error = render(&config(SHIPPED), "lvs1", Path::new("/opt/my rha")).unwrap_err();
    assert!(error.to_string().contains("/opt/my rha"), "{error}");
}

/// What keepalived says of `text` on a host with the interfaces, and its exit status at the end; and
/// whether the root directory belongs to root there.
fn verdict(text: &str) -> (String, bool) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keepalived.conf");
    std::fs::write(&file, text).unwrap();
    let script = format!(
        "set -e; mount -t tmpfs none /run; \
        for i in eth0 enp216s0f1np1; do \
          ip link add $i type dummy 2>/dev/null || ip link add $i type bridge; ip link set $i up; \
        done; \
        ip addr add 192.168.192.37/24 dev eth0; ip addr add 10.99.0.2/24 dev enp216s0f1np1; \
        ip addr add fd00:99::2/64 dev eth0 nodad; set +e\n\
        stat -c %u /; keepalived -t -f {} 2>&1; echo rc $?",
        file.display()
    );
    let output = Command::new("unshare")
        .args(["-Urnm", "sh", "-c", &script])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    let (owner, said) = said.split_once('\n').expect(&wrong);
    (said.to_owned(), owner == "0")
}

#[test]
#[ignore = "needs keepalived, and namespaces"]
fn the_real_keepalived_accepts_every_rendering_without_a_word() {
    let no_check = |text: &str| text.replace("check_interval = \"1s\"", "check_interval = \"0s\"");
    for (text, node) in [
        (no_check(SHIPPED), "lvs1"),
        (no_check(&multicast_v2()), "lvs1"),
        (MANY.to_owned(), "b"),
    ] {
        let (said, _) = verdict(&rendered(&text, node));
        assert_eq!(said, "rc 0\n", "{text}");
    }
}

#[test]
#[ignore = "needs keepalived, and namespaces"]
fn the_real_keepalived_accepts_the_check_script() {
    // Any program will do as `rha check`, as long as it is there.
    let text = render(&config(SHIPPED), "lvs1", Path::new("/bin/true")).unwrap();
    let (said, root_owned) = verdict(&text);
    // For an ordinary user, / belongs to nobody in a namespace of their own, and keepalived then trusts
    // no script at all; it must have nothing else to say.
    let expected = if root_owned {
        "rc 0\n"
    } else {
        "Disabling track script rha_redis_check due to insecure\nrc 5\n"
    };
    assert_eq!(said, expected);
}

#[test]
#[ignore = "needs keepalived, and namespaces"]
fn the_real_keepalived_refuses_a_broken_rendering() {
    let (said, _) = verdict(&rendered(MANY, "b").replace("nopreempt", "no_preempt"));
    assert!(
        said.contains("no_preempt") && !said.ends_with("rc 0\n"),
        "{said}"
    );
}
