//! Tests that run in user, network and mount namespaces of their own: each starts itself again inside `unshare`.

use std::process::Command;

const INSIDE: &str = "RHA_TEST_INSIDE_NAMESPACE";

/// This process is the one inside.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// True inside, where `eth9` is an interface for the VIP. Outside, runs the test `name` there and returns false.
pub fn inside(name: &str) -> bool {
    if is_inside() {
        ip("link set lo up");
        add_interface();
        return true;
    }
    let output = Command::new("unshare")
        .arg("-Urnm")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let [out, err] =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(
        output.status.success(),
        "{name} failed inside the namespace: {out}{err}"
    );
    assert!(out.contains("1 passed"), "there is no test {name}");
    false
}

/// Where the VIP lives.
pub fn add_interface() {
    ip("link add eth9 type veth peer name eth8");
    ip("link set eth8 up");
    ip("link set eth9 up");
}

/// `ip` with these arguments.
pub fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("ip").success(), "ip {arguments}");
}
