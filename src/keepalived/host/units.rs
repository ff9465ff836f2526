//! The directories below /run that systemd makes and removes with a unit: `RuntimeDirectory=` in
//! systemd.exec(5).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where units are, the first one of a name counts.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Those that are removed when their unit stops, with the unit.
pub(super) fn runtime_directories() -> Vec<(PathBuf, String)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for directory in UNITS {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".service") || !seen.insert(name.clone()) {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            found.extend(removed(&text).map(|path| (path, name.clone())));
        }
    }
    found
}

fn removed(unit: &str) -> impl Iterator<Item = PathBuf> {
    let value = |name: &str| {
        let mut lines = unit.lines();
        lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
    };
    // `restart` keeps it over a restart only.
    let kept = value("RuntimeDirectoryPreserve").is_some_and(|value| value.trim() == "yes");
    let names = value("RuntimeDirectory").filter(|_| !kept);
    let names = names.unwrap_or_default().split_ascii_whitespace();
    names.map(|name| Path::new("/run").join(name.split(':').next().unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_removes() {
        let of = |unit: &str| removed(unit).collect::<Vec<_>>();
        assert_eq!(
            of("[Service]\nRuntimeDirectory=redis a/b:c\nRuntimeDirectoryMode=2755\n"),
            [Path::new("/run/redis"), Path::new("/run/a/b")]
        );
        assert!(of("RuntimeDirectory=redis\nRuntimeDirectoryPreserve=yes\n").is_empty());
        assert_eq!(
            of("RuntimeDirectory=r\nRuntimeDirectoryPreserve=restart\n").len(),
            1
        );
        assert!(of("# RuntimeDirectory=redis\n[Service]\n").is_empty());
    }
}
