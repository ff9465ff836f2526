//! Which keepalived run here, and with which rights: proc(5).

use std::fs;
use std::path::{Path, PathBuf};

/// Bits of a capability set (capabilities(7)).
const CAP_SYS_NICE: u64 = 1 << 23;
const CAP_SYS_RESOURCE: u64 = 1 << 24;

/// What `status` of a process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    name: String,
    parent: u32,
    bounding: u64,
}

/// The keepalived daemons of this network namespace, without their children.
pub(super) fn keepaliveds() -> Vec<Process> {
    let here = namespace(Path::new("/proc/self"));
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries
        .map(|entry| entry.path())
        .filter_map(|path| Some((process(&path)?, path)));
    processes
        .filter(|(process, path)| is_daemon(process) && here.is_some() && namespace(path) == here)
        .map(|(process, _)| process)
        .collect()
}

/// `setrlimit` of a lowered RLIMIT_RTTIME needs CAP_SYS_RESOURCE, which some containers lack, and
/// keepalived lowers it to nothing at each reload. What runs in real time then gets SIGKILL; without
/// CAP_SYS_NICE nothing does.
pub(super) fn kills_real_time(keepalived: Option<&Process>) -> bool {
    let own = || process(Path::new("/proc/self"));
    let bounding = keepalived.cloned().or_else(own).map(|found| found.bounding);
    bounding.is_some_and(|set| set & CAP_SYS_NICE != 0 && set & CAP_SYS_RESOURCE == 0)
}

fn is_daemon(process: &Process) -> bool {
    let parent = || self::process(&Path::new("/proc").join(process.parent.to_string()));
    is_keepalived(process) && !parent().is_some_and(|parent| is_keepalived(&parent))
}

fn is_keepalived(process: &Process) -> bool {
    process.name == "keepalived"
}

fn namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/net")).ok()
}

fn process(path: &Path) -> Option<Process> {
    parsed(&fs::read_to_string(path.join("status")).ok()?)
}

fn parsed(status: &str) -> Option<Process> {
    let field = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
    };
    Some(Process {
        name: field("Name:")?.to_owned(),
        parent: field("PPid:")?.parse().ok()?,
        bounding: u64::from_str_radix(field("CapBnd:")?, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounding_set_tells_who_is_killed() {
        let status = |set: &str| {
            let text = format!("Name:\tkeepalived\nPPid:\t1\nCapInh:\t0\nCapBnd:\t{set}\n");
            parsed(&text).unwrap()
        };
        let kills = |set| kills_real_time(Some(&status(set)));
        assert!(kills("000001fffeffffff"), "no CAP_SYS_RESOURCE");
        assert!(!kills("000001ffffffffff"), "everything");
        assert!(!kills("000001fffe7fffff"), "no CAP_SYS_NICE either");
        assert!(!kills("0000000000000000"), "nothing");
        assert!(is_keepalived(&status("0")));
        assert_eq!(parsed("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_is_read() {
        assert!(process(Path::new("/proc/self")).is_some());
        assert!(!is_daemon(&process(Path::new("/proc/self")).unwrap()));
    }
}
